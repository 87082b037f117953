// The file operations that durable formats use, behind an interface so that a test can stand in for a disk
// that loses power.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch {

/// An open file. Closed by its destructor, without syncing. One thread at a time, but for read_at and size,
/// which any thread may call.
/// What a power cut leaves of a write that was not synced is anything: all of it, none, or any part.
class File {
  public:
    virtual ~File() = default;
    virtual Result<void> write_at(std::uint64_t offset, ByteView data) = 0;  ///< all of it
    virtual Result<std::size_t> read_at(std::uint64_t offset,
                                        std::span<std::byte> out) const = 0;  ///< less only at the end
    virtual Result<std::uint64_t> size() const = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    virtual Result<void>
    sync() = 0;  ///< fdatasync: what was written survives a power cut once the file's name does
};

enum class OpenMode { ReadOnly, ReadWrite, CreateNew };  ///< CreateNew fails with AlreadyExists

class FileSystem {
  public:
    virtual ~FileSystem() = default;
    virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;  ///< replaces `to`
    virtual Result<void> remove(const std::string& path) = 0;
    virtual Result<void> make_directories(const std::string& path) = 0;  ///< with parents; mode 0700
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  ///< names, sorted
    virtual Result<void> sync_directory(const std::string& directory) = 0;  ///< entries survive a power cut
    virtual Result<std::uint64_t> free_bytes(const std::string& directory) = 0;  ///< that we may still use
};

FileSystem& posix_file_system();

/// Reads a whole file. Errors: NotFound, TooLarge above `bytes_max`, Io.
Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t bytes_max);
/// Replaces a file so that a reader, or a power cut, sees the old content or the new: write aside, sync,
/// rename, sync directory.
Result<void> replace_file(FileSystem& files, const std::string& path, ByteView content);
/// Reads a file of state that can be made anew; without it nothing is read. One that `read` refuses, or that
/// is larger than it may be, goes to PATH.damaged, over an earlier one, and the sentence that comes back says
/// so.
Result<std::string> read_expendable(FileSystem& files, const std::string& path, std::uint64_t bytes_max,
                                    const std::function<Result<void>(std::string_view)>& read);

}  // namespace fieldwatch
