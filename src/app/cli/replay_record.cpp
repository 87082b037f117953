#include "app/cli/replay_record.hpp"

#include <algorithm>
#include <array>

#include "base/uuid.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

/// Of names of events that were played again.
constexpr Uuid kReplayNames{
    {0x8d, 0x40, 0x5a, 0x61, 0x2c, 0x9e, 0x4b, 0x77, 0x91, 0x53, 0x0b, 0xee, 0x1a, 0x64, 0xd2, 0x0c}};

/// What is a time in a security message, and moves with it.
constexpr std::array<std::string_view, 8> kStamps{"TimestampLocal", "TimestampUTC",     "StartTimeUtc",
                                                  "EndTimeUtc",     "StartTimeLocal",   "EndTimeLocal",
                                                  "timestamp",      "CollectionTimeUtc"};

std::string text_member_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Bodies are at most 256 KiB, and so is their depth a small matter: the parser's own limit is the stack's.
void shift_stamps(Json& value, Ticks by, int depth) {
    if (depth > 16 || !value.is_structured()) return;
    for (auto at = value.begin(); at != value.end(); ++at) {
        if (!at->is_string() || !value.is_object()) {
            shift_stamps(*at, by, depth + 1);
            continue;
        }
        if (std::ranges::find(kStamps, at.key()) == kStamps.end()) continue;
        if (const auto time = parse_iso8601(at->get_ref<const std::string&>()))
            *at = to_iso8601(time->time + by);
    }
}

}  // namespace

Result<ReplayRecord> read_replay_record(std::string_view line) {
    auto object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Errc::Malformed, "not a JSON object");
    ReplayRecord out{.time = {},
                     .device = text_member_of(object, "device"),
                     .module = text_member_of(object, "module"),
                     .kind = text_member_of(object, "kind"),
                     .body = {}};
    if (out.kind.empty()) return fail(Errc::Malformed, "it has no kind");
    const auto time = parse_iso8601(text_member_of(object, "time"));
    if (!time) return fail(Errc::Malformed, "its time is none");
    out.time = time->time;
    out.body = std::move(object["body"]);
    if (out.can_be_sent() && out.body.is_null()) return fail(Errc::Malformed, "it has no body");
    return out;
}

void shift_events(Json& body, Ticks by) {
    shift_stamps(body, by, 0);
    if (!body.is_object()) return;
    const auto events = body.find("Events");
    if (events == body.end() || !events->is_array()) return;
    for (auto& event : *events) {
        if (!event.is_object()) continue;
        if (const auto id = text_member_of(event, "Id"); !id.empty())
            event["Id"] = Uuid::named(kReplayNames, id + '/' + std::to_string(by.count())).text();
    }
}

}  // namespace fieldwatch::app
