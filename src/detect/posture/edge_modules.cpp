#include "detect/posture/edge_modules.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/uuid.hpp"
#include "detect/hub_switches.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::string_view kEdgeAgent = "$edgeAgent";
constexpr std::string_view kDefaultGroup = "default";  ///< of whoever has no tag
constexpr std::size_t kGatewaysLeast = 3;              ///< a module on fewer gateways has no usual settings

RecommendationBook::Assessment assessment_of(std::string_view type, std::string_view hub,
                                             std::string_view device, Timestamp time,
                                             const model::LogPosition& evidence) {
    return {.type = type,
            .hub = hub,
            .device = device,
            .health = Health::Healthy,
            .time = time,
            .additional_json = {},
            .evidence = {evidence}};
}

void assess_list(RecommendationBook::Assessment found, std::string_view key, const std::string& list,
                 Context& context) {
    if (list != "[]") found.health = Health::Unhealthy;
    JsonWriter(found.additional_json).begin_object().member(key, list).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

/// `https://plant.azurecr.io:443/team` is the registry plant.azurecr.io.
std::string registry_host(std::string_view address) {
    if (const auto scheme = address.find("://"); scheme != std::string_view::npos)
        address.remove_prefix(scheme + 3);
    return lower_case(address.substr(0, address.find_first_of("/:")));
}

}  // namespace

void EdgeModules::twin(const TwinDocument& twin, const model::RegistryChange& change, Context& context) {
    if (!context.hubs.twin_data(change.hub)) return;
    if (twin.module.empty() && twin.tags != nullptr && change.role.home) {
        const Key key{std::string(change.hub), twin.device};
        if (auto* const gateway = gateway_of(key)) {
            auto group = text_member(*twin.tags, "SecurityGroup");
            if (group.empty() && !gateway->modules.empty()) group = kDefaultGroup;
            regroup(key, *gateway, std::move(group));
            if (gateway->group.empty())  // nobody to be compared with
                context.posture.assess(assessment_of("IoT_InconsistentModuleSettings", change.hub,
                                                     twin.device, change.time, change.position),
                                       context.settings, context.now, context.out);
        }
    }
    if (twin.module != kEdgeAgent || twin.desired == nullptr) return;
    const auto deployment = read_deployment(*twin.desired);
    if (change.role.owner) assess_device(deployment, twin.device, change, context);
    if (!change.role.home) return;
    const Key key{std::string(change.hub), twin.device};
    auto* const gateway = gateway_of(key);
    if (gateway == nullptr) return;
    gateway->modules.clear();
    for (const auto& module : deployment.modules)
        gateway->modules[module.name] = module.settings;
    gateway->evidence = change.position;
    gateway->time = change.time;
    if (gateway->group.empty()) regroup(key, *gateway, std::string(kDefaultGroup));
    dirty_.emplace(key.first, lower_case(gateway->group));
}

void EdgeModules::identity(const IdentityDocument& identity, const model::RegistryChange& change,
                           Context& context) {
    if (!identity.removed || !identity.module.empty()) return;
    if (change.role.owner) {
        for (const std::string_view type :
             {"IoT_PrivilegedDockerOptions", "IoT_ACRAuthentication", "IoT_EdgeLoggingOptions"})
            context.posture.assess(
                assessment_of(type, change.hub, identity.device, change.time, change.position),
                context.settings, context.now, context.out);
    }
    const Key key{std::string(change.hub), identity.device};
    const auto found = gateways_.find(key);
    if (!change.role.home || found == gateways_.end()) return;
    regroup(key, found->second, {});
    gateways_.erase(found);
    context.posture.assess(assessment_of("IoT_InconsistentModuleSettings", change.hub, identity.device,
                                         change.time, change.position),
                           context.settings, context.now, context.out);
}

void EdgeModules::assess_device(const EdgeDeployment& deployment, std::string_view device,
                                const model::RegistryChange& change, Context& context) {
    std::string privileged, silent, registries;
    JsonWriter privileged_json(privileged), silent_json(silent), registries_json(registries);
    privileged_json.begin_array();
    silent_json.begin_array();
    registries_json.begin_array();
    for (const auto& module : deployment.modules) {
        if (module.logs_nothing) silent_json.string(module.name);
        if (module.privileges.empty()) continue;
        privileged_json.begin_object().member("ModuleName", module.name).key("Options").begin_array();
        for (const auto& option : module.privileges)
            privileged_json.string(option);
        privileged_json.end_array().end_object();
    }
    for (const auto& registry : deployment.registries) {
        const auto address = registry_host(registry.address);
        const bool hosted = std::ranges::any_of(context.settings.registry_suffixes, [&](const auto& suffix) {
            return address.ends_with(lower_case(suffix));
        });
        if (!hosted || Uuid::parse(lower_case(registry.user_name))) continue;
        registries_json.begin_object()
            .member("Name", registry.name)
            .member("Address", registry.address)
            .member("Username", registry.user_name)
            .end_object();
    }
    privileged_json.end_array();
    silent_json.end_array();
    registries_json.end_array();
    const auto found = [&](std::string_view type) {
        return assessment_of(type, change.hub, device, change.time, change.position);
    };
    assess_list(found("IoT_PrivilegedDockerOptions"), "Modules", privileged, context);
    assess_list(found("IoT_ACRAuthentication"), "Registries", registries, context);
    assess_list(found("IoT_EdgeLoggingOptions"), "Modules", silent, context);
}

EdgeModules::Gateway* EdgeModules::gateway_of(const Key& key) {
    const auto found = gateways_.find(key);
    if (found != gateways_.end()) return &found->second;
    if (gateways_.size() >= kGatewaysMax) {
        ++refused_;
        return nullptr;
    }
    return &gateways_[key];
}

void EdgeModules::regroup(const Key& key, Gateway& gateway, std::string group) {
    if (gateway.group == group) return;
    if (!gateway.group.empty()) {
        const Key old{key.first, lower_case(gateway.group)};  // names are compared without case
        groups_[old].erase(key.second);
        if (groups_[old].empty()) groups_.erase(old);
        dirty_.insert(old);
    }
    gateway.group = std::move(group);
    if (gateway.group.empty()) return;
    const auto name = lower_case(gateway.group);
    groups_[{key.first, name}].insert(key.second);
    dirty_.emplace(key.first, name);
}

void EdgeModules::advance(Context& context) {
    for (const auto& [hub, group] : dirty_)
        compare(hub, group, context);
    dirty_.clear();
}

// A deployment reaches its devices one by one: judged when the log has gone on, not at each of them.
void EdgeModules::compare(const std::string& hub, const std::string& group, Context& context) {
    const auto members = groups_.find({hub, group});
    if (members == groups_.end()) return;
    std::map<std::string, std::map<Settings, std::size_t>> variants;
    for (const auto& device : members->second) {
        for (const auto& [module, settings] : gateways_[{hub, device}].modules)
            ++variants[module][settings];
    }
    for (const auto& device : members->second) {
        const auto& gateway = gateways_[{hub, device}];
        auto found =
            assessment_of("IoT_InconsistentModuleSettings", hub, device, gateway.time, gateway.evidence);
        for (const auto& [module, settings] : gateway.modules) {
            std::size_t total = 0, most = 0;
            const Settings* usual = nullptr;
            for (const auto& [variant, count] : variants[module]) {
                total += count;
                if (count > most) usual = &variant;
                most = std::max(most, count);
            }
            if (total < kGatewaysLeast || most * 3 < total * 2 || *usual == settings) continue;
            std::vector<std::string> differences;
            for (std::size_t i = 0; i < settings.size(); ++i) {
                if (settings[i] != (*usual)[i]) differences.emplace_back(EdgeModule::kSettings[i]);
            }
            found.health = Health::Unhealthy;
            JsonWriter(found.additional_json)
                .begin_object()
                .member("ModuleName", module)
                .member("SecurityGroup", gateway.group)
                .member("Differences", json_list(differences))
                .end_object();
            break;
        }
        context.posture.assess(std::move(found), context.settings, context.now, context.out);
    }
}

void EdgeModules::save(ByteWriter& out) const {
    out.u64(refused_);
    out.u32(static_cast<std::uint32_t>(gateways_.size()));
    for (const auto& [key, gateway] : gateways_) {
        for (const auto* text : {&key.first, &key.second, &gateway.group})
            out.text(*text);
        out.i64(gateway.time.ticks);
        write(out, gateway.evidence);
        out.u32(static_cast<std::uint32_t>(gateway.modules.size()));
        for (const auto& [name, settings] : gateway.modules) {
            out.text(name);
            for (const auto hash : settings)
                out.u64(hash);
        }
    }
    out.u32(static_cast<std::uint32_t>(dirty_.size()));
    for (const auto& [hub, group] : dirty_) {
        out.text(hub);
        out.text(group);
    }
}

Result<void> EdgeModules::restore(ByteReader& in) {
    gateways_.clear();
    groups_.clear();
    dirty_.clear();
    refused_ = FIELDWATCH_TRY(in.u64());
    auto count = FIELDWATCH_TRY(read_count(in, kGatewaysMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto device = FIELDWATCH_TRY(read_text(in));
        Gateway gateway;
        gateway.group = FIELDWATCH_TRY(read_text(in));
        gateway.time = FIELDWATCH_TRY(read_time(in));
        gateway.evidence = FIELDWATCH_TRY(read_position(in));
        const auto modules = FIELDWATCH_TRY(read_count(in, 1'000));
        for (std::uint32_t k = 0; k < modules; ++k) {
            auto& settings = gateway.modules[FIELDWATCH_TRY(read_text(in))];
            for (auto& hash : settings)
                hash = FIELDWATCH_TRY(in.u64());
        }
        if (!gateway.group.empty()) groups_[{hub, lower_case(gateway.group)}].insert(device);
        gateways_[{std::move(hub), std::move(device)}] = std::move(gateway);
    }
    count = FIELDWATCH_TRY(read_count(in));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        dirty_.emplace(std::move(hub), FIELDWATCH_TRY(read_text(in)));
    }
    return {};
}

}  // namespace fieldwatch::detect
