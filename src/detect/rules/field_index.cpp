#include "detect/rules/field_index.hpp"

#include <hs/hs.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kScanBytesMax = 262'144;  // a whole device-to-cloud message; nothing longer gets here

unsigned flags_of(const Pattern& pattern) {
    unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
    if (!pattern.cased) flags |= HS_FLAG_CASELESS;
    if (pattern.dot_all) flags |= HS_FLAG_DOTALL;
    if (pattern.multiline) flags |= HS_FLAG_MULTILINE;
    return flags;
}

/// Vectorscan alone decides what it can express; asking it costs a parse.
bool vectorscan_takes(const Pattern& pattern) {
    hs_expr_info_t* info = nullptr;
    hs_compile_error_t* error = nullptr;
    const auto status = hs_expression_info(pattern.text.c_str(), flags_of(pattern), &info, &error);
    std::free(info);
    if (error != nullptr) hs_free_compile_error(error);
    return status == HS_SUCCESS;
}

std::array<std::uint8_t, 16> masked(const Address& address, unsigned bits) {
    auto bytes = address.bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto kept = bits > i * 8 ? std::min<unsigned>(8, bits - static_cast<unsigned>(i) * 8) : 0;
        bytes[i] &= static_cast<std::uint8_t>(0xff00 >> kept);
    }
    return bytes;
}

}  // namespace

FieldIndex::FieldIndex() = default;
FieldIndex::FieldIndex(FieldIndex&& other) noexcept {
    *this = std::move(other);
}
FieldIndex& FieldIndex::operator=(FieldIndex&& other) noexcept {
    std::swap(exact_, other.exact_);
    std::swap(cased_, other.cased_);
    std::swap(expressions_, other.expressions_);
    std::swap(database_, other.database_);
    std::swap(fallback_, other.fallback_);
    std::swap(ranges_, other.ranges_);
    std::swap(comparisons_, other.comparisons_);
    std::swap(absent_, other.absent_);
    std::swap(present_, other.present_);
    std::swap(null_, other.null_);
    std::swap(exists_, other.exists_);
    std::swap(bytes_max_, other.bytes_max_);
    return *this;
}
FieldIndex::~FieldIndex() {
    if (database_ != nullptr) hs_free_database(database_);
}

Result<void> FieldIndex::add(const Pattern& pattern, PredicateId predicate) {
    switch (pattern.kind) {
        case PatternKind::Exact:
            (pattern.cased ? cased_ : exact_)[pattern.text].push_back(predicate);
            bytes_max_ = std::max(bytes_max_, pattern.text.size());
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
        case PatternKind::Regex: {
            if (const auto known = expressions_.places.find(pattern); known != expressions_.places.end()) {
                expressions_.predicates[known->second].push_back(predicate);
                break;
            }
            if (!vectorscan_takes(pattern)) {
                if (!compile_fallback(pattern, {predicate}))
                    return fail(Errc::Malformed, "the expression '" + pattern.text + "' is not understood");
                break;
            }
            expressions_.places.emplace(pattern, expressions_.patterns.size());
            expressions_.patterns.push_back(pattern);
            expressions_.predicates.push_back({predicate});
            break;
        }
        default:
            comparisons_.push_back(
                {pattern.kind, pattern.part, std::strtod(pattern.text.c_str(), nullptr), predicate});
    }
    return {};
}

bool FieldIndex::compile_fallback(const Pattern& pattern, const std::vector<PredicateId>& predicates) {
    re2::RE2::Options options;
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    options.set_case_sensitive(pattern.cased);
    options.set_dot_nl(pattern.dot_all);
    auto text = pattern.multiline ? "(?m)" + pattern.text : pattern.text;
    auto expression = std::make_unique<re2::RE2>(text, options);
    if (!expression->ok()) return false;
    fallback_.emplace_back(std::move(expression), predicates);
    return true;
}

Result<void> FieldIndex::seal() {
    auto& patterns = expressions_.patterns;
    while (!patterns.empty()) {
        std::vector<const char*> texts;
        std::vector<unsigned> flags, ids;
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            texts.push_back(patterns[i].text.c_str());
            flags.push_back(flags_of(patterns[i]));
            ids.push_back(static_cast<unsigned>(i));
        }
        hs_compile_error_t* error = nullptr;
        const auto status =
            hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(ids.size()),
                             HS_MODE_BLOCK, nullptr, &database_, &error);
        if (status == HS_SUCCESS) return {};
        const int which = error != nullptr ? error->expression : -1;
        const std::string why =
            error != nullptr && error->message != nullptr ? error->message : "no reason given";
        if (error != nullptr) hs_free_compile_error(error);
        if (which < 0 || static_cast<std::size_t>(which) >= patterns.size())
            return fail(Errc::Internal, "Vectorscan: " + why);
        const auto place = static_cast<std::size_t>(which);
        if (!compile_fallback(patterns[place], expressions_.predicates[place]))
            return fail(Errc::Malformed, "the expression '" + patterns[place].text + "' is refused: " + why);
        patterns.erase(patterns.begin() + which);
        expressions_.predicates.erase(expressions_.predicates.begin() + which);
    }
    return {};
}

void FieldIndex::match(std::string_view value, hs_scratch* scratch, std::string& buffer,
                       std::vector<PredicateId>& out) const {
    const auto append = [&](const std::vector<PredicateId>& ids) {
        out.insert(out.end(), ids.begin(), ids.end());
    };
    append(exists_);
    if (value.data() == nullptr) return append(null_);
    append(present_);
    if (!exact_.empty() && value.size() <= bytes_max_) {
        buffer.assign(value);
        for (char& c : buffer)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        if (const auto found = exact_.find(std::string_view(buffer)); found != exact_.end())
            append(found->second);
    }
    if (!cased_.empty() && value.size() <= bytes_max_) {
        if (const auto found = cased_.find(value); found != cased_.end()) append(found->second);
    }
    if (database_ != nullptr) scan(value, scratch, out);
    for (const auto& [expression, ids] : fallback_) {
        if (re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *expression)) append(ids);
    }
    if (!ranges_.empty()) {
        if (const auto address = parse_address(value)) {
            for (const auto& range : ranges_) {
                const auto found = range.by_address.find(masked(*address, range.bits));
                if (found != range.by_address.end()) append(found->second);
            }
        }
    }
    if (!comparisons_.empty()) compare(value, buffer, out);
}

void FieldIndex::scan(std::string_view value, hs_scratch* scratch, std::vector<PredicateId>& out) const {
    struct Context {
        const FieldIndex* index;
        std::vector<PredicateId>* out;
    } context{this, &out};
    const auto on_match = [](unsigned id, unsigned long long, unsigned long long, unsigned, void* raw) {
        const auto* to = static_cast<Context*>(raw);
        const auto& ids = to->index->expressions_.predicates[id];
        to->out->insert(to->out->end(), ids.begin(), ids.end());
        return 0;
    };
    const auto length = static_cast<unsigned>(std::min(value.size(), kScanBytesMax));
    hs_scan(database_, value.data(), length, 0, scratch, on_match, &context);
}

void FieldIndex::compare(std::string_view value, std::string& buffer, std::vector<PredicateId>& out) const {
    buffer.assign(value);
    char* end = nullptr;
    const double whole = std::strtod(buffer.c_str(), &end);
    const bool is_number = !buffer.empty() && end == buffer.c_str() + buffer.size();
    for (const auto& comparison : comparisons_) {
        double number = whole;
        if (comparison.part != TimePart::None) {
            const auto part = time_part(value, comparison.part);
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
