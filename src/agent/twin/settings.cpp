#include "agent/twin/settings.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/twin/aliases.hpp"
#include "base/limits.hpp"

namespace fieldwatch::agent {

using nlohmann::json;

Settings::Settings() {
    for (int kind = 1; kind <= FIELDWATCH_KIND_COUNT; ++kind) {
        priority[static_cast<std::size_t>(kind)] =
            fieldwatch_kind_default_priority(static_cast<fieldwatch_kind>(kind));
    }
}

std::string_view to_string(fieldwatch_priority priority) {
    switch (priority) {
        case FIELDWATCH_PRIORITY_OFF:
            return "Off";
        case FIELDWATCH_PRIORITY_HIGH:
            return "High";
        default:
            return "Low";
    }
}

namespace {

constexpr Ticks kDurationMax = std::chrono::hours(24 * 366);

struct DurationProperty {
    const char* name;
    Ticks& (*member)(Settings&);
};
constexpr DurationProperty kDurations[] = {
    {"highPriorityMessageFrequency", [](Settings& s) -> Ticks& { return s.high_frequency; }},
    {"lowPriorityMessageFrequency", [](Settings& s) -> Ticks& { return s.low_frequency; }},
    {"snapshotFrequency", [](Settings& s) -> Ticks& { return s.snapshot_frequency; }},
    {"aggregationIntervalProcessCreate",
     [](Settings& s) -> Ticks& { return s.aggregate_interval[kAggregateProcess]; }},
    {"aggregationIntervalConnectionCreate",
     [](Settings& s) -> Ticks& { return s.aggregate_interval[kAggregateConnection]; }},
    {"aggregationIntervalProcessTerminate",
     [](Settings& s) -> Ticks& { return s.aggregate_interval[kAggregateTerminate]; }},
};

struct IntegerProperty {
    const char* name;
    std::int64_t low, high;
    std::int64_t& (*member)(Settings&);
};
constexpr IntegerProperty kIntegers[] = {
    {"maxLocalCacheSizeInBytes", 8'192, 1LL << 30,
     [](Settings& s) -> std::int64_t& { return s.cache_bytes; }},
    {"maxMessageSizeInBytes", 8'192, 262'144, [](Settings& s) -> std::int64_t& { return s.message_bytes; }},
};

struct BooleanProperty {
    const char* name;
    bool& (*member)(Settings&);
};
constexpr BooleanProperty kBooleans[] = {
    {"aggregationEnabledProcessCreate", [](Settings& s) -> bool& { return s.aggregate[kAggregateProcess]; }},
    {"aggregationEnabledConnectionCreate",
     [](Settings& s) -> bool& { return s.aggregate[kAggregateConnection]; }},
    {"aggregationEnabledProcessTerminate",
     [](Settings& s) -> bool& { return s.aggregate[kAggregateTerminate]; }},
    {"baselineCustomChecksEnabled", [](Settings& s) -> bool& { return s.custom_checks; }},
    {"responseEnabled", [](Settings& s) -> bool& { return s.response; }},
};

struct TextProperty {
    const char* name;
    std::string& (*member)(Settings&);
};
constexpr TextProperty kTexts[] = {
    {"baselineCustomChecksFilePath", [](Settings& s) -> std::string& { return s.custom_checks_path; }},
    {"baselineCustomChecksFileHash", [](Settings& s) -> std::string& { return s.custom_checks_hash; }},
    {"hubResourceId", [](Settings& s) -> std::string& { return s.hub_resource_id; }},
};

std::optional<fieldwatch_priority> parse_priority(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text == "off") return FIELDWATCH_PRIORITY_OFF;
    if (text == "low") return FIELDWATCH_PRIORITY_LOW;
    if (text == "high") return FIELDWATCH_PRIORITY_HIGH;
    return std::nullopt;
}

bool is_operational(int kind) {
    return fieldwatch_kind_default_priority(static_cast<fieldwatch_kind>(kind)) ==
           FIELDWATCH_PRIORITY_OPERATIONAL;
}

/// Reads one desired object into settings. Collects what is wrong by property name; a range problem is
/// clamped and found.
struct Reader {
    const json& object;
    Settings settings{};
    std::vector<std::string> invalid{};
    std::vector<ConfigurationFinding> findings{};

    /// The `value` of a property; nullptr when absent or null, which means the default.
    const json* value(const char* name) {
        const auto found = object.find(name);
        if (found == object.end() || found->is_null()) return nullptr;
        if (!found->is_object()) return invalid.push_back(name), nullptr;
        const auto inner = found->find("value");
        if (inner == found->end()) return invalid.push_back(name), nullptr;
        return &*inner;
    }

    void duration(const DurationProperty& property) {
        const auto* given = value(property.name);
        if (!given) return;
        if (!given->is_string()) return invalid.push_back(property.name);
        const auto& text = given->get_ref<const std::string&>();
        const auto parsed = parse_iso8601_duration(text);
        if (!parsed || parsed->count() <= 0 || *parsed > kDurationMax)
            return invalid.push_back(property.name);
        property.member(settings) = *parsed;
        const auto date_part = std::string_view(text).substr(0, text.find('T'));
        if (date_part.find_first_of("YM") != std::string_view::npos) {
            findings.push_back({property.name, "NotOptimal", to_iso8601_duration(*parsed),
                                "years count as 365 days and months as 30; give days"});
        }
    }

    void integer(const IntegerProperty& property) {
        const auto* given = value(property.name);
        if (!given) return;
        if (!given->is_number_integer()) return invalid.push_back(property.name);
        const auto wanted = given->is_number_unsigned() && given->get<std::uint64_t>() > INT64_MAX
                                ? INT64_MAX
                                : given->get<std::int64_t>();
        auto& member = property.member(settings);
        member = std::clamp(wanted, property.low, property.high);
        if (member != wanted) {
            findings.push_back(
                {property.name, "Conflict", std::to_string(member),
                 "allowed are " + std::to_string(property.low) + " to " + std::to_string(property.high)});
        }
    }

    void priority(int kind) {
        const auto name =
            std::string("eventPriority") + fieldwatch_kind_name(static_cast<fieldwatch_kind>(kind));
        const auto* given = value(name.c_str());
        if (!given) return;
        const auto parsed = given->is_string() ? parse_priority(given->get<std::string>()) : std::nullopt;
        if (!parsed) return invalid.push_back(name);
        const bool stays_operational = is_operational(kind) && *parsed != FIELDWATCH_PRIORITY_OFF;
        settings.priority[static_cast<std::size_t>(kind)] =
            stays_operational ? FIELDWATCH_PRIORITY_OPERATIONAL : *parsed;
    }

    /// By architecture, so that one announcement serves a fleet.
    void update() {
        constexpr const char* kName = "agentUpdate";
        const auto* given = value(kName);
        if (!given || given->is_null()) return;
        if (!given->is_object()) return invalid.emplace_back(kName), void();
        const auto own = given->find(architecture());
        if (own == given->end() || own->is_null()) return;
        const auto text = [&](const char* name) {
            const auto found = own->is_object() ? own->find(name) : own->end();
            const bool is_text = own->is_object() && found != own->end() && found->is_string();
            return is_text ? found->get<std::string>() : std::string();
        };
        Announcement announced{text("manifest"), text("url")};
        if (announced.manifest.empty() || announced.url.empty()) return invalid.emplace_back(kName), void();
        settings.update = std::move(announced);
    }

    void all() {
        update();
        for (const auto& property : kDurations)
            duration(property);
        for (const auto& property : kIntegers)
            integer(property);
        for (int kind = 1; kind <= FIELDWATCH_KIND_COUNT; ++kind)
            priority(kind);
        for (const auto& property : kBooleans) {
            const auto* given = value(property.name);
            if (given && !given->is_boolean()) invalid.emplace_back(property.name);
            if (given && given->is_boolean()) property.member(settings) = given->get<bool>();
        }
        for (const auto& property : kTexts) {
            const auto* given = value(property.name);
            if (!given || given->is_null()) continue;
            if (given->is_string()) {
                property.member(settings) = given->get<std::string>();
            } else {
                invalid.emplace_back(property.name);
            }
        }
        // The C agent's one switch for all three operational kinds.
        if (const auto* given = value("eventPriorityOperational"); given) {
            const auto parsed = given->is_string() ? parse_priority(given->get<std::string>()) : std::nullopt;
            const bool known = parsed || (given->is_string() && given->get<std::string>() == "Operational");
            if (!known) invalid.emplace_back("eventPriorityOperational");
            for (int kind = 1; parsed == FIELDWATCH_PRIORITY_OFF && kind <= FIELDWATCH_KIND_COUNT; ++kind) {
                if (is_operational(kind))
                    settings.priority[static_cast<std::size_t>(kind)] = FIELDWATCH_PRIORITY_OFF;
            }
        }
    }

    void cross_checks() {
        if (settings.message_bytes % 4'096 != 0) {
            findings.push_back({"maxMessageSizeInBytes", "NotOptimal", std::to_string(settings.message_bytes),
                                "messages are billed in blocks of 4096 bytes; give a multiple"});
        }
        if (settings.cache_bytes < settings.message_bytes) {
            findings.push_back({"maxLocalCacheSizeInBytes", "Conflict", std::to_string(settings.cache_bytes),
                                "the cache cannot hold one message of maxMessageSizeInBytes"});
        }
        if (settings.high_frequency > settings.low_frequency) {
            findings.push_back({"highPriorityMessageFrequency", "Conflict",
                                to_iso8601_duration(settings.high_frequency),
                                "High events would wait longer than Low ones"});
        }
    }
};

json wrapped(json value) {
    return json{{"value", std::move(value)}};
}

json effective(Settings settings) {
    json out = json::object();
    for (const auto& property : kDurations)
        out[property.name] = wrapped(to_iso8601_duration(property.member(settings)));
    for (const auto& property : kIntegers)
        out[property.name] = wrapped(property.member(settings));
    for (const auto& property : kBooleans)
        out[property.name] = wrapped(property.member(settings));
    for (const auto& property : kTexts)
        out[property.name] = wrapped(property.member(settings));
    for (int kind = 1; kind <= FIELDWATCH_KIND_COUNT; ++kind) {
        out[std::string("eventPriority") + fieldwatch_kind_name(static_cast<fieldwatch_kind>(kind))] =
            wrapped(std::string(to_string(settings.priority[static_cast<std::size_t>(kind)])));
    }
    return out;
}

Result<json> parse_object(std::string_view text) {
    // Twice the section bound: a GET answers desired and reported together.
    if (text.size() > 2 * limits::twin_section_bytes + 4'096) return fail(Errc::TooLarge, "twin document");
    std::size_t depth = 0;
    std::size_t deepest = 0;
    for (const char c : text) {  // braces inside strings count too: the bound is generous enough for that
        if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
        if ((c == '}' || c == ']') && depth > 0) --depth;
    }
    if (deepest > 64) return fail(Errc::TooLarge, "twin document nests too deeply");
    auto parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded() || !parsed.is_object())
        return fail(Errc::Malformed, "the twin is no JSON object");
    return parsed;
}

std::int64_t version_of(const json& desired) {
    const auto found = desired.find("$version");
    return found != desired.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

}  // namespace

Twin::Update Twin::evaluate() {
    const auto desired = json::parse(desired_, nullptr, false);
    static const json kNothing = json::object();
    const auto found = desired.find(object_name_);
    const bool absent = found == desired.end() || found->is_null();
    Reader reader{absent ? kNothing : *found};
    uses_aliases_ = apply_aliases(desired, reader.settings, reader.invalid);
    if (!absent && !found->is_object()) {
        reader.invalid.push_back(object_name_);
    } else {
        reader.all();
    }
    Update update;
    invalid_ = reader.invalid;
    if (invalid_.empty()) {
        reader.cross_checks();
        settings_ = reader.settings;
        update.applied = true;
        update.findings = std::move(reader.findings);
        return update;
    }
    std::string names;
    for (const auto& name : invalid_)
        names += (names.empty() ? "" : ", ") + name;
    update.findings.push_back({"TwinConfiguration", "TypeMismatch", effective(settings_).dump(),
                               "the update is refused because of: " + names});
    return update;
}

Result<Twin::Update> Twin::replace(std::string_view twin_json) {
    const auto twin = FIELDWATCH_TRY(parse_object(twin_json));
    const auto desired = twin.find("desired");
    if (desired == twin.end() || !desired->is_object())
        return fail(Errc::Malformed, "the twin has no desired section");
    desired_ = desired->dump();
    version_ = version_of(*desired);
    needs_refresh_ = false;
    return evaluate();
}

Result<Twin::Update> Twin::patch(std::string_view patch_json) {
    const auto change = FIELDWATCH_TRY(parse_object(patch_json));
    const auto version = version_of(change);
    if (version != 0 && version <= version_) return Update{};
    needs_refresh_ = version != 0 && version_ != 0 && version > version_ + 1;
    auto desired = json::parse(desired_, nullptr, false);
    desired.merge_patch(change);
    auto text = desired.dump();
    if (text.size() > 2 * limits::twin_section_bytes) return fail(Errc::TooLarge, "desired section");
    desired_ = std::move(text);
    if (version != 0) version_ = version;
    return evaluate();
}

std::string Twin::reported(std::string_view agent_version) const {
    auto object = effective(settings_);
    object["configurationStatus"] = wrapped(invalid_.empty() ? "success" : "failed");
    object["invalidProperties"] = wrapped(invalid_);
    object["desiredVersion"] = wrapped(version_);
    object["agentVersion"] = wrapped(std::string(agent_version));
    json out{{object_name_, std::move(object)}};
    if (uses_aliases_) {  // as the micro agent answers
        out["latest_state"] = invalid_.empty() ? "success" : "failed";
        out["latest_invalid_fields"] = invalid_;
    }
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Twin::persisted() const {
    return json{{"desired", json::parse(desired_, nullptr, false)}}.dump();
}

Result<Twin::Update> Twin::restore(std::string_view persisted) {
    return replace(persisted);
}

}  // namespace fieldwatch::agent
