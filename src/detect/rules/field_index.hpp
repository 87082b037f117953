// All patterns of one field, in the structure that suits each: exact texts in a hash table, expressions in
// one Vectorscan database (RE2 for what it cannot express), address ranges by prefix length, numbers in a
// list.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "detect/command/address.hpp"
#include "detect/rules/sigma.hpp"

struct hs_database;
struct hs_scratch;
namespace re2 {
class RE2;
}

namespace fieldwatch::detect {

using PredicateId = std::uint32_t;

/// Looks strings up by view.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash64(as_bytes(text)); }
};

class FieldIndex {
  public:
    FieldIndex();
    ~FieldIndex();
    FieldIndex(FieldIndex&&) noexcept;
    FieldIndex& operator=(FieldIndex&&) noexcept;

    /// Before seal(): `predicate` holds when `pattern` does. Errors: Malformed for an expression nobody can
    /// compile.
    Result<void> add(const Pattern& pattern, PredicateId predicate);
    /// Builds the databases. Errors: Internal when Vectorscan refuses what it accepted singly.
    Result<void> seal();

    /// Appends the predicates that hold for one value; may repeat. A view of nothing is null, not the empty
    /// text.
    void match(std::string_view value, hs_scratch* scratch, std::string& buffer,
               std::vector<PredicateId>& out) const;
    /// Those that hold for an event without the field.
    const std::vector<PredicateId>& absent() const { return absent_; }
    const hs_database* database() const { return database_; }

  private:
    using TextMap = std::unordered_map<std::string, std::vector<PredicateId>, TextHash, std::equal_to<>>;
    struct Expressions {
        std::vector<Pattern> patterns;
        std::vector<std::vector<PredicateId>> predicates;
        std::map<Pattern, std::size_t> places;
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
    void scan(std::string_view value, hs_scratch* scratch, std::vector<PredicateId>& out) const;
    void compare(std::string_view value, std::string& buffer, std::vector<PredicateId>& out) const;
    bool compile_fallback(const Pattern& pattern, const std::vector<PredicateId>& predicates);

    std::size_t bytes_max_ = 0;  ///< of an exact text
    TextMap exact_, cased_;
    Expressions expressions_;
    hs_database* database_ = nullptr;
    std::vector<std::pair<std::unique_ptr<re2::RE2>, std::vector<PredicateId>>> fallback_;
    std::vector<Ranges> ranges_;
    std::vector<Comparison> comparisons_;
    std::vector<PredicateId> absent_, present_, null_, exists_;
};

}  // namespace fieldwatch::detect
