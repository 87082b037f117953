#include "registry/command_table.hpp"

#include "model/record.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::string_view kSelectCommands =
    "SELECT sequence, hub, device, module, message, enqueued, expiry, delivery_count, sent FROM commands ";

/// Properties and body in the bytes of a record (docs/formats/record.md).
Bytes message_of(const Command& command) {
    return model::encode({.kind = model::RecordKind::Telemetry,
                          .received = command.enqueued,
                          .sender = command.identity,
                          .properties = command.properties,
                          .body = command.body});
}

Result<Command> command_of(const Statement& row) {
    Command command;
    command.sequence = row.count(0);
    command.identity = {model::HubName{row.text(1)}, model::DeviceId{row.text(2)},
                        model::ModuleId{row.text(3)}};
    const auto message = FIELDWATCH_TRY(model::decode_record(row.blob(4)));
    for (const auto& [name, value] : message.properties)
        command.properties.emplace_back(name, value);
    command.body = message.body;
    command.enqueued = Timestamp{row.integer(5)};
    command.expiry = Timestamp{row.integer(6)};
    command.delivery_count = static_cast<std::uint32_t>(row.integer(7));
    command.sent = row.flag(8);
    return command;
}

Result<std::vector<Command>> collect_commands(Statement rows) {
    std::vector<Command> out;
    while (FIELDWATCH_TRY(rows.step()))
        out.push_back(FIELDWATCH_TRY(command_of(rows)));
    return out;
}

Result<std::uint64_t> count_of(Connection& database, const model::Identity& identity) {
    auto row = FIELDWATCH_TRY(
        database.query("SELECT count(*) FROM commands WHERE hub = ? AND device = ? AND module = ?",
                       identity.hub.value, identity.device.value, identity.module.value));
    static_cast<void>(FIELDWATCH_TRY(row.step()));
    return row.count(0);
}

/// Returns how many older ones went for it.
Result<std::size_t> insert_notice(Connection& database, const model::HubName& hub, const NewNotice& notice) {
    const auto kind = static_cast<std::int64_t>(notice.kind);
    static_cast<void>(
        FIELDWATCH_TRY(database.change("INSERT INTO notices(hub, kind, body, created) VALUES(?, ?, ?, ?)",
                                       hub.value, kind, notice.json, notice.created.ticks)));
    return static_cast<std::size_t>(FIELDWATCH_TRY(database.change(
        "DELETE FROM notices WHERE hub = ? AND kind = ? AND sequence <= (SELECT sequence FROM notices "
        "WHERE hub = ? AND kind = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
        hub.value, kind, hub.value, kind, notice.count_max)));
}

/// What is in flight is no configuration: no cache of hubs need look again.
constexpr auto kQuietly = Database::Counts::No;

}  // namespace

Result<Command> CommandTable::enqueue(Command command, std::size_t queue_max) {
    return database_.write<Command>(
        [&](Connection& c) -> Result<Command> {
            const auto& to = command.identity;
            {
                auto row = FIELDWATCH_TRY(
                    c.query("SELECT 1 FROM entries WHERE hub = ? AND device = ? AND module = ?", to.hub.value,
                            to.device.value, to.module.value));
                if (!FIELDWATCH_TRY(row.step())) {
                    return fail(Errc::NotFound, "the receiver " + to.device.value + " is not registered");
                }
            }
            if (FIELDWATCH_TRY(count_of(c, to)) >= queue_max) {
                return fail(Errc::Exhausted,
                            "at most " + std::to_string(queue_max) + " messages wait for a device");
            }
            const auto message = message_of(command);
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "INSERT INTO commands(hub, device, module, message, enqueued, expiry, delivery_count, sent) "
                "VALUES(?, ?, ?, ?, ?, ?, 0, 0)",
                to.hub.value, to.device.value, to.module.value, ByteView(message), command.enqueued.ticks,
                command.expiry.ticks)));
            auto row = FIELDWATCH_TRY(c.query("SELECT last_insert_rowid()"));
            static_cast<void>(FIELDWATCH_TRY(row.step()));
            command.sequence = row.count(0);
            return command;
        },
        kQuietly);
}

Result<std::vector<Command>> CommandTable::waiting(const model::Identity& identity, std::size_t count_max) {
    return database_.read<std::vector<Command>>([&](Connection& c) -> Result<std::vector<Command>> {
        return collect_commands(FIELDWATCH_TRY(
            c.query(std::string(kSelectCommands) +
                        "WHERE hub = ? AND device = ? AND module = ? ORDER BY sequence LIMIT ?",
                    identity.hub.value, identity.device.value, identity.module.value, count_max)));
    });
}

Result<std::uint64_t> CommandTable::count(const model::Identity& identity) {
    return database_.read<std::uint64_t>([&](Connection& c) { return count_of(c, identity); });
}

Result<std::vector<Command>> CommandTable::expired(Timestamp now, std::size_t count_max) {
    return database_.read<std::vector<Command>>([&](Connection& c) -> Result<std::vector<Command>> {
        return collect_commands(
            FIELDWATCH_TRY(c.query(std::string(kSelectCommands) + "WHERE expiry <= ? ORDER BY expiry LIMIT ?",
                                   now.ticks, count_max)));
    });
}

Result<void> CommandTable::mark_sent(const std::vector<std::uint64_t>& sequences) {
    if (sequences.empty()) return {};
    return database_.write<void>(
        [&](Connection& c) -> Result<void> {
            for (const auto sequence : sequences) {
                static_cast<void>(
                    FIELDWATCH_TRY(c.change("UPDATE commands SET sent = 1 WHERE sequence = ?", sequence)));
            }
            return {};
        },
        kQuietly);
}

Result<std::size_t> CommandTable::settle(const model::HubName& hub, std::uint64_t sequence,
                                         const std::optional<NewNotice>& feedback) {
    return database_.write<std::size_t>(
        [&](Connection& c) -> Result<std::size_t> {
            const auto gone = FIELDWATCH_TRY(
                c.change("DELETE FROM commands WHERE sequence = ? AND hub = ?", sequence, hub.value));
            if (gone == 0) return fail(Errc::NotFound, "the message is gone");
            if (!feedback) return std::size_t{0};
            return insert_notice(c, hub, *feedback);
        },
        kQuietly);
}

Result<std::uint32_t> CommandTable::raise_delivery_count(std::uint64_t sequence) {
    return database_.write<std::uint32_t>(
        [&](Connection& c) -> Result<std::uint32_t> {
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "UPDATE commands SET delivery_count = delivery_count + 1 WHERE sequence = ?", sequence)));
            auto row =
                FIELDWATCH_TRY(c.query("SELECT delivery_count FROM commands WHERE sequence = ?", sequence));
            if (!FIELDWATCH_TRY(row.step())) return fail(Errc::NotFound, "the message is gone");
            return static_cast<std::uint32_t>(row.integer(0));
        },
        kQuietly);
}

Result<std::size_t> CommandTable::add_notice(const model::HubName& hub, const NewNotice& notice) {
    return database_.write<std::size_t>([&](Connection& c) { return insert_notice(c, hub, notice); },
                                        kQuietly);
}

Result<std::vector<Notice>> CommandTable::notices(const model::HubName& hub, NoticeKind kind,
                                                  Timestamp created_after, std::size_t count_max) {
    return database_.read<std::vector<Notice>>([&](Connection& c) -> Result<std::vector<Notice>> {
        auto rows = FIELDWATCH_TRY(
            c.query("SELECT sequence, body, created FROM notices WHERE hub = ? AND kind = ? "
                    "AND created > ? ORDER BY sequence LIMIT ?",
                    hub.value, static_cast<std::int64_t>(kind), created_after.ticks, count_max));
        std::vector<Notice> out;
        while (FIELDWATCH_TRY(rows.step()))
            out.push_back({rows.count(0), rows.text(1), Timestamp{rows.integer(2)}});
        return out;
    });
}

Result<void> CommandTable::remove_notices(const model::HubName& hub,
                                          const std::vector<std::uint64_t>& sequences) {
    return database_.write<void>(
        [&](Connection& c) -> Result<void> {
            for (const auto sequence : sequences) {
                static_cast<void>(FIELDWATCH_TRY(
                    c.change("DELETE FROM notices WHERE sequence = ? AND hub = ?", sequence, hub.value)));
            }
            return {};
        },
        kQuietly);
}

Result<std::vector<NoticesGone>> CommandTable::remove_notices_until(Timestamp created) {
    // A look that finds nothing takes no turn of the writer's, and waits for no disk.
    auto gone =
        database_.read<std::vector<NoticesGone>>([&](Connection& c) -> Result<std::vector<NoticesGone>> {
            auto rows = FIELDWATCH_TRY(
                c.query("SELECT DISTINCT hub, kind FROM notices WHERE created <= ?", created.ticks));
            std::vector<NoticesGone> out;
            while (FIELDWATCH_TRY(rows.step()))
                out.push_back({model::HubName{rows.text(0)}, static_cast<NoticeKind>(rows.integer(1)), 0});
            return out;
        });
    if (!gone) return gone;
    for (auto& queue : *gone) {
        const auto removed = database_.write<std::size_t>(
            [&](Connection& c) -> Result<std::size_t> {
                return static_cast<std::size_t>(FIELDWATCH_TRY(
                    c.change("DELETE FROM notices WHERE hub = ? AND kind = ? AND created <= ?",
                             queue.hub.value, static_cast<std::int64_t>(queue.kind), created.ticks)));
            },
            kQuietly);
        if (!removed) return std::unexpected(removed.error());
        queue.count = *removed;
    }
    return gone;
}

Result<bool> CommandTable::subscribed(const model::Identity& identity) {
    return database_.read<bool>([&](Connection& c) -> Result<bool> {
        auto row =
            FIELDWATCH_TRY(c.query("SELECT 1 FROM mqtt_sessions WHERE hub = ? AND device = ? AND module = ?",
                                   identity.hub.value, identity.device.value, identity.module.value));
        return row.step();
    });
}

Result<void> CommandTable::set_subscribed(const model::Identity& identity, bool subscribed) {
    return database_.write<void>(
        [&](Connection& c) -> Result<void> {
            const std::string_view sql =
                subscribed ? "INSERT OR IGNORE INTO mqtt_sessions(hub, device, module) VALUES(?, ?, ?)"
                           : "DELETE FROM mqtt_sessions WHERE hub = ? AND device = ? AND module = ?";
            static_cast<void>(FIELDWATCH_TRY(
                c.change(sql, identity.hub.value, identity.device.value, identity.module.value)));
            return {};
        },
        kQuietly);
}

}  // namespace fieldwatch::registry
