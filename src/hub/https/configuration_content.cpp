#include "hub/https/configuration_content.hpp"

#include <algorithm>
#include <map>

#include "base/log.hpp"
#include "hub/https/twin_query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kDesired = "properties.desired";
constexpr std::size_t kDepthMax = 10;

/// Whether merging `patch` into `document` would change nothing.
bool holds_already(const Json& document, const Json& patch) {
    for (const auto& [name, value] : patch.items()) {
        const auto found = document.find(name);
        if (value.is_null()) {
            if (found != document.end()) return false;
        } else if (found == document.end()) {
            return false;
        } else if (value.is_object() && found->is_object()) {
            if (!holds_already(*found, value)) return false;
        } else if (*found != value) {
            return false;
        }
    }
    return true;
}

}  // namespace

Result<Json> desired_patch(const Json& content) {
    Json patch = Json::object();
    if (!content.is_object()) return patch;
    for (const auto& [key, value] : content.items()) {
        if (!key.starts_with(kDesired) || (key.size() > kDesired.size() && key[kDesired.size()] != '.'))
            return fail(Errc::InvalidArgument, "content is under properties.desired, not " + key);
        Json* here = &patch;
        auto rest = std::string_view(key).substr(std::min(key.size(), kDesired.size() + 1));
        for (std::size_t depth = 0; !rest.empty(); ++depth) {
            if (depth > kDepthMax) return fail(Errc::InvalidArgument, "content is at most 10 levels deep");
            const auto end = std::min(rest.find('.'), rest.size());
            here = &(*here)[std::string(rest.substr(0, end))];
            if (!here->is_object()) *here = Json::object();
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        if (value.is_object())
            here->update(value);
        else
            *here = value;
    }
    if (!patch.is_object()) return fail(Errc::InvalidArgument, "desired properties are an object");
    return patch;
}

std::size_t count_applied(Shared& shared, const std::vector<model::Identity>& targets, const Json& patch) {
    return static_cast<std::size_t>(std::ranges::count_if(targets, [&](const model::Identity& target) {
        const auto twin = shared.parts.registry.twin(target);
        return twin && holds_already(Json::parse(twin->desired_json, nullptr, false), patch);
    }));
}

std::vector<ConfigurationChange> pending_configuration(Shared& shared, const model::HubName& hub) {
    auto& registry = shared.parts.registry;
    std::vector<ConfigurationChange> out;
    const auto documents = registry.documents(hub, "configuration", {});
    if (!documents || documents->empty()) return out;
    std::vector<Json> configurations;
    for (const auto& document : *documents)
        configurations.push_back(Json::parse(document.json, nullptr, false));
    std::stable_sort(configurations.begin(), configurations.end(), [](const Json& a, const Json& b) {
        return a.value("priority", 0) < b.value("priority", 0);
    });
    std::map<model::Identity, Json> wanted;
    for (const auto& configuration : configurations) {
        const auto content = configuration.value("content", Json::object());
        const auto patch =
            desired_patch(content.is_object() ? content.value("deviceContent", Json()) : Json());
        const auto condition = configuration.value("targetCondition", "");
        if (condition.empty() || (patch && patch->empty())) continue;
        const auto left_out = [&](const Error& why) {
            log::warning("hub", "the configuration " + configuration.value("id", "") + " of " + hub.value +
                                    " is left out: " + why.message);
        };
        // One that no twin can take must not keep the others from the devices that they share.
        const auto checked = patch ? registry.check_desired(patch->dump()) : std::unexpected(patch.error());
        if (!checked) {
            left_out(checked.error());
            continue;
        }
        const auto targets = select_devices(shared, hub, condition, kTargetsMax);
        if (!targets) {
            left_out(targets.error());
            continue;
        }
        for (const auto& device : *targets) {
            auto& merged = wanted.try_emplace(device, Json::object()).first->second;
            merged.update(*patch, true);
        }
    }
    for (const auto& [identity, patch] : wanted) {
        const auto twin = registry.twin(identity);
        if (!twin || holds_already(Json::parse(twin->desired_json, nullptr, false), patch)) continue;
        out.push_back({identity, patch.dump()});
    }
    return out;
}

}  // namespace fieldwatch::hub
