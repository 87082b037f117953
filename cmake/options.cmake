# Language level, warnings and sanitizers, for every target of the tree.
option(FIELDWATCH_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer (clang only)" OFF)
option(FIELDWATCH_TSAN "ThreadSanitizer" OFF)
option(FIELDWATCH_AGENT_ONLY "The device's side alone, without tests: what cross builds need" OFF)
option(FIELDWATCH_FUZZ "Build the fuzzers with libFuzzer, instead of the tests (with FIELDWATCH_SANITIZE)" OFF)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Targets of ours link this; third-party headers are SYSTEM and stay out of it.
add_library(fieldwatch_options INTERFACE)
target_compile_options(fieldwatch_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wcast-align
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  -Wno-missing-field-initializers -fstack-protector-strong)
target_compile_definitions(fieldwatch_options INTERFACE _GLIBCXX_ASSERTIONS)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Deprecations are g++'s to report: under clang the ones inside libstdc++ 12's own stable_sort come through.
  target_compile_options(fieldwatch_options INTERFACE -Wno-gnu-statement-expression -Wno-missing-designated-field-initializers
    -Wno-deprecated-declarations)
else()
  # g++ 12 reports these inside the standard library at -O2; they are its own known false alarms.
  target_compile_options(fieldwatch_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-free-nonheap-object)
endif()

if(CMAKE_UNITY_BUILD)
  # It reaches across the sources that are joined: one file's constant, another's local. tools/clang-tidy looks at each alone.
  target_compile_options(fieldwatch_options INTERFACE -Wno-shadow)
endif()

find_program(LLD NAMES ld.lld-19 ld.lld)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND LLD)
  add_link_options(--ld-path=${LLD})
elseif(LLD)
  # g++ 12 finds a linker only by its short name, in a directory that -B names.
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/linker)
  file(CREATE_LINK ${LLD} ${CMAKE_BINARY_DIR}/linker/ld.lld SYMBOLIC)
  add_link_options(-B${CMAKE_BINARY_DIR}/linker -fuse-ld=lld)
endif()

if(FIELDWATCH_SANITIZE)
  # libFuzzer's counters are in the tests too: with the same flags the compiler cache has each object once for both.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=address,undefined)
endif()
# How much longer tests may take than in a release build, and what else they run with.
set(FIELDWATCH_PATIENCE 1)
if(FIELDWATCH_SANITIZE OR FIELDWATCH_TSAN)
  set(FIELDWATCH_PATIENCE 5)
endif()
set(FIELDWATCH_TEST_ENVIRONMENT FIELDWATCH_PATIENCE=${FIELDWATCH_PATIENCE})
if(FIELDWATCH_TSAN)
  # Its detector of deadlocks counts to 64 locks at once; before a fork DuckDB's allocator takes more, and the report of that hangs.
  list(APPEND FIELDWATCH_TEST_ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan-suppressions.txt:detect_deadlocks=0")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  # ThreadSanitizer does not know fences; Asio's locks order the same without.
  add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
