#include "registry/entry_table.hpp"

#include <algorithm>

#include "registry/hub_table.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kModulesMax = 50;  ///< a device, IoT Hub's own bound
constexpr std::size_t kStatusReasonBytes = 128;
constexpr std::string_view kSelect =
    "SELECT hub, device, module, auth, primary_key, secondary_key, primary_thumbprint, "
    "secondary_thumbprint, enabled, status_reason, generation_id, etag, created, status_updated, "
    "iot_edge, coalesce(changed, 0), coalesce(active, 0) "
    "FROM entries LEFT JOIN presences USING(hub, device, module) ";

std::string name_of(const model::Identity& identity) {
    return identity.module.empty()
               ? "the device " + identity.device.value
               : "the module " + identity.module.value + " of the device " + identity.device.value;
}

std::string place_in(std::string_view column, const model::Identity& identity) {
    return place_of(column, {identity.hub.value, identity.device.value, identity.module.value});
}
constexpr std::string_view kEntryPrimary = "entries.primary_key", kEntrySecondary = "entries.secondary_key";

Result<Entry> entry_of(const Statement& row) {
    Entry entry;
    entry.identity = {model::HubName{row.text(0)}, model::DeviceId{row.text(1)},
                      model::ModuleId{row.text(2)}};
    entry.auth = static_cast<AuthType>(row.integer(3));
    entry.keys = {FIELDWATCH_TRY(row.secret(4, place_in(kEntryPrimary, entry.identity))),
                  FIELDWATCH_TRY(row.secret(5, place_in(kEntrySecondary, entry.identity)))};
    entry.primary_thumbprint = row.text(6);
    entry.secondary_thumbprint = row.text(7);
    entry.enabled = row.flag(8);
    entry.status_reason = row.text(9);
    entry.generation_id = row.text(10);
    entry.etag = row.count(11);
    entry.created = Timestamp{row.integer(12)};
    entry.status_updated = Timestamp{row.integer(13)};
    entry.iot_edge = row.flag(14);
    entry.connection_changed = Timestamp{row.integer(15)};
    entry.last_activity = Timestamp{row.integer(16)};
    return entry;
}

/// SHA-1 or SHA-256 of a certificate, hex; stored upper case.
Result<void> check_thumbprint(std::string& text) {
    std::erase(text, ':');
    if (text.empty()) return {};
    if ((text.size() != 40 && text.size() != 64) || !from_hex(text)) {
        return fail(Errc::InvalidArgument, "a certificate thumbprint has 40 or 64 hexadecimal digits");
    }
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
    return {};
}

Result<void> check(Entry& entry) {
    static_cast<void>(FIELDWATCH_TRY(model::parse_device_id(entry.identity.device.value)));
    if (!entry.identity.module.empty()) {
        static_cast<void>(FIELDWATCH_TRY(model::parse_module_id(entry.identity.module.value)));
    }
    if (entry.status_reason.size() > kStatusReasonBytes || !is_utf8(entry.status_reason)) {
        return fail(Errc::InvalidArgument, "a status reason has at most 128 bytes of UTF-8");
    }
    FIELDWATCH_TRY(check_thumbprint(entry.primary_thumbprint));
    FIELDWATCH_TRY(check_thumbprint(entry.secondary_thumbprint));
    if (entry.auth != AuthType::Sas) entry.keys = {};
    if (entry.auth != AuthType::X509Thumbprint) {
        if (entry.auth != AuthType::X509Ca) entry.primary_thumbprint.clear();
        entry.secondary_thumbprint.clear();
    } else if (entry.primary_thumbprint.empty()) {
        return fail(Errc::InvalidArgument, "X.509 thumbprint authentication needs a primary thumbprint");
    }
    return check_keys(entry.keys);
}

Result<bool> exists(Connection& database, std::string_view sql, const model::Identity& identity) {
    auto row = FIELDWATCH_TRY(database.query(sql, identity.hub.value, identity.device.value));
    return row.step();
}

Result<void> check_owner(Connection& database, const model::Identity& identity) {
    if (identity.module.empty()) {
        auto row = FIELDWATCH_TRY(database.query("SELECT 1 FROM hubs WHERE name = ?", identity.hub.value));
        if (!FIELDWATCH_TRY(row.step())) {
            return fail(Errc::NotFound, "there is no hub named " + identity.hub.value);
        }
        return {};
    }
    if (!FIELDWATCH_TRY(exists(database, "SELECT 1 FROM entries WHERE hub = ? AND device = ? AND module = ''",
                               identity))) {
        return fail(Errc::NotFound,
                    "there is no device " + identity.device.value + " at the hub " + identity.hub.value);
    }
    auto row = FIELDWATCH_TRY(
        database.query("SELECT count(*) FROM entries WHERE hub = ? AND device = ? AND module <> ''",
                       identity.hub.value, identity.device.value));
    if (FIELDWATCH_TRY(row.step()) && row.count(0) >= kModulesMax) {
        return fail(Errc::Exhausted, "a device has at most 50 modules");
    }
    return {};
}

Result<std::vector<Entry>> collect(Statement rows) {
    std::vector<Entry> out;
    while (FIELDWATCH_TRY(rows.step()))
        out.push_back(FIELDWATCH_TRY(entry_of(rows)));
    return out;
}

}  // namespace

Result<Entry> insert_entry(Connection& database, Entry entry, Random& random, const Telling& telling) {
    FIELDWATCH_TRY(check(entry));
    FIELDWATCH_TRY(check_owner(database, entry.identity));
    if (entry.auth == AuthType::Sas && entry.keys.primary.empty()) entry.keys = make_keys(random);
    // Digits like the hub's; new at every creation, so that a recreated device is told from its predecessor.
    entry.generation_id =
        std::to_string(random.below(9'000'000'000'000'000'000u) + 1'000'000'000'000'000'000u);
    entry.etag = 1;
    entry.created = telling.now;
    entry.status_updated = telling.now;
    const auto& identity = entry.identity;
    const auto made = database.change(
        "INSERT INTO entries(hub, device, module, auth, primary_key, secondary_key, primary_thumbprint, "
        "secondary_thumbprint, enabled, status_reason, generation_id, etag, created, status_updated, "
        "iot_edge) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        identity.hub.value, identity.device.value, identity.module.value,
        static_cast<std::int64_t>(entry.auth), Secret{entry.keys.primary, place_in(kEntryPrimary, identity)},
        Secret{entry.keys.secondary, place_in(kEntrySecondary, identity)}, entry.primary_thumbprint,
        entry.secondary_thumbprint, entry.enabled, entry.status_reason, entry.generation_id, entry.etag,
        entry.created.ticks, entry.status_updated.ticks, entry.iot_edge);
    if (!made && made.error().code == Errc::AlreadyExists) {
        return fail(Errc::AlreadyExists, name_of(identity) + " exists");
    }
    if (!made) return std::unexpected(made.error());
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "INSERT INTO twins(hub, device, module, tags, desired, reported, desired_version, reported_version, "
        "etag) VALUES(?, ?, ?, '{}', '{}', '{}', 1, 1, 1)",
        identity.hub.value, identity.device.value, identity.module.value)));
    FIELDWATCH_TRY(add_to_outbox(database, identity_record(IdentityChange::Create, entry, telling)));
    return entry;
}

Result<Entry> load_entry(Connection& database, const model::Identity& identity) {
    auto row =
        FIELDWATCH_TRY(database.query(std::string(kSelect) + "WHERE hub = ? AND device = ? AND module = ?",
                                      identity.hub.value, identity.device.value, identity.module.value));
    if (!FIELDWATCH_TRY(row.step())) {
        return fail(Errc::NotFound,
                    name_of(identity) + " is not registered at the hub " + identity.hub.value);
    }
    return entry_of(row);
}

Result<std::vector<Entry>> load_devices(Connection& database, const model::HubName& hub,
                                        const ListOptions& options) {
    return collect(FIELDWATCH_TRY(database.query(
        std::string(kSelect) + "WHERE hub = ? AND device > ? AND module = '' ORDER BY device LIMIT ?",
        hub.value, options.after, std::min<std::size_t>(options.count_max, 10'000))));
}

Result<std::vector<Entry>> load_modules(Connection& database, const model::HubName& hub,
                                        const model::DeviceId& device) {
    return collect(FIELDWATCH_TRY(
        database.query(std::string(kSelect) + "WHERE hub = ? AND device = ? AND module <> '' ORDER BY module",
                       hub.value, device.value)));
}

Result<Entry> update_entry(Connection& database, Entry entry, std::optional<std::uint64_t> if_match,
                           const Telling& telling) {
    FIELDWATCH_TRY(check(entry));
    const auto before = FIELDWATCH_TRY(load_entry(database, entry.identity));
    if (if_match && *if_match != before.etag) {
        return fail(Errc::Conflict, name_of(entry.identity) + " was changed meanwhile");
    }
    if (entry.auth == AuthType::Sas && entry.keys.primary.empty()) {
        if (before.auth != AuthType::Sas) {
            return fail(Errc::InvalidArgument, "changing to SAS authentication needs keys");
        }
        entry.keys = before.keys;
    }
    entry.generation_id = before.generation_id;
    entry.created = before.created;
    entry.connection_changed = before.connection_changed;
    entry.last_activity = before.last_activity;
    entry.etag = before.etag + 1;
    entry.status_updated = entry.enabled != before.enabled ? telling.now : before.status_updated;
    const auto& identity = entry.identity;
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "UPDATE entries SET auth = ?, primary_key = ?, secondary_key = ?, primary_thumbprint = ?, "
        "secondary_thumbprint = ?, enabled = ?, status_reason = ?, etag = ?, status_updated = ?, "
        "iot_edge = ? WHERE hub = ? AND device = ? AND module = ?",
        static_cast<std::int64_t>(entry.auth), Secret{entry.keys.primary, place_in(kEntryPrimary, identity)},
        Secret{entry.keys.secondary, place_in(kEntrySecondary, identity)}, entry.primary_thumbprint,
        entry.secondary_thumbprint, entry.enabled, entry.status_reason, entry.etag,
        entry.status_updated.ticks, entry.iot_edge, identity.hub.value, identity.device.value,
        identity.module.value)));
    FIELDWATCH_TRY(add_to_outbox(database, identity_record(IdentityChange::Update, entry, telling)));
    return entry;
}

Result<void> write_presences(Connection& database, std::span<const Presence> presences) {
    for (const auto& one : presences) {
        const auto& identity = one.identity;
        static_cast<void>(FIELDWATCH_TRY(
            database.change("INSERT INTO presences SELECT hub, device, module, ?, ?, ? FROM entries "
                            "WHERE hub = ? AND device = ? AND module = ? "
                            "ON CONFLICT(hub, device, module) DO UPDATE SET connected = excluded.connected, "
                            "changed = max(changed, excluded.changed), active = max(active, excluded.active)",
                            one.connected, one.changed.ticks, one.active.ticks, identity.hub.value,
                            identity.device.value, identity.module.value)));
    }
    return {};
}

Result<void> end_presences(Connection& database, Timestamp now) {
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "UPDATE presences SET connected = 0, changed = max(changed, ?) WHERE connected = 1", now.ticks)));
    return {};
}

Result<void> remove_entry(Connection& database, const model::Identity& identity,
                          std::optional<std::uint64_t> if_match, const Telling& telling) {
    const auto entry_now = FIELDWATCH_TRY(load_entry(database, identity));
    if (if_match && *if_match != entry_now.etag)
        return fail(Errc::Conflict, name_of(identity) + " was changed meanwhile");
    std::vector<Entry> gone;
    if (identity.module.empty()) gone = FIELDWATCH_TRY(load_modules(database, identity.hub, identity.device));
    gone.push_back(entry_now);
    for (const auto& entry : gone) {
        static_cast<void>(FIELDWATCH_TRY(database.change(
            "DELETE FROM entries WHERE hub = ? AND device = ? AND module = ?", entry.identity.hub.value,
            entry.identity.device.value, entry.identity.module.value)));
        FIELDWATCH_TRY(add_to_outbox(database, identity_record(IdentityChange::Delete, entry, telling)));
    }
    return {};
}

}  // namespace fieldwatch::registry
