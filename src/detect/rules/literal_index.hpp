// Many literals sought in one text at once. Each literal is known by its rarest few bytes; a text is walked
// once for each width of those, and a bitmap says of almost every place that none is there. The cost grows
// with the text and with what is in it, hardly with how many literals there are.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detect/rules/folded_text.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

using PredicateId = std::uint32_t;

/// Never empty; in lower case unless `cased`.
struct Literal {
    std::string text = {};
    bool cased = false;
    Edges edges = {};
    friend auto operator<=>(const Literal&, const Literal&) = default;
};

class LiteralIndex {
  public:
    /// Before seal(): `predicate` holds for texts in which the literal stands.
    void add(const Literal& literal, PredicateId predicate) { added_[literal].push_back(predicate); }
    void seal();
    bool empty() const { return entries_.empty(); }

    /// Appends the predicates of the literals in `text`; may repeat.
    void find(const FoldedText& text, std::vector<PredicateId>& out) const;

  private:
    static constexpr std::size_t kWidthMax = 4;  // bytes that a literal is known by
    struct Entry {
        std::uint32_t text_first, size;  ///< in texts_
        std::uint32_t offset;            ///< of the bytes that it is known by
        std::uint32_t ids_first, ids_count;
        Edges edges;
        bool cased;
    };
    struct Slot {
        std::uint32_t gram = 0, first = 0, count = 0;  ///< entries_ that are known by these bytes
    };
    /// The literals known by so many bytes: what may be there, and an open table of what is.
    struct Grams {
        std::uint32_t mask = 0;
        unsigned bits_shift = 0, slots_shift = 0;
        std::vector<std::uint64_t> bits;
        std::vector<Slot> slots;
    };
    using Known = std::map<std::uint32_t, std::vector<std::pair<const Literal*, std::size_t>>>;  ///< by gram

    Known choose_grams(std::size_t width) const;
    void seal(Grams& grams, std::size_t width);
    void walk(const Grams& grams, const FoldedText& text, std::vector<PredicateId>& out) const;
    void look_up(const Grams& grams, const FoldedText& text, std::size_t at,
                 std::vector<PredicateId>& out) const;
    bool stands(const Entry& entry, const FoldedText& text, std::size_t at) const;

    std::map<Literal, std::vector<PredicateId>> added_;  ///< until sealed
    std::string texts_;
    std::vector<Entry> entries_;
    std::vector<PredicateId> ids_;
    std::array<Grams, kWidthMax> grams_;
};

}  // namespace fieldwatch::detect
