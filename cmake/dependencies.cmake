# Everything from Debian 12 packages (tools/packages.txt); DuckDB from the pinned npm packages that tools/setup unpacks.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
if(FIELDWATCH_AGENT_ONLY)
  return()
endif()

find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Boost 1.81 REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(VECTORSCAN REQUIRED IMPORTED_TARGET libhs)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
find_library(RAPIDCHECK_LIBRARY rapidcheck)
find_library(PROTON_LIBRARY qpid-proton REQUIRED)

set(FIELDWATCH_DEPS_DIR ${CMAKE_SOURCE_DIR}/.deps CACHE PATH "What tools/setup unpacks")
add_library(duckdb SHARED IMPORTED)
set_target_properties(duckdb PROPERTIES
  IMPORTED_LOCATION ${FIELDWATCH_DEPS_DIR}/duckdb/libduckdb.so
  IMPORTED_NO_SONAME ON
  INTERFACE_INCLUDE_DIRECTORIES ${FIELDWATCH_DEPS_DIR}/duckdb)
