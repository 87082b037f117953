#include "agent/state_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/directory.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kDepthMost = 2;  // state folder, its folders, what lies in those
constexpr int kEntriesMost = 10'000;

void give(int file, const struct stat& status, const AccountIds& owner) {
    if (status.st_uid != owner.uid || status.st_gid != owner.gid)
        (void)::fchownat(file, "", owner.uid, owner.gid, AT_EMPTY_PATH);
}

/// `folder` is closed.
void give_all(int folder, const AccountIds& owner, int depth) {
    struct stat status{};
    if (::fstat(folder, &status) == 0) give(folder, status, owner);
    const Directory listed(::fdopendir(folder));
    if (!listed) {
        ::close(folder);
        return;
    }
    for (int count = 0; count < kEntriesMost; ++count) {
        const auto* entry = ::readdir(listed.get());
        if (!entry) return;
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        const int file = ::openat(folder, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0) continue;
        const bool known = ::fstat(file, &status) == 0;
        if (known && S_ISREG(status.st_mode) && status.st_nlink == 1) give(file, status, owner);
        if (known && S_ISDIR(status.st_mode) && depth < kDepthMost) {
            const int inner = ::openat(file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (inner >= 0) give_all(inner, owner, depth + 1);
        }
        ::close(file);
    }
}

}  // namespace

Result<void> hand_over(const std::string& directory, const AccountIds& owner) {
    const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return fail(Errc::Io, directory + ": " + std::strerror(errno));
    give_all(folder, owner, 1);
    return {};
}

}  // namespace fieldwatch::agent
