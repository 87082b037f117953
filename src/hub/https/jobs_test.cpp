// Jobs over many devices that do not simply end: cancelled before and while they run, out of time, long over.
#include "hub/https_fixture_test.hpp"

namespace fieldwatch::hub {
namespace {

using namespace std::chrono_literals;

class JobsTest : public HttpsTest {
  protected:
    Json job(const std::string& id, Json members) {
        members["jobId"] = id;
        const auto answer = service("PUT", "/jobs/v2/" + id, members);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json();
    }
    /// The job once it has that status, as it is then.
    Json wait_for(const std::string& id, std::string_view status) {
        Json now;
        for (int i = 0; i < 150; ++i) {
            now = service("GET", "/jobs/v2/" + id).json();
            if (now.value("status", "") == status) break;
            std::this_thread::sleep_for(100ms);
        }
        EXPECT_EQ(now.value("status", ""), status) << now;
        return now;
    }
    std::map<std::string, int> rows(const std::string& id) {
        std::map<std::string, int> out;
        const auto answer =
            service("POST", "/devices/query",
                    {{"query", "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '" + id + "'"}});
        for (const auto& row : answer.json())
            ++out[row.value("status", "")];
        return out;
    }
    static Json method(int connect_timeout) {
        return {{"methodName", "reboot"}, {"connectTimeoutInSeconds", connect_timeout}};
    }
};

TEST_F(JobsTest, WhenTheTimeIsOverTheOtherDevicesHaveFailed) {
    start();
    for (int i = 0; i < 60; ++i)
        add("late" + std::to_string(i));
    job("j1", {{"type", "scheduleDeviceMethod"},
               {"queryCondition", "STARTSWITH(deviceId, 'late')"},
               {"cloudToDeviceMethod", method(300)},
               {"maxExecutionTimeInSeconds", 1}});
    const auto done = wait_for("j1", "failed");
    EXPECT_EQ(done["deviceJobStatistics"]["failedCount"], 60);
    EXPECT_EQ(done["failureReason"], "maxExecutionTimeInSeconds is over.");
    EXPECT_EQ(rows("j1"), (std::map<std::string, int>{{"failed", 60}}));
    const auto late = service("POST", "/devices/query",
                              {{"query",
                                "SELECT * FROM devices.jobs WHERE devices.jobs.error.code = "
                                "'JobExecutionTimeExceeded'"}});
    EXPECT_EQ(late.json().size(), 10u) << "fifty are asked at once";
    for (const auto& wrong : {Json(0), Json("1"), Json(2'592'001)}) {
        EXPECT_EQ(service("PUT", "/jobs/v2/j2",
                          {{"type", "scheduleUpdateTwin"},
                           {"updateTwin", Json::object()},
                           {"maxExecutionTimeInSeconds", wrong}})
                      .status,
                  400);
    }
}

TEST_F(JobsTest, CancellingARunningJobLeavesTheOtherDevicesAlone) {
    start();
    for (int i = 0; i < 60; ++i)
        add("late" + std::to_string(i));
    job("j1", {{"type", "scheduleDeviceMethod"},
               {"queryCondition", "STARTSWITH(deviceId, 'late')"},
               {"cloudToDeviceMethod", method(300)}});
    wait_for("j1", "running");
    EXPECT_EQ(service("POST", "/jobs/v2/j1/cancel", Json::object()).json()["status"], "cancelled");
    operations("jobCompleted", "");
    EXPECT_EQ(service("GET", "/jobs/v2/j1").json()["status"], "cancelled");
    EXPECT_EQ(rows("j1"), (std::map<std::string, int>{{"canceled", 60}}));
    EXPECT_EQ(service("POST", "/jobs/v2/j1/cancel", Json::object()).status, 200) << "again";
}

TEST_F(JobsTest, AScheduledJobThatIsCancelledNeverRuns) {
    start();
    const auto soon = to_iso8601(clock_.now() + Ticks(2s));
    const Json update{{"properties", {{"desired", {{"j", 1}}}}}};
    EXPECT_EQ(
        job("j1", {{"type", "scheduleUpdateTwin"}, {"updateTwin", update}, {"startTime", soon}})["status"],
        "scheduled");
    job("j2", {{"type", "scheduleUpdateTwin"},
               {"queryCondition", "deviceId = 'off'"},
               {"updateTwin", update},
               {"startTime", soon}});
    EXPECT_EQ(service("POST", "/jobs/v2/j1/cancel", Json::object()).json()["status"], "cancelled");
    wait_for("j2", "completed");  // of the same time
    EXPECT_EQ(service("GET", "/jobs/v2/j1").json()["status"], "cancelled");
    EXPECT_FALSE(service("GET", "/twins/d1").json()["properties"]["desired"].contains("j"));
}

TEST_F(JobsTest, AreKeptForThirtyDaysAfterTheirEnd) {
    const auto keep = [&](const std::string& id, std::string_view status, std::chrono::hours ago) {
        const auto end = to_iso8601(clock_.now() - Ticks(ago));
        const Json body{{"jobId", id}, {"status", status}, {"endTime", end}};
        ASSERT_TRUE(registry_->put_document({{"testhub"}, "job", id}, body.dump(), {}));
        ASSERT_TRUE(registry_->put_document({{"testhub"}, "devicejob", id + "|d1"}, body.dump(), {}));
    };
    keep("old", "completed", 24h * 30 + 1h);
    keep("old|er", "failed", 24h * 29);
    keep("young", "cancelled", 24h * 29);
    keep("endless", "scheduled", 24h * 40);
    std::ignore = registry_->put_document(
        {{"testhub"}, "job", "endless"},
        R"({"jobId":"endless","status":"scheduled","startTime":"2999-01-01T00:00:00Z"})", {});
    start();
    for (int i = 0; i < 100 && service("GET", "/jobs/v2/old").status == 200; ++i)
        std::this_thread::sleep_for(50ms);
    EXPECT_EQ(service("GET", "/jobs/v2/old").status, 404);
    EXPECT_EQ(service("GET", "/jobs/v2/young").status, 200);
    EXPECT_EQ(service("GET", "/jobs/v2/endless").status, 200);
    EXPECT_TRUE(rows("old").empty());
    EXPECT_EQ(rows("old|er").size(), 1u);
    EXPECT_EQ(rows("young").size(), 1u);
}

}  // namespace
}  // namespace fieldwatch::hub
