# fieldwatch_bpf(TARGET FILE.bpf.c …)
#   Compiles each kernel program with clang (CO-RE: type names and offsets are resolved at load, against the running kernel's
#   BTF; no kernel headers, no vmlinux.h), drops its DWARF by linking it (the linker keeps BTF only), and turns it into a
#   skeleton header NAME.skel.h that TARGET can include.
find_program(BPF_CLANG NAMES clang-19 clang REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(fieldwatch_bpf target)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(arch arm64)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
    set(arch arm)
  else()
    set(arch x86)
  endif()
  set(skeletons)
  foreach(file ${ARGN})
    get_filename_component(stem ${file} NAME_WE)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.bpf.o)
    set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/skeletons/${stem}.skel.h)
    add_custom_command(OUTPUT ${skeleton}
      COMMAND ${BPF_CLANG} -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -Wno-missing-field-initializers -Wno-unused-parameter
              -D__TARGET_ARCH_${arch} -I${CMAKE_SOURCE_DIR}/src -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
              -MD -MF ${object}.d -MT ${skeleton} -c ${CMAKE_CURRENT_SOURCE_DIR}/${file} -o ${object}.unlinked
      COMMAND ${BPFTOOL} gen object ${object} ${object}.unlinked
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/skeletons
      COMMAND ${BPFTOOL} gen skeleton ${object} name fieldwatch_${stem} > ${skeleton}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file}
      DEPFILE ${object}.d
      VERBATIM)
    list(APPEND skeletons ${skeleton})
  endforeach()
  add_custom_target(${target}_skeletons DEPENDS ${skeletons})
  set_property(GLOBAL APPEND PROPERTY FIELDWATCH_GENERATED ${target}_skeletons)
  add_dependencies(${target} ${target}_skeletons)
  target_include_directories(${target} SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/skeletons)
endfunction()
