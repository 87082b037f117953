// Endpoints behind a real journal and registry: nothing that was acknowledged is missing, whatever the
// receiver does.
#include "hub/routing/routes.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <latch>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "net/http_server.hpp"

namespace fieldwatch::hub {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::string_view kArchive = R"({"routing":{"endpoints":{"archive":{"type":"file"}},)"
                                      R"("routes":{"all":{"endpoints":["archive"]}}}})";

/// Takes POSTs and answers what it is told to.
class Receiver {
  public:
    Receiver() {
        server_ = *net::HttpServer::create(
            {.address = "127.0.0.1", .port = 0},
            {.respond = [this](const net::HttpRequest& request) { return take(request); },
             .is_stream = nullptr,
             .subscribe = nullptr},
            metrics_);
        server_->start();
    }
    ~Receiver() { server_->stop(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/in?x=1"; }
    std::vector<Json> taken() {
        const std::lock_guard lock(mutex_);
        return taken_;
    }
    std::function<int(const net::HttpRequest&, const Json&)> answer = [](const auto&, const auto&) {
        return 204;
    };

  private:
    net::HttpResponse take(const net::HttpRequest& request) {
        const auto body = Json::parse(request.body);
        const std::lock_guard lock(mutex_);
        const int status = answer(request, body);
        if (status == 204) {
            for (const auto& message : body["messages"])
                taken_.push_back(message);
        }
        return {.status = status, .headers = {}, .body = {}};
    }
    Metrics metrics_;
    std::mutex mutex_;
    std::vector<Json> taken_;
    std::unique_ptr<net::HttpServer> server_;
};

class RoutesTest : public ::testing::Test {
  protected:
    RoutesTest()
        : directory_(std::filesystem::temp_directory_path() /
                     ("routes_test." + std::to_string(system_random().next()))) {
        log::set_level(log::Level::Error);
        std::filesystem::create_directories(directory_);
        registry_ = *registry::open((directory_ / "registry.db").string(), clock_, system_random());
        EXPECT_TRUE(registry_->create_hub({.name = {"plant"}}));
        open_journal();
    }
    ~RoutesTest() override {
        routes_.reset();
        journal_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    void open_journal() {
        journal_.reset();
        journal_ = *journal::open({.directory = (directory_ / "journal").string(), .partition_count = 2},
                                  posix_file_system(), clock_, metrics_);
    }
    void configure(std::string_view configuration) {
        auto hub = *registry_->hub({"plant"});
        hub.configuration_json = configuration;
        ASSERT_TRUE(Routing::parse(configuration)) << Routing::parse(configuration).error().message;
        ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    }
    void configure_webhook(const std::string& url, const std::string& condition = "") {
        configure(
            Json{{"routing",
                  {{"endpoints", {{"hook", {{"type", "webhook"}, {"url", url}}}}},
                   {"routes", {{"r", {{"condition", condition}, {"endpoints", Json::array({"hook"})}}}}}}}}
                .dump());
    }
    void start() {
        routes_ = std::make_unique<Routes>(
            RouteParts{.registry = *registry_,
                       .journal = *journal_,
                       .files = posix_file_system(),
                       .clock = clock_,
                       .metrics = metrics_,
                       .directory = (directory_ / "routes").string(),
                       .times = {.idle = 5ms, .first_wait = 5ms, .wait_max = 20ms, .keep_every = 1ms}});
        routes_->start();
        EXPECT_TRUE(eventually([&] { return !status().empty(); }));
    }
    /// Durable when it returns.
    void send(int number, std::string device = "pump", std::string hub = "plant",
              std::optional<Timestamp> received = {}) {
        model::Record record;
        record.kind = model::RecordKind::Telemetry;
        record.received = received.value_or(clock_.now());
        record.sender = {{std::move(hub)}, {std::move(device)}, {}};
        record.body = Json{{"n", number}}.dump();
        std::latch durable(1);
        const auto partition = model::partition_of(record.sender.hub, record.sender.device, 2);
        ASSERT_TRUE(journal_->writer().append(journal::Stream::Telemetry, partition, model::encode(record),
                                              [&](const Result<void>& done) {
                                                  EXPECT_TRUE(done);
                                                  durable.count_down();
                                              }));
        durable.wait();
    }
    std::vector<EndpointStatus> status() const { return routes_->status({"plant"}); }
    std::vector<Json> lines(const std::string& endpoint = "archive") const {
        std::vector<Json> out;
        std::set<std::filesystem::path> files;
        std::error_code ignored;
        for (const auto& one :
             std::filesystem::directory_iterator(directory_ / "routes/plant" / endpoint, ignored))
            files.insert(one.path());
        for (const auto& path : files) {
            std::ifstream file(path);
            for (std::string line; std::getline(file, line);)
                out.push_back(Json::parse(line));
        }
        return out;
    }
    static bool eventually(const std::function<bool()>& holds) {
        for (int i = 0; i < 6'000; ++i) {  // half a minute: of a machine that has other things to do
            if (holds()) return true;
            std::this_thread::sleep_for(5ms);
        }
        return false;
    }
    static std::multiset<int> numbers(const std::vector<Json>& messages) {
        std::multiset<int> out;
        for (const auto& message : messages)
            out.insert(message["body"]["n"].get<int>());
        return out;
    }

    const Clock& clock_ = system_clock();
    std::filesystem::path directory_;
    Metrics metrics_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<Routes> routes_;
};

TEST_F(RoutesTest, AFileGetsWhatComesFromItsStartOnAlsoWhileTheServerIsDown) {
    send(0);  // before there was a route
    configure(kArchive);
    start();
    send(1);
    send(2, "valve");
    send(9, "pump", "other");
    EXPECT_TRUE(eventually([&] { return lines().size() == 2; }));
    routes_.reset();
    send(3);
    open_journal();
    start();
    send(4);
    EXPECT_TRUE(eventually([&] { return lines().size() == 4; }));
    EXPECT_EQ(numbers(lines()), (std::multiset<int>{1, 2, 3, 4})) << "each once, in an orderly restart";
    EXPECT_EQ(lines()[0]["hub"], "plant");
    EXPECT_TRUE(eventually(
        [&] { return status()[0].delivered == 2; }));  // counted a moment after the lines are there
    EXPECT_TRUE(eventually([&] { return status()[0].behind == 0; }));
}

TEST_F(RoutesTest, AFilesTornLineGoesAndFilesAreBounded) {
    const RouteEndpoint endpoint{.name = "archive", .file_bytes_max = 100, .files_max = 2};
    const auto folder = (directory_ / "sink").string();
    const auto deliver = [&](std::string text) {
        auto sink = open_file_sink(posix_file_system(), folder, endpoint);
        ASSERT_TRUE(sink) << sink.error().message;
        EXPECT_TRUE((*sink)->deliver(std::vector<std::string>{std::move(text)}));
    };
    deliver("1" + std::string(60, 'x'));
    std::ofstream(folder + "/00000001.jsonl", std::ios::app) << "half a li";
    deliver("2" + std::string(20, 'x'));
    std::ifstream file(folder + "/00000001.jsonl");
    std::string first, second;
    std::getline(file, first);
    std::getline(file, second);
    EXPECT_EQ(second, "2" + std::string(20, 'x')) << "behind the last whole line";
    for (int i = 3; i <= 6; ++i)
        deliver(std::to_string(i) + std::string(60, 'x'));
    EXPECT_EQ(*posix_file_system().list(folder),
              (std::vector<std::string>{"00000004.jsonl", "00000005.jsonl"}));
}

TEST_F(RoutesTest, AWebhookThatIsDownGetsEverythingWhenItIsBack) {
    Receiver receiver;
    std::atomic<bool> up = false;
    std::atomic<int> tries = 0;
    receiver.answer = [&](const net::HttpRequest& request, const Json& body) {
        ++tries;
        EXPECT_EQ(request.path, "/in");
        EXPECT_EQ(request.parameter("x"), "1");
        EXPECT_EQ(body["hub"], "plant");
        EXPECT_EQ(body["endpoint"], "hook");
        const auto hub = *registry_->hub({"plant"});
        std::string key;
        for (const auto& policy : hub.policies)
            if (policy.name == "service") key = policy.keys.primary;
        const auto signed_text = std::string(request.header("x-fieldwatch-timestamp")) + "." + request.body;
        EXPECT_EQ(request.header("x-fieldwatch-signature"),
                  "v1=" + hex(hmac_sha256(*from_base64(key), as_bytes(signed_text))));
        return up ? 204 : 503;
    };
    configure_webhook(receiver.url(), "$body.n > 0");
    start();
    for (int i = 0; i <= 250; ++i)
        send(i, i % 2 == 0 ? "pump" : "valve");
    EXPECT_TRUE(eventually([&] { return tries >= 4; }));
    EXPECT_TRUE(eventually([&] { return !status()[0].healthy; }));
    EXPECT_NE(status()[0].last_error.find("503"), std::string::npos);
    EXPECT_GT(status()[0].behind, 0u);
    routes_.reset();  // a restart in the midst of it
    open_journal();
    up = true;
    start();
    EXPECT_TRUE(eventually([&] { return receiver.taken().size() >= 250; }));
    std::multiset<int> wanted;
    for (int i = 1; i <= 250; ++i)
        wanted.insert(i);
    EXPECT_EQ(numbers(receiver.taken()), wanted);
    EXPECT_TRUE(eventually([&] { return status()[0].healthy && status()[0].behind == 0; }));
}

TEST_F(RoutesTest, ConditionsSeeTheTwinAsItIsNow) {
    for (const auto* const device : {"pump", "valve"})
        ASSERT_TRUE(registry_->create({.identity = {{"plant"}, {device}, {}}}));
    ASSERT_TRUE(registry_->update_twin({{"plant"}, {"pump"}, {}}, {.tags_json = R"({"site":{"hall":3}})"}));
    ASSERT_TRUE(registry_->patch_reported({{"plant"}, {"valve"}, {}}, R"({"mode":"test"})", std::nullopt));
    configure(Json{{"routing",
                    {{"endpoints", {{"archive", {{"type", "file"}}}}},
                     {"routes",
                      {{"r",
                        {{"condition", "$twin.tags.site.hall = 3 OR $twin.properties.reported.mode = 'test'"},
                         {"endpoints", Json::array({"archive"})}}}}}}}}
                  .dump());
    start();
    send(1, "pump");
    send(2, "valve");
    send(3, "stranger");  // has no twin: undefined
    EXPECT_TRUE(eventually([&] { return lines().size() == 2; }));
    EXPECT_EQ(numbers(lines()), (std::multiset<int>{1, 2}));
    ASSERT_TRUE(registry_->update_twin({{"plant"}, {"pump"}, {}}, {.tags_json = R"({"site":{"hall":4}})"}));
    std::this_thread::sleep_for(RouteTwins::kKeep);
    send(4, "pump");
    send(5, "valve");
    EXPECT_TRUE(eventually([&] { return lines().size() == 3; }));
    EXPECT_EQ(numbers(lines()), (std::multiset<int>{1, 2, 5}));
}

TEST_F(RoutesTest, AMessageThatTheReceiverNeverTakesHoldsUpNobody) {
    Receiver receiver;
    receiver.answer = [](const net::HttpRequest&, const Json& body) {
        for (const auto& message : body["messages"])
            if (message["body"]["n"] == 2) return 422;
        return 204;
    };
    configure_webhook(receiver.url());
    start();
    for (int i = 1; i <= 4; ++i)
        send(i);
    EXPECT_TRUE(eventually([&] { return receiver.taken().size() == 3; }));
    EXPECT_EQ(numbers(receiver.taken()), (std::multiset<int>{1, 3, 4}));
    EXPECT_EQ(status()[0].refused, 1u);
    EXPECT_TRUE(status()[0].healthy);
}

TEST_F(RoutesTest, WhatWaitedTooLongIsDroppedAndCounted) {
    configure(kArchive);
    start();
    send(1, "pump", "plant", clock_.now() - std::chrono::duration_cast<Ticks>(25h));
    send(2);
    EXPECT_TRUE(eventually([&] { return lines().size() == 1; }));
    EXPECT_EQ(numbers(lines()), (std::multiset<int>{2}));
    EXPECT_EQ(status()[0].dropped, 1u);
}

TEST_F(RoutesTest, AnEndpointThatIsGoneHoldsNothingInTheJournal) {
    configure(kArchive);
    start();
    EXPECT_EQ(journal_->consumers(), std::vector<std::string>{"route/plant/archive"});
    configure("{}");
    EXPECT_TRUE(eventually([&] { return status().empty() && journal_->consumers().empty(); }));
}

}  // namespace
}  // namespace fieldwatch::hub
