// A snapshot that needs several messages comes in parts, each item of which says `SnapshotId` and
// `SnapshotPart` (2/5). Here they become one event again: who judges part by part takes what the others hold
// for gone.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

/// Whether an event says all that there is of its kind at one time: only the newest says how a device stands.
bool is_snapshot(model::EventKind kind);

/// One strand. Holds one unfinished snapshot of each kind of a device; at a bound the one untouched longest
/// is forgotten, counted, and with it what its device said there.
class SnapshotParts {
  public:
    static constexpr std::size_t kUnfinishedMax = 4'096;
    static constexpr std::size_t kBytesMax = 32u << 20;         ///< of all that is held
    static constexpr std::size_t kSnapshotBytesMax = 8u << 20;  ///< 64 parts of half a message each
    static constexpr std::size_t kPartsMax = 64;
    static constexpr Ticks kAge = std::chrono::hours(24);  ///< since the part that came last

    /// The event itself when it is whole; all of a snapshot with its last part, under the snapshot's id and
    /// the time of its newest part; null while parts are missing, and of a snapshot that is past its bounds
    /// or older than one that has begun. Valid until the next call, and no longer than the event.
    const model::Event* whole(const model::Event& event);
    void advance(Timestamp now);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Unfinished {
        std::string snapshot;
        std::uint64_t count = 0;               ///< of its parts
        Timestamp time;                        ///< of the newest part
        Timestamp received;                    ///< of the part that came last
        std::map<std::uint64_t, Bytes> parts;  ///< by number
        std::size_t bytes = 0;
    };
    void forget(std::string_view key);
    const model::Event* put_together(const model::Event& last);

    BoundedTable<Unfinished> unfinished_{kUnfinishedMax};
    std::size_t bytes_ = 0;

    // The newest whole snapshot: what its event's views point at.
    Unfinished whole_;
    model::Event event_;
    std::vector<std::vector<std::pair<std::string_view, std::string_view>>> maps_;
};

}  // namespace fieldwatch::detect
