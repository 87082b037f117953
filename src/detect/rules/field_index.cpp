#include "detect/rules/field_index.hpp"

#include <algorithm>
#include <cstdlib>

namespace fieldwatch::detect {
namespace {

std::array<std::uint8_t, 16> masked(const Address& address, unsigned bits) {
    auto bytes = address.bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto kept = bits > i * 8 ? std::min<unsigned>(8, bits - static_cast<unsigned>(i) * 8) : 0;
        bytes[i] &= static_cast<std::uint8_t>(0xff00 >> kept);
    }
    return bytes;
}

void append(const std::vector<PredicateId>& ids, std::vector<PredicateId>& out) {
    out.insert(out.end(), ids.begin(), ids.end());
}

}  // namespace

void FieldIndex::Texts::add(std::string_view text, PredicateId predicate) {
    const auto number = numbers.add(text);
    predicates.resize(numbers.names().size());
    predicates[number].push_back(predicate);
    bytes_max = std::max(bytes_max, text.size());
}

void FieldIndex::Texts::match(std::string_view text, std::vector<PredicateId>& out) const {
    if (predicates.empty() || text.size() > bytes_max) return;
    const auto number = numbers.find(text);
    if (number != TextNumbers::kNone) append(predicates[number], out);
}

Result<void> FieldIndex::add(const Pattern& pattern, PredicateId predicate) {
    switch (pattern.kind) {
        case PatternKind::Exact:
            (pattern.cased ? cased_ : exact_).add(pattern.text, predicate);
            break;
        case PatternKind::Literal:
            literals_.add({.text = pattern.text, .cased = pattern.cased, .edges = pattern.edges}, predicate);
            break;
        case PatternKind::Null:
            null_.push_back(predicate);
            absent_.push_back(predicate);
            break;
        case PatternKind::Missing:
            absent_.push_back(predicate);
            break;
        case PatternKind::Exists:
            exists_.push_back(predicate);
            break;
        case PatternKind::Present:
            present_.push_back(predicate);
            break;
        case PatternKind::Cidr: {
            const auto prefix = parse_prefix(pattern.text);
            if (!prefix) return fail(Errc::Malformed, "'" + pattern.text + "' is not an address range");
            auto place = std::ranges::find(ranges_, prefix->bits, &Ranges::bits);
            if (place == ranges_.end()) place = ranges_.insert(ranges_.end(), Ranges{prefix->bits, {}});
            place->by_address[masked(prefix->address, prefix->bits)].push_back(predicate);
            break;
        }
        default:
            comparisons_.push_back(
                {pattern.kind, pattern.part, std::strtod(pattern.text.c_str(), nullptr), predicate});
    }
    return {};
}

void FieldIndex::match(std::string_view value, FoldedText& folded, std::vector<PredicateId>& out) const {
    append(exists_, out);
    if (value.data() == nullptr) return append(null_, out);
    append(present_, out);
    cased_.match(value, out);
    folded.assign(value);
    exact_.match(folded.folded(), out);
    literals_.find(folded, out);
    if (!ranges_.empty()) {
        if (const auto address = parse_address(value)) {
            for (const auto& range : ranges_) {
                const auto found = range.by_address.find(masked(*address, range.bits));
                if (found != range.by_address.end()) append(found->second, out);
            }
        }
    }
    if (!comparisons_.empty()) compare(folded, out);
}

void FieldIndex::compare(const FoldedText& text, std::vector<PredicateId>& out) const {
    const auto folded = text.folded();  // ends in zeros
    char* end = nullptr;
    const double whole = std::strtod(folded.data(), &end);
    const bool is_number = !folded.empty() && end == folded.data() + folded.size();
    for (const auto& comparison : comparisons_) {
        double number = whole;
        if (comparison.part != TimePart::None) {
            const auto part = time_part(text.original(), comparison.part);
            if (!part) continue;
            number = static_cast<double>(*part);
        } else if (!is_number) {
            continue;
        }
        const bool holds = comparison.kind == PatternKind::Less          ? number < comparison.number
                           : comparison.kind == PatternKind::LessOrEqual ? number <= comparison.number
                           : comparison.kind == PatternKind::Greater     ? number > comparison.number
                           : comparison.kind == PatternKind::Equal       ? number == comparison.number
                                                                         : number >= comparison.number;
        if (holds) out.push_back(comparison.predicate);
    }
}

}  // namespace fieldwatch::detect
