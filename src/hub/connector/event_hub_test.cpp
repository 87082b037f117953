// The connector of an event hub against a hub of ours: its Event Hubs compatible endpoint is the counterpart.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <set>

#include "hub/connector/connectors.hpp"
#include "hub/server.hpp"
#include "net/certificate_authority.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::hub {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto kSoon = 20s;

bool soon(const std::function<bool()>& condition) {
    const auto until = system_clock().monotonic() + kSoon;
    while (system_clock().monotonic() < until) {
        if (condition()) return true;
        std::this_thread::sleep_for(20ms);
    }
    return condition();
}

/// A registry and a journal in a folder of their own, with one hub.
struct Side {
    explicit Side(const std::filesystem::path& where, const char* name)
        : directory(where / name),
          registry((std::filesystem::create_directories(directory),
                    std::move(*registry::open((directory / "registry.db").string(), system_clock(),
                                              system_random())))),
          journal(std::move(
              *journal::open({.directory = (directory / "journal").string(), .disk_free_bytes_min = 0},
                             posix_file_system(), system_clock(), metrics))) {
        EXPECT_TRUE(registry->create_hub({.name = {name}, .host_names = "localhost"}));
        hub = {name};
    }
    void say(const std::string& device, int number) {
        model::Record record{.kind = model::RecordKind::Telemetry,
                             .received = system_clock().now(),
                             .sender = {},
                             .properties = {}};
        record.sender = {hub, {device}, {}};
        record.properties = {{"iothub-connection-device-id", device},
                             {"iothub-message-source", "Telemetry"},
                             {"iothub-enqueuedtime", to_iso8601(record.received)},
                             {"level", "3"}};
        record.body = std::to_string(number);
        Feed feed(journal->writer(), journal->partition_count(), system_clock());
        EXPECT_TRUE(feed.append(record));
        EXPECT_TRUE(feed.settle());
    }
    /// Body to how often it is there.
    std::map<std::string, int> said() {
        std::map<std::string, int> out;
        for (std::uint32_t partition = 0; partition < journal->partition_count(); ++partition) {
            const auto batch =
                journal->reader().read({journal::Stream::Telemetry, partition, 0}, 10'000, 8u << 20);
            if (!batch) continue;
            for (const auto& one : batch->records) {
                const auto record = model::decode_record(one.bytes);
                if (record) ++out[std::string(record->body)];
            }
        }
        return out;
    }

    std::filesystem::path directory;
    Metrics metrics;
    model::HubName hub;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<journal::Journal> journal;
};

class EventHubConnector : public ::testing::Test {
  protected:
    EventHubConnector()
        : directory_(std::filesystem::temp_directory_path() /
                     ("event_hub_test." + std::to_string(system_random().next()))),
          upstream_(directory_, "upstream"),
          here_(directory_, "here"),
          runtime_({.cores = 1, .workers = 2}) {
        const auto certificates = net::open_certificates(
            {.directory = directory_.string(), .names = {"localhost"}}, posix_file_system(), system_clock());
        EXPECT_TRUE(certificates);
        tls_ = *net::TlsServerContext::create({.chain_pem = certificates->chain_pem,
                                               .key_pem = certificates->key_pem,
                                               .request_client_certificate = true});
        serve(0);
        attach();
    }
    ~EventHubConnector() override {
        connectors_.reset();
        if (server_) server_->stop();
        runtime_.stop();
        std::filesystem::remove_all(directory_);
    }

    void serve(std::uint16_t port) {
        Options options{.address = "127.0.0.1", .mqtt_port = 0, .amqp_port = port, .https = false};
        server_ = *Server::start({.runtime = runtime_,
                                  .tls = tls_,
                                  .registry = *upstream_.registry,
                                  .journal = upstream_.journal->writer(),
                                  .partition_count = upstream_.journal->partition_count(),
                                  .clock = system_clock(),
                                  .random = system_random(),
                                  .metrics = upstream_.metrics,
                                  .events = &upstream_.journal->reader()},
                                 options);
    }
    void attach() {
        connectors_ =
            std::make_unique<Connectors>(ConnectorParts{.registry = *here_.registry,
                                                        .journal = here_.journal->writer(),
                                                        .partition_count = here_.journal->partition_count(),
                                                        .files = posix_file_system(),
                                                        .clock = system_clock(),
                                                        .random = system_random(),
                                                        .metrics = here_.metrics,
                                                        .directory = (directory_ / "connectors").string()});
        connectors_->start();
    }
    std::string key() {
        const auto hub = upstream_.registry->hub(upstream_.hub);
        for (const auto& policy : hub->policies) {
            if (policy.name == "service") return policy.keys.primary;
        }
        return {};
    }
    std::string settings(const std::string& with_key, const std::string& start = "earliest") {
        const auto pem = read_file(posix_file_system(), (directory_ / "ca.pem").string(), 1u << 20);
        std::string ca;
        for (const char c : as_text(*pem))
            ca += c == '\n' ? std::string("\\n") : std::string(1, c);
        return R"({"type":"event-hubs","start":")" + start + R"(","caPem":")" + ca +
               R"(","connection":"Endpoint=sb://localhost:)" + std::to_string(server_->amqp_port()) +
               "/;SharedAccessKeyName=service;SharedAccessKey=" + with_key + R"(;EntityPath=upstream"})";
    }
    ConnectorStatus status() {
        const auto shown = connectors_->get(here_.hub, "azure");
        EXPECT_TRUE(shown) << shown.error().message;
        return shown ? shown->status : ConnectorStatus{};
    }

    const std::filesystem::path directory_;
    Side upstream_, here_;
    net::Runtime runtime_;
    std::shared_ptr<net::TlsServerContext> tls_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Connectors> connectors_;
};

TEST_F(EventHubConnector, ReadsEveryPartitionAndGoesOnWhereItStood) {
    for (int i = 0; i < 200; ++i)
        upstream_.say("d" + std::to_string(i % 9), i);
    ASSERT_TRUE(connectors_->put(here_.hub, "azure", settings(key())));
    EXPECT_TRUE(soon([&] { return here_.said().size() == 200; }))
        << here_.said().size() << " " << status().problem;
    EXPECT_EQ(status().state, ConnectorState::Reading);
    EXPECT_EQ(status().counts.messages, 200u);
    EXPECT_TRUE(here_.registry->get({here_.hub, {"d1"}, {}}));

    connectors_.reset();  // ends, and keeps its place
    for (int i = 200; i < 260; ++i)
        upstream_.say("d" + std::to_string(i % 9), i);
    attach();
    EXPECT_TRUE(soon([&] { return here_.said().size() == 260; })) << here_.said().size();
    for (const auto& [body, count] : here_.said())
        EXPECT_EQ(count, 1) << body;
}

TEST_F(EventHubConnector, SaysThatATokenIsRefusedAndReadsOnceItIsRight) {
    upstream_.say("d1", 1);
    ASSERT_TRUE(connectors_->put(here_.hub, "azure", settings("d3Jvbmc=")));
    EXPECT_TRUE(soon([&] { return status().state == ConnectorState::Failing; }));
    EXPECT_THAT(status().problem, HasSubstr("refuses the token"));
    ASSERT_TRUE(connectors_->put(here_.hub, "azure", settings(key())));
    EXPECT_TRUE(soon([&] { return here_.said().size() == 1; })) << status().problem;
}

TEST_F(EventHubConnector, ComesBackWhenTheOtherHubDoes) {
    ASSERT_TRUE(connectors_->put(here_.hub, "azure", settings(key(), "latest")));
    ASSERT_TRUE(soon([&] { return status().state == ConnectorState::Reading; })) << status().problem;
    const auto port = server_->amqp_port();
    server_->stop();
    server_.reset();
    EXPECT_TRUE(soon([&] { return status().state == ConnectorState::Failing; }));
    serve(port);
    ASSERT_TRUE(soon([&] { return status().state == ConnectorState::Reading; })) << status().problem;
    // From now on means since the links stand, which is a moment after it reads.
    EXPECT_TRUE(soon([&] {
        upstream_.say("d1", 7);
        return here_.said().contains("7");
    }));
}

TEST_F(EventHubConnector, OneThatIsTakenAwayIsGoneWithItsPlace) {
    ASSERT_TRUE(connectors_->put(here_.hub, "azure", settings(key())));
    upstream_.say("d1", 1);
    ASSERT_TRUE(soon([&] { return here_.said().size() == 1; }));
    ASSERT_TRUE(connectors_->remove(here_.hub, "azure"));
    EXPECT_EQ(connectors_->get(here_.hub, "azure").error().code, Errc::NotFound);
    EXPECT_FALSE(std::filesystem::exists(directory_ / "connectors" / "here" / "azure.json"));
    EXPECT_EQ(connectors_->put({"nowhere"}, "azure", settings(key())).error().code, Errc::NotFound);
}

}  // namespace
}  // namespace fieldwatch::hub
