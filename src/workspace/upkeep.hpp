// What backups, purges and retention need of a workspace that lies in files of ours. One elsewhere has its
// own means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "workspace/retention.hpp"

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

/// What a table holds, and for how long.
struct TableUse {
    std::string table;
    unsigned days = 0, usual_days = 0;  ///< now, and where nobody set anything
    std::uint64_t rows = 0;             ///< that queries see
    std::uint64_t bytes = 0;            ///< of its sealed files; newer rows lie in the database's own file
    std::optional<Timestamp> oldest;    ///< of those rows; nothing where there are none
};
/// What a change of retention would take out.
struct Expiring {
    std::string table;
    unsigned days = 0;
    Timestamp before;         ///< rows that are older go
    std::uint64_t rows = 0;   ///< that queries see now, and would not then
    std::uint64_t bytes = 0;  ///< of files that would go whole; the others go when their last row is too old
};

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

    virtual Result<std::vector<TableUse>> use() = 0;
    /// Of every table, those included of which nothing would go.
    virtual Result<std::vector<Expiring>> expiring(const RetentionDays& days) = 0;
    /// From now on: queries see no older row at once, files go with the next maintain(). Of tables that there
    /// are not nothing is kept. Lives as long as the workspace is open.
    virtual void keep(const RetentionDays& days) = 0;
};

/// Errors: Unsupported for a workspace that does not lie in files.
Result<Upkeep*> upkeep_of(Workspace& workspace);

}  // namespace fieldwatch::workspace
