#include "hub/connector/log_tail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace fieldwatch::hub {

namespace {

std::unexpected<Error> cannot(const std::string& path, int error) {
    return fail(error == ENOENT ? Errc::NotFound : Errc::Io, path + ": " + std::strerror(error));
}

}  // namespace

LogTail::LogTail(std::string path, std::string_view place) : path_(std::move(path)) {
    const auto colon = place.find(':');
    from_end_ = colon == std::string_view::npos;
    if (from_end_) return;
    std::from_chars(place.data(), place.data() + colon, wanted_inode_);
    std::from_chars(place.data() + colon + 1, place.data() + place.size(), offset_);
}

LogTail::~LogTail() {
    if (fd_ >= 0) ::close(fd_);
}

std::string LogTail::place() const {
    return std::to_string(inode_) + ":" + std::to_string(offset_ - partial_.size());
}

Result<void> LogTail::open() {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat about{};
    if (fd_ < 0 || ::fstat(fd_, &about) != 0) return cannot(path_, errno);
    if (!S_ISREG(about.st_mode)) {
        ::close(fd_);
        fd_ = -1;
        return fail(Errc::Io, path_ + " is no file");
    }
    inode_ = about.st_ino;
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (from_end_)
        offset_ = size;
    else if (wanted_inode_ != inode_ || offset_ > size)
        offset_ = 0;  // another file, or the same emptied: all of it is new
    from_end_ = false;
    wanted_inode_ = inode_;
    partial_.clear();
    return {};
}

bool LogTail::was_replaced() const {
    struct stat now{};
    if (::stat(path_.c_str(), &now) != 0) return false;
    return now.st_ino != inode_ || static_cast<std::uint64_t>(now.st_size) < offset_;
}

Result<bool> LogTail::read(const std::function<void(std::string_view line)>& each) {
    if (fd_ < 0) FIELDWATCH_TRY(open());
    std::vector<char> buffer(kReadMax);
    const auto got = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(offset_));
    if (got < 0) return cannot(path_, errno);
    if (got == 0) {
        if (!was_replaced()) return false;
        ::close(fd_);
        fd_ = -1;
        wanted_inode_ = 0;
        FIELDWATCH_TRY(open());
        return true;
    }
    offset_ += static_cast<std::uint64_t>(got);
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        partial_.append(text.substr(0, end));
        if (!skipping_ && partial_.size() <= kLineMax) each(partial_);
        skipping_ = false;
        partial_.clear();
        text.remove_prefix(end + 1);
    }
    partial_.append(text);
    if (partial_.size() > kLineMax) {
        skipping_ = true;
        partial_.clear();
    }
    return true;
}

}  // namespace fieldwatch::hub
