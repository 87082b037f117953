#include "pipeline/enrich/duplicates.hpp"

#include <algorithm>
#include <charconv>

#include "base/hash.hpp"
#include "detect/state.hpp"

namespace fieldwatch::pipeline {

namespace {

/// All that is stored of an event.
std::uint64_t content_hash(const model::Event& event) {
    auto hash = hash64(as_bytes(event.name), event.items.size());
    hash = hash64(as_bytes(event.details_json), hash);
    for (const auto& item : event.items)
        hash = hash64(as_bytes(item.details_json), hash);
    return hash;
}

constexpr std::size_t kHeads = 1'024;  ///< chains of four at the most, on average

}  // namespace

Seen Duplicates::check(std::string_view key, const model::Event& event) {
    auto& identity = identities_.get(key);
    if (!event.items.empty()) {
        const auto boot = model::find(event.items.front().extra_details, "BootId");
        const auto text = model::find(event.items.front().extra_details, "Sequence");
        std::uint64_t sequence = 0;
        const auto* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, sequence);
        if (!boot.empty() && !text.empty() && rest == end && error == std::errc{}) {
            bool known = false;
            if (check_sequence(identity, hash64(as_bytes(boot)), sequence, known))
                return known ? Seen::Duplicate : Seen::First;
            ++behind_window_;
        }
    }
    return check_id(identity, hash64(as_bytes(event.id)), content_hash(event), event.received);
}

// False when the number lies behind the window: then the id decides.
bool Duplicates::check_sequence(Identity& identity, std::uint64_t boot, std::uint64_t sequence, bool& known) {
    auto& boots = identity.boots;
    auto found = std::find_if(boots.begin(), boots.end(), [&](const Boot& b) { return b.boot == boot; });
    if (found == boots.end()) {
        if (boots.size() == kBootsMax) boots.erase(boots.begin());
        boots.push_back({.boot = boot, .high = sequence, .bits = {}});
        boots.back().bits[0] = 1;
        return true;
    }
    std::rotate(found, found + 1, boots.end());
    auto& window = boots.back();
    if (sequence > window.high) {
        const auto shift = sequence - window.high;
        std::array<std::uint64_t, kWindowBits / 64> moved{};
        for (std::size_t word = 0; shift < kWindowBits && word + shift / 64 < moved.size(); ++word) {
            const auto to = word + shift / 64;
            moved[to] |= window.bits[word] << shift % 64;
            if (shift % 64 != 0 && to + 1 < moved.size())
                moved[to + 1] |= window.bits[word] >> (64 - shift % 64);
        }
        moved[0] |= 1;
        window.bits = moved;
        window.high = sequence;
        return true;
    }
    const auto back = window.high - sequence;
    if (back >= kWindowBits) return false;
    auto& word = window.bits[back / 64];
    const auto bit = std::uint64_t{1} << back % 64;
    known = (word & bit) != 0;
    word |= bit;
    return true;
}

Seen Duplicates::check_id(Identity& identity, std::uint64_t id, std::uint64_t content, Timestamp received) {
    bool reused = false;
    if (!identity.heads.empty()) {
        for (auto at = identity.heads[id % kHeads]; at != 0; at = identity.next[at - 1]) {
            const auto& held = identity.ring[at - 1];
            if (held.id != id || received.ticks - held.received > kIdAge.count()) continue;
            if (held.content == content) return Seen::Duplicate;
            reused = true;
        }
    }
    std::uint32_t index = 0;
    if (identity.ring.size() < kIdsMax) {
        index = static_cast<std::uint32_t>(identity.ring.size());
        identity.ring.emplace_back();
        identity.next.push_back(0);
        if (identity.heads.empty()) identity.heads.resize(kHeads);
    } else {
        index = identity.oldest;
        identity.oldest = (identity.oldest + 1) % kIdsMax;
        ids_evicted_ += received.ticks - identity.ring[index].received <= kIdAge.count();
        unlink(identity, index);
    }
    identity.ring[index] = {id, content, received.ticks};
    link(identity, index);
    return reused ? Seen::IdReuse : Seen::First;
}

void Duplicates::link(Identity& identity, std::uint32_t index) {
    auto& head = identity.heads[identity.ring[index].id % kHeads];
    identity.next[index] = head;
    head = static_cast<std::uint16_t>(index + 1);
}

void Duplicates::unlink(Identity& identity, std::uint32_t index) {
    auto* at = &identity.heads[identity.ring[index].id % kHeads];
    while (*at != index + 1)
        at = &identity.next[*at - 1];
    *at = identity.next[index];
}

void Duplicates::rebuild(Identity& identity) {
    identity.heads.assign(identity.ring.empty() ? 0 : kHeads, 0);
    identity.next.assign(identity.ring.size(), 0);
    for (std::uint32_t i = 0; i < identity.ring.size(); ++i)
        link(identity, i);
}

void Duplicates::save(ByteWriter& out) const {
    out.u64(ids_evicted_);
    out.u64(behind_window_);
    out.u64(identities_.evictions());
    out.u32(static_cast<std::uint32_t>(identities_.size()));
    for (const auto& [key, identity] : identities_) {
        out.text(key);
        out.u8(static_cast<std::uint8_t>(identity.boots.size()));
        for (const auto& boot : identity.boots) {
            out.u64(boot.boot);
            out.u64(boot.high);
            for (const auto word : boot.bits)
                out.u64(word);
        }
        out.u32(identity.oldest);
        out.u32(static_cast<std::uint32_t>(identity.ring.size()));
        for (const auto& id : identity.ring) {
            out.u64(id.id);
            out.u64(id.content);
            out.i64(id.received);
        }
    }
}

Result<void> Duplicates::restore(ByteReader& in) {
    identities_.clear();
    ids_evicted_ = FIELDWATCH_TRY(in.u64());
    behind_window_ = FIELDWATCH_TRY(in.u64());
    identities_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > kIdentitiesMax)
        return fail(Errc::Corrupt, "more identities than the table of duplicates holds");
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& identity = identities_.get(FIELDWATCH_TRY(in.text()));
        identity.boots.resize(FIELDWATCH_TRY(in.u8()));
        if (identity.boots.size() > kBootsMax) return fail(Errc::Corrupt, "more boots than are kept");
        for (auto& boot : identity.boots) {
            boot.boot = FIELDWATCH_TRY(in.u64());
            boot.high = FIELDWATCH_TRY(in.u64());
            for (auto& word : boot.bits)
                word = FIELDWATCH_TRY(in.u64());
        }
        identity.oldest = FIELDWATCH_TRY(in.u32());
        const auto size = FIELDWATCH_TRY(in.u32());
        if (size > kIdsMax || identity.oldest >= kIdsMax)
            return fail(Errc::Corrupt, "more ids than are kept");
        identity.ring.resize(size);
        for (auto& id : identity.ring) {
            id.id = FIELDWATCH_TRY(in.u64());
            id.content = FIELDWATCH_TRY(in.u64());
            id.received = FIELDWATCH_TRY(detect::read_amount(in));
        }
        rebuild(identity);
    }
    return {};
}

}  // namespace fieldwatch::pipeline
