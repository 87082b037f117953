# find_package(FieldwatchSecurity): the target Fieldwatch::security, a static library of C99 and its headers.
include(${CMAKE_CURRENT_LIST_DIR}/FieldwatchSecurityTargets.cmake)
