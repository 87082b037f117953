#include "detect/intel/prefix6_table.hpp"

#include <algorithm>

namespace fieldwatch::detect {

Prefix6Table::Key Prefix6Table::key_of(const IpAddress& address) {
    Key out = 0;
    for (const auto byte : address.bytes)
        out = out << 8 | byte;
    return out;
}

Prefix6Table::Key Prefix6Table::last_of(const Entry& entry) {
    const auto host = entry.prefix.length >= 128 ? Key{0} : ~Key{0} >> entry.prefix.length;
    return key_of(entry.prefix.address) | host;
}

Prefix6Table::Prefix6Table(std::vector<Entry> entries, std::vector<std::uint32_t>* parents) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.prefix < b.prefix; });
    if (parents != nullptr) parents->assign(entries.size(), kNone);
    std::vector<const Entry*> around;  // the prefixes that hold the current place, widest first
    Key place = 0;                     // everything below is already in a range
    bool full = false;                 // the last address of all is in a range too
    const auto emit_until = [&](Key last) {
        if (!full && place <= last) add_range(place, last, around.back()->value);
        if (place <= last) {
            full = last == ~Key{0};
            place = last + 1;
        }
    };
    const auto close_before = [&](Key start, bool all) {
        while (!around.empty() && (all || last_of(*around.back()) < start)) {
            emit_until(last_of(*around.back()));
            around.pop_back();
        }
    };
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (i + 1 < entries.size() && entries[i + 1].prefix == entries[i].prefix) continue;
        const auto start = key_of(entries[i].prefix.address);
        close_before(start, false);
        if (!around.empty() && place < start) emit_until(start - 1);
        place = std::max(place, start);
        if (parents != nullptr && !around.empty() && entries[i].value < parents->size())
            (*parents)[entries[i].value] = around.back()->value;
        around.push_back(&entries[i]);
    }
    close_before(0, true);
    for (auto* keys : {&starts_, &ends_})
        keys->shrink_to_fit();
    values_.shrink_to_fit();
    for (std::uint32_t i = 0; i < starts_.size(); ++i) {
        const auto bits = static_cast<std::uint32_t>(starts_[i] >> 96);
        if (heads_.empty() || heads_.back().bits != bits) heads_.push_back({bits, i});
    }
}

void Prefix6Table::add_range(Key first, Key last, std::uint32_t value) {
    starts_.push_back(first);
    ends_.push_back(last);
    values_.push_back(value);
}

std::uint32_t Prefix6Table::find(const IpAddress& address) const {
    const auto key = key_of(address);
    const auto bits = static_cast<std::uint32_t>(key >> 96);
    const auto head = std::upper_bound(heads_.begin(), heads_.end(), bits,
                                       [](std::uint32_t wanted, const Head& at) { return wanted < at.bits; });
    if (head == heads_.begin()) return kNone;
    const auto first = starts_.begin() + std::prev(head)->first;
    const auto end = head == heads_.end() ? starts_.end() : starts_.begin() + head->first;
    const auto range = std::upper_bound(first, end, key);
    if (range == first) {
        // Before the first range with these bits, but a range that began earlier may reach here.
        const auto at = static_cast<std::size_t>(first - starts_.begin());
        return at > 0 && key <= ends_[at - 1] ? values_[at - 1] : kNone;
    }
    const auto at = static_cast<std::size_t>(range - starts_.begin()) - 1;
    return key <= ends_[at] ? values_[at] : kNone;
}

}  // namespace fieldwatch::detect
