# Toolchain: Debian 12 on ARMv7 with hardware floats, against the unpacked packages of tools/sysroot armhf.
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(FIELDWATCH_CROSS_ARCH armhf)
set(FIELDWATCH_CROSS_TRIPLET arm-linux-gnueabihf)
# Debian's armhf baseline. Times of 64 bits: a device that is installed today still runs in 2038.
set(FIELDWATCH_CROSS_FLAGS "-march=armv7-a -mfpu=vfpv3-d16 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64")
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
