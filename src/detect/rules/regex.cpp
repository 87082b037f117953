#include "detect/rules/regex.hpp"

#include <hs/hs.h>
#include <re2/re2.h>

#include <algorithm>

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

}  // namespace

Regex::Regex() = default;
Regex::Regex(Regex&& other) noexcept {
    *this = std::move(other);
}
Regex& Regex::operator=(Regex&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(other_, other.other_);
    return *this;
}
Regex::~Regex() {
    if (database_ != nullptr) hs_free_database(database_);
}

Result<Regex> Regex::create(const Pattern& pattern) {
    Regex out;
    hs_compile_error_t* error = nullptr;
    if (hs_compile(pattern.text.c_str(), flags_of(pattern), HS_MODE_BLOCK, nullptr, &out.database_, &error) ==
        HS_SUCCESS)
        return out;
    if (error != nullptr) hs_free_compile_error(error);
    re2::RE2::Options options;
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    options.set_case_sensitive(pattern.cased);
    options.set_dot_nl(pattern.dot_all);
    const auto text = pattern.multiline ? "(?m)" + pattern.text : pattern.text;
    out.other_ = std::make_unique<re2::RE2>(text, options);
    if (!out.other_->ok())
        return fail(Errc::Malformed,
                    "the expression '" + pattern.text + "' is not understood: " + out.other_->error());
    return out;
}

bool Regex::occurs_in(std::string_view value, hs_scratch* scratch) const {
    value = value.substr(0, kScanBytesMax);
    if (other_ != nullptr)
        return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *other_);
    bool found = false;
    const auto on_match = [](unsigned, unsigned long long, unsigned long long, unsigned, void* raw) {
        *static_cast<bool*>(raw) = true;
        return 1;  // one is enough
    };
    hs_scan(database_, value.data(), static_cast<unsigned>(value.size()), 0, scratch, on_match, &found);
    return found;
}

}  // namespace fieldwatch::detect
