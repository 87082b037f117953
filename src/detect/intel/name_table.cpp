#include "detect/intel/name_table.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace fieldwatch::detect {

std::size_t NameTable::slot_of(std::string_view key, std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (auto at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
        const auto& slot = slots_[at];
        if (slot.entry == kNone || (slot.tag == tag && key_of(entries_[slot.entry]) == key)) return at;
    }
}

void NameTable::insert(std::string_view key, std::uint32_t value) {
    FIELDWATCH_ASSERT(key.size() < 65'536);
    if ((entries_.size() + 1) * 3 > slots_.size() * 2) grow();
    const auto hash = hash64(as_bytes(key));
    auto& slot = slots_[slot_of(key, hash)];
    if (slot.entry != kNone) {
        entries_[slot.entry].value = value;
        return;
    }
    slot = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(entries_.size())};
    entries_.push_back({text_.size(), key.size(), value});
    text_ += key;
}

std::uint32_t NameTable::find(std::string_view key) const {
    if (entries_.empty()) return kNone;
    const auto& slot = slots_[slot_of(key, hash64(as_bytes(key)))];
    return slot.entry == kNone ? kNone : entries_[slot.entry].value;
}

void NameTable::grow() {
    slots_.assign(slots_.empty() ? 16 : slots_.size() * 2, Slot{});
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
        const auto hash = hash64(as_bytes(key_of(entries_[i])));
        auto at = hash & (slots_.size() - 1);
        while (slots_[at].entry != kNone)
            at = (at + 1) & (slots_.size() - 1);
        slots_[at] = {static_cast<std::uint32_t>(hash >> 32), i};
    }
}

void NameTable::shrink() {
    entries_.shrink_to_fit();
    text_.shrink_to_fit();
}

}  // namespace fieldwatch::detect
