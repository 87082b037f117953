#include "detect/rules/regex.hpp"

#include <hs/hs.h>
#include <re2/re2.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

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

struct FreeDatabase {
    void operator()(hs_database_t* database) const { hs_free_database(database); }
};
using Database = std::unique_ptr<hs_database_t, FreeDatabase>;

/// None for what Vectorscan cannot express.
Database vectorscan_of(const Pattern& pattern) {
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile(pattern.text.c_str(), flags_of(pattern), HS_MODE_BLOCK, nullptr, &database, &error) ==
        HS_SUCCESS)
        return Database(database);
    if (error != nullptr) hs_free_compile_error(error);
    return nullptr;
}

// Of one expression's program and of the states it is met in, which hostile lines can make many. Hardly any
// needs the second.
constexpr std::int64_t kBytesMax = 1 << 20, kLargeBytesMax = 4 << 20;

std::unique_ptr<re2::RE2> re2_of(const Pattern& pattern, std::int64_t bytes_max) {
    re2::RE2::Options options;
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    options.set_max_mem(bytes_max);
    options.set_case_sensitive(pattern.cased);
    options.set_dot_nl(pattern.dot_all);
    const auto text = pattern.multiline ? "(?m)" + pattern.text : pattern.text;
    return std::make_unique<re2::RE2>(text, options);
}
std::unique_ptr<re2::RE2> re2_of(const Pattern& pattern) {
    auto small = re2_of(pattern, kBytesMax);
    return small->error_code() == re2::RE2::ErrorPatternTooLarge ? re2_of(pattern, kLargeBytesMax)
                                                                 : std::move(small);
}

}  // namespace

struct Regex::Machine {
    std::unique_ptr<re2::RE2> re2;
    Database vectorscan;  ///< where RE2 cannot
};

Regex::Regex(Regex&& other) noexcept
    : pattern_(std::move(other.pattern_)), machine_(other.machine_.exchange(nullptr)) {}
Regex& Regex::operator=(Regex&& other) noexcept {
    std::swap(pattern_, other.pattern_);
    other.machine_.store(machine_.exchange(other.machine_.load()));
    return *this;
}
Regex::~Regex() {
    delete machine_.load();
}

Result<Regex> Regex::create(const Pattern& pattern) {
    Regex out(pattern);
    const auto read = re2_of(pattern);
    if (read->ok()) return out;
    auto machine = std::make_unique<Machine>(nullptr, vectorscan_of(pattern));
    if (machine->vectorscan == nullptr)
        return fail(Errc::Malformed,
                    "the expression '" + pattern.text + "' is not understood: " + read->error());
    out.machine_.store(machine.release());
    return out;
}

const Regex::Machine& Regex::machine() const {
    if (const auto* const known = machine_.load(std::memory_order_acquire)) return *known;
    auto made = std::make_unique<Machine>(re2_of(pattern_), nullptr);  // which understood it before
    const Machine* known = nullptr;
    if (machine_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel))
        known = made.release();
    return *known;
}

void Regex::prepare(hs_scratch*& scratch) const {
    const auto* const database = machine().vectorscan.get();
    // It can fail of memory alone, whose end is the server's.
    if (database != nullptr && hs_alloc_scratch(database, &scratch) != HS_SUCCESS) throw std::bad_alloc();
}

bool Regex::occurs_in(std::string_view value, hs_scratch* scratch) const {
    value = value.substr(0, kScanBytesMax);
    const auto& machine = this->machine();
    if (machine.re2 != nullptr) {
        const auto occurs = [&](std::string_view in) {
            return re2::RE2::PartialMatch(re2::StringPiece(in.data(), in.size()), *machine.re2);
        };
        if (!value.ends_with('\n')) return occurs(value);
        // `$` stands before a last line break too, and `^` not behind it, as PCRE has it.
        if (occurs(value.substr(0, value.size() - 1))) return true;
        re2::StringPiece where;
        const re2::StringPiece whole(value.data(), value.size());
        return machine.re2->Match(whole, 0, whole.size(), re2::RE2::UNANCHORED, &where, 1) &&
               (!pattern_.multiline || where.data() != value.data() + value.size());
    }
    bool found = false;
    const auto on_match = [](unsigned, unsigned long long, unsigned long long, unsigned, void* raw) {
        *static_cast<bool*>(raw) = true;
        return 1;  // one is enough
    };
    hs_scan(machine.vectorscan.get(), value.data(), static_cast<unsigned>(value.size()), 0, scratch, on_match,
            &found);
    return found;
}

}  // namespace fieldwatch::detect
