#include "detect/posture/edge_hub.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "detect/hub_switches.hpp"
#include "detect/posture/edge_modules.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::array<std::string_view, 3> kHeads = {"Amqp", "Mqtt", "Http"};
constexpr Ticks kHubsLookedAtEvery = std::chrono::hours(1);
constexpr std::size_t kParentsMax = 8;

/// Mqtt and MqttWs are one head; Https is Http's.
std::optional<std::size_t> head_of(std::string_view protocol) {
    const auto name = lower_case(protocol);
    for (std::size_t i = 0; i < kHeads.size(); ++i) {
        if (name.starts_with(lower_case(kHeads[i]))) return i;
    }
    return std::nullopt;
}

}  // namespace

void EdgeHub::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::Operation || !event.role.home || event.items.empty()) return;
    if (gateways_.empty()) return;
    const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload);
    if (operation == nullptr || operation->category != "Connections" ||
        operation->operation_name != "deviceConnect" || !operation->result_type.empty())
        return;
    const auto head = head_of(operation->protocol);
    // The gateway's own runtime speaks upwards, not to its heads.
    if (!head || event.module == "$edgeHub" || event.module == "$edgeAgent") return;
    const Key key{std::string(event.hub), std::string(event.device)};
    use(key, *head, event.time, context);
    const auto parents = parents_.find(key);
    if (parents == parents_.end()) return;
    for (const auto& parent : parents->second)
        use({key.first, parent}, *head, event.time, context);
}

void EdgeHub::use(const Key& key, std::size_t head, Timestamp time, Context& context) {
    const auto found = gateways_.find(key);
    if (found == gateways_.end() || found->second.since[head].ticks == 0) return;
    auto& since = found->second.since[head];
    since = std::max(since, time);
    if (context.posture.is_active("IoT_EdgeHubMemOptimize", key.first, key.second))
        assess(key, found->second, context);
}

void EdgeHub::identity(const IdentityDocument& identity, const model::RegistryChange& change, Context&) {
    if (!change.role.home || !identity.module.empty()) return;
    const Key key{std::string(change.hub), identity.device};
    parents_.erase(key);
    if (identity.removed) {
        gateways_.erase(key);
        return;
    }
    if (identity.parents.empty()) return;
    if (parents_.size() >= kChildrenMax) {
        ++refused_;
        return;
    }
    auto& parents = parents_[key];
    parents = identity.parents;
    if (parents.size() > kParentsMax) parents.resize(kParentsMax);
}

void EdgeHub::twin(const TwinDocument& twin, const model::RegistryChange& change, Context& context) {
    if (!change.role.home || twin.module != "$edgeAgent" || twin.desired == nullptr) return;
    if (!context.hubs.twin_data(change.hub)) return;
    const auto heads = read_deployment(*twin.desired).protocol_heads;
    const Key key{std::string(change.hub), twin.device};
    if (!gateways_.contains(key) && gateways_.size() >= kGatewaysMax) {
        ++refused_;
        return;
    }
    auto& gateway = gateways_[key];
    gateway.evidence = change.position;
    for (std::size_t i = 0; i < kHeads.size(); ++i) {
        const auto head = heads.find(std::string(kHeads[i]));
        const bool on = head != heads.end() && head->second;
        if (!on) gateway.since[i] = {};
        if (on && gateway.since[i].ticks == 0) gateway.since[i] = change.time;
    }
    assess(key, gateway, context);
}

void EdgeHub::advance(Context& context) {
    if (context.now < looked_ + kHubsLookedAtEvery) return;
    looked_ = context.now;
    for (const auto& [key, gateway] : gateways_) {
        if (context.hubs.twin_data(key.first)) assess(key, gateway, context);
    }
}

void EdgeHub::assess(const Key& key, const Gateway& gateway, Context& context) {
    std::vector<std::string> unused;
    auto time = context.now;
    for (std::size_t i = 0; i < kHeads.size(); ++i) {
        if (gateway.since[i].ticks == 0 || context.now < gateway.since[i] + kUnusedFor) continue;
        unused.emplace_back(kHeads[i]);
        time = std::min(time, gateway.since[i] + kUnusedFor);
    }
    RecommendationBook::Assessment found{.type = "IoT_EdgeHubMemOptimize",
                                         .hub = key.first,
                                         .device = key.second,
                                         .health = unused.empty() ? Health::Healthy : Health::Unhealthy,
                                         .time = time,
                                         .additional_json = {},
                                         .evidence = {gateway.evidence}};
    JsonWriter(found.additional_json)
        .begin_object()
        .member("UnusedProtocols", json_list(unused))
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void EdgeHub::save(ByteWriter& out) const {
    out.i64(looked_.ticks);
    out.u64(refused_);
    out.u32(static_cast<std::uint32_t>(gateways_.size()));
    for (const auto& [key, gateway] : gateways_) {
        out.text(key.first);
        out.text(key.second);
        for (const auto since : gateway.since)
            out.i64(since.ticks);
        write(out, gateway.evidence);
    }
    out.u32(static_cast<std::uint32_t>(parents_.size()));
    for (const auto& [key, parents] : parents_) {
        out.text(key.first);
        out.text(key.second);
        write(out, parents);
    }
}

Result<void> EdgeHub::restore(ByteReader& in) {
    gateways_.clear();
    parents_.clear();
    looked_ = FIELDWATCH_TRY(read_time(in));
    refused_ = FIELDWATCH_TRY(in.u64());
    auto count = FIELDWATCH_TRY(read_count(in, kGatewaysMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto& gateway = gateways_[{std::move(hub), FIELDWATCH_TRY(read_text(in))}];
        for (auto& since : gateway.since)
            since = FIELDWATCH_TRY(read_time(in));
        gateway.evidence = FIELDWATCH_TRY(read_position(in));
    }
    count = FIELDWATCH_TRY(read_count(in, kChildrenMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto& parents = parents_[{std::move(hub), FIELDWATCH_TRY(read_text(in))}];
        parents = FIELDWATCH_TRY(read_texts(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
