#include "detect/posture/agent_configuration.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"

namespace fieldwatch::detect {

namespace {

constexpr AlertType kParsing{
    "fieldwatch-a21",
    "IoT_AgentConfigurationError",
    "IoT agent attempted and failed to parse the module twin configuration",
    "The agent could not read a property of its configuration in the module twin; it runs with another "
    "value.",
    "Unknown",
    model::Severity::Medium,
    "",
    "Check the module twin against the configuration schema; correct every mismatch"};
constexpr Ticks kErrorAge = std::chrono::hours(24);
constexpr std::size_t kTextMax = 1'024;

constexpr std::string_view kNotOptimal = "NotOptimal", kConflict = "Conflict", kMismatch = "TypeMismatch";

void read_properties(const nlohmann::json* section, std::map<std::uint64_t, std::uint64_t>& out) {
    if (section == nullptr) return;
    out.clear();
    const auto object = section->find(model::kConfigurationObject);
    if (object == section->end() || !object->is_object()) return;
    for (const auto& [name, property] : object->items()) {
        if (out.size() == AgentConfiguration::kPropertiesMax) break;
        const bool wrapped = property.is_object() && property.contains("value");
        const auto& value = wrapped ? property["value"] : property;
        out[hash64(as_bytes(name))] = hash64(as_bytes(value.dump()));
    }
}

}  // namespace

/// Every wanted property is reported with its value. What is reported beyond are the agent's defaults.
bool AgentConfiguration::Twin::agrees() const {
    return !reported.empty() && std::ranges::all_of(desired, [&](const auto& property) {
        const auto found = reported.find(property.first);
        return found != reported.end() && found->second == property.second;
    });
}

void AgentConfiguration::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::ConfigurationError || event.is_empty) return;
    auto& errors = errors_.get(device_key(event.hub, event.device));
    errors.hub = event.hub;
    errors.device = event.device;
    std::vector<model::LogPosition> evidence;
    for (const auto& item : event.items) {
        const auto* const said = std::get_if<model::ConfigurationError>(&item.payload);
        if (said == nullptr) continue;
        const auto same = std::ranges::find_if(errors.list, [&](const Error& error) {
            return error.name == said->configuration_name && error.type == said->error_type;
        });
        Error error{std::string(said->configuration_name),
                    std::string(said->error_type),
                    std::string(said->used_configuration.substr(0, kTextMax)),
                    std::string(said->message.substr(0, kTextMax)),
                    event.time,
                    item.position};
        if (same != errors.list.end()) {
            *same = std::move(error);
        } else {
            if (errors.list.size() == kErrorsMax)
                errors.list.erase(std::ranges::min_element(errors.list, {}, &Error::time));
            errors.list.push_back(std::move(error));
        }
        if (said->error_type != kMismatch) {
            evidence.push_back(item.position);
            continue;
        }
        auto alert = device_alert(kParsing, event, item.position);
        alert.discriminator = said->configuration_name;
        JsonWriter(alert.extended_json)
            .begin_object()
            .member("Configuration Name", said->configuration_name)
            .member("Error Type", said->error_type)
            .member("Used Configuration", said->used_configuration)
            .member("Message", said->message)
            .member("DeviceId", event.device)
            .end_object();
        EntityWriter(alert.entities_json, event.hub, event.device).end();
        context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
    }
    std::ranges::stable_sort(errors.list, {}, &Error::name);
    if (!evidence.empty()) assess(errors, event.time, evidence, context);
}

void AgentConfiguration::assess(Errors& errors, Timestamp time,
                                const std::vector<model::LogPosition>& evidence, Context& context) {
    for (const auto& [kind, type] : {std::pair{kNotOptimal, "IoT_SecurityTwinConfigurationNotOptimal"},
                                     std::pair{kConflict, "IoT_SecurityTwinConfigurationConflict"}}) {
        RecommendationBook::Assessment found{.type = type,
                                             .hub = errors.hub,
                                             .device = errors.device,
                                             .health = Health::Healthy,
                                             .time = time,
                                             .additional_json = {},
                                             .evidence = evidence};
        std::string list;
        JsonWriter json(list);
        json.begin_array();
        for (const auto& error : errors.list) {
            if (error.type != kind) continue;
            found.health = Health::Unhealthy;
            json.begin_object()
                .member("ConfigurationName", error.name)
                .member("UsedConfiguration", error.used)
                .member("Message", error.message)
                .end_object();
        }
        json.end_array();
        JsonWriter(found.additional_json).begin_object().member("Configurations", list).end_object();
        context.posture.assess(std::move(found), context.settings, context.now, context.out);
    }
}

void AgentConfiguration::twin(const TwinDocument& twin, const model::RegistryChange& change,
                              Context& context) {
    if (!change.role.owner || twin.module.empty()) return;
    const auto speaks = [](const nlohmann::json* section) {
        return section != nullptr && section->contains(model::kConfigurationObject);
    };
    const auto key = device_key(change.hub, twin.device);
    if (!speaks(twin.desired) && !speaks(twin.reported)) return;
    auto& held = twins_.get(key);
    read_properties(twin.desired, held.desired);
    read_properties(twin.reported, held.reported);
    if (held.agrees() && errors_.find(key) != nullptr) clear(key, change.time, change.position, context);
}

void AgentConfiguration::clear(const std::string& key, Timestamp time, const model::LogPosition& evidence,
                               Context& context) {
    auto& errors = *errors_.find(key);
    for (const auto& error : errors.list) {
        if (error.type == kMismatch)
            context.book.resolve(errors.hub, kParsing.type, errors.device, error.name, context.now,
                                 context.out);
    }
    errors.list.clear();
    assess(errors, time, {evidence}, context);
    errors_.erase(key);
}

void AgentConfiguration::advance(Context& context) {
    for (auto at = errors_.begin(); at != errors_.end();) {
        auto& [key, errors] = *at;
        auto newest = kTimestampMin;
        auto evidence = model::LogPosition{};
        // A mismatch is an alert and no recommendation: it is over when the twin is mended, however late.
        for (const auto& error : errors.list) {
            if (error.type == kMismatch || error.time < newest) continue;
            newest = error.time;
            evidence = error.position;
        }
        const auto expired = std::erase_if(errors.list, [&](const Error& error) {
            return error.type != kMismatch && error.time + kErrorAge <= context.now;
        });
        if (expired > 0) assess(errors, newest + kErrorAge, {evidence}, context);
        at = errors.list.empty() ? errors_.erase(at) : std::next(at);
    }
}

void AgentConfiguration::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(errors_.size()));
    for (const auto& [key, errors] : errors_) {
        out.text(errors.hub);
        out.text(errors.device);
        out.u32(static_cast<std::uint32_t>(errors.list.size()));
        for (const auto& error : errors.list) {
            for (const auto* text : {&error.name, &error.type, &error.used, &error.message})
                out.text(*text);
            out.i64(error.time.ticks);
            write(out, error.position);
        }
    }
    out.u32(static_cast<std::uint32_t>(twins_.size()));
    for (const auto& [key, twin] : twins_) {
        out.text(key);
        for (const auto* section : {&twin.desired, &twin.reported}) {
            out.u32(static_cast<std::uint32_t>(section->size()));
            for (const auto& [name, value] : *section) {
                out.u64(name);
                out.u64(value);
            }
        }
    }
}

Result<void> AgentConfiguration::restore(ByteReader& in) {
    errors_.clear();
    twins_.clear();
    auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto device = FIELDWATCH_TRY(read_text(in));
        auto& errors = errors_.get(device_key(hub, device));
        errors.hub = std::move(hub);
        errors.device = std::move(device);
        errors.list.resize(FIELDWATCH_TRY(read_count(in, kErrorsMax)));
        for (auto& error : errors.list) {
            for (auto* text : {&error.name, &error.type, &error.used, &error.message})
                *text = FIELDWATCH_TRY(read_text(in));
            error.time = FIELDWATCH_TRY(read_time(in));
            error.position = FIELDWATCH_TRY(read_position(in));
        }
    }
    count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& twin = twins_.get(FIELDWATCH_TRY(in.text()));
        for (auto* section : {&twin.desired, &twin.reported}) {
            const auto properties = FIELDWATCH_TRY(read_count(in, kPropertiesMax));
            for (std::uint32_t k = 0; k < properties; ++k) {
                const auto name = FIELDWATCH_TRY(in.u64());
                (*section)[name] = FIELDWATCH_TRY(in.u64());
            }
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
