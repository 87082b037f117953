// Names of the system calls that audit rules ask for, by architecture as audit records give it.
#pragma once

#include <cstdint>
#include <string_view>

namespace fieldwatch::pipeline {

/// `arch` is the hexadecimal AUDIT_ARCH value, c000003e for x86-64, or its name; "" when call or architecture
/// is unknown. Numbers: Linux's own tables of each architecture.
std::string_view syscall_name(std::string_view arch, std::int64_t number);

}  // namespace fieldwatch::pipeline
