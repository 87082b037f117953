// A log file that another program writes and rotates: its whole lines, each once, from where we stood on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::hub {

/// One thread. Bounds: kReadMax bytes a call, lines of kLineMax bytes; longer ones are passed over.
class LogTail {
  public:
    static constexpr std::size_t kReadMax = 256u << 10;
    static constexpr std::size_t kLineMax = 64u << 10;

    /// `place` as place() said it, "" = from the file's end on.
    LogTail(std::string path, std::string_view place);
    ~LogTail();
    LogTail(const LogTail&) = delete;
    LogTail& operator=(const LogTail&) = delete;

    /// Calls `each` with what was written since. True: there may be more now. Errors: NotFound while there
    /// is no such file (it may come), Io.
    Result<bool> read(const std::function<void(std::string_view line)>& each);
    std::string place() const;  ///< behind the last whole line

  private:
    Result<void> open();
    bool was_replaced() const;

    const std::string path_;
    std::uint64_t wanted_inode_ = 0, inode_ = 0;
    std::uint64_t offset_ = 0;  ///< of the next byte to read
    bool from_end_ = false, skipping_ = false;
    int fd_ = -1;
    std::string partial_;
};

}  // namespace fieldwatch::hub
