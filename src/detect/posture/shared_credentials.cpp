#include "detect/posture/shared_credentials.hpp"

#include <algorithm>

#include "detect/hub_switches.hpp"

namespace fieldwatch::detect {

void SharedCredentials::identity(const IdentityDocument& identity, const model::RegistryChange& change,
                                 Context& context) {
    if (!change.role.home || !context.hubs.twin_data(change.hub)) return;
    const Key key{std::string(change.hub), identity.device, identity.module};
    if (!identity.removed) {
        if (!identity.has_credentials) return;
        return set(key, {identity.credentials.begin(), identity.credentials.end()}, change.position,
                   change.time, context);
    }
    set(key, {}, change.position, change.time, context);
    if (!key.module.empty()) return;
    // A device goes with its modules.
    for (auto at = identities_.lower_bound(key);
         at != identities_.end() && at->first.hub == key.hub && at->first.device == key.device;) {
        const auto module = at->first;
        ++at;
        set(module, {}, change.position, change.time, context);
    }
}

/// One presented client certificate that authenticates two device ids.
void SharedCredentials::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::Operation || !event.role.home || event.items.empty()) return;
    const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload);
    if (operation == nullptr || operation->certificate_thumbprint.empty() ||
        operation->category != "Connections" || operation->operation_name != "deviceConnect" ||
        !operation->result_type.empty() || event.device.empty() || !context.hubs.twin_data(event.hub))
        return;
    std::string thumbprint(operation->certificate_thumbprint);
    std::erase(thumbprint, ':');
    const Key key{std::string(event.hub), std::string(event.device), std::string(event.module)};
    const auto held = identities_.find(key);
    auto credentials = held == identities_.end() ? std::set<Credential>{} : held->second.credentials;
    const Credential presented{CredentialType::ClientCertificate, fingerprint_of(lower_case(thumbprint))};
    if (credentials.contains(presented)) return;
    // The newest certificate counts: a renewed one takes the place of its predecessor.
    std::erase_if(credentials,
                  [](const Credential& c) { return c.type == CredentialType::ClientCertificate; });
    credentials.insert(presented);
    set(key, std::move(credentials), event.position, event.time, context);
}

void SharedCredentials::drop(const Key& key, std::set<Group>& touched) {
    const auto held = identities_.find(key);
    if (held == identities_.end()) return;
    for (const auto& credential : held->second.credentials) {
        const Group group{key.hub, credential};
        const auto members = groups_.find(group);
        if (members == groups_.end()) continue;
        members->second.erase(key);
        if (!members->second.empty()) touched.insert(group);
        if (members->second.empty()) groups_.erase(members);
    }
    identities_.erase(held);
}

void SharedCredentials::set(const Key& key, std::set<Credential> credentials,
                            const model::LogPosition& evidence, Timestamp time, Context& context) {
    const auto held = identities_.find(key);
    if (held != identities_.end()) {
        // What a connection showed is not in the registry's document.
        for (const auto& credential : held->second.credentials) {
            const bool presented = credential.type == CredentialType::ClientCertificate;
            const bool replaced = std::ranges::any_of(
                credentials, [](const auto& c) { return c.type == CredentialType::ClientCertificate; });
            if (presented && !replaced && !credentials.empty()) credentials.insert(credential);
        }
        if (held->second.credentials == credentials) return;
    } else if (credentials.empty()) {
        return;
    }
    std::set<Group> touched;
    drop(key, touched);
    if (!credentials.empty()) {
        if (identities_.size() >= kIdentitiesMax) {
            ++refused_;
        } else {
            for (const auto& credential : credentials) {
                const Group group{key.hub, credential};
                groups_[group].insert(key);
                touched.insert(group);
            }
            identities_[key] = {std::move(credentials), evidence};
        }
    }
    std::set<std::string> devices{key.device};
    for (const auto& group : touched) {
        const auto& members = groups_[group];
        // In a group far larger than is shown nothing changes for the others; a fleet of one key costs no
        // square of its size.
        if (members.size() > 2 * kMembersShown) continue;
        for (const auto& member : members)
            devices.insert(member.device);
    }
    for (const auto& device : devices)
        assess(key.hub, device, evidence, time, context);
}

void SharedCredentials::assess(std::string_view hub, const std::string& device,
                               const model::LogPosition& evidence, Timestamp time, Context& context) const {
    RecommendationBook::Assessment found{.type = "IoT_SharedCredentials",
                                         .hub = hub,
                                         .device = device,
                                         .health = Health::Healthy,
                                         .time = time,
                                         .additional_json = {},
                                         .evidence = {}};
    const std::set<Key>* members = nullptr;
    Credential shared;
    for (auto at = identities_.lower_bound({std::string(hub), device, {}});
         at != identities_.end() && at->first.hub == hub && at->first.device == device; ++at) {
        for (const auto& credential : at->second.credentials) {
            const auto group = groups_.find({std::string(hub), credential});
            if (group == groups_.end() || group->second.size() < 2) continue;
            if (members != nullptr && !(credential < shared)) continue;
            members = &group->second;
            shared = credential;
        }
    }
    if (members != nullptr) {
        found.health = Health::Unhealthy;
        std::set<std::string> devices, identities;
        for (const auto& member : *members) {
            devices.insert(member.device);
            identities.insert(member.module.empty() ? member.device : member.device + "/" + member.module);
            if (found.evidence.size() < 32) found.evidence.push_back(identities_.at(member).evidence);
        }
        std::ranges::sort(found.evidence);
        const auto& named = devices.size() > 1 ? devices : identities;
        std::vector<std::string> shown(named.begin(), named.end());
        if (shown.size() > kMembersShown) shown.resize(kMembersShown);
        JsonWriter(found.additional_json)
            .begin_object()
            .member("Devices", json_list(shown))
            .member("CredentialType", to_string(shared.type))
            .member("Fingerprint", shared.fingerprint)
            .end_object();
    } else {
        found.evidence = {evidence};
    }
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void SharedCredentials::save(ByteWriter& out) const {
    out.u64(refused_);
    out.u32(static_cast<std::uint32_t>(identities_.size()));
    for (const auto& [key, identity] : identities_) {
        for (const auto* text : {&key.hub, &key.device, &key.module})
            out.text(*text);
        out.u32(static_cast<std::uint32_t>(identity.credentials.size()));
        for (const auto& credential : identity.credentials) {
            out.u8(std::to_underlying(credential.type));
            out.text(credential.fingerprint);
        }
        write(out, identity.evidence);
    }
}

Result<void> SharedCredentials::restore(ByteReader& in) {
    identities_.clear();
    groups_.clear();
    refused_ = FIELDWATCH_TRY(in.u64());
    const auto count = FIELDWATCH_TRY(read_count(in, kIdentitiesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        Key key;
        for (auto* text : {&key.hub, &key.device, &key.module})
            *text = FIELDWATCH_TRY(read_text(in));
        Identity identity;
        const auto credentials = FIELDWATCH_TRY(read_count(in, 16));
        for (std::uint32_t k = 0; k < credentials; ++k) {
            const auto type = FIELDWATCH_TRY(in.u8());
            if (type > std::to_underlying(CredentialType::ClientCertificate))
                return fail(Errc::Corrupt, "saved credential of a type that does not exist");
            identity.credentials.insert({static_cast<CredentialType>(type), FIELDWATCH_TRY(read_text(in))});
        }
        identity.evidence = FIELDWATCH_TRY(read_position(in));
        for (const auto& credential : identity.credentials)
            groups_[{key.hub, credential}].insert(key);
        identities_.emplace(std::move(key), std::move(identity));
    }
    return {};
}

}  // namespace fieldwatch::detect
