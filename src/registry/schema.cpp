#include "registry/schema.hpp"

#include <array>

#include "registry/sealing.hpp"

namespace fieldwatch::registry {

namespace {

// Never edited once released: a change is a new step.
constexpr std::array kSteps = {
    R"(CREATE TABLE hubs(
         name TEXT PRIMARY KEY, workspace TEXT NOT NULL, security_enabled INTEGER NOT NULL,
         store_raw_events INTEGER NOT NULL, mask_addresses INTEGER NOT NULL, twin_data INTEGER NOT NULL,
         host_names TEXT NOT NULL, configuration TEXT NOT NULL, etag INTEGER NOT NULL, created INTEGER NOT NULL
       ) WITHOUT ROWID;
       CREATE TABLE policies(
         hub TEXT NOT NULL REFERENCES hubs(name) ON DELETE CASCADE, position INTEGER NOT NULL,
         name TEXT NOT NULL, primary_key TEXT NOT NULL, secondary_key TEXT NOT NULL, rights INTEGER NOT NULL,
         PRIMARY KEY(hub, name)) WITHOUT ROWID;
       CREATE TABLE entries(
         hub TEXT NOT NULL REFERENCES hubs(name), device TEXT NOT NULL, module TEXT NOT NULL,
         auth INTEGER NOT NULL, primary_key TEXT NOT NULL, secondary_key TEXT NOT NULL,
         primary_thumbprint TEXT NOT NULL, secondary_thumbprint TEXT NOT NULL, enabled INTEGER NOT NULL,
         status_reason TEXT NOT NULL, generation_id TEXT NOT NULL, etag INTEGER NOT NULL,
         created INTEGER NOT NULL, status_updated INTEGER NOT NULL,
         PRIMARY KEY(hub, device, module)) WITHOUT ROWID;
       CREATE TABLE twins(
         hub TEXT NOT NULL, device TEXT NOT NULL, module TEXT NOT NULL, tags TEXT NOT NULL,
         desired TEXT NOT NULL, reported TEXT NOT NULL, desired_version INTEGER NOT NULL,
         reported_version INTEGER NOT NULL, etag INTEGER NOT NULL, PRIMARY KEY(hub, device, module),
         FOREIGN KEY(hub, device, module) REFERENCES entries(hub, device, module) ON DELETE CASCADE
       ) WITHOUT ROWID;
       CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
       CREATE TABLE secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
       CREATE TABLE tokens(name TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
         expires INTEGER) WITHOUT ROWID;
       CREATE TABLE outbox(sequence INTEGER PRIMARY KEY AUTOINCREMENT, record BLOB NOT NULL);)",
    "ALTER TABLE entries ADD COLUMN iot_edge INTEGER NOT NULL DEFAULT 0;",
    R"(ALTER TABLE twins ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
       ALTER TABLE twins ADD COLUMN desired_metadata TEXT NOT NULL DEFAULT '{}';
       ALTER TABLE twins ADD COLUMN reported_metadata TEXT NOT NULL DEFAULT '{}';
       ALTER TABLE twins ADD COLUMN model_id TEXT NOT NULL DEFAULT '';
       CREATE TABLE commands(
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT NOT NULL, device TEXT NOT NULL,
         module TEXT NOT NULL, message BLOB NOT NULL, enqueued INTEGER NOT NULL, expiry INTEGER NOT NULL,
         delivery_count INTEGER NOT NULL, sent INTEGER NOT NULL,
         FOREIGN KEY(hub, device, module) REFERENCES entries(hub, device, module) ON DELETE CASCADE);
       CREATE INDEX commands_of ON commands(hub, device, module, sequence);
       CREATE INDEX commands_expiry ON commands(expiry);
       CREATE TABLE notices(
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT NOT NULL, kind INTEGER NOT NULL,
         body TEXT NOT NULL, created INTEGER NOT NULL);
       CREATE INDEX notices_of ON notices(hub, kind, sequence);
       CREATE TABLE mqtt_sessions(
         hub TEXT NOT NULL, device TEXT NOT NULL, module TEXT NOT NULL, PRIMARY KEY(hub, device, module),
         FOREIGN KEY(hub, device, module) REFERENCES entries(hub, device, module) ON DELETE CASCADE
       ) WITHOUT ROWID;
       CREATE TABLE documents(
         hub TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, etag INTEGER NOT NULL,
         created INTEGER NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY(hub, kind, id)) WITHOUT ROWID;)",
    R"(CREATE TABLE users(
         name TEXT PRIMARY KEY, password TEXT NOT NULL, role TEXT NOT NULL, enabled INTEGER NOT NULL,
         created INTEGER NOT NULL, password_changed INTEGER NOT NULL) WITHOUT ROWID;
       CREATE TABLE sessions(
         hash TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
         created INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
       CREATE INDEX sessions_of ON sessions(user, created);
       ALTER TABLE tokens ADD COLUMN hubs TEXT NOT NULL DEFAULT '';)",
    R"(CREATE TABLE presences(
         hub TEXT NOT NULL, device TEXT NOT NULL, module TEXT NOT NULL, connected INTEGER NOT NULL,
         changed INTEGER NOT NULL, active INTEGER NOT NULL, PRIMARY KEY(hub, device, module),
         FOREIGN KEY(hub, device, module) REFERENCES entries(hub, device, module) ON DELETE CASCADE
       ) WITHOUT ROWID;)",
    R"(CREATE TABLE second_factors(
         user TEXT PRIMARY KEY REFERENCES users(name) ON DELETE CASCADE, secret TEXT NOT NULL,
         confirmed INTEGER NOT NULL, last_step INTEGER NOT NULL) WITHOUT ROWID;
       CREATE TABLE recovery_codes(
         user TEXT NOT NULL REFERENCES second_factors(user) ON DELETE CASCADE, hash TEXT NOT NULL,
         PRIMARY KEY(user, hash)) WITHOUT ROWID;)",
    "CREATE TABLE sealing(key TEXT NOT NULL, clean INTEGER NOT NULL);",
};
static_assert(kSteps.size() == kSchemaVersion);

Result<void> apply_steps(Connection& database) {
    FIELDWATCH_TRY(database.execute("CREATE TABLE IF NOT EXISTS schema_version(version INTEGER NOT NULL)"));
    const auto version = FIELDWATCH_TRY(schema_version(database));
    for (auto step = static_cast<std::size_t>(version); step < kSteps.size(); ++step)
        FIELDWATCH_TRY(database.execute(kSteps[step]));
    if (version == kSchemaVersion) return {};
    if (version < kSealedSince) FIELDWATCH_TRY(seal_plain(database));
    FIELDWATCH_TRY(database.execute("DELETE FROM schema_version"));
    FIELDWATCH_TRY(database.change("INSERT INTO schema_version VALUES(?)", kSchemaVersion));
    return {};
}

}  // namespace

Result<std::int64_t> schema_version(Connection& database) {
    {
        auto table = FIELDWATCH_TRY(
            database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'"));
        if (!FIELDWATCH_TRY(table.step())) return std::int64_t{0};
    }
    auto row = FIELDWATCH_TRY(database.query("SELECT version FROM schema_version"));
    if (!FIELDWATCH_TRY(row.step())) return std::int64_t{0};
    const auto version = row.integer(0);
    if (version > kSchemaVersion || version < 0) {
        return fail(Errc::Unsupported, "the registry has schema version " + std::to_string(version) +
                                           "; this release reads up to " + std::to_string(kSchemaVersion));
    }
    return version;
}

Result<void> migrate(Connection& database) {
    FIELDWATCH_TRY(database.execute("BEGIN IMMEDIATE"));
    if (auto applied = apply_steps(database); !applied) {
        static_cast<void>(database.execute("ROLLBACK"));
        return applied;
    }
    return database.execute("COMMIT");
}

}  // namespace fieldwatch::registry
