#include "base/link.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace fieldwatch {

Result<void> link_or_copy(const std::string& from, const std::string& to) {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    const int problem = errno;
    const auto refuse = [&](const std::string& why) {
        const auto code = problem == ENOENT   ? Errc::NotFound
                          : problem == EEXIST ? Errc::AlreadyExists
                          : problem == ENOSPC ? Errc::Exhausted
                                              : Errc::Io;
        return fail(code, "linking " + from + ": " + why);
    };
    if (problem != EXDEV && problem != EPERM && problem != EMLINK && problem != ENOTSUP)
        return refuse(std::strerror(problem));
    std::error_code failed;
    if (!std::filesystem::copy_file(from, to, failed)) return refuse(failed.message());
    return {};
}

}  // namespace fieldwatch
