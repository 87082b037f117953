// What backups and purges need of a journal that lies in files of ours: which bytes a copy consists of, and
// other payloads in the place of some. A journal elsewhere has its own means for both.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.hpp"

namespace fieldwatch::journal {

/// Bytes below `bytes` do not change any more, and the file stays as long as nobody calls
/// enforce_retention().
struct HeldFile {
    std::string path;
    std::uint64_t bytes = 0;
    bool finished = false;  ///< nothing will be written to it again: a hard link is a copy
};

/// Any thread.
class Upkeep {
  public:
    virtual ~Upkeep() = default;
    /// What a copy of the journal consists of now.
    virtual std::vector<HeldFile> files() const = 0;

    /// Puts other payloads in the place of durable records; their offsets stay, and readers go on. `replace`
    /// says what shall stand there, nullopt = what does. Returns how many changed. Not beside
    /// enforce_retention(). Errors: Io, Corrupt; what was replaced by then stays so.
    using Replace = std::function<std::optional<Bytes>(Stream stream, ByteView record)>;
    virtual Result<std::uint64_t> rewrite(const Replace& replace) = 0;
};

/// Errors: Unsupported for a journal that does not lie in files.
Result<Upkeep*> upkeep_of(Journal& journal);

}  // namespace fieldwatch::journal
