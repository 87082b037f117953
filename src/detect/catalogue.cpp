#include "detect/catalogue.hpp"

#include <algorithm>

#include "detect/intel/malicious_files.hpp"
#include "detect/intel/malicious_names.hpp"
#include "detect/posture/agent_configuration.hpp"
#include "detect/posture/agent_presence.hpp"
#include "detect/posture/agent_traffic.hpp"
#include "detect/posture/baseline.hpp"
#include "detect/posture/components.hpp"
#include "detect/posture/edge_hub.hpp"
#include "detect/posture/edge_modules.hpp"
#include "detect/posture/firewall.hpp"
#include "detect/posture/hub_configuration.hpp"
#include "detect/posture/open_ports.hpp"
#include "detect/posture/packages.hpp"
#include "detect/posture/recommended_filter.hpp"
#include "detect/posture/shared_credentials.hpp"
#include "detect/posture/snapshot_parts.hpp"
#include "detect/posture/transport.hpp"
#include "detect/sequence/egress.hpp"
#include "detect/sequence/local_users.hpp"
#include "detect/sequence/reconnaissance.hpp"

namespace fieldwatch::detect {

Catalogue::Catalogue() {
    const auto add = [&]<class T>(std::type_identity<T>) { detectors_.push_back(std::make_unique<T>()); };
    add(std::type_identity<AgentPresence>{});
    add(std::type_identity<Reconnaissance>{});
    add(std::type_identity<LocalUsers>{});
    add(std::type_identity<Egress>{});
    add(std::type_identity<MaliciousNames>{});
    add(std::type_identity<MaliciousFiles>{});
    add(std::type_identity<OpenPorts>{});
    add(std::type_identity<Firewall>{});
    add(std::type_identity<Baseline>{});
    add(std::type_identity<AgentTraffic>{});
    add(std::type_identity<AgentConfiguration>{});
    add(std::type_identity<Packages>{});
    add(std::type_identity<SharedCredentials>{});
    add(std::type_identity<EdgeModules>{});
    add(std::type_identity<EdgeHub>{});
    add(std::type_identity<WeakTransport>{});
    add(std::type_identity<HubConfiguration>{});
    add(std::type_identity<RecommendedFilter>{});
    add(std::type_identity<Components>{});  // asks whether the ports of this event are open
}

void Catalogue::receive(const model::Event& event, Context& context) {
    outages_.advance(context.now);
    for (auto& detector : detectors_)
        detector->receive(event, context);
}

void Catalogue::observe(const model::Event& event, Context& context) {
    if (!snapshots_.is_newest(event)) return;
    for (auto& detector : detectors_)
        detector->observe(event, context);
}

bool Catalogue::concerns(CommandLine& command) const {
    return std::ranges::any_of(detectors_, [&](const auto& one) { return one->concerns(command); });
}

void Catalogue::observe_command(const model::Event& event, const model::Item& item,
                                const model::ProcessCreate& process, CommandLine& command, Context& context) {
    for (auto& detector : detectors_)
        detector->observe_command(event, item, process, command, context);
}

void Catalogue::change(const model::RegistryChange& change, Context& context) {
    const auto documents = read_registry_change(change);
    if (!documents) {
        context.out.emplace_back(model::DeadLetter{.position = change.position,
                                                   .hub = {std::string(change.hub)},
                                                   .device = std::string(change.device),
                                                   .module = std::string(change.module),
                                                   .reason = documents.error().message,
                                                   .received = change.time});
        return;
    }
    HubSwitches::Change switched;
    if (documents->hub) switched = hubs_.apply(change.hub, *documents->hub);
    for (const auto& identity : documents->identities) {
        for (auto& detector : detectors_)
            detector->identity(identity, change, context);
    }
    for (const auto& twin : documents->twins) {
        for (auto& detector : detectors_)
            detector->twin(twin, change, context);
    }
    if (documents->hub) {
        for (auto& detector : detectors_)
            detector->hub(*documents->hub, change, context);
    }
    if (switched.twin_data_off)
        posture_.retire([&](const RecommendationType& type,
                            std::string_view hub) { return type.from_twin_data && hub == change.hub; },
                        context.now, context.out);
    if (switched.security_on) posture_.repeat(change.hub, context.now, context.out);
}

void Catalogue::advance(Context& context) {
    outages_.advance(context.now);
    if (settings_changed_) {
        settings_changed_ = false;
        const auto& off = context.settings.disabled_recommendations;
        posture_.retire(
            [&](const RecommendationType& type, std::string_view) {
                return (type.extension && !context.settings.extensions) ||
                       std::ranges::find(off, type.type) != off.end();
            },
            context.now, context.out);
    }
    for (auto& detector : detectors_)
        detector->advance(context);
    if (!input_ended_) posture_.expire(context.settings, outages_, context.now, context.out);
    posture_.advance(context.settings, context.now, context.out);
}

void Catalogue::tick(Context& context) {
    outages_.tick(context.now);
    for (auto& detector : detectors_)
        detector->tick(context);
}

bool Catalogue::Snapshots::is_newest(const model::Event& event) {
    if (!is_snapshot(event.kind)) return true;
    key_ = device_key(event.hub, event.device);
    key_ += static_cast<char>(std::to_underlying(event.kind));
    auto& time = times_.get(key_);
    if (event.time.ticks < time) return false;
    time = event.time.ticks;
    return true;
}

void Catalogue::Snapshots::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(times_.size()));
    for (const auto& [key, time] : times_) {
        out.text(key);
        out.i64(time);
    }
}

Result<void> Catalogue::Snapshots::restore(ByteReader& in) {
    times_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto key = FIELDWATCH_TRY(in.text());
        times_.get(key) = FIELDWATCH_TRY(read_amount(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
