#include "registry/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file_system.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {
namespace {

using Json = nlohmann::json;
using model::DeviceId;
using model::HubName;
using model::Identity;
using model::ModuleId;

class RegistryTest : public testing::Test {
  protected:
    RegistryTest() {
        directory_ = testing::TempDir() + "fieldwatch-registry-XXXXXX";
        EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
        reopen();
    }
    ~RegistryTest() override {
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    void reopen() { reopen(directory_ + "/registry.db"); }
    void reopen(const std::string& path) {
        registry_.reset();
        auto opened = registry::open(path, clock_, random_);
        ASSERT_TRUE(opened) << opened.error().message;
        registry_ = std::move(*opened);
    }
    Entry add(const Identity& identity) {
        Entry entry;
        entry.identity = identity;
        const auto made = registry_->create(entry);
        EXPECT_TRUE(made) << made.error().message;
        return made.value_or(Entry{});
    }
    void add_hub() {
        Hub hub;
        hub.name = kHub;
        ASSERT_TRUE(registry_->create_hub(hub));
    }
    Identity make_device(std::string name) {
        add_hub();
        return add({kHub, DeviceId{std::move(name)}, {}}).identity;
    }
    std::vector<Json> outbox_bodies() {
        std::vector<Json> out;
        const auto rows = *registry_->outbox(1'000);
        for (const auto& row : rows)
            out.push_back(Json::parse(row.record.body));
        return out;
    }

    const HubName kHub{"plant"};
    const Identity kPump{kHub, DeviceId{"pump-1"}, {}};
    const Identity kModule{kHub, DeviceId{"pump-1"}, ModuleId{"azureiotsecurity"}};
    std::string directory_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    SeededRandom random_{5};
    std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, MakesTheFiveDefaultPoliciesWithKeysOfTheirOwn) {
    add_hub();
    const auto hub = *registry_->hub(kHub);
    ASSERT_EQ(hub.policies.size(), 5u);
    EXPECT_EQ(hub.policies[0].name, "iothubowner");
    EXPECT_TRUE(hub.policies[0].registry_read && hub.policies[0].registry_write &&
                hub.policies[0].service_connect && hub.policies[0].device_connect);
    EXPECT_EQ(hub.policies[1].name, "service");
    EXPECT_TRUE(hub.policies[1].service_connect && !hub.policies[1].device_connect);
    EXPECT_EQ(from_base64(hub.policies[2].keys.primary)->size(), 32u);
    EXPECT_NE(hub.policies[2].keys.primary, hub.policies[2].keys.secondary);
    EXPECT_TRUE(Uuid::parse(hub.workspace));
    EXPECT_EQ(registry_->create_hub(hub).error().code, Errc::AlreadyExists);
    EXPECT_EQ(registry_->hub(HubName{"other"}).error().code, Errc::NotFound);
}

TEST_F(RegistryTest, ChangesAHubOnlyFromTheStateItsReaderSaw) {
    add_hub();
    auto hub = *registry_->hub(kHub);
    hub.mask_addresses = true;
    hub.configuration_json = R"({"minTlsVersion":"1.2"})";
    const auto changed = registry_->update_hub(hub, hub.etag);
    ASSERT_TRUE(changed);
    EXPECT_EQ(registry_->update_hub(hub, hub.etag).error().code, Errc::Conflict);
    hub.configuration_json = "[]";
    EXPECT_EQ(registry_->update_hub(hub, std::nullopt).error().code, Errc::Malformed);
    EXPECT_EQ(registry_->hubs()->front().policies[0].keys.primary, hub.policies[0].keys.primary);
    const auto told = outbox_bodies().back();
    EXPECT_EQ(told["minTlsVersion"], "1.2");
    EXPECT_EQ(told["fieldwatch"]["maskAddresses"], true);
    EXPECT_EQ(told["authorizationPolicies"][1]["rights"], "ServiceConnect");
}

TEST_F(RegistryTest, SwitchingSecurityOnTellsOfEveryIdentityAndTwinAgain) {
    add_hub();
    auto hub = *registry_->hub(kHub);
    hub.security_enabled = false;
    hub = *registry_->update_hub(hub, std::nullopt);
    add(kPump);
    add(kModule);
    ASSERT_TRUE(registry_->patch_tags(kPump, R"({"SecurityGroup":"a"})"));
    const auto before = outbox_bodies().size();
    hub.security_enabled = true;
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    const auto told = outbox_bodies();
    ASSERT_EQ(told.size(), before + 4);  // the hub, the device, its tags, the module
    EXPECT_EQ(told[before]["fieldwatch"]["securityEnabled"], true);
    EXPECT_EQ(told[before + 1]["identity"]["deviceId"], "pump-1");
    EXPECT_EQ(told[before + 2]["document"]["SecurityGroup"], "a");
    EXPECT_EQ(told[before + 3]["identity"]["moduleId"], "azureiotsecurity");
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    EXPECT_EQ(outbox_bodies().size(), told.size() + 1);  // nothing was switched
}

TEST_F(RegistryTest, RegistersDevicesAndTheirModules) {
    add_hub();
    EXPECT_EQ(registry_->create({.identity = kModule}).error().code, Errc::NotFound);
    const auto pump = add(kPump);
    EXPECT_EQ(from_base64(pump.keys.primary)->size(), 32u);
    EXPECT_EQ(registry_->create({.identity = kPump}).error().code, Errc::AlreadyExists);
    add(kModule);
    EXPECT_EQ(registry_->modules(kHub, kPump.device)->size(), 1u);
    EXPECT_EQ(registry_->devices(kHub, {})->size(), 1u);
    EXPECT_EQ(registry_->get(kModule)->identity, kModule);
    EXPECT_EQ(registry_->create({.identity = {HubName{"none"}, DeviceId{"d"}, {}}}).error().code,
              Errc::NotFound);
    ASSERT_TRUE(registry_->remove(kPump));
    EXPECT_EQ(registry_->get(kModule).error().code, Errc::NotFound);
    EXPECT_EQ(registry_->twin(kModule).error().code, Errc::NotFound);
    EXPECT_NE(add(kPump).generation_id, pump.generation_id);
}

TEST_F(RegistryTest, RefusesHalfKeysAndBadThumbprints) {
    add_hub();
    Entry entry;
    entry.identity = kPump;
    entry.keys.primary = base64(Bytes(32));
    EXPECT_EQ(registry_->create(entry).error().code, Errc::InvalidArgument);
    entry.keys = {};
    entry.auth = AuthType::X509Thumbprint;
    EXPECT_EQ(registry_->create(entry).error().code, Errc::InvalidArgument);
    entry.primary_thumbprint = "ab:cd" + std::string(36, '0');
    EXPECT_EQ(registry_->create(entry)->primary_thumbprint, "ABCD" + std::string(36, '0'));
}

TEST_F(RegistryTest, UpdatesKeepKeysAndRefuseAStaleEtag) {
    add_hub();
    auto entry = add(kPump);
    const auto keys = entry.keys;
    entry.keys = {};
    entry.enabled = false;
    clock_.advance(std::chrono::seconds(5));
    const auto updated = registry_->update(entry, entry.etag);
    ASSERT_TRUE(updated);
    EXPECT_EQ(updated->keys.primary, keys.primary);
    EXPECT_EQ(updated->status_updated, clock_.now());
    EXPECT_EQ(registry_->update(entry, entry.etag).error().code, Errc::Conflict);
    EXPECT_FALSE(registry_->get(kPump)->enabled);
}

TEST_F(RegistryTest, CreatesManyAndSaysWhichFailed) {
    add_hub();
    std::vector<Entry> entries(3);
    entries[0].identity = kPump;
    entries[1].identity = kPump;
    entries[2].identity = kModule;
    const auto made = *registry_->create_many(entries);
    ASSERT_EQ(made.size(), 3u);
    EXPECT_TRUE(made[0]);
    EXPECT_EQ(made[1].error().code, Errc::AlreadyExists);
    EXPECT_TRUE(made[2]);
    EXPECT_EQ(registry_->outbox(100)->size(), 3u);  // the hub and two entries
    EXPECT_EQ(registry_->create_many(std::vector<Entry>(1'001)).error().code, Errc::TooLarge);
}

TEST_F(RegistryTest, TwinsMergeAndCountVersions) {
    add_hub();
    add(kPump);
    EXPECT_EQ(registry_->twin(kPump)->desired_version, 1u);
    ASSERT_TRUE(registry_->patch_desired(kPump, R"({"a":{"b":1,"c":2},"d":3})"));
    const auto change = registry_->patch_desired(kPump, R"({"a":{"b":null},"$version":9})");
    ASSERT_TRUE(change);
    EXPECT_EQ(change->version, 3u);
    EXPECT_EQ(change->patch_json, R"({"a":{"b":null}})");
    EXPECT_EQ(registry_->twin(kPump)->desired_json, R"({"a":{"c":2},"d":3})");
    EXPECT_EQ(registry_->replace_desired(kPump, R"({"x":1})")->version, 4u);
    EXPECT_EQ(registry_->twin(kPump)->desired_json, R"({"x":1})");
    EXPECT_EQ(registry_->patch_reported(kPump, R"({"r":1})", 1)->version, 2u);
    EXPECT_EQ(registry_->patch_reported(kPump, R"({"r":2})", 1).error().code, Errc::Conflict);
    ASSERT_TRUE(registry_->patch_tags(kPump, R"({"SecurityGroup":"press"})"));
    const auto twin = *registry_->twin(kPump);
    EXPECT_EQ(twin.tags_json, R"({"SecurityGroup":"press"})");
    EXPECT_EQ(twin.reported_version, 2u);
    EXPECT_EQ(twin.etag, 5u);
    const auto told = outbox_bodies().back();
    EXPECT_EQ(told["section"], "tags");
    EXPECT_EQ(told["document"]["SecurityGroup"], "press");
}

TEST_F(RegistryTest, AFailedTwinChangeChangesAndTellsNothing) {
    add_hub();
    add(kPump);
    const auto before = registry_->outbox(100)->size();
    EXPECT_EQ(registry_->patch_desired(kPump, "[1]").error().code, Errc::Malformed);
    EXPECT_EQ(registry_->patch_desired(kPump, R"({"a.b":1})").error().code, Errc::InvalidArgument);
    std::string large = "{";
    for (int i = 0; i < 10; ++i)
        large += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"" + std::string(4'000, 'x') + "\"";
    EXPECT_EQ(registry_->patch_desired(kPump, large + "}").error().code, Errc::TooLarge);
    EXPECT_EQ(registry_->twin(kPump)->desired_version, 1u);
    EXPECT_EQ(registry_->outbox(100)->size(), before);
}

TEST_F(RegistryTest, TheOutboxTellsEveryChangeOnceInOrderWithoutKeys) {
    add_hub();
    auto pump = add(kPump);
    add(kModule);
    pump.keys.secondary = pump.keys.primary;
    ASSERT_TRUE(registry_->update(pump, std::nullopt));
    ASSERT_TRUE(registry_->remove(kPump));
    const auto rows = *registry_->outbox(100);
    ASSERT_EQ(rows.size(), 6u);
    std::vector<std::string> changes;
    for (const auto& row : rows) {
        EXPECT_EQ(row.record.sender.hub, kHub);
        EXPECT_EQ(row.record.body.find(pump.keys.primary), std::string::npos);
        const auto body = Json::parse(row.record.body);
        if (body.contains("change")) changes.push_back(body["change"]);
    }
    EXPECT_THAT(changes, testing::ElementsAre("create", "create", "update", "delete", "delete"));
    const auto keys = Json::parse(rows[3].record.body)["identity"]["authentication"]["symmetricKey"];
    EXPECT_EQ(keys["primaryFingerprint"], keys["secondaryFingerprint"]);
    ASSERT_TRUE(registry_->outbox_done(rows[3].sequence));
    reopen();
    EXPECT_EQ(registry_->outbox(100)->front().sequence, rows[4].sequence);
    ASSERT_TRUE(registry_->outbox_done(rows[5].sequence));
    ASSERT_TRUE(registry_->publish({.kind = model::RecordKind::AlertState, .body = "{}"}));
    EXPECT_GT(registry_->outbox(1)->front().sequence, rows[5].sequence);  // never used again
}

TEST_F(RegistryTest, ManyRecordsAreToldInOneChangeInOrder) {
    const auto changes = registry_->change_count();
    std::vector<model::Record> records;
    for (int i = 0; i < 300; ++i)
        records.push_back({.kind = model::RecordKind::AlertState, .body = std::to_string(i)});
    ASSERT_TRUE(registry_->publish_many(records));
    EXPECT_EQ(registry_->change_count(), changes + 1);
    reopen();
    const auto rows = *registry_->outbox(1'000);
    ASSERT_EQ(rows.size(), records.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(rows[i].record.body, std::to_string(i));
    records.resize(registry::Registry::kPublishMax + 1);
    EXPECT_EQ(registry_->publish_many(records).error().code, Errc::TooLarge);
    EXPECT_EQ(registry_->outbox(1'000)->size(), 300u);
}

TEST_F(RegistryTest, AConfigurationFromElsewhereIsToldWithWhatThisServerDoesWithTheHub) {
    add_hub();
    ASSERT_TRUE(registry_->outbox_done(registry_->outbox(1)->back().sequence));
    ASSERT_TRUE(
        registry_->publish_configuration(kHub, R"({"minTlsVersion":"1.0","fieldwatch":{"twinData":"x"}})"));
    const auto rows = *registry_->outbox(10);
    ASSERT_EQ(rows.size(), 1u);
    const auto body = Json::parse(rows[0].record.body);
    EXPECT_EQ(body["minTlsVersion"], "1.0");
    EXPECT_EQ(body["fieldwatch"]["twinData"], true);
    EXPECT_EQ(body["fieldwatch"]["workspace"], registry_->hub(kHub)->workspace);
    EXPECT_EQ(registry_->publish_configuration(kHub, "[]").error().code, Errc::Malformed);
    EXPECT_EQ(registry_->publish_configuration({"none"}, "{}").error().code, Errc::NotFound);
}

TEST_F(RegistryTest, KeepsSettings) {
    EXPECT_FALSE(registry_->setting("k")->has_value());
    ASSERT_TRUE(registry_->set_setting("k", "1"));
    ASSERT_TRUE(registry_->set_setting("k", "2"));
    EXPECT_EQ(*registry_->setting("k"), "2");
}

TEST_F(RegistryTest, HoldsWhatWasConfirmedWhenThePowerGoesWithoutACheckpoint) {
    add_hub();
    for (int i = 0; i < 20; ++i)
        add({kHub, DeviceId{"d" + std::to_string(i)}, {}});
    // What a killed process leaves: the file and its write-ahead log, as they are this moment.
    const auto aside = directory_ + "/aside";
    std::filesystem::create_directory(aside);
    for (const auto* name : {"registry.db", "registry.db-wal", "master-key"})
        std::filesystem::copy_file(directory_ + "/" + name, aside + "/" + name);
    reopen(aside + "/registry.db");
    EXPECT_EQ(registry_->devices(kHub, {})->size(), 20u);
    EXPECT_EQ(registry_->outbox(100)->size(), 21u);
}

TEST_F(RegistryTest, ATornWriteAheadLogLosesWholeChangesOnly) {
    add_hub();
    for (int i = 0; i < 10; ++i)
        add({kHub, DeviceId{"d" + std::to_string(i)}, {}});
    const auto size = std::filesystem::file_size(directory_ + "/registry.db-wal");
    for (int cut = 1; cut < 8; ++cut) {
        const auto aside = directory_ + "/torn" + std::to_string(cut);
        std::filesystem::create_directory(aside);
        for (const auto* suffix : {"", "-wal"})
            std::filesystem::copy_file(directory_ + "/registry.db" + suffix, aside + "/r" + suffix);
        std::filesystem::copy_file(directory_ + "/master-key", aside + "/master-key");
        std::filesystem::resize_file(aside + "/r-wal", size * static_cast<unsigned>(cut) / 8);
        const auto opened = registry::open(aside + "/r", clock_, random_);
        ASSERT_TRUE(opened) << opened.error().message;
        const auto devices = (*opened)->devices(kHub, {})->size();
        const auto hubs = (*opened)->hubs()->size();
        EXPECT_EQ((*opened)->outbox(100)->size(), devices + hubs);
    }
}

TEST_F(RegistryTest, ConcurrentWritersAllGetThroughOnce) {
    add_hub();
    add(kPump);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 25; ++i) {
                const auto name = "t" + std::to_string(t) + "n" + std::to_string(i);
                EXPECT_TRUE(registry_->create({.identity = {kHub, DeviceId{name}, {}}}));
                EXPECT_TRUE(registry_->patch_desired(kPump, "{\"" + name + "\":1}"));
                EXPECT_TRUE(registry_->get(kPump));
                EXPECT_EQ(registry_->create({.identity = kPump}).error().code, Errc::AlreadyExists);
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(registry_->devices(kHub, {})->size(), 201u);
    EXPECT_EQ(registry_->twin(kPump)->desired_version, 201u);
    EXPECT_EQ(Json::parse(registry_->twin(kPump)->desired_json).size(), 200u);
    EXPECT_EQ(registry_->outbox(1'000)->size(), 402u);
}

TEST_F(RegistryTest, OpensFilesOfEarlierSchemas) {
    for (const auto* name :
         {"schema-1.db", "schema-2.db", "schema-3.db", "schema-4.db", "schema-5.db", "schema-6.db"}) {
        const auto path = directory_ + "/" + name;
        std::filesystem::copy_file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/corpus/registry/" + name,
                                   path);
        reopen(path);
        const auto entry = registry_->get({HubName{"old"}, DeviceId{"d1"}, {}});
        ASSERT_TRUE(entry) << entry.error().message;
        EXPECT_FALSE(entry->iot_edge);
        EXPECT_EQ(entry->status_reason, "kept");
        const auto twin = registry_->twin(entry->identity);
        EXPECT_EQ(twin->desired_json, R"({"k":1})");
        EXPECT_EQ(twin->version, 1u);
        EXPECT_TRUE(registry_->commands().enqueue({.identity = entry->identity, .body = "m"}, 1));
        reopen(path);
        EXPECT_EQ(registry_->commands().waiting(entry->identity, 9)->at(0).body, "m");
    }
}

TEST_F(RegistryTest, AServiceChangesTagsAndDesiredInOneVersionedStep) {
    const auto device = make_device("d1");
    const auto changed = *registry_->update_twin(
        device, {.tags_json = R"({"site":"a"})", .desired_json = R"({"k":{"x":1},"l":[1]})"});
    EXPECT_EQ(changed.twin.etag, 2u);
    EXPECT_EQ(changed.twin.version, 2u);
    EXPECT_EQ(changed.desired->version, 2u);
    EXPECT_EQ(registry_->update_twin(device, {.tags_json = "{}", .if_match = 1}).error().code,
              Errc::Conflict);
    // One part that is refused leaves the other as it was.
    EXPECT_EQ(
        registry_->update_twin(device, {.tags_json = R"({"site":"b"})", .desired_json = "[]"}).error().code,
        Errc::Malformed);
    EXPECT_EQ(registry_->twin(device)->tags_json, R"({"site":"a"})");
    ASSERT_TRUE(registry_->update_twin(device, {.tags_json = R"({"z":1})", .replaces = true, .if_match = 2}));
    EXPECT_EQ(registry_->twin(device)->tags_json, R"({"z":1})");
}

TEST_F(RegistryTest, MetadataTellsWhenEachPropertyChanged) {
    const auto device = make_device("d1");
    const auto at = [&] { return to_iso8601(clock_.now()); };
    const auto first = at();
    ASSERT_TRUE(registry_->patch_desired(device, R"({"k":{"x":1,"y":2},"gone":1})"));
    clock_.advance(std::chrono::seconds(5));
    ASSERT_TRUE(registry_->patch_desired(device, R"({"k":{"x":3},"gone":null})"));
    EXPECT_EQ(registry_->twin(device)->desired_metadata_json,
              R"({"$lastUpdated":")" + at() + R"(","$lastUpdatedVersion":3,"k":{"$lastUpdated":")" + at() +
                  R"(","$lastUpdatedVersion":3,"x":{"$lastUpdated":")" + at() +
                  R"(","$lastUpdatedVersion":3},"y":{"$lastUpdated":")" + first +
                  R"(","$lastUpdatedVersion":2}}})");
    ASSERT_TRUE(registry_->patch_reported(device, R"({"r":1})", std::nullopt));
    EXPECT_EQ(registry_->twin(device)->reported_metadata_json,
              R"({"$lastUpdated":")" + at() + R"(","r":{"$lastUpdated":")" + at() + R"("}})");
}

TEST_F(RegistryTest, DocumentsAreVersioned) {
    make_device("d1");
    const DocumentKey key{kHub, "configuration", "c1"};
    EXPECT_EQ(registry_->document(key).error().code, Errc::NotFound);
    EXPECT_EQ(registry_->put_document(key, "{}", {.must_exist = true}).error().code, Errc::NotFound);
    EXPECT_EQ(registry_->put_document(key, "{}", {.must_be_new = true})->etag, 1u);
    EXPECT_EQ(registry_->put_document(key, "{}", {.must_be_new = true}).error().code, Errc::AlreadyExists);
    EXPECT_EQ(registry_->put_document(key, R"({"a":1})", {.if_match = 1})->etag, 2u);
    EXPECT_EQ(registry_->put_document(key, "{}", {.if_match = 1}).error().code, Errc::Conflict);
    EXPECT_EQ(registry_->documents(key.hub, "configuration", {})->at(0).json, R"({"a":1})");
    EXPECT_TRUE(registry_->documents(key.hub, "job", {})->empty());
    EXPECT_EQ(registry_->remove_document(key, 1).error().code, Errc::Conflict);
    EXPECT_TRUE(registry_->remove_document(key, std::nullopt));
}

TEST_F(RegistryTest, KeepsWhenADeviceWasLastHeardOf) {
    const auto pump = make_device("pump"), press = add({kHub, DeviceId{"press"}, {}}).identity;
    EXPECT_EQ(registry_->get(pump)->last_activity.ticks, 0);
    const Timestamp came = clock_.now(), spoke = came + std::chrono::seconds(5);
    const Presence first[] = {{.identity = pump, .connected = true, .changed = came, .active = spoke},
                              {.identity = press, .connected = false, .changed = came, .active = came},
                              {.identity = {pump.hub, DeviceId{"gone"}, {}}, .connected = true}};
    ASSERT_TRUE(registry_->keep_presences(first));
    // What is not known leaves what is kept.
    const Presence second[] = {{.identity = pump, .connected = true, .changed = {}, .active = came}};
    ASSERT_TRUE(registry_->keep_presences(second));
    reopen(directory_ + "/registry.db");
    EXPECT_EQ(registry_->get(pump)->last_activity, spoke);
    EXPECT_EQ(registry_->get(pump)->connection_changed, came);
    // The server that had them is gone: who was connected went with it, who was not stays as it was.
    clock_.advance(std::chrono::minutes(1));
    ASSERT_TRUE(registry_->end_presences());
    EXPECT_EQ(registry_->get(pump)->connection_changed, clock_.now());
    EXPECT_EQ(registry_->get(pump)->last_activity, spoke);
    EXPECT_EQ(registry_->devices(pump.hub, {})->at(0).connection_changed, came);  // press
    EXPECT_EQ(registry_->update(*registry_->get(pump), std::nullopt)->last_activity, spoke);
    ASSERT_TRUE(registry_->remove(pump));
    add(pump);
    EXPECT_EQ(registry_->get(pump)->last_activity.ticks, 0) << "another device of that name";
}

TEST_F(RegistryTest, RefusesAFileOfTheFuture) {
    registry_.reset();
    {
        const auto raw = *Connection::open(directory_ + "/registry.db", Connection::Mode::ReadWrite);
        ASSERT_TRUE(raw->execute("UPDATE schema_version SET version = 99"));
    }
    EXPECT_EQ(registry::open(directory_ + "/registry.db", clock_, random_).error().code, Errc::Unsupported);
}

TEST_F(RegistryTest, SaysThatAFileIsNotADatabase) {
    const auto path = directory_ + "/garbage.db";
    ASSERT_TRUE(replace_file(posix_file_system(), path, as_bytes(std::string(10'000, 'g'))));
    EXPECT_EQ(registry::open(path, clock_, random_).error().code, Errc::Corrupt);
}

}  // namespace
}  // namespace fieldwatch::registry
