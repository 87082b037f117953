// The connector of an event hub against a hub of ours: its Event Hubs compatible endpoint is the counterpart.
#include "hub/connector/attached_fixture_test.hpp"
#include "hub/server.hpp"
#include "net/certificate_authority.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::hub {
namespace {

using testing::HasSubstr;

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
        here_.attach();
    }
    ~EventHubConnector() override {
        here_.connectors.reset();
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
    ConnectorStatus status() { return here_.status("azure"); }

    const std::filesystem::path directory_;
    Side upstream_, here_;
    net::Runtime runtime_;
    std::shared_ptr<net::TlsServerContext> tls_;
    std::unique_ptr<Server> server_;
};

TEST_F(EventHubConnector, ReadsEveryPartitionAndGoesOnWhereItStood) {
    for (int i = 0; i < 200; ++i)
        upstream_.say("d" + std::to_string(i % 9), i);
    ASSERT_TRUE(here_.connectors->put(here_.hub, "azure", settings(key())));
    EXPECT_TRUE(soon([&] { return here_.said().size() == 200; }))
        << here_.said().size() << " " << status().problem;
    EXPECT_EQ(status().state, ConnectorState::Reading);
    EXPECT_EQ(status().counts.messages, 200u);
    EXPECT_TRUE(here_.registry->get({here_.hub, {"d1"}, {}}));

    here_.connectors.reset();  // ends, and keeps its place
    for (int i = 200; i < 260; ++i)
        upstream_.say("d" + std::to_string(i % 9), i);
    here_.attach();
    EXPECT_TRUE(soon([&] { return here_.said().size() == 260; })) << here_.said().size();
    for (const auto& [body, count] : here_.said())
        EXPECT_EQ(count, 1) << body;
}

TEST_F(EventHubConnector, SaysThatATokenIsRefusedAndReadsOnceItIsRight) {
    upstream_.say("d1", 1);
    ASSERT_TRUE(here_.connectors->put(here_.hub, "azure", settings("d3Jvbmc=")));
    EXPECT_TRUE(soon([&] { return status().state == ConnectorState::Failing; }));
    EXPECT_THAT(status().problem, HasSubstr("refuses the token"));
    ASSERT_TRUE(here_.connectors->put(here_.hub, "azure", settings(key())));
    EXPECT_TRUE(soon([&] { return here_.said().size() == 1; })) << status().problem;
}

TEST_F(EventHubConnector, ComesBackWhenTheOtherHubDoes) {
    ASSERT_TRUE(here_.connectors->put(here_.hub, "azure", settings(key(), "latest")));
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
    ASSERT_TRUE(here_.connectors->put(here_.hub, "azure", settings(key())));
    upstream_.say("d1", 1);
    ASSERT_TRUE(soon([&] { return here_.said().size() == 1; }));
    ASSERT_TRUE(here_.connectors->remove(here_.hub, "azure"));
    EXPECT_EQ(here_.connectors->get(here_.hub, "azure").error().code, Errc::NotFound);
    EXPECT_FALSE(std::filesystem::exists(here_.directory / "connectors" / "here" / "azure.json"));
    EXPECT_EQ(here_.connectors->put({"nowhere"}, "azure", settings(key())).error().code, Errc::NotFound);
}

}  // namespace
}  // namespace fieldwatch::hub
