// Delivery is at least once; an event counts once. Agents number their events; others are known by event id
// and content. Design 3a "Identity" and "Bounds against strangers".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/event.hpp"

namespace fieldwatch::pipeline {

enum class Seen : std::uint8_t {
    First,
    Duplicate,
    IdReuse
};  ///< IdReuse: the same id with other content; kept and counted

/// One strand.
class Duplicates {
  public:
    static constexpr std::size_t kIdentitiesMax = 50'000;
    static constexpr std::size_t kIdsMax = 4'096;                ///< of one identity
    static constexpr Ticks kIdAge = std::chrono::hours(24 * 7);  ///< or this long, what comes first
    static constexpr std::size_t kWindowBits = 1'024;
    static constexpr std::size_t kBootsMax = 4;  ///< boots of one agent whose spool may still be on the way

    Seen check(std::string_view identity, const model::Event& event);

    std::uint64_t ids_evicted() const { return ids_evicted_; }
    std::uint64_t behind_window() const { return behind_window_; }  ///< numbered events too old to tell, kept
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Boot {
        std::uint64_t boot = 0;                              ///< hash of the boot id
        std::uint64_t high = 0;                              ///< highest sequence seen
        std::array<std::uint64_t, kWindowBits / 64> bits{};  ///< bit n = sequence high - n was seen
    };
    struct Id {
        std::uint64_t id = 0, content = 0;
        std::int64_t received = 0;
    };
    struct Identity {
        std::vector<Boot> boots;  ///< newest use last
        std::vector<Id> ring;     ///< grows to kIdsMax, then `oldest` goes round
        std::uint32_t oldest = 0;
        std::vector<std::uint16_t> heads, next;  ///< hash chains over the ring; index + 1, 0 = end
    };

    bool check_sequence(Identity& identity, std::uint64_t boot, std::uint64_t sequence, bool& known);
    Seen check_id(Identity& identity, std::uint64_t id, std::uint64_t content, Timestamp received);
    static void link(Identity& identity, std::uint32_t index);
    static void unlink(Identity& identity, std::uint32_t index);
    static void rebuild(Identity& identity);

    BoundedTable<Identity> identities_{kIdentitiesMax};
    std::uint64_t ids_evicted_ = 0, behind_window_ = 0;
};

}  // namespace fieldwatch::pipeline
