#include "registry/registry.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "registry/command_table.hpp"
#include "registry/database.hpp"
#include "registry/document_table.hpp"
#include "registry/entry_table.hpp"
#include "registry/hub_table.hpp"
#include "registry/outbox.hpp"
#include "registry/sealing.hpp"
#include "registry/twin_table.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kCreateManyMax = 1'000;
constexpr std::size_t kSettingBytesMax = 16u << 20;  // an indicator list may be a setting
constexpr std::size_t kOutboxReadMax = 10'000;

template <class T>
using Work = std::function<Result<T>(Connection&)>;

/// The installation's secret, made at first start.
Result<Bytes> installation_secret(Connection& database, Random& random) {
    constexpr std::string_view kName = "identity-fingerprints";
    const auto place = place_of("secrets.value", {kName});
    {
        auto row = FIELDWATCH_TRY(database.query("SELECT value FROM secrets WHERE name = ?", kName));
        if (FIELDWATCH_TRY(row.step())) {
            const auto text = FIELDWATCH_TRY(row.secret(0, place));
            const auto bytes = as_bytes(text);
            return Bytes(bytes.begin(), bytes.end());
        }
    }
    Bytes secret(32);
    random.fill(secret);
    static_cast<void>(FIELDWATCH_TRY(
        database.change("INSERT INTO secrets VALUES(?, ?)", kName, Secret{as_text(secret), place})));
    return secret;
}

class SqliteRegistry final : public Registry {
  public:
    SqliteRegistry(std::unique_ptr<Database> database, Bytes secret, const Clock& clock, Random& random)
        : database_(std::move(database)),
          secret_(std::move(secret)),
          clock_(clock),
          random_(random),
          commands_(*database_) {}

    Result<Hub> create_hub(Hub wanted) override {
        return database_->write<Hub>(
            [&](Connection& c) { return insert_hub(c, wanted, random_, telling()); });
    }
    Result<Hub> hub(const model::HubName& name) override {
        return database_->read<Hub>([&](Connection& c) { return load_hub(c, name); });
    }
    Result<std::vector<Hub>> hubs() override {
        return database_->read<std::vector<Hub>>([](Connection& c) { return load_hubs(c); });
    }
    Result<Hub> update_hub(const Hub& changed, std::optional<std::uint64_t> if_match) override {
        return database_->write<Hub>(
            [&](Connection& c) { return registry::update_hub(c, changed, if_match, random_, telling()); });
    }

    Result<Entry> create(Entry entry) override {
        return database_->write<Entry>(
            [&](Connection& c) { return insert_entry(c, entry, random_, telling()); });
    }
    Result<std::vector<Result<Entry>>> create_many(std::vector<Entry> entries) override {
        if (entries.size() > kCreateManyMax) {
            return fail(Errc::TooLarge, "at most 1000 entries are created in one call");
        }
        using Out = std::vector<Result<Entry>>;
        return database_->write<Out>([&](Connection& c) -> Result<Out> {
            Out out;
            for (const auto& entry : entries) {
                FIELDWATCH_TRY(c.execute("SAVEPOINT one"));
                out.push_back(insert_entry(c, entry, random_, telling()));
                if (!out.back()) FIELDWATCH_TRY(c.execute("ROLLBACK TO one"));
                FIELDWATCH_TRY(c.execute("RELEASE one"));
            }
            return out;
        });
    }
    Result<Entry> get(const model::Identity& identity) override {
        return database_->read<Entry>([&](Connection& c) { return load_entry(c, identity); });
    }
    Result<std::vector<Entry>> devices(const model::HubName& hub, const ListOptions& options) override {
        return database_->read<std::vector<Entry>>(
            [&](Connection& c) { return load_devices(c, hub, options); });
    }
    Result<std::vector<Entry>> modules(const model::HubName& hub, const model::DeviceId& device) override {
        return database_->read<std::vector<Entry>>(
            [&](Connection& c) { return load_modules(c, hub, device); });
    }
    Result<Entry> update(const Entry& entry, std::optional<std::uint64_t> if_match) override {
        return database_->write<Entry>(
            [&](Connection& c) { return update_entry(c, entry, if_match, telling()); });
    }
    Result<void> remove(const model::Identity& identity, std::optional<std::uint64_t> if_match) override {
        return database_->write<void>(
            [&](Connection& c) { return remove_entry(c, identity, if_match, telling()); });
    }
    Result<std::vector<TwinEntry>> twin_entries(const model::Identity& after, Which which,
                                                std::size_t count_max) override {
        return database_->read<std::vector<TwinEntry>>(
            [&](Connection& c) { return load_twin_entries(c, after, which, count_max); });
    }
    Result<DeviceCounts> count_devices(const model::HubName& hub) override {
        return database_->read<DeviceCounts>([&](Connection& c) -> Result<DeviceCounts> {
            auto row = FIELDWATCH_TRY(c.query(
                "SELECT count(*), total(enabled) FROM entries WHERE hub = ? AND module = ''", hub.value));
            static_cast<void>(FIELDWATCH_TRY(row.step()));
            return DeviceCounts{row.count(0), row.count(1)};
        });
    }

    Result<void> keep_presences(std::span<const Presence> presences) override {
        return database_->write<void>([&](Connection& c) { return write_presences(c, presences); },
                                      Database::Counts::No);
    }
    Result<void> end_presences() override {
        return database_->write<void>([&](Connection& c) { return registry::end_presences(c, clock_.now()); },
                                      Database::Counts::No);
    }

    Result<void> check_desired(std::string_view patch_json) const override {
        static_cast<void>(FIELDWATCH_TRY(replace_twin(patch_json, limits::twin_section_bytes)));
        return {};
    }
    Result<Twin> twin(const model::Identity& identity) override {
        return database_->read<Twin>([&](Connection& c) { return load_twin(c, identity); });
    }
    Result<TwinChange> patch_desired(const model::Identity& identity, std::string_view json) override {
        return change_twin(identity, {.section = TwinSection::Desired}, json);
    }
    Result<TwinChange> replace_desired(const model::Identity& identity, std::string_view json) override {
        return change_twin(identity, {.section = TwinSection::Desired, .replaces = true}, json);
    }
    Result<TwinChange> patch_reported(const model::Identity& identity, std::string_view json,
                                      std::optional<std::uint64_t> base_version) override {
        return change_twin(identity, {.section = TwinSection::Reported, .base_version = base_version}, json);
    }
    Result<void> patch_tags(const model::Identity& identity, std::string_view json) override {
        static_cast<void>(FIELDWATCH_TRY(change_twin(identity, {.section = TwinSection::Tags}, json)));
        return {};
    }

    Result<TwinUpdated> update_twin(const model::Identity& identity, const TwinUpdate& update) override {
        return database_->write<TwinUpdated>(
            [&](Connection& c) { return registry::update_twin(c, identity, update, clock_.now()); },
            Database::Counts::No);
    }
    Result<void> set_model_id(const model::Identity& identity, std::string_view model_id) override {
        return database_->write<void>([&](Connection& c) { return write_model_id(c, identity, model_id); },
                                      Database::Counts::No);
    }

    CommandStore& commands() override { return commands_; }

    Result<Document> document(const DocumentKey& key) override {
        return database_->read<Document>([&](Connection& c) { return load_document(c, key); });
    }
    Result<std::vector<Document>> documents(const model::HubName& hub, std::string_view kind,
                                            const ListOptions& options) override {
        return database_->read<std::vector<Document>>(
            [&](Connection& c) { return load_documents(c, hub, kind, options); });
    }
    Result<Document> put_document(const DocumentKey& key, std::string_view json,
                                  DocumentCondition condition) override {
        return database_->write<Document>(
            [&](Connection& c) { return write_document(c, key, json, condition, clock_.now()); });
    }
    Result<void> remove_document(const DocumentKey& key, std::optional<std::uint64_t> if_match) override {
        return database_->write<void>(
            [&](Connection& c) { return registry::remove_document(c, key, if_match); });
    }

    Result<std::optional<std::string>> setting(std::string_view key) override {
        using Out = std::optional<std::string>;
        return database_->read<Out>([&](Connection& c) -> Result<Out> {
            auto row = FIELDWATCH_TRY(c.query("SELECT value FROM settings WHERE key = ?", key));
            if (!FIELDWATCH_TRY(row.step())) return Out{};
            return Out{FIELDWATCH_TRY(row.secret(0, place_of("settings.value", {key})))};
        });
    }
    Result<void> set_setting(std::string_view key, std::string_view value) override {
        if (key.empty() || key.size() > 256 || value.size() > kSettingBytesMax) {
            return fail(Errc::TooLarge,
                        "a setting has a key of 1 to 256 bytes and a value of at most 16 MiB");
        }
        return database_->write<void>([&](Connection& c) -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "INSERT INTO settings VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                key, Secret{value, place_of("settings.value", {key})})));
            return {};
        });
    }

    Result<void> publish(const model::Record& record) override {
        return database_->write<void>([&](Connection& c) { return add_to_outbox(c, record); });
    }
    Result<void> publish_many(std::span<const model::Record> records) override {
        if (records.size() > kPublishMax)
            return fail(Errc::TooLarge, fmt::format("at most {} records are told in one call", kPublishMax));
        return database_->write<void>([&](Connection& c) -> Result<void> {
            for (const auto& record : records)
                FIELDWATCH_TRY(add_to_outbox(c, record));
            return {};
        });
    }
    Result<void> publish_configuration(const model::HubName& name,
                                       std::string_view configuration_json) override {
        return database_->write<void>([&](Connection& c) -> Result<void> {
            const auto hub = FIELDWATCH_TRY(load_hub(c, name));
            return add_to_outbox(c,
                                 FIELDWATCH_TRY(configuration_record(hub, configuration_json, clock_.now())));
        });
    }
    Result<std::vector<OutboxRow>> outbox(std::size_t count_max) override {
        return database_->read<std::vector<OutboxRow>>(
            [&](Connection& c) { return read_outbox(c, std::min(count_max, kOutboxReadMax)); });
    }
    Result<void> outbox_done(std::uint64_t up_to_sequence) override {
        return database_->write<void>([&](Connection& c) { return clear_outbox(c, up_to_sequence); },
                                      Database::Counts::No);
    }

    std::uint64_t change_count() const override { return database_->change_count(); }

  private:
    Telling telling() const { return {clock_.now(), secret_}; }
    Result<TwinChange> change_twin(const model::Identity& identity, const TwinWrite& write,
                                   std::string_view json) {
        return database_->write<TwinChange>(
            [&](Connection& c) { return write_twin(c, identity, write, json, clock_.now()); },
            Database::Counts::No);
    }

    const std::unique_ptr<Database> database_;
    const Bytes secret_;
    const Clock& clock_;
    Random& random_;  // used inside write() only: one thread at a time
    CommandTable commands_;
};

}  // namespace

Result<std::unique_ptr<Registry>> open(const std::string& path, const Clock& clock, Random& random) {
    return open(path, master_key_beside(path), clock, random);
}

Result<std::unique_ptr<Registry>> open(const std::string& path, const MasterKeyFile& key_file,
                                       const Clock& clock, Random& random) {
    auto database = FIELDWATCH_TRY(Database::open(path, key_file, random));
    auto secret =
        FIELDWATCH_TRY(database->write<Bytes>([&](Connection& c) { return installation_secret(c, random); }));
    return std::make_unique<SqliteRegistry>(std::move(database), std::move(secret), clock, random);
}

}  // namespace fieldwatch::registry
