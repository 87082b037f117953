// What rules want of one field, in the structure that suits each: exact texts in a table, literals in one
// index, address ranges by prefix length, numbers in a list. Regular expressions are not here: they cost too
// much to be asked of every value, and are run one by one for the rules that come to need them (regex.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "detect/command/address.hpp"
#include "detect/rules/literal_index.hpp"
#include "detect/rules/sigma.hpp"
#include "detect/rules/text_numbers.hpp"

namespace fieldwatch::detect {

class FieldIndex {
  public:
    /// Before seal(): `predicate` holds when `pattern`, which is no expression, does. Errors: Malformed.
    Result<void> add(const Pattern& pattern, PredicateId predicate);
    void add(const Literal& literal, PredicateId predicate) { literals_.add(literal, predicate); }
    /// `predicate` holds for any text.
    void add_present(PredicateId predicate) { present_.push_back(predicate); }
    void seal() { literals_.seal(); }

    /// Appends the predicates that hold for one value; may repeat. A view of nothing is null, not the empty
    /// text. `folded` is room to work in.
    void match(std::string_view value, FoldedText& folded, std::vector<PredicateId>& out) const;
    /// Those that hold for an event without the field.
    const std::vector<PredicateId>& absent() const { return absent_; }

  private:
    struct Texts {
        TextNumbers numbers;
        std::vector<std::vector<PredicateId>> predicates;  ///< by number
        std::size_t bytes_max = 0;

        void add(std::string_view text, PredicateId predicate);
        void match(std::string_view text, std::vector<PredicateId>& out) const;
    };
    struct Comparison {
        PatternKind kind;
        TimePart part;
        double number;
        PredicateId predicate;
    };
    struct Ranges {
        std::uint8_t bits;
        std::map<std::array<std::uint8_t, 16>, std::vector<PredicateId>> by_address;
    };
    void compare(const FoldedText& text, std::vector<PredicateId>& out) const;

    Texts exact_, cased_;
    LiteralIndex literals_;
    std::vector<Ranges> ranges_;
    std::vector<Comparison> comparisons_;
    std::vector<PredicateId> absent_, present_, null_, exists_;
};

}  // namespace fieldwatch::detect
