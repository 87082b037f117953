#include "registry/sealing.hpp"

#include <array>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/file_system.hpp"
#include "registry/schema.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kSealedTogether = 500,
                      kSealedTogetherBytes = 8u << 20;  // read at once, to be written again

/// A column of secrets, with the key of its table. Documents and settings are secrets whatever their kind:
/// nobody has to remember to say so of a new one.
struct SecretColumn {
    std::string_view name;  ///< table.column: what place_of begins with
    std::string_view table, column;
    std::array<std::string_view, 3> key;  ///< "" = it has no more
};
constexpr std::array kSecretColumns = {
    SecretColumn{"policies.primary_key", "policies", "primary_key", {"hub", "name", ""}},
    SecretColumn{"policies.secondary_key", "policies", "secondary_key", {"hub", "name", ""}},
    SecretColumn{"entries.primary_key", "entries", "primary_key", {"hub", "device", "module"}},
    SecretColumn{"entries.secondary_key", "entries", "secondary_key", {"hub", "device", "module"}},
    SecretColumn{"documents.body", "documents", "body", {"hub", "kind", "id"}},
    SecretColumn{"settings.value", "settings", "value", {"key", "", ""}},
    SecretColumn{"second_factors.secret", "second_factors", "secret", {"user", "", ""}},
    SecretColumn{"secrets.value", "secrets", "value", {"name", "", ""}},
};

enum class Before : std::uint8_t { Plain, Sealed };

std::string place_in_column(const SecretColumn& column, const std::array<std::string, 3>& row) {
    if (column.key[1].empty()) return place_of(column.name, {row[0]});
    if (column.key[2].empty()) return place_of(column.name, {row[0], row[1]});
    return place_of(column.name, {row[0], row[1], row[2]});
}

struct Row {
    std::array<std::string, 3> key;
    std::string value;
};

/// A page of rows behind `after`, in the order of the key; none when there are no more.
Result<std::vector<Row>> read_page(Connection& database, const SecretColumn& column, const Row& after,
                                   Before before) {
    // The missing parts of a short key are constants: one statement, and one comparison, for all tables.
    const auto part = [&](std::size_t at) {
        return column.key[at].empty() ? std::string("''") : std::string(column.key[at]);
    };
    const auto key = part(0) + ", " + part(1) + ", " + part(2);
    auto rows = FIELDWATCH_TRY(database.query("SELECT " + key + ", " + std::string(column.column) + " FROM " +
                                                  std::string(column.table) + " WHERE (" + key +
                                                  ") > (?, ?, ?) ORDER BY " + key + " LIMIT ?",
                                              after.key[0], after.key[1], after.key[2], kSealedTogether));
    std::vector<Row> out;
    std::size_t bytes = 0;
    while (bytes < kSealedTogetherBytes && FIELDWATCH_TRY(rows.step())) {
        Row row{.key = {rows.text(0), rows.text(1), rows.text(2)}, .value = {}};
        row.value = before == Before::Plain
                        ? std::string(as_text(rows.blob(3)))
                        : FIELDWATCH_TRY(rows.secret(3, place_in_column(column, row.key)));
        bytes += row.value.size();
        out.push_back(std::move(row));
    }
    return out;
}

Result<void> write_row(Connection& database, const SecretColumn& column, const Row& row) {
    const auto place = place_in_column(column, row.key);
    const Secret value{row.value, place};
    auto sql = "UPDATE " + std::string(column.table) + " SET " + std::string(column.column) + " = ? WHERE " +
               std::string(column.key[0]) + " = ?";
    for (const auto part : {column.key[1], column.key[2]})
        if (!part.empty()) sql += " AND " + std::string(part) + " = ?";
    auto changed = column.key[1].empty()   ? database.change(sql, value, row.key[0])
                   : column.key[2].empty() ? database.change(sql, value, row.key[0], row.key[1])
                                           : database.change(sql, value, row.key[0], row.key[1], row.key[2]);
    static_cast<void>(FIELDWATCH_TRY(std::move(changed)));
    return {};
}

Result<void> seal_everything(Connection& database, Before before) {
    for (const auto& column : kSecretColumns) {
        Row last;
        for (;;) {
            auto page = FIELDWATCH_TRY(read_page(database, column, last, before));
            for (const auto& row : page)
                FIELDWATCH_TRY(write_row(database, column, row));
            if (page.empty()) break;
            last = std::move(page.back());
        }
    }
    FIELDWATCH_TRY(database.execute("DELETE FROM sealing"));
    static_cast<void>(
        FIELDWATCH_TRY(database.change("INSERT INTO sealing VALUES(?, 0)", database.keyring()->id())));
    return {};
}

Result<SealingState> state_of(Connection& database) {
    if (FIELDWATCH_TRY(schema_version(database)) < kSealedSince) return SealingState{};
    auto row = FIELDWATCH_TRY(database.query("SELECT key, clean FROM sealing"));
    if (!FIELDWATCH_TRY(row.step()))
        return fail(Errc::Corrupt, "the registry does not say which master key it has");
    return SealingState{.key_id = row.text(0), .clean = row.flag(1)};
}

std::string names_of(const Keyring& keyring) {
    std::string out;
    for (const auto& id : keyring.ids())
        out += (out.empty() ? "" : ", ") + id;
    return out;
}

std::unexpected<Error> key_missing(const SealingState& state, const MasterKeyFile& file) {
    return fail(
        Errc::Unauthorized,
        "the registry is sealed under the master key " + state.key_id + ", and " + file.path +
            " is not there: put it back (a backup of this server holds it, unless the key came from "
            "elsewhere), or name the file that has it by FIELDWATCH_MASTER_KEY_FILE; nobody can read the "
            "registry's keys without it");
}
std::unexpected<Error> key_wrong(const SealingState& state, const MasterKeyFile& file,
                                 const Keyring& keyring) {
    return fail(
        Errc::Unauthorized,
        "the registry is sealed under the master key " + state.key_id + ", and " + file.path + " holds " +
            names_of(keyring) +
            ": bring the right one; to give the registry another master key, write the new one above the one "
            "of before and start once");
}

/// Rows of before may stand in free pages and in the write-ahead log. Where the disk has no room for this
/// now, the next start tries again.
Result<void> forget_before(Connection& database) {
    if (const auto vacuumed = database.execute("VACUUM"); !vacuumed) {
        return vacuumed.error().code == Errc::Exhausted ? Result<void>() : vacuumed;
    }
    {
        auto row = FIELDWATCH_TRY(database.query("PRAGMA wal_checkpoint(TRUNCATE)"));
        if (!FIELDWATCH_TRY(row.step()) || row.flag(0)) return {};  // somebody reads: at the next start
    }
    static_cast<void>(FIELDWATCH_TRY(database.change("UPDATE sealing SET clean = 1")));
    return {};
}

Result<void> seal_again(Connection& database) {
    FIELDWATCH_TRY(database.execute("BEGIN IMMEDIATE"));
    auto done = seal_everything(database, Before::Sealed);
    if (done) done = database.execute("COMMIT");
    if (!done) static_cast<void>(database.execute("ROLLBACK"));
    return done;
}

}  // namespace

Result<SealingState> sealing_state(const std::string& path) {
    const auto connection = FIELDWATCH_TRY(Connection::open(path, Connection::Mode::ReadOnly));
    return state_of(*connection);
}

Result<std::shared_ptr<const Keyring>> keyring_for(Connection& database, const MasterKeyFile& key_file,
                                                   Random& random) {
    const auto state = FIELDWATCH_TRY(state_of(database));
    auto keyring = read_keyring(key_file);
    if (!keyring && keyring.error().code == Errc::NotFound) {
        if (!state.key_id.empty()) return key_missing(state, key_file);
        if (!key_file.is_ours)
            return fail(Errc::NotFound,
                        key_file.path +
                            " is not there: write the master key into it, as `openssl rand -base64 "
                            "32` makes one, readable by the server's account alone");
        keyring = Keyring::generate(random);
        FIELDWATCH_TRY(write_keyring(key_file, *keyring));
    }
    if (!keyring) return std::unexpected(keyring.error());
    if (!state.key_id.empty() && !keyring->holds(state.key_id)) return key_wrong(state, key_file, *keyring);
    return std::make_shared<const Keyring>(std::move(*keyring));
}

Result<void> seal_plain(Connection& database) {
    return seal_everything(database, Before::Plain);
}

Result<void> settle_sealing(Connection& database, const MasterKeyFile& key_file) {
    const auto& keyring = *database.keyring();
    auto state = FIELDWATCH_TRY(state_of(database));
    if (state.key_id != keyring.id()) {
        FIELDWATCH_TRY(seal_again(database));
        state.clean = false;
    }
    if (!state.clean) FIELDWATCH_TRY(forget_before(database));
    if (!key_file.is_ours || keyring.ids().size() == 1) return {};
    return write_keyring(key_file, FIELDWATCH_TRY(keyring.only(keyring.id())));
}

Result<std::string> rotate_master_key(const std::string& path, const MasterKeyFile& key_file,
                                      const Clock& clock, Random& random) {
    if (!key_file.is_ours)
        return fail(
            Errc::Unsupported,
            key_file.path +
                " is not ours to write: write a new key above the present one in it, and restart the server; "
                "its log says when the one of before is not needed any more");
    static_cast<void>(FIELDWATCH_TRY(open(path, key_file, clock, random)));
    const auto before = FIELDWATCH_TRY(read_keyring(key_file));
    const auto after = before.rotated(random);
    FIELDWATCH_TRY(write_keyring(key_file, after));
    static_cast<void>(FIELDWATCH_TRY(open(path, key_file, clock, random)));
    return after.id();
}

}  // namespace fieldwatch::registry
