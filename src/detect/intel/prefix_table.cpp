#include "detect/intel/prefix_table.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {
std::uint32_t last_of(const PrefixTable::Entry& entry) {
    return entry.length >= 32 ? entry.address : entry.address | 0xFFFFFFFFu >> entry.length;
}
}  // namespace

PrefixTable::PrefixTable(std::vector<Entry> entries, std::vector<std::uint32_t>* parents) {
    for (auto& entry : entries)
        entry.address &= entry.length == 0 ? 0 : 0xFFFFFFFFu << (32 - entry.length);
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.address != b.address ? a.address < b.address : a.length < b.length;
    });
    if (parents != nullptr) parents->assign(entries.size(), kNone);
    std::vector<Entry> around;  // the prefixes that hold the current place, widest first: at most 33
    std::uint64_t place = 0;    // everything below is already in a range
    const auto close_until = [&](std::uint64_t limit) {
        while (!around.empty() && last_of(around.back()) < limit) {
            const std::uint64_t last = last_of(around.back());
            if (place <= last)
                add_range(static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(last),
                          around.back().value);
            place = std::max(place, last + 1);
            around.pop_back();
        }
    };
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& entry = entries[i];
        const bool twice = i + 1 < entries.size() && entries[i + 1].address == entry.address &&
                           entries[i + 1].length == entry.length;
        if (twice) continue;
        close_until(entry.address);
        if (!around.empty() && place < entry.address)
            add_range(static_cast<std::uint32_t>(place), entry.address - 1, around.back().value);
        place = std::max<std::uint64_t>(place, entry.address);
        if (parents != nullptr && !around.empty() && entry.value < parents->size())
            (*parents)[entry.value] = around.back().value;
        around.push_back(entry);
    }
    close_until(1ull << 32);
    ranges_.shrink_to_fit();
    values_.shrink_to_fit();
    if (index_.empty()) return;
    index_.resize(65'537, static_cast<std::uint32_t>(ranges_.size()));
}

void PrefixTable::add_range(std::uint32_t first, std::uint32_t last, std::uint32_t value) {
    for (auto bucket = first >> 16; bucket <= last >> 16; ++bucket) {
        while (index_.size() <= bucket)
            index_.push_back(static_cast<std::uint32_t>(ranges_.size()));
        ranges_.push_back({bucket == first >> 16 ? static_cast<std::uint16_t>(first) : std::uint16_t{0},
                           bucket == last >> 16 ? static_cast<std::uint16_t>(last) : std::uint16_t{0xFFFF}});
        values_.push_back(value);
    }
}

}  // namespace fieldwatch::detect
