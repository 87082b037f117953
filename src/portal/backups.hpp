// The portal's view of backups: the server makes everything stand still in a folder of its own, a client
// takes the files from there. app does the first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::portal {

/// Any thread.
class Backups {
  public:
    virtual ~Backups() = default;

    struct File {
        std::string path;  ///< below the data folder
        std::uint64_t bytes = 0;
    };
    struct Staged {
        std::string id;
        Timestamp created;
        std::vector<File> files;
    };
    /// A backup that somebody took and keeps somewhere.
    struct Kept {
        std::string id;
        Timestamp created;
        std::uint64_t bytes = 0;
        std::string place;  ///< as who took it says
    };

    enum class Other : std::uint8_t { Refuse, Replace };
    /// All state as it is at one moment, ready to be read. One at a time; it goes when nobody has read it
    /// for a minute and another is asked for, or when the server ends. Errors: Conflict while another is
    /// being read, unless it is to be replaced; Io, Exhausted.
    virtual Result<Staged> stage(Other other) = 0;
    /// At most `count` bytes from `from` on. Errors: NotFound, Io.
    virtual Result<std::string> read(const std::string& id, const std::string& path, std::uint64_t from,
                                     std::size_t count) = 0;
    /// Its files go; with a `place` it is remembered. Errors: NotFound.
    virtual Result<void> finish(const std::string& id, const std::string& place) = 0;
    /// Oldest first, at most the last 100.
    virtual Result<std::vector<Kept>> kept() = 0;
};

}  // namespace fieldwatch::portal
