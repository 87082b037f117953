#include "pipeline/input/syscalls.hpp"

#include <algorithm>
#include <span>

namespace fieldwatch::pipeline {
namespace {

struct Call {
    std::int64_t number;
    std::string_view name;
};

constexpr Call kX8664[] = {
    {2, "open"},
    {9, "mmap"},
    {10, "mprotect"},
    {16, "ioctl"},
    {41, "socket"},
    {42, "connect"},
    {43, "accept"},
    {44, "sendto"},
    {45, "recvfrom"},
    {49, "bind"},
    {50, "listen"},
    {56, "clone"},
    {57, "fork"},
    {58, "vfork"},
    {59, "execve"},
    {62, "kill"},
    {76, "truncate"},
    {77, "ftruncate"},
    {82, "rename"},
    {83, "mkdir"},
    {84, "rmdir"},
    {85, "creat"},
    {86, "link"},
    {87, "unlink"},
    {88, "symlink"},
    {90, "chmod"},
    {91, "fchmod"},
    {92, "chown"},
    {99, "sysinfo"},
    {101, "ptrace"},
    {105, "setuid"},
    {106, "setgid"},
    {113, "setreuid"},
    {117, "setresuid"},
    {126, "capset"},
    {133, "mknod"},
    {135, "personality"},
    {155, "pivot_root"},
    {157, "prctl"},
    {159, "adjtimex"},
    {161, "chroot"},
    {164, "settimeofday"},
    {165, "mount"},
    {166, "umount2"},
    {167, "swapon"},
    {169, "reboot"},
    {170, "sethostname"},
    {171, "setdomainname"},
    {175, "init_module"},
    {176, "delete_module"},
    {188, "setxattr"},
    {197, "removexattr"},
    {227, "clock_settime"},
    {246, "kexec_load"},
    {248, "add_key"},
    {250, "keyctl"},
    {257, "openat"},
    {258, "mkdirat"},
    {259, "mknodat"},
    {263, "unlinkat"},
    {264, "renameat"},
    {265, "linkat"},
    {266, "symlinkat"},
    {268, "fchmodat"},
    {272, "unshare"},
    {280, "utimensat"},
    {288, "accept4"},
    {298, "perf_event_open"},
    {308, "setns"},
    {310, "process_vm_readv"},
    {311, "process_vm_writev"},
    {313, "finit_module"},
    {316, "renameat2"},
    {319, "memfd_create"},
    {320, "kexec_file_load"},
    {321, "bpf"},
    {322, "execveat"},
    {323, "userfaultfd"},
    {425, "io_uring_setup"},
    {435, "clone3"},
};

constexpr Call kArm64[] = {
    {5, "setxattr"},
    {14, "removexattr"},
    {29, "ioctl"},
    {33, "mknodat"},
    {34, "mkdirat"},
    {35, "unlinkat"},
    {36, "symlinkat"},
    {37, "linkat"},
    {38, "renameat"},
    {39, "umount2"},
    {40, "mount"},
    {41, "pivot_root"},
    {45, "truncate"},
    {46, "ftruncate"},
    {51, "chroot"},
    {52, "fchmod"},
    {53, "fchmodat"},
    {54, "fchownat"},
    {56, "openat"},
    {88, "utimensat"},
    {91, "capset"},
    {92, "personality"},
    {97, "unshare"},
    {104, "kexec_load"},
    {105, "init_module"},
    {106, "delete_module"},
    {112, "clock_settime"},
    {117, "ptrace"},
    {129, "kill"},
    {142, "reboot"},
    {144, "setgid"},
    {145, "setreuid"},
    {146, "setuid"},
    {147, "setresuid"},
    {161, "sethostname"},
    {167, "prctl"},
    {170, "settimeofday"},
    {171, "adjtimex"},
    {179, "sysinfo"},
    {198, "socket"},
    {200, "bind"},
    {201, "listen"},
    {202, "accept"},
    {203, "connect"},
    {206, "sendto"},
    {207, "recvfrom"},
    {217, "add_key"},
    {219, "keyctl"},
    {220, "clone"},
    {221, "execve"},
    {222, "mmap"},
    {226, "mprotect"},
    {241, "perf_event_open"},
    {242, "accept4"},
    {268, "setns"},
    {270, "process_vm_readv"},
    {271, "process_vm_writev"},
    {273, "finit_module"},
    {276, "renameat2"},
    {279, "memfd_create"},
    {280, "bpf"},
    {281, "execveat"},
    {282, "userfaultfd"},
    {425, "io_uring_setup"},
    {435, "clone3"},
};

constexpr Call kArm[] = {
    {5, "open"},      {10, "unlink"},       {11, "execve"},         {14, "mknod"},
    {15, "chmod"},    {21, "mount"},        {26, "ptrace"},         {37, "kill"},
    {116, "sysinfo"}, {128, "init_module"}, {129, "delete_module"}, {281, "socket"},
    {282, "bind"},    {283, "connect"},     {284, "listen"},        {285, "accept"},
    {322, "openat"},  {366, "accept4"},     {379, "finit_module"},  {385, "memfd_create"},
    {386, "bpf"},     {387, "execveat"},
};

constexpr Call kI386[] = {
    {5, "open"},           {10, "unlink"},        {11, "execve"},         {14, "mknod"},
    {15, "chmod"},         {21, "mount"},         {26, "ptrace"},         {37, "kill"},
    {116, "sysinfo"},      {128, "init_module"},  {129, "delete_module"}, {295, "openat"},
    {350, "finit_module"}, {356, "memfd_create"}, {357, "bpf"},           {358, "execveat"},
    {359, "socket"},       {361, "bind"},         {362, "connect"},       {363, "listen"},
    {364, "accept4"},
};

std::span<const Call> calls_of(std::string_view arch) {
    if (arch == "c000003e" || arch == "x86_64") return kX8664;
    if (arch == "c00000b7" || arch == "aarch64") return kArm64;
    if (arch == "40000028" || arch == "arm" || arch == "armeb") return kArm;
    if (arch == "40000003" || arch == "i386") return kI386;
    return {};
}

}  // namespace

std::string_view syscall_name(std::string_view arch, std::int64_t number) {
    const auto calls = calls_of(arch);
    const auto at = std::ranges::lower_bound(calls, number, {}, &Call::number);
    return at == calls.end() || at->number != number ? std::string_view{} : at->name;
}

}  // namespace fieldwatch::pipeline
