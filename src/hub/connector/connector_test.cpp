#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "hub/connector/broker_log.hpp"
#include "hub/connector/foreign_event.hpp"
#include "hub/connector/intake.hpp"
#include "hub/connector/log_tail.hpp"
#include "hub/connector/place.hpp"
#include "hub/connector/settings.hpp"
#include "hub/connector/snapshots.hpp"

namespace fieldwatch::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string folder() {
    static int number = 0;
    const auto path = std::filesystem::temp_directory_path() /
                      ("fieldwatch-connector-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    std::filesystem::create_directories(path);
    return path.string();
}

std::string why(const Result<ConnectorSettings>& settings) {
    return settings ? std::string() : settings.error().message;
}

TEST(ConnectorSettings, ReadsTheConnectionStringOfABuiltInEndpoint) {
    const auto read = read_connector(
        "azure",
        R"({"type":"event-hubs","connection":"Endpoint=sb://ihsuprod.servicebus.windows.net/;SharedAccessKeyName=service;SharedAccessKey=a2V5==;EntityPath=plant"})");
    ASSERT_TRUE(read) << why(read);
    EXPECT_EQ(read->events.host, "ihsuprod.servicebus.windows.net");
    EXPECT_EQ(read->events.port, 5671);
    EXPECT_EQ(read->events.entity, "plant");
    EXPECT_EQ(read->events.key, "a2V5==");
    EXPECT_THAT(to_json(*read, ConnectorSecrets::Hidden), Not(HasSubstr("a2V5")));
    const auto again = read_connector("azure", to_json(*read, ConnectorSecrets::Shown));
    ASSERT_TRUE(again) << why(again);
    EXPECT_EQ(again->events.key, read->events.key);
}

TEST(ConnectorSettings, SaysWhatIsWrong) {
    EXPECT_THAT(why(read_connector("X", "{}")), HasSubstr("is no name"));
    EXPECT_THAT(why(read_connector("x", "[]")), HasSubstr("JSON object"));
    EXPECT_THAT(why(read_connector("x", R"({"type":"kafka"})")), HasSubstr("event-hubs or mqtt"));
    EXPECT_THAT(
        why(read_connector("x", R"({"type":"event-hubs","connection":"HostName=h;SharedAccessKey=k"})")),
        HasSubstr("Event Hubs compatible"));
    EXPECT_THAT(why(read_connector("x", R"({"type":"mqtt","url":"http://b"})")), HasSubstr("mqtts://"));
    EXPECT_THAT(why(read_connector("x", R"({"type":"mqtt","url":"mqtt://b"})")),
                HasSubstr("nothing is read"));
    EXPECT_THAT(why(read_connector("x", R"({"type":"mqtt","url":"mqtt://b","topics":[{"topic":"a/b"}]})")),
                HasSubstr("{device}"));
    EXPECT_THAT(why(read_connector("x", R"({"type":"mqtt","url":"mqtt://b","pasword":"p","topics":[]})")),
                HasSubstr("pasword"));
}

TEST(TopicMapping, FindsTheDeviceInATopic) {
    const TopicMapping mapping{.pattern = "factory/+/{device}/#"};
    EXPECT_EQ(mapping.filter(), "factory/+/+/#");
    EXPECT_EQ(mapping.device_of("factory/hall/pump/a/b"), "pump");
    EXPECT_EQ(mapping.device_of("factory/hall/pump"), "pump");
    EXPECT_EQ(mapping.device_of("factory/hall"), "");
    EXPECT_EQ(mapping.device_of("other/hall/pump"), "");
    EXPECT_EQ(TopicMapping{.pattern = "{device}/t"}.device_of("pump/t/more"), "");
    EXPECT_FALSE(check_pattern("a/x{device}"));
    EXPECT_FALSE(check_pattern("#/{device}"));
}

TEST(BrokerLog, ReadsWhatMosquittoWrites) {
    BrokerLog log;
    EXPECT_FALSE(log.mosquitto_line("1795943782: mosquitto version 2.0.11 running"));
    EXPECT_FALSE(log.mosquitto_line("1795943783: New connection from 192.0.2.7:44860 on port 1883."));
    const auto connected = log.mosquitto_line(
        "1795943783: New client connected from 192.0.2.7:44860 as dev 1 (p2, c1, k60, u'u1').");
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->client, "dev 1");
    EXPECT_EQ(connected->user, "u1");
    EXPECT_EQ(connected->address, "192.0.2.7");
    EXPECT_EQ(connected->name, "deviceConnect");
    EXPECT_EQ(connected->time->unix_seconds(), 1795943783);
    const auto gone = log.mosquitto_line("1795943783: Client dev 1 disconnected.");
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->client, "dev 1");
    EXPECT_EQ(gone->result, 0);
    log.mosquitto_line("1795943784: New connection from 192.0.2.8:1 on port 1883.");
    const auto refused = log.mosquitto_line("1795943784: Client <unknown> disconnected, not authorised.");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->client, "");
    EXPECT_EQ(refused->address, "192.0.2.8");
    EXPECT_EQ(refused->result, 401002);
    EXPECT_EQ(log.mosquitto_line("x: Client dup already connected, closing old connection."), std::nullopt);
    EXPECT_EQ(log.mosquitto_line("1: Client dup already connected, closing old connection.")->result, 400027);
    EXPECT_EQ(log.mosquitto_line("1: Socket error on client q, disconnecting.")->client, "q");
}

TEST(BrokerLog, AnIdThatLooksLikeALineStaysAnId) {
    BrokerLog log;
    const auto event = log.mosquitto_line(
        "1: New client connected from [2001:db8::1]:9 as evil (p2, c1, k60, u'root'). (p2, c1, k60).");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->client, "evil (p2, c1, k60, u'root').");
    EXPECT_EQ(event->user, "");
    EXPECT_EQ(event->address, "2001:db8::1");
}

TEST(BrokerLog, ReadsTheEventsOfEmqx) {
    BrokerLog log;
    const auto connected = log.message(
        "$SYS/brokers/emqx@127.0.0.1/clients/c1/connected",
        R"({"clientid":"c1","username":"u","ipaddress":"192.0.2.9","proto_ver":4,"ts":1604995200000})");
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->client, "c1");
    EXPECT_EQ(connected->address, "192.0.2.9");
    EXPECT_EQ(connected->time->unix_seconds(), 1604995200);
    const auto gone =
        log.message("$SYS/brokers/n/clients/c1/disconnected", R"({"clientid":"c1","reason":"normal"})");
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->name, "deviceDisconnect");
    EXPECT_EQ(gone->result, 0);
    EXPECT_FALSE(log.message("$SYS/brokers/n/clients/c1/subscribed", "{}"));
    EXPECT_FALSE(log.message("$SYS/brokers/n/clients/c1/connected", "nonsense"));
}

TEST(LogTail, GoesOnWhereItStoodAndFollowsARotation) {
    const auto path = folder() + "/broker.log";
    std::vector<std::string> lines;
    const auto each = [&](std::string_view line) { lines.emplace_back(line); };
    const auto write = [&](const char* text) { std::ofstream(path, std::ios::app) << text; };
    std::string place;
    {
        LogTail tail(path, "");
        EXPECT_EQ(tail.read(each).error().code, Errc::NotFound);
        write("old\n");
        LogTail fresh(path, "");
        while (fresh.read(each).value_or(false)) {
        }
        EXPECT_THAT(lines, ElementsAre());
        write("one\ntw");
        while (fresh.read(each).value_or(false)) {
        }
        EXPECT_THAT(lines, ElementsAre("one"));
        place = fresh.place();
    }
    write("o\n");
    LogTail again(path, place);
    while (again.read(each).value_or(false)) {
    }
    EXPECT_THAT(lines, ElementsAre("one", "two"));
    std::filesystem::rename(path, path + ".1");
    write("three\n");
    while (again.read(each).value_or(false)) {
    }
    EXPECT_THAT(lines, ElementsAre("one", "two", "three"));
}

TEST(ConnectorPlace, IsThereAgain) {
    const auto path = folder() + "/place.json";
    auto place = ConnectorPlace::load(posix_file_system(), path, system_clock());
    ASSERT_TRUE(place);
    place->set("hub/$Default/0", "17");
    ASSERT_TRUE(place->keep(true));
    const auto again = ConnectorPlace::load(posix_file_system(), path, system_clock());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->get("hub/$Default/0"), "17");
    std::ofstream(path) << "{";
    EXPECT_EQ(ConnectorPlace::load(posix_file_system(), path, system_clock()).error().code, Errc::Corrupt);
}

class Connected : public ::testing::Test {
  protected:
    Connected()
        : folder_(folder()),
          registry_(std::move(*registry::open(folder_ + "/registry.db", system_clock(), system_random()))),
          journal_(std::move(*journal::open({.directory = folder_ + "/journal", .disk_free_bytes_min = 0},
                                            posix_file_system(), system_clock(), metrics_))),
          log_(journal_->writer(), journal_->partition_count(), system_clock(), metrics_) {
        registry::Hub hub;
        hub.name = hub_;
        hub.configuration_json = "{}";
        EXPECT_TRUE(registry_->create_hub(hub));
    }
    ~Connected() override {
        journal_.reset();
        std::filesystem::remove_all(folder_);
    }

    Intake intake(bool masked = false) {
        return Intake({.registry = *registry_,
                       .journal = journal_->writer(),
                       .partition_count = journal_->partition_count(),
                       .clock = system_clock(),
                       .log = log_},
                      {.hub = hub_, .mask_addresses = masked}, true);
    }
    std::vector<model::Record> records(journal::Stream stream) {
        std::vector<model::Record> out;
        for (std::uint32_t partition = 0; partition < journal_->partition_count(); ++partition) {
            const auto batch = journal_->reader().read({stream, partition, 0}, 1'000, 1u << 20);
            if (!batch) continue;
            for (const auto& one : batch->records) {
                const auto view = model::decode_record(one.bytes);
                if (!view) continue;
                model::Record record{
                    .kind = view->kind, .received = view->received, .sender = {}, .properties = {}};
                record.sender = {
                    {std::string(view->hub)}, {std::string(view->device)}, {std::string(view->module)}};
                record.body = view->body;
                for (const auto& [name, value] : view->properties)
                    record.properties.emplace_back(name, value);
                out.push_back(std::move(record));
            }
        }
        return out;
    }
    static amqp::Message event(std::string_view device, std::string_view body) {
        amqp::Message event;
        event.annotations.add("x-opt-offset", amqp::string_value("1"))
            .add("iothub-connection-device-id", amqp::string_value(device))
            .add("iothub-message-source", amqp::string_value("Telemetry"))
            .add("iothub-enqueuedtime", amqp::timestamp_value(Timestamp::from_unix_seconds(1'604'995'200)));
        event.data = {body};
        return event;
    }

    const model::HubName hub_{"plant"};
    std::string folder_;
    Metrics metrics_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<journal::Journal> journal_;
    OperationLog log_;
};

TEST_F(Connected, ASnapshotIsToldInFewChangesAndInItsOrder) {
    constexpr int kDevices = 1'234;
    std::string lines;
    for (int i = 0; i < kDevices; ++i)
        lines += R"({"deviceId":"d)" + std::to_string(i) + R"(","status":"enabled"})" + "\n";
    Snapshots snapshots(*registry_, system_clock(), system_random());
    const auto changes = registry_->change_count();
    const auto skipped = registry_->outbox(10'000)->size();
    const auto report = snapshots.put_identities(hub_, lines, to_iso8601(system_clock().now()));
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->accepted, static_cast<std::uint64_t>(kDevices));
    EXPECT_LT(registry_->change_count() - changes, 12u) << "some of them of what is remembered";
    const auto rows = *registry_->outbox(10'000);
    ASSERT_EQ(rows.size() - skipped, static_cast<std::size_t>(kDevices));
    for (int i = 0; i < kDevices; ++i)
        EXPECT_EQ(rows[skipped + static_cast<std::size_t>(i)].record.sender.device.value,
                  "d" + std::to_string(i));
}

TEST_F(Connected, AnEventIsTheDevicesMessage) {
    auto taken = intake();
    auto message = event("pump", R"({"temp":1})");
    message.application_properties.add("level", amqp::string_value("3"));
    ASSERT_TRUE(take_foreign_event(message, taken));
    ASSERT_TRUE(taken.settle());
    const auto all = records(journal::Stream::Telemetry);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].sender.device.value, "pump");
    EXPECT_EQ(all[0].received.unix_seconds(), 1'604'995'200);
    EXPECT_EQ(all[0].body, R"({"temp":1})");
    EXPECT_TRUE(registry_->get({hub_, {"pump"}, {}}));
    EXPECT_EQ(taken.counts().messages, 1u);
}

TEST_F(Connected, ASecurityMessageIsKnownByItsMark) {
    auto taken = intake();
    auto marked = event("pump", "{}");
    marked.annotations.add("iothub-connection-module-id", amqp::string_value("azureiotsecurity"))
        .add("iothub-interface-id", amqp::string_value(model::kSecurityInterface));
    ASSERT_TRUE(take_foreign_event(marked, taken));
    ASSERT_TRUE(taken.settle());
    const auto all = records(journal::Stream::Security);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].kind, model::RecordKind::SecurityMessage);
    EXPECT_EQ(all[0].sender.module.value, "azureiotsecurity");
    EXPECT_TRUE(registry_->get({hub_, {"pump"}, {"azureiotsecurity"}}));
    EXPECT_EQ(taken.counts().security_messages, 1u);
}

TEST_F(Connected, DiagnosticRecordsInAnEventHubAreOperations) {
    auto taken = intake(true);
    amqp::Message batch;
    batch.data = {
        R"({"records":[{"time":"2020-11-10T08:00:00Z","operationName":"deviceConnect","category":"Connections",
            "properties":"{\"deviceId\":\"pump\",\"ipAddress\":\"192.0.2.7\"}"},{"time":"never","operationName":"x"}]})"};
    ASSERT_TRUE(take_foreign_event(batch, taken));
    ASSERT_TRUE(taken.settle());
    const auto all = records(journal::Stream::Security);
    ASSERT_GE(all.size(), 1u);
    EXPECT_EQ(all[0].kind, model::RecordKind::Operation);
    EXPECT_EQ(all[0].sender.device.value, "pump");
    EXPECT_THAT(all[0].body, Not(HasSubstr("192.0.2.7")));
    EXPECT_THAT(all[0].body, HasSubstr("192.0.2.XXX"));
    EXPECT_EQ(taken.counts().operations, 1u);
    EXPECT_EQ(taken.counts().refused, 1u);
    EXPECT_THAT(taken.counts().last_refusal, HasSubstr("record 2"));
}

TEST_F(Connected, WhatIsNoDevicesIsCountedAndNotTaken) {
    auto taken = intake();
    ASSERT_TRUE(take_foreign_event(event("no device/at all", "{}"), taken));
    auto change = event("pump", "{}");
    *const_cast<amqp::Value*>(change.annotations.find("iothub-message-source")) =
        amqp::string_value("twinChangeEvents");
    ASSERT_TRUE(take_foreign_event(change, taken));
    EXPECT_EQ(taken.counts().refused, 1u);
    EXPECT_EQ(taken.counts().passed_over, 1u);
    EXPECT_TRUE(records(journal::Stream::Telemetry).empty());
}

TEST_F(Connected, AnImportListsWhatItCannotUse) {
    Feed feed(journal_->writer(), journal_->partition_count(), system_clock());
    RecordImport importer(feed, system_clock());
    const auto report = importer.take({.hub = hub_},
                                      "{\"time\":\"2020-11-10T08:00:00Z\",\"operationName\":\"query\","
                                      "\"category\":\"TwinQueries\"}\nnonsense\n"
                                      "{\"records\":[{\"time\":\"2020-11-10T08:00:00Z\",\"operationName\":"
                                      "\"x\",\"properties\":{\"deviceId\":\"a/b\"}}]}\n{\"records\":[");
    ASSERT_TRUE(report);
    ASSERT_TRUE(feed.settle());
    EXPECT_EQ(report->accepted, 1u);
    EXPECT_EQ(report->refused, 3u);
    ASSERT_EQ(report->refusals.size(), 3u);
    EXPECT_EQ(report->refusals[0].where, "line 2");
    EXPECT_EQ(report->refusals[1].where, "line 3, record 1");
    EXPECT_THAT(report->refusals[2].why, HasSubstr("does not end"));
}

}  // namespace
}  // namespace fieldwatch::hub
