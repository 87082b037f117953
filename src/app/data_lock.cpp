#include "app/data_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fieldwatch::app {

Result<DataLock> DataLock::take(const std::string& directory) {
    const auto path = directory + "/lock";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail(Errc::Io, fmt::format("opening {}: {}", path, std::strerror(errno)));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return DataLock(descriptor);
    const int problem = errno;
    ::close(descriptor);
    if (problem == EWOULDBLOCK) {
        return fail(
            Errc::Conflict,
            fmt::format(
                "another fieldwatch serve runs with its state in {}; stop it first, or choose another --data",
                directory));
    }
    return fail(Errc::Io, fmt::format("locking {}: {}", path, std::strerror(problem)));
}

DataLock::~DataLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace fieldwatch::app
