# Toolchain: Debian 12 on aarch64, against the unpacked packages of tools/sysroot arm64.
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(FIELDWATCH_CROSS_ARCH arm64)
set(FIELDWATCH_CROSS_TRIPLET aarch64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
