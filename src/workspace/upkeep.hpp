// What backups and purges need of a workspace that lies in files of ours. One elsewhere has its own means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::workspace {

class Workspace;

/// What a purge takes out: the rows of a device, or a user's name inside every text of people.
struct Purge {
    std::string hub, device;  ///< both, or
    std::string user_name;    ///< this one, as a whole word (base/words.hpp)
    bool only_count = false;
};
struct Purged {
    std::vector<std::pair<std::string, std::uint64_t>> rows;  ///< concerned, by table
    std::uint64_t sealed_files = 0;                           ///< written anew
    bool log_written_back = false;  ///< the database's own log holds nothing of before
};
inline constexpr std::string_view kPurged = "(purged)";  ///< stands where the name stood

/// Any thread.
class Upkeep {
  public:
    virtual ~Upkeep() = default;
    /// Writes all of it, as it is at one moment, into the new directory: commits and queries go on. Sealed
    /// files are hard links where the file system can.
    virtual Result<void> snapshot_to(const std::string& directory) = 0;

    /// Rows committed while it runs may stay: who is purged has stopped sending. Errors: InvalidArgument
    /// without a device or a name.
    virtual Result<Purged> purge(const Purge& what) = 0;
};

/// Errors: Unsupported for a workspace that does not lie in files.
Result<Upkeep*> upkeep_of(Workspace& workspace);

}  // namespace fieldwatch::workspace
