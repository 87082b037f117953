// Findings from a real outbox to real receivers: in order, once, over restarts and outages, and never for
// ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include <fmt/format.h>

#include "base/file_system.hpp"
#include "bus/kafka_broker_test.hpp"
#include "export/exporter.hpp"
#include "net/http_server.hpp"

namespace fieldwatch::exports {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

/// An HTTP receiver that answers as told and keeps what it was sent.
class Receiver {
  public:
    Receiver() {
        auto server = net::HttpServer::create(
            {}, {.respond = [this](const net::HttpRequest& request) { return take(request); }}, metrics_);
        EXPECT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
        server_->start();
    }
    std::string url() const { return fmt::format("http://127.0.0.1:{}/hook", server_->port()); }
    void answer(std::vector<int> statuses) {
        const std::lock_guard lock(mutex_);
        statuses_ = std::move(statuses);
    }
    std::vector<net::HttpRequest> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

  private:
    net::HttpResponse take(const net::HttpRequest& request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
        net::HttpResponse response;
        if (!statuses_.empty()) {
            response.status = statuses_.front();
            statuses_.erase(statuses_.begin());
        }
        return response;
    }

    Metrics metrics_;
    mutable std::mutex mutex_;
    std::vector<int> statuses_;
    std::vector<net::HttpRequest> requests_;
    std::unique_ptr<net::HttpServer> server_;
};

class ExporterTest : public testing::Test {
  protected:
    ExporterTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-export-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        registry_ = std::move(*registry::open(directory_ + "/registry.db", system_clock(), system_random()));
        EXPECT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
        workspace_ = std::move(
            *workspace::open({.directory = directory_ + "/workspace", .id = "w"}, system_clock(), metrics_));
    }
    ~ExporterTest() override {
        exporter_.reset();
        workspace_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    void open() {
        exporter_.reset();
        auto made =
            Exporter::create({.registry = *registry_,
                              .files = posix_file_system(),
                              .clock = system_clock(),
                              .random = system_random(),
                              .metrics = metrics_,
                              .directory = directory_ + "/exports",
                              .files_directory = directory_ + "/files",
                              .sources = [this] { return std::vector<Source>{{"w", workspace_.get()}}; }});
        ASSERT_TRUE(made) << made.error().message;
        exporter_ = std::move(*made);
        exporter_->start({.version = "0.1.0", .page_url = {}});
    }
    /// One commit with an alert's row of the outbox.
    void find_of(const std::string& incident, const std::string& id) { find(id, {}, "High", incident); }
    void find(const std::string& id, Ticks age = {}, const std::string& severity = "High",
              const std::string& incident = "") {
        const Json body{{"v", 1},
                        {"decided", to_iso8601(system_clock().now() - age)},
                        {"finding",
                         {{"SystemAlertId", id},
                          {"AlertType", "T"},
                          {"AlertSeverity", severity},
                          {"Hub", "plant"},
                          {"ExtendedProperties", {{"IncidentId", incident}}}}}};
        commit(id, body.dump());
    }
    void commit(const std::string& key, const std::string& body, const std::string& kind = "alert") {
        workspace::Commit commit{.partition = 0, .next_offset = ++offset_};
        commit.outbox.push_back({.sequence = 0, .kind = kind, .key = key, .body_json = body});
        const auto done = workspace_->commit(std::move(commit));
        EXPECT_TRUE(done) << done.error().message;
        if (exporter_) exporter_->wake();
    }
    Exporter::Put put(const std::string& name, const Json& destination) {
        auto made = exporter_->put(name, destination.dump());
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }
    std::vector<std::string> lines_of(const std::string& name) const {
        std::vector<std::string> out;
        std::error_code none;
        std::set<std::filesystem::path> paths;
        for (const auto& file : std::filesystem::directory_iterator(directory_ + "/files/" + name, none))
            paths.insert(file.path());
        for (const auto& path : paths) {
            std::ifstream file(path);
            for (std::string line; std::getline(file, line);)
                out.push_back(Json::parse(line)["SystemAlertId"]);
        }
        return out;
    }
    template <class Condition>
    static bool soon(Condition condition) {
        for (int i = 0; i < 1'500; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(10ms);
        }
        return false;
    }

    std::string directory_;
    Metrics metrics_;
    std::uint64_t offset_ = 0;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<workspace::Workspace> workspace_;
    std::unique_ptr<Exporter> exporter_;
};

TEST_F(ExporterTest, ADestinationBeginsNowAndGoesOnWhereItStoodAfterARestart) {
    open();
    find("before");
    put("file", {{"to", "file"}, {"minimumSeverity", "Medium"}});
    find("a");
    find("low", {}, "Low");
    find("b");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 2; }));
    exporter_.reset();
    find("c");
    open();
    find("d");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 4; }));
    EXPECT_THAT(lines_of("file"), ElementsAre("a", "b", "c", "d"));
    ASSERT_TRUE(soon([&] { return exporter_->get("file")->status.waiting == 0; }));
    EXPECT_EQ(exporter_->get("file")->status.delivered, 4u);
    EXPECT_TRUE(soon([&] { return workspace_->outbox({.count_max = 10})->empty(); }));  // all have passed it
}

TEST_F(ExporterTest, ACrashInTheMiddleOfALineRepeatsAndNeverLoses) {
    open();
    put("file", {{"to", "file"}});
    const auto progress = directory_ + "/exports/file.json";
    std::filesystem::copy_file(progress, directory_ + "/kept.json");
    find("a");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 1; }));
    exporter_.reset();
    // The line was written, in part, and the progress was not.
    std::filesystem::copy_file(directory_ + "/kept.json", progress,
                               std::filesystem::copy_options::overwrite_existing);
    const auto file = std::filesystem::directory_iterator(directory_ + "/files/file")->path();
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 10);
    open();
    ASSERT_TRUE(soon([&] { return exporter_->get("file")->status.delivered == 1; }));
    EXPECT_THAT(lines_of("file"), ElementsAre("a"));
}

TEST_F(ExporterTest, LaterStatesLeaveWhereTheyAreWantedEachWithAnIdOfItsOwn) {
    open();
    Receiver receiver;
    put("soc", {{"to", receiver.url()}, {"states", "all"}});
    put("file", {{"to", "file"}});
    const auto state = [&](const std::string& status, const std::string& decided) {
        const Json body{{"v", 1},
                        {"decided", decided},
                        {"finding",
                         {{"SystemAlertId", "a"},
                          {"AlertType", "T"},
                          {"AlertSeverity", "High"},
                          {"Hub", "plant"},
                          {"Status", status}}}};
        commit("a", body.dump(), "alert-state");
    };
    const auto now = system_clock().now();
    find("a");
    state("InProgress", to_iso8601(now));
    state("InProgress", to_iso8601(now + std::chrono::seconds(1)));  // its count grew
    state("Dismissed", to_iso8601(now + std::chrono::seconds(2)));
    find("b");
    ASSERT_TRUE(soon([&] { return receiver.requests().size() == 4; }));
    ASSERT_TRUE(soon([&] { return exporter_->get("soc")->status.waiting == 0; }));
    std::vector<std::string> states, ids;
    for (const auto& request : receiver.requests()) {
        states.push_back(Json::parse(request.body).value("Status", "-"));
        ids.emplace_back(request.header("idempotency-key"));
    }
    EXPECT_THAT(states, ElementsAre("-", "InProgress", "Dismissed", "-"));
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 4u);
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 2; }));
    EXPECT_THAT(lines_of("file"), ElementsAre("a", "b"));
}

TEST_F(ExporterTest, InQuietHoursEverythingWaitsAndNothingIsLost) {
    open();
    const auto minute = (system_clock().now().unix_millis() / 60'000) % 1'440;
    const auto clock = [](std::int64_t m) { return fmt::format("{:02}:{:02}", m / 60 % 24, m % 60); };
    const auto quiet = clock(minute + 1'380) + "-" + clock(minute + 60);  // an hour before to an hour after
    put("file", {{"to", "file"}, {"quietHours", quiet}});
    put("other", {{"to", "file"}});
    find("a");
    ASSERT_TRUE(soon([&] { return lines_of("other").size() == 1; }));
    EXPECT_TRUE(lines_of("file").empty());
    const auto status = exporter_->get("file")->status;
    EXPECT_EQ(status.waiting, 1u);
    EXPECT_GT(status.quiet_until, system_clock().now());
    EXPECT_EQ(status.problem, "");
    put("file", {{"to", "file"}});
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 1; }));
}

TEST_F(ExporterTest, WithoutADestinationNothingPilesUp) {
    for (int i = 0; i < 10; ++i)
        find("x" + std::to_string(i));
    open();
    EXPECT_TRUE(soon([&] { return workspace_->outbox({.count_max = 10})->empty(); }));
}

TEST_F(ExporterTest, AWebhookIsSignedTriedAgainAndToldOfRepeats) {
    open();
    Receiver receiver;
    receiver.answer({503, 400});
    const auto made = put("soc", {{"to", receiver.url()}, {"authorization", "Bearer t"}});
    EXPECT_EQ(made.new_secret.size(), 64u);
    find("refused");
    find("taken");
    ASSERT_TRUE(soon([&] { return receiver.requests().size() == 3; }));
    ASSERT_TRUE(soon([&] { return exporter_->get("soc")->status.delivered == 1; }));
    ASSERT_TRUE(soon([&] { return exporter_->get("soc")->status.problem.empty(); })) << "told a moment later";
    const auto requests = receiver.requests();
    EXPECT_EQ(requests[0].header("idempotency-key"), "refused");
    EXPECT_EQ(requests[1].header("idempotency-key"), "refused");
    EXPECT_EQ(requests[2].header("idempotency-key"), "taken");
    for (const auto& request : requests) {
        EXPECT_EQ(request.header("x-fieldwatch-signature"),
                  signature_of(made.new_secret, request.header("x-fieldwatch-timestamp"), request.body));
        EXPECT_EQ(request.header("authorization"), "Bearer t");
        EXPECT_EQ(request.path, "/hook");
    }
    const auto status = exporter_->get("soc")->status;
    EXPECT_EQ(status.refused, 1u);
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.failing_since, Timestamp{});
}

TEST_F(ExporterTest, AStreamHasEveryFindingThroughItsOutageAndOurRestart) {
    open();
    if (!bus::kThreadsAreSeen) GTEST_SKIP() << "ThreadSanitizer does not see the client's threads";
    bus::KafkaBroker kafka;
    put("lake", {{"to", "kafka://" + kafka.servers() + "/plant"}});
    find("a");
    find("b");
    ASSERT_TRUE(soon([&] { return exporter_->get("lake")->status.delivered == 2; }));
    kafka.down();
    find("c");
    ASSERT_TRUE(soon([&] { return !exporter_->get("lake")->status.problem.empty(); }));
    open();
    kafka.up();
    ASSERT_TRUE(soon([&] { return exporter_->get("lake")->status.delivered == 3; }));
    std::vector<std::string> ids;
    const auto all = kafka.read(3);
    ASSERT_TRUE(all.contains("plant")) << "keyed by the hub where a finding has no device";
    for (const auto& text : all.at("plant"))
        ids.push_back(Json::parse(text)["DeliveryId"]);
    EXPECT_THAT(ids, ElementsAre("a", "b", "c"));
}

TEST_F(ExporterTest, APasswordStaysForItsReceiverAndUserAlone) {
    if (!bus::kThreadsAreSeen) GTEST_SKIP() << "ThreadSanitizer does not see the client's threads";
    open();
    const Json first{{"to", "kafkas://a:9093/t"}, {"user", "u"}, {"password", "p"}};
    put("lake", first);
    auto again = first;
    again.erase("password");
    again["minimumSeverity"] = "High";
    EXPECT_EQ(put("lake", again).shown.destination.password, "p");
    for (const auto& [member, value] :
         {std::pair{"to", "kafkas://b:9093/t"}, std::pair{"to", "kafka://a:9093/t"},
          std::pair{"to", "natss://a:9093/t"}, std::pair{"user", "v"}}) {
        auto other = again;
        other[member] = value;
        EXPECT_THAT(exporter_->put("lake", other.dump()).error().message, HasSubstr("goes with a")) << value;
    }
    EXPECT_EQ(exporter_->get("lake")->destination.password, "p");
}

TEST_F(ExporterTest, WhatWaitsTooLongOrCannotBeReadIsDroppedAndCounted) {
    open();
    put("file", {{"to", "file"}, {"keepDays", 1}});
    find("old", std::chrono::hours(25));
    commit("bad", "{");
    find("new");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 1; }));
    ASSERT_TRUE(soon([&] { return exporter_->get("file")->status.dropped == 2; }));
    EXPECT_THAT(lines_of("file"), ElementsAre("new"));
    EXPECT_THAT(metrics_.prometheus_text(),
                HasSubstr("fieldwatch_export_dropped_total{destination=\"file\"} 2"));
}

TEST_F(ExporterTest, WhatWasDroppedDoesNotSpeakForItsIncident) {
    open();
    put("file", {{"to", "file"}, {"keepDays", 1}, {"group", "incident"}});
    find("first", std::chrono::hours(25));
    find_of("first", "second");
    find_of("first", "third");
    ASSERT_TRUE(soon([&] { return exporter_->get("file")->status.dropped == 1; }));
    find_of("other", "last");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 2; }));
    EXPECT_THAT(lines_of("file"), ElementsAre("second", "last"));
}

TEST_F(ExporterTest, ADestinationThatIsGoneHoldsUpNobodyAndRemovedNothing) {
    open();
    put("gone", {{"to", "http://127.0.0.1:1/"}});
    put("file", {{"to", "file"}});
    find("a");
    ASSERT_TRUE(soon([&] { return lines_of("file").size() == 1; }));
    ASSERT_TRUE(soon([&] { return !exporter_->get("gone")->status.problem.empty(); }));
    EXPECT_EQ(exporter_->get("gone")->status.waiting, 1u);
    EXPECT_NE(exporter_->get("gone")->status.failing_since, Timestamp{});
    EXPECT_EQ(workspace_->outbox({.count_max = 10})->size(), 1u);  // kept for it
    ASSERT_TRUE(exporter_->remove("gone"));
    EXPECT_TRUE(soon([&] { return workspace_->outbox({.count_max = 10})->empty(); }));
    EXPECT_EQ(exporter_->remove("gone").error().code, Errc::NotFound);
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/exports/gone.json"));
}

TEST_F(ExporterTest, ATestSaysWhatTheReceiverSaid) {
    open();
    Receiver receiver;
    put("soc", {{"to", receiver.url()}, {"format", "ocsf"}});
    receiver.answer({200, 401});
    EXPECT_TRUE(exporter_->test("soc"));
    EXPECT_THAT(receiver.requests()[0].body, HasSubstr("Fieldwatch_ExportTest"));
    EXPECT_THAT(exporter_->test("soc").error().message, HasSubstr("status 401"));
    EXPECT_EQ(exporter_->test("none").error().code, Errc::NotFound);
}

TEST_F(ExporterTest, SecretsAreKeptOverAChangeButGoToNoOtherReceiver) {
    open();
    const auto made = put("soc", {{"to", "https://a.example/"}, {"authorization", "Bearer t"}});
    EXPECT_TRUE(made.created);
    const auto moved = put("soc", {{"to", "https://a.example/other"}});
    EXPECT_FALSE(moved.created);
    EXPECT_EQ(moved.new_secret, "");
    EXPECT_EQ(moved.shown.destination.secret, made.new_secret);
    EXPECT_EQ(moved.shown.destination.authorization, "Bearer t");
    EXPECT_EQ(put("soc", {{"to", "https://b.example/"}}).shown.destination.authorization, "");
    EXPECT_THAT(exporter_->put("x", R"({"to":"file","hubs":["none"]})").error().message, HasSubstr("none"));
    for (std::size_t i = 1; i < kDestinationsMax; ++i)
        put("d" + std::to_string(i), {{"to", "file"}});
    EXPECT_EQ(exporter_->put("more", R"({"to":"file"})").error().code, Errc::Exhausted);
    EXPECT_EQ(exporter_->list().size(), kDestinationsMax);
    open();
    EXPECT_EQ(exporter_->list().size(), kDestinationsMax);
}

TEST(Backoff, DoublesWithChanceUpToItsBound) {
    SeededRandom random(7);
    Backoff backoff(random);
    auto most = Backoff::kFirst;
    for (int i = 0; i < 20; ++i) {
        const auto span = backoff.next();
        EXPECT_GE(span, most / 2);
        EXPECT_LE(span, most);
        most = std::min(most * 2, Backoff::kMost);
    }
    backoff.reset();
    EXPECT_LE(backoff.next(), Backoff::kFirst);
}

TEST(Progress, IsReadAsWrittenAndRefusedWhenOfAnotherVersion) {
    const std::string path =
        std::filesystem::temp_directory_path() / fmt::format("fieldwatch-progress-{}", getpid());
    auto& files = posix_file_system();
    EXPECT_TRUE(load_progress(files, path)->cursors.empty());
    Progress progress{
        .cursors = {{"w", 41}}, .delivered = 7, .dropped = 2, .refused = 1, .last_delivered = {}};
    ASSERT_TRUE(save_progress(files, path, progress));
    EXPECT_EQ(load_progress(files, path)->cursors, progress.cursors);
    EXPECT_EQ(load_progress(files, path)->dropped, 2u);
    for (const auto& [text, code] :
         {std::pair{R"({"v":2})", Errc::Unsupported}, std::pair{"[", Errc::Corrupt}}) {
        ASSERT_TRUE(replace_file(files, path, as_bytes(text)));
        EXPECT_EQ(load_progress(files, path).error().code, code);
    }
    ASSERT_TRUE(files.remove(path));
}

}  // namespace
}  // namespace fieldwatch::exports
