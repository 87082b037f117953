#include "base/file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fieldwatch {

// Where 32-bit times and sizes are the default, the build must say otherwise: 2038 is within a device's life,
// and a folder on a large file system cannot be listed.
static_assert(sizeof(off_t) == 8 && sizeof(time_t) == 8);

namespace {

std::unexpected<Error> io_error(const char* what, const std::string& path) {
    const int number = errno;
    const auto code = number == ENOENT   ? Errc::NotFound
                      : number == EEXIST ? Errc::AlreadyExists
                      : number == ENOSPC ? Errc::Exhausted
                                         : Errc::Io;
    return fail(code, std::string(what) + " " + path + ": " + std::strerror(number));
}

class PosixFile final : public File {
  public:
    PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
    ~PosixFile() override { ::close(descriptor_); }

    Result<void> write_at(std::uint64_t offset, ByteView data) override {
        while (!data.empty()) {
            const auto done = ::pwrite(descriptor_, data.data(), data.size(), static_cast<off_t>(offset));
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return io_error("writing", path_);
            data = data.subspan(static_cast<std::size_t>(done));
            offset += static_cast<std::uint64_t>(done);
        }
        return {};
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
        std::size_t total = 0;
        while (total < out.size()) {
            const auto done = ::pread(descriptor_, out.data() + total, out.size() - total,
                                      static_cast<off_t>(offset + total));
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return io_error("reading", path_);
            if (done == 0) break;
            total += static_cast<std::size_t>(done);
        }
        return total;
    }
    Result<std::uint64_t> size() const override {
        struct stat info{};
        if (::fstat(descriptor_, &info) != 0) return io_error("asking the size of", path_);
        return static_cast<std::uint64_t>(info.st_size);
    }
    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) return io_error("truncating", path_);
        return {};
    }
    Result<void> sync() override {
        if (::fdatasync(descriptor_) != 0) return io_error("syncing", path_);
        return {};
    }

  private:
    int descriptor_;
    std::string path_;
};

class PosixFileSystem final : public FileSystem {
  public:
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        const int flags = mode == OpenMode::ReadOnly    ? O_RDONLY
                          : mode == OpenMode::ReadWrite ? O_RDWR
                                                        : O_RDWR | O_CREAT | O_EXCL;
        const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
        if (descriptor < 0) return io_error("opening", path);
        return std::make_unique<PosixFile>(descriptor, path);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return io_error("renaming", from);
        return {};
    }
    Result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) != 0) return io_error("removing", path);
        return {};
    }
    Result<void> make_directories(const std::string& path) override {
        for (std::size_t at = 1; at != std::string::npos;) {
            at = path.find('/', at);
            const auto part = path.substr(0, at);
            if (!part.empty() && ::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
                return io_error("making the directory", part);
            if (at != std::string::npos) ++at;
        }
        return {};
    }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        auto* const handle = ::opendir(directory.c_str());
        if (handle == nullptr) return io_error("listing", directory);
        std::vector<std::string> names;
        while (const auto* entry = ::readdir(handle)) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") names.push_back(name);
        }
        ::closedir(handle);
        std::sort(names.begin(), names.end());
        return names;
    }
    Result<void> sync_directory(const std::string& directory) override {
        const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) return io_error("opening", directory);
        const int done = ::fsync(descriptor);
        ::close(descriptor);
        if (done != 0) return io_error("syncing", directory);
        return {};
    }
    Result<std::uint64_t> free_bytes(const std::string& directory) override {
        struct statvfs info{};
        if (::statvfs(directory.c_str(), &info) != 0) return io_error("asking the free space of", directory);
        return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    }
};

}  // namespace

FileSystem& posix_file_system() {
    static PosixFileSystem files;
    return files;
}

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t bytes_max) {
    const auto file = FIELDWATCH_TRY(files.open(path, OpenMode::ReadOnly));
    const auto size = FIELDWATCH_TRY(file->size());
    if (size > bytes_max) {
        return fail(Errc::TooLarge, path + " has " + std::to_string(size) + " bytes; at most " +
                                        std::to_string(bytes_max) + " are read");
    }
    Bytes out(size);
    out.resize(FIELDWATCH_TRY(file->read_at(0, out)));
    return out;
}

Result<void> replace_file(FileSystem& files, const std::string& path, ByteView content) {
    const auto aside = path + ".new";
    if (const auto gone = files.remove(aside); !gone && gone.error().code != Errc::NotFound) return gone;
    {
        const auto file = FIELDWATCH_TRY(files.open(aside, OpenMode::CreateNew));
        FIELDWATCH_TRY(file->write_at(0, content));
        FIELDWATCH_TRY(file->sync());
    }
    FIELDWATCH_TRY(files.rename(aside, path));
    const auto slash = path.rfind('/');
    return files.sync_directory(slash == std::string::npos ? "." : path.substr(0, slash));
}

Result<std::string> read_expendable(FileSystem& files, const std::string& path, std::uint64_t bytes_max,
                                    const std::function<Result<void>(std::string_view)>& read) {
    const auto bytes = read_file(files, path, bytes_max);
    if (!bytes && bytes.error().code == Errc::NotFound) return std::string();
    if (!bytes && bytes.error().code != Errc::TooLarge) return std::unexpected(bytes.error());
    const auto done = bytes ? read(as_text(*bytes)) : Result<void>(std::unexpected(bytes.error()));
    if (done) return std::string();
    FIELDWATCH_TRY(files.rename(path, path + ".damaged"));
    return path + " cannot be used and is now " + path + ".damaged: " + done.error().message;
}

}  // namespace fieldwatch
