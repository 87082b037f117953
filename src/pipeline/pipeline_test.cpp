// Shards over a real journal: rows once, checkpoints behind commits, restarts that change nothing.
#include "pipeline/pipeline.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "base/json_text.hpp"
#include "model/record.hpp"

namespace fieldwatch::pipeline {
namespace {

/// Keeps rows in memory under the contract of workspace::Workspace; fails when told to, before or after it
/// has taken them.
class MemoryWorkspace final : public workspace::Workspace {
  public:
    Result<void> commit(workspace::Commit commit) override {
        const std::lock_guard lock(mutex_);
        if (commit.next_offset <= committed_[commit.partition])
            return fail(Errc::Conflict, "at or below the committed offset");
        if (fail_before_ > 0 && --fail_before_ == 0) return fail(Errc::Io, "disk");
        committed_[commit.partition] = commit.next_offset;
        for (auto& row : commit.raw_events)
            if (!row_ids_.insert(row.row_id.text()).second) ++twice_;
        for (auto& row : commit.alerts) {
            if (!row_ids_.insert(row.row_id.text()).second) ++twice_;
            if (row.alert.type == "IoT_DeviceOnboarded") continue;  // every log's first message
            alerts_.push_back(row.alert.type + " " + row.alert.id.text() + " " +
                              std::to_string(row.alert.hit_count));
        }
        raw_ += commit.raw_events.size();
        diagnostics_ += commit.diagnostics.size();
        if (fail_after_ > 0 && --fail_after_ == 0) return fail(Errc::Io, "the answer was lost");
        return {};
    }
    Result<std::uint64_t> committed_offset(std::uint32_t partition) override {
        const std::lock_guard lock(mutex_);
        return committed_[partition];
    }
    std::expected<workspace::QueryAnswer, workspace::QueryError> query(
        const workspace::QueryRequest&) override {
        return std::unexpected(workspace::QueryError{});
    }
    std::vector<std::pair<std::string, std::vector<workspace::Column>>> schema() const override { return {}; }
    Result<std::vector<workspace::OpenAlert>> open_alerts(std::size_t) override {
        return std::vector<workspace::OpenAlert>{};
    }
    Result<std::vector<workspace::OutboxRow>> outbox(workspace::OutboxRange) override {
        return std::vector<workspace::OutboxRow>{};
    }
    std::uint64_t outbox_end() override { return 0; }
    Result<void> outbox_done(std::uint64_t) override { return {}; }
    Result<void> maintain() override { return {}; }

    std::size_t raw() const {
        const std::lock_guard lock(mutex_);
        return raw_;
    }
    mutable std::mutex mutex_;
    std::map<std::uint32_t, std::uint64_t> committed_;
    std::set<std::string> row_ids_;
    std::vector<std::string> alerts_;
    std::size_t raw_ = 0, diagnostics_ = 0, twice_ = 0;
    int fail_before_ = 0, fail_after_ = 0;
};

class PipelineTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/fieldwatch-pipeline-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        journal_ = journal::open({.directory = directory_ + "/journal",
                                  .partition_count = partitions_,
                                  .disk_free_bytes_min = 0},
                                 posix_file_system(), system_clock(), metrics_)
                       .value();
        store_ = std::make_unique<ContentStore>(posix_file_system(), directory_ + "/content");
        hash_ = store_->put({}).value();
    }
    void TearDown() override {
        pipeline_.reset();
        journal_.reset();
        std::filesystem::remove_all(directory_);
    }
    void start(std::size_t batch_records = 4'096) {
        Parts parts{.journal = *journal_,
                    .files = posix_file_system(),
                    .content = *store_,
                    .metrics = metrics_,
                    .clock = system_clock(),
                    .route = [this](std::string_view hub) { return hub == "h" ? route() : Route{}; },
                    .workspaces = [this] { return std::vector<Route>{route()}; },
                    .on_commit = {}};
        pipeline_ = Pipeline::create(std::move(parts), {.directory = directory_ + "/checkpoints",
                                                        .first_content_hash = hash_,
                                                        .batch_records = batch_records,
                                                        .commit_rows = batch_records,
                                                        .checkpoint_interval = std::chrono::milliseconds(20)})
                        .value();
        pipeline_->start();
    }
    Route route() { return {.workspace = &workspace_, .workspace_id = "w", .store_raw = true}; }

    void append(const model::Record& record) {
        ASSERT_TRUE(journal_->writer().append(journal::Stream::Security, 0, model::encode(record),
                                              [](const Result<void>&) {}));
        ++appended_;
    }
    void append_login(int number, std::string_view hub = "h") {
        std::string body =
            R"({"AgentVersion":"1","AgentId":"aaaaaaaa-2222-3333-4444-555555555555","MessageSchemaVersion":"1.0","Events":[)";
        char id[40];
        std::snprintf(id, sizeof id, "00000000-0000-0000-0000-%012d", number);
        const auto received = Timestamp::from_unix_seconds(1'800'000'000 + number);
        JsonWriter json(body);
        json.begin_object()
            .member("Id", id)
            .member("TimestampLocal", to_iso8601(received, 3))
            .member("TimestampUTC", to_iso8601(received, 3));
        json.member("Category", "Triggered")
            .member("Name", "Login")
            .member("EventType", "Security")
            .key("IsEmpty")
            .boolean(false);
        json.member("PayloadSchemaVersion", "1.0").key("Payload").begin_array();
        json.raw(R"({"ProcessId":)" + std::to_string(number + 1) +
                 R"(,"UserName":"pi","Operation":"login","Executable":"/bin/login","Result":"Success"})");
        json.end_array().end_object();
        body += "]}";
        append({.kind = model::RecordKind::SecurityMessage,
                .received = received,
                .sender = {{std::string(hub)}, {"d"}, {"azureiotsecurity"}},
                .properties = {},
                .body = body});
    }
    bool wait_for(const std::function<bool()>& done) {
        for (int i = 0; i < 1'000; ++i) {
            if (done()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    bool caught_up() {
        return wait_for([&] {
            return pipeline_->progress()[0].committed == appended_ && pipeline_->progress()[0].healthy;
        });
    }

    /// As if the log had never been read.
    void forget_everything() {
        pipeline_.reset();
        std::filesystem::remove_all(directory_ + "/checkpoints");
        const std::lock_guard lock(workspace_.mutex_);
        workspace_.committed_.clear();
        workspace_.row_ids_.clear();
        workspace_.alerts_.clear();
        workspace_.raw_ = 0;
    }

    std::uint32_t partitions_ = 1;
    Metrics metrics_;
    std::string directory_, hash_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<ContentStore> store_;
    MemoryWorkspace workspace_;
    std::unique_ptr<Pipeline> pipeline_;
    std::uint64_t appended_ = 0;
};

TEST_F(PipelineTest, WritesRowsAndOneAlertForRepeatedLogins) {
    start();
    for (int i = 0; i < 20; ++i)
        append_login(i);
    ASSERT_TRUE(caught_up());
    EXPECT_EQ(workspace_.raw(), 20u);
    pipeline_->stop();
    ASSERT_FALSE(workspace_.alerts_.empty());
    EXPECT_TRUE(workspace_.alerts_[0].starts_with("IoT_SucessfulLocalLogin "));
    EXPECT_EQ(pipeline_->progress()[0].checkpoint, 20u);
}

TEST_F(PipelineTest, AddsNothingTwiceWhenItIsRestartedAtEveryPlace) {
    std::vector<std::string> expected;
    for (int i = 0; i < 100; ++i)
        append_login(i * 7);
    start();
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    expected = workspace_.alerts_;
    EXPECT_GT(expected.size(), 5u);  // an alert, and its updates, one a minute at most
    const auto raw = workspace_.raw();

    // The same log again, one record a batch, cut off now and then; checkpoints are lost every other time.
    forget_everything();
    for (int round = 0; round < 12; ++round) {
        if (round % 2 == 1) std::filesystem::remove_all(directory_ + "/checkpoints");
        const auto goal = (static_cast<std::size_t>(round) + 1) * raw / 13;
        start(1);
        ASSERT_TRUE(wait_for([&] { return workspace_.raw() >= goal; }));
        pipeline_.reset();
    }
    start();
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    EXPECT_EQ(workspace_.raw_, raw);
    EXPECT_EQ(workspace_.twice_, 0u);
    EXPECT_EQ(workspace_.alerts_, expected);
}

TEST_F(PipelineTest, RecoversFromACommitThatFailsBeforeOrAfterItTookTheRows) {
    workspace_.fail_before_ = 2;
    workspace_.fail_after_ = 3;
    start(5);
    for (int i = 0; i < 40; ++i)
        append_login(i);
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    EXPECT_EQ(workspace_.raw_, 40u);
    EXPECT_EQ(workspace_.twice_, 0u);
}

TEST_F(PipelineTest, WritesTheSameAlertsWhenACommitFailsOnce) {
    for (int i = 0; i < 60; ++i)
        append_login(i * 7);
    start(10);
    ASSERT_TRUE(caught_up());
    pipeline_->stop();  // what it wrote is read without its lock from here on
    const auto expected = workspace_.alerts_;
    EXPECT_GT(expected.size(), 3u);
    forget_everything();

    workspace_.fail_before_ = 3;  // its rows were handed over, and are gone: the journal has them
    start(10);
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    EXPECT_EQ(metrics_.counter("fieldwatch_pipeline_restarts_total", "").value(), 1u);
    EXPECT_EQ(workspace_.raw_, 60u);
    EXPECT_EQ(workspace_.twice_, 0u);
    EXPECT_EQ(workspace_.alerts_, expected);
}

TEST_F(PipelineTest, SwitchesContentWhereTheLogSaysSo) {
    detect::ContentSources sources;
    sources.settings_json = R"({"dedup.window":"PT1S"})";
    const auto other = store_->put(sources).value();
    append_login(0);
    append_login(10);
    append({.kind = model::RecordKind::Content,
            .received = Timestamp::from_unix_seconds(1'800'000'011),
            .sender = {},
            .properties = {},
            .body = R"({"version":1,"hash":")" + other + "\"}"});
    append_login(7'200);
    append_login(7'210);
    start();
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    std::set<std::string> ids;
    for (const auto& alert : workspace_.alerts_)
        ids.insert(alert.substr(0, alert.rfind(' ')));
    EXPECT_EQ(ids.size(), 3u);  // one before the switch, each for itself after it
}

TEST_F(PipelineTest, KeepsDeadLettersAndGoesOn) {
    append({.kind = model::RecordKind::SecurityMessage,
            .received = Timestamp::from_unix_seconds(1'800'000'000),
            .sender = {{"h"}, {"d"}, {"m"}},
            .properties = {},
            .body = "{"});
    append_login(1, "unknown-hub");
    append_login(2);
    start();
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    const auto letters = pipeline_->dead_letters().list("h", "d", 10);
    ASSERT_EQ(letters.size(), 1u);
    EXPECT_TRUE(letters[0].reason.starts_with("/: not JSON")) << letters[0].reason;
    EXPECT_EQ(workspace_.raw_, 1u);
}

TEST_F(PipelineTest, PassesOverADamagedCheckpoint) {
    start();
    for (int i = 0; i < 10; ++i)
        append_login(i);
    ASSERT_TRUE(caught_up());
    pipeline_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/checkpoints"))
        std::filesystem::resize_file(entry.path(), 30);
    append_login(10);
    start();
    ASSERT_TRUE(caught_up());
    pipeline_->stop();
    EXPECT_EQ(workspace_.raw_, 11u);
    EXPECT_EQ(workspace_.twice_, 0u);
}

/// Four shards and a rule over the fleet: three devices on which one address fails to log in.
class FleetTest : public PipelineTest {
  protected:
    static constexpr int kDevices = 12;

    void SetUp() override {
        partitions_ = 4;
        PipelineTest::SetUp();
        detect::ContentSources sources;
        sources.rule_files.emplace_back("fleet.yml", R"(
title: failed
id: failed
name: failed
logsource: {product: linux, category: login}
detection: {a: {login.result: Fail}, condition: a}
---
title: one source, many devices
id: fleet
level: high
correlation: {type: value_count, rules: [failed], group-by: [SourceIp], timespan: 10m, condition: {field: device.id, gte: 3}}
fieldwatch: {alert_type: IoT_X_Test, scope: fleet}
)");
        hash_ = store_->put(sources).value();
    }
    void append_failure(int number, const std::string& device, const std::string& source) {
        const auto received = Timestamp::from_unix_seconds(1'800'000'000 + number);
        char id[40];
        std::snprintf(id, sizeof id, "00000000-0000-0000-0000-%012d", number);
        std::string body =
            R"({"AgentVersion":"1","AgentId":"aaaaaaaa-2222-3333-4444-555555555555","MessageSchemaVersion":"1.0","Events":[)";
        JsonWriter json(body);
        json.begin_object()
            .member("Id", id)
            .member("TimestampLocal", to_iso8601(received, 3))
            .member("TimestampUTC", to_iso8601(received, 3))
            .member("Category", "Triggered")
            .member("Name", "Login")
            .member("EventType", "Security")
            .key("IsEmpty")
            .boolean(false);
        json.member("PayloadSchemaVersion", "1.0").key("Payload").begin_array();
        json.raw(R"({"ProcessId":7,"UserName":"pi","Operation":"login","Executable":"/usr/sbin/sshd",)"
                 R"("Result":"Fail","RemoteAddress":")" +
                 source + R"("})");
        json.end_array().end_object();
        const model::Record record{.kind = model::RecordKind::SecurityMessage,
                                   .received = received,
                                   .sender = {{"h"}, {device}, {"azureiotsecurity"}},
                                   .properties = {},
                                   .body = body + "]}"};
        ASSERT_TRUE(journal_->writer().append(journal::Stream::Security,
                                              model::partition_of({"h"}, {device}, partitions_),
                                              model::encode(record), [](const Result<void>&) {}));
    }
    void append_attack() {
        for (int i = 0; i < kDevices; ++i)
            append_failure(i, "device-" + std::to_string(i), "203.0.113.7");
        append_failure(90, "device-1", "203.0.113.8");  // two devices only
        append_failure(91, "device-2", "203.0.113.8");
    }
    std::set<std::string> fleet_alerts() {
        const std::lock_guard lock(workspace_.mutex_);
        std::set<std::string> ids;
        for (const auto& alert : workspace_.alerts_)
            if (alert.starts_with("IoT_X_Test ")) ids.insert(alert.substr(0, alert.rfind(' ')));
        return ids;
    }
    /// Every shard has read all there is, and what they told each other, too.
    bool settled() {
        std::vector<std::uint64_t> last;
        int same = 0;
        return wait_for([&] {
            std::vector<std::uint64_t> ends;
            bool read = true;
            for (const auto& shard : pipeline_->progress()) {
                ends.push_back(shard.journal_end);
                read = read && shard.committed == shard.journal_end && shard.healthy;
            }
            same = read && ends == last ? same + 1 : 0;
            last = ends;
            return same > 8;
        });
    }
    std::uint64_t facts() { return metrics_.counter("fieldwatch_pipeline_fleet_facts_total", "").value(); }
};

TEST_F(FleetTest, SeesOneSourceOnDevicesOfAllPartitions) {
    append_attack();
    start();
    ASSERT_TRUE(settled());
    pipeline_->stop();
    EXPECT_EQ(fleet_alerts().size(), 1u);
    EXPECT_EQ(facts(), 14u);
    EXPECT_EQ(pipeline_->dead_letters().list("h", "", 10).size(), 0u);
}

TEST_F(FleetTest, SaysTheSameWhenShardsAreCutOffAndTellAgain) {
    append_attack();
    start();
    ASSERT_TRUE(settled());
    pipeline_->stop();
    const auto expected = fleet_alerts();
    ASSERT_EQ(expected.size(), 1u);

    // The same log with the facts in it: they are told again, and dropped.
    for (int round = 0; round < 3; ++round) {
        forget_everything();
        start(1 + static_cast<std::size_t>(round) * 3);
        ASSERT_TRUE(settled());
        pipeline_.reset();
        EXPECT_EQ(fleet_alerts(), expected);
        EXPECT_EQ(workspace_.twice_, 0u);
    }
}

TEST_F(FleetTest, CountsOnAcrossARestart) {
    append_failure(0, "device-0", "203.0.113.7");
    append_failure(1, "device-1", "203.0.113.7");
    start();
    ASSERT_TRUE(settled());
    pipeline_.reset();
    EXPECT_TRUE(fleet_alerts().empty());
    append_failure(2, "device-2", "203.0.113.7");
    start();
    ASSERT_TRUE(settled());
    pipeline_->stop();
    EXPECT_EQ(fleet_alerts().size(), 1u);
    EXPECT_EQ(facts(), 3u);
}

}  // namespace
}  // namespace fieldwatch::pipeline
