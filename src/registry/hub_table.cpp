#include "registry/hub_table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "registry/snapshot.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kPoliciesMax = 64;
constexpr std::size_t kWorkspaceBytesMax = 64;  // ours are UUIDs
constexpr std::size_t kConfigurationBytes = 256u
                                            << 10;  // ten filters, routes and certificates fit many times
constexpr std::string_view kPolicyPrimary = "policies.primary_key",
                           kPolicySecondary = "policies.secondary_key";
constexpr std::string_view kHubColumns =
    "name, workspace, security_enabled, store_raw_events, mask_addresses, twin_data, host_names, "
    "configuration, etag, created";

/// spec/iot-hub-protocols.md section 2.2.
std::vector<Policy> default_policies() {
    return {{.name = "iothubowner",
             .keys = {},
             .registry_read = true,
             .registry_write = true,
             .service_connect = true,
             .device_connect = true},
            {.name = "service", .keys = {}, .service_connect = true},
            {.name = "device", .keys = {}, .device_connect = true},
            {.name = "registryRead", .keys = {}, .registry_read = true},
            {.name = "registryReadWrite", .keys = {}, .registry_read = true, .registry_write = true}};
}

std::int64_t rights_of(const Policy& policy) {
    return (policy.registry_read ? 1 : 0) | (policy.registry_write ? 2 : 0) |
           (policy.service_connect ? 4 : 0) | (policy.device_connect ? 8 : 0);
}

/// It is the name of a folder.
bool is_workspace_id(std::string_view text) {
    return text.size() <= kWorkspaceBytesMax && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

Result<void> check(Hub& hub) {
    hub.name = FIELDWATCH_TRY(model::parse_hub_name(hub.name.value));
    if (!is_workspace_id(hub.workspace))
        return fail(Errc::InvalidArgument, "a workspace's id has at most 64 letters, digits, - and _");
    if (hub.configuration_json.empty()) hub.configuration_json = "{}";
    if (hub.configuration_json.size() > kConfigurationBytes) {
        return fail(Errc::TooLarge, "a hub's configuration has at most 262144 bytes");
    }
    const auto json = nlohmann::json::parse(hub.configuration_json, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
        return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    }
    if (hub.policies.size() > kPoliciesMax) return fail(Errc::TooLarge, "a hub has at most 64 policies");
    for (const auto& policy : hub.policies) {
        if (policy.name.empty() || policy.name.size() > 64) {
            return fail(Errc::InvalidArgument, "a policy's name has 1 to 64 characters");
        }
        FIELDWATCH_TRY(check_keys(policy.keys));
    }
    return {};
}

std::string place_in(std::string_view column, const model::HubName& hub, std::string_view policy) {
    return place_of(column, {hub.value, policy});
}

Result<void> write_policies(Connection& database, Hub& hub, Random& random) {
    static_cast<void>(FIELDWATCH_TRY(database.change("DELETE FROM policies WHERE hub = ?", hub.name.value)));
    std::int64_t position = 0;
    for (auto& policy : hub.policies) {
        if (policy.keys.primary.empty()) policy.keys = make_keys(random);
        static_cast<void>(FIELDWATCH_TRY(
            database.change("INSERT INTO policies(hub, position, name, primary_key, secondary_key, rights) "
                            "VALUES(?, ?, ?, ?, ?, ?)",
                            hub.name.value, position++, policy.name,
                            Secret{policy.keys.primary, place_in(kPolicyPrimary, hub.name, policy.name)},
                            Secret{policy.keys.secondary, place_in(kPolicySecondary, hub.name, policy.name)},
                            rights_of(policy))));
    }
    return {};
}

Hub hub_of(const Statement& row) {
    Hub hub;
    hub.name.value = row.text(0);
    hub.workspace = row.text(1);
    hub.security_enabled = row.flag(2);
    hub.store_raw_events = row.flag(3);
    hub.mask_addresses = row.flag(4);
    hub.twin_data = row.flag(5);
    hub.host_names = row.text(6);
    hub.configuration_json = row.text(7);
    hub.etag = row.count(8);
    hub.created = Timestamp{row.integer(9)};
    return hub;
}

Result<void> read_policies(Connection& database, Hub& hub) {
    auto rows = FIELDWATCH_TRY(database.query(
        "SELECT name, primary_key, secondary_key, rights FROM policies WHERE hub = ? ORDER BY position",
        hub.name.value));
    while (FIELDWATCH_TRY(rows.step())) {
        const auto rights = rows.integer(3);
        auto name = rows.text(0);
        auto primary = FIELDWATCH_TRY(rows.secret(1, place_in(kPolicyPrimary, hub.name, name)));
        auto secondary = FIELDWATCH_TRY(rows.secret(2, place_in(kPolicySecondary, hub.name, name)));
        hub.policies.push_back({.name = std::move(name),
                                .keys = {std::move(primary), std::move(secondary)},
                                .registry_read = (rights & 1) != 0,
                                .registry_write = (rights & 2) != 0,
                                .service_connect = (rights & 4) != 0,
                                .device_connect = (rights & 8) != 0});
    }
    return {};
}

}  // namespace

Keys make_keys(Random& random) {
    const auto key = [&] {
        std::array<std::byte, 32> bytes;
        random.fill(bytes);
        return base64(bytes);
    };
    auto primary = key();
    return {std::move(primary), key()};
}

Result<void> check_keys(const Keys& keys) {
    if (keys.primary.empty() && keys.secondary.empty()) return {};
    for (const auto& key : {keys.primary, keys.secondary}) {
        const auto bytes = from_base64(key);
        if (!bytes || bytes->size() < 16 || bytes->size() > 64) {
            return fail(Errc::InvalidArgument,
                        "give both keys or none, each the base64 text of 16 to 64 bytes");
        }
    }
    return {};
}

Result<Hub> insert_hub(Connection& database, Hub hub, Random& random, const Telling& telling) {
    FIELDWATCH_TRY(check(hub));
    if (hub.workspace.empty()) hub.workspace = Uuid::random(random).text();
    if (hub.policies.empty()) hub.policies = default_policies();
    hub.etag = 1;
    hub.created = telling.now;
    const auto made = database.change(
        "INSERT INTO hubs(name, workspace, security_enabled, store_raw_events, mask_addresses, twin_data, "
        "host_names, configuration, etag, created) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        hub.name.value, hub.workspace, hub.security_enabled, hub.store_raw_events, hub.mask_addresses,
        hub.twin_data, hub.host_names, hub.configuration_json, hub.etag, hub.created.ticks);
    if (!made && made.error().code == Errc::AlreadyExists) {
        return fail(Errc::AlreadyExists, "the hub " + hub.name.value + " exists");
    }
    if (!made) return std::unexpected(made.error());
    FIELDWATCH_TRY(write_policies(database, hub, random));
    FIELDWATCH_TRY(add_to_outbox(database, hub_record(hub, telling.now)));
    return hub;
}

Result<Hub> load_hub(Connection& database, const model::HubName& name) {
    Hub hub;
    {
        auto row = FIELDWATCH_TRY(
            database.query("SELECT " + std::string(kHubColumns) + " FROM hubs WHERE name = ?", name.value));
        if (!FIELDWATCH_TRY(row.step())) {
            return fail(Errc::NotFound, "there is no hub named " + name.value);
        }
        hub = hub_of(row);
    }
    FIELDWATCH_TRY(read_policies(database, hub));
    return hub;
}

Result<std::vector<Hub>> load_hubs(Connection& database) {
    std::vector<Hub> out;
    {
        auto rows =
            FIELDWATCH_TRY(database.query("SELECT " + std::string(kHubColumns) + " FROM hubs ORDER BY name"));
        while (FIELDWATCH_TRY(rows.step()))
            out.push_back(hub_of(rows));
    }
    for (auto& hub : out)
        FIELDWATCH_TRY(read_policies(database, hub));
    return out;
}

Result<Hub> update_hub(Connection& database, Hub hub, std::optional<std::uint64_t> if_match, Random& random,
                       const Telling& telling) {
    FIELDWATCH_TRY(check(hub));
    auto before = FIELDWATCH_TRY(load_hub(database, hub.name));
    if (if_match && *if_match != before.etag) {
        return fail(Errc::Conflict, "the hub " + hub.name.value + " was changed meanwhile");
    }
    hub.etag = before.etag + 1;
    hub.created = before.created;
    if (hub.workspace.empty()) hub.workspace = before.workspace;
    if (hub.policies.empty()) hub.policies = std::move(before.policies);
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "UPDATE hubs SET workspace = ?, security_enabled = ?, store_raw_events = ?, mask_addresses = ?, "
        "twin_data = ?, host_names = ?, configuration = ?, etag = ? WHERE name = ?",
        hub.workspace, hub.security_enabled, hub.store_raw_events, hub.mask_addresses, hub.twin_data,
        hub.host_names, hub.configuration_json, hub.etag, hub.name.value)));
    FIELDWATCH_TRY(write_policies(database, hub, random));
    FIELDWATCH_TRY(add_to_outbox(database, hub_record(hub, telling.now)));
    const bool begins =
        (hub.security_enabled && !before.security_enabled) || (hub.twin_data && !before.twin_data);
    if (begins) FIELDWATCH_TRY(tell_everything(database, hub.name, telling));
    return hub;
}

}  // namespace fieldwatch::registry
