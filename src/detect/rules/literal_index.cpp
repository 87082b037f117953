#include "detect/rules/literal_index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fieldwatch::detect {
namespace {

/// Of a table that shifts a 32-bit product: so many slots, at least 32, each `per_entry` times there.
unsigned shift_for(std::size_t entries, std::size_t per_entry) {
    const auto slots = std::bit_ceil(std::max<std::size_t>(32, entries * per_entry));
    return 32 - static_cast<unsigned>(std::countr_zero(slots));
}

std::uint32_t mixed(std::uint32_t gram) {
    return gram * 0x9E3779B1u;
}

std::uint32_t gram_at(const char* text, std::uint32_t mask) {
    std::uint32_t gram = 0;
    std::memcpy(&gram, text, sizeof gram);
    return gram & mask;
}

/// Roughly how many bits of surprise a character of a command line carries, times two.
unsigned surprise(char c) {
    static constexpr std::string_view kCommon = " /esatrnioc-lp";
    static constexpr std::string_view kUsual = "dmuhbgfvy.kw01=_:";
    if (kCommon.find(c) != std::string_view::npos) return 7;
    return kUsual.find(c) != std::string_view::npos ? 10 : 14;
}

bool word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

std::string folded(std::string_view text) {
    FoldedText out;
    out.assign(text);
    return std::string(out.folded());
}

}  // namespace

/// Which bytes each literal of this width is known by: such as few others hold, of characters seen seldom.
LiteralIndex::Known LiteralIndex::choose_grams(std::size_t width) const {
    const auto mask = UINT32_MAX >> (8 * (kWidthMax - width));
    const auto each_gram = [&](const Literal& literal, auto&& visit) {
        if (std::min(kWidthMax, literal.text.size()) != width) return;
        auto text = folded(literal.text);
        const auto places = text.size() - width + 1;
        text.resize(text.size() + kWidthMax);
        for (std::size_t i = 0; i < places; ++i)
            visit(gram_at(text.data() + i, mask), std::string_view(text).substr(i, width), i);
    };
    std::map<std::uint32_t, unsigned> counts;
    for (const auto& [literal, ids] : added_)
        each_gram(literal, [&](std::uint32_t gram, std::string_view, std::size_t) { ++counts[gram]; });
    Known known;
    for (const auto& [literal, ids] : added_) {
        std::uint32_t best = 0;
        std::size_t best_at = 0;
        int most = -1;
        each_gram(literal, [&](std::uint32_t gram, std::string_view text, std::size_t at) {
            int bits = 64 - 4 * static_cast<int>(std::bit_width(counts[gram]));
            for (const char c : text)
                bits += static_cast<int>(surprise(c));
            if (bits <= most) return;
            most = bits;
            best = gram;
            best_at = at;
        });
        if (most >= 0) known[best].emplace_back(&literal, best_at);
    }
    return known;
}

void LiteralIndex::seal(Grams& grams, std::size_t width) {
    const auto known = choose_grams(width);
    if (known.empty()) return;
    grams.mask = UINT32_MAX >> (8 * (kWidthMax - width));
    grams.bits_shift = shift_for(known.size(), 64);
    grams.slots_shift = shift_for(known.size(), 2);
    grams.bits.resize(std::size_t{1} << (32 - grams.bits_shift) >> 6);
    grams.slots.resize(std::size_t{1} << (32 - grams.slots_shift));
    for (const auto& [gram, literals] : known) {
        const auto bit = mixed(gram) >> grams.bits_shift;
        grams.bits[bit >> 6] |= std::uint64_t{1} << (bit & 63);
        auto slot = mixed(gram) >> grams.slots_shift;
        while (grams.slots[slot].count != 0)
            slot = (slot + 1) & (grams.slots.size() - 1);
        grams.slots[slot] = {gram, static_cast<std::uint32_t>(entries_.size()),
                             static_cast<std::uint32_t>(literals.size())};
        for (const auto& [literal, offset] : literals) {
            const auto& ids = added_.at(*literal);
            entries_.push_back({.text_first = static_cast<std::uint32_t>(texts_.size()),
                                .size = static_cast<std::uint32_t>(literal->text.size()),
                                .offset = static_cast<std::uint32_t>(offset),
                                .ids_first = static_cast<std::uint32_t>(ids_.size()),
                                .ids_count = static_cast<std::uint32_t>(ids.size()),
                                .edges = literal->edges,
                                .cased = literal->cased});
            texts_ += literal->text;
            ids_.insert(ids_.end(), ids.begin(), ids.end());
        }
    }
}

void LiteralIndex::seal() {
    for (std::size_t width = 1; width <= kWidthMax; ++width)
        seal(grams_[width - 1], width);
    added_.clear();
}

bool LiteralIndex::stands(const Entry& entry, const FoldedText& text, std::size_t at) const {
    const auto folded = text.folded();
    if (at < entry.offset || at - entry.offset + entry.size > folded.size()) return false;
    const auto first = at - entry.offset;
    const auto last = first + entry.size;
    const auto& edges = entry.edges;
    if ((edges.at_start && first != 0) || (edges.at_end && last != folded.size())) return false;
    if (edges.begins && first > 0 && word_character(folded[first - 1])) return false;
    if (edges.ends && last < folded.size() && word_character(folded[last])) return false;
    const auto& from = entry.cased ? text.original() : folded;
    return std::memcmp(from.data() + first, texts_.data() + entry.text_first, entry.size) == 0;
}

void LiteralIndex::walk(const Grams& grams, const FoldedText& text, std::vector<PredicateId>& out) const {
    const auto* const bytes = text.folded().data();
    const auto* const bits = grams.bits.data();
    const auto size = text.folded().size();
    // What the last places read behind the text is padding.
    for (std::size_t at = 0; at < size; ++at) {
        const auto bit = mixed(gram_at(bytes + at, grams.mask)) >> grams.bits_shift;
        if ((bits[bit >> 6] >> (bit & 63) & 1) != 0) [[unlikely]]
            look_up(grams, text, at, out);
    }
}

void LiteralIndex::look_up(const Grams& grams, const FoldedText& text, std::size_t at,
                           std::vector<PredicateId>& out) const {
    const auto gram = gram_at(text.folded().data() + at, grams.mask);
    auto slot = mixed(gram) >> grams.slots_shift;
    while (grams.slots[slot].count != 0 && grams.slots[slot].gram != gram)
        slot = (slot + 1) & (grams.slots.size() - 1);
    const auto& found = grams.slots[slot];
    for (std::uint32_t i = found.first; i < found.first + found.count; ++i) {
        const auto& entry = entries_[i];
        if (!stands(entry, text, at)) continue;
        const auto* const ids = ids_.data() + entry.ids_first;
        out.insert(out.end(), ids, ids + entry.ids_count);
    }
}

void LiteralIndex::find(const FoldedText& text, std::vector<PredicateId>& out) const {
    for (const auto& grams : grams_) {
        if (!grams.slots.empty()) walk(grams, text, out);
    }
}

}  // namespace fieldwatch::detect
