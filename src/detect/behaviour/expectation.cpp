#include "detect/behaviour/expectation.hpp"

#include <limits>
#include <ranges>
#include <utility>

#include <nlohmann/json.hpp>

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kTextMax = 512;

std::unexpected<Error> bad(std::string_view what) {
    return fail(Errc::InvalidArgument, "settings: behaviour.expectations " + std::string(what));
}

bool is_or_all(std::string_view wanted, std::string_view actual) {
    return wanted.empty() || wanted == actual;
}

bool names(std::string_view pattern, std::string_view device) {
    if (pattern.ends_with('*')) return device.starts_with(pattern.substr(0, pattern.size() - 1));
    return is_or_all(pattern, device);
}

Result<std::string> text_of(const Json& one, const char* key) {
    const auto found = one.find(key);
    if (found == one.end()) return std::string();
    if (!found->is_string() || found->get_ref<const std::string&>().size() > kTextMax)
        return bad(std::string(key) + " must be a text of up to 512 bytes");
    return found->get<std::string>();
}

Result<Expectation> parse_one(const Json& one) {
    if (!one.is_object()) return bad("must hold objects");
    Expectation out;
    const auto verdict = FIELDWATCH_TRY(text_of(one, "verdict"));
    if (verdict != "expected" && verdict != "unexpected")
        return bad("has a verdict that is neither expected nor unexpected");
    out.verdict = verdict == "expected" ? Verdict::Expected : Verdict::Unexpected;
    const auto until = parse_iso8601(FIELDWATCH_TRY(text_of(one, "until")));
    if (!until) return bad("needs an until, like \"2026-12-31T00:00:00Z\"");
    out.until = until->time;
    out.hub = FIELDWATCH_TRY(text_of(one, "hub"));
    out.device = FIELDWATCH_TRY(text_of(one, "device"));
    out.type = FIELDWATCH_TRY(text_of(one, "type"));
    out.cause = FIELDWATCH_TRY(text_of(one, "cause"));
    for (const auto* const for_readers : {"by", "note"})
        FIELDWATCH_TRY(text_of(one, for_readers));
    return out;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    constexpr std::string_view kNames[] = {"usual", "expected", "unexpected"};
    return kNames[static_cast<std::size_t>(verdict)];
}

double threshold_factor(Verdict verdict) {
    switch (verdict) {
        case Verdict::Usual:
            return 1;
        case Verdict::Expected:
            return std::numeric_limits<double>::infinity();
        case Verdict::Unexpected:
            return kLowestFactor;
    }
    std::unreachable();
}

bool Expectation::covers(const Behaviour& behaviour) const {
    return behaviour.now < until && is_or_all(hub, behaviour.hub) && names(device, behaviour.device) &&
           is_or_all(type, behaviour.type) && is_or_all(cause, behaviour.cause);
}

Verdict verdict_on(const Behaviour& behaviour, const std::vector<Expectation>& expectations) {
    for (const auto& one : expectations | std::views::reverse)
        if (one.covers(behaviour)) return one.verdict;
    return Verdict::Usual;
}

Result<std::vector<Expectation>> parse_expectations(const Json& lines) {
    if (!lines.is_array() || lines.size() > kExpectationsMax)
        return bad("must be a list of up to 1,000 objects");
    std::vector<Expectation> out;
    for (const auto& one : lines)
        out.push_back(FIELDWATCH_TRY(parse_one(one)));
    return out;
}

}  // namespace fieldwatch::detect
