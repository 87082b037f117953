#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.hpp"
#include "detect/behaviour/device_model.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kFirstDay = 1'800'000'000 / 86'400 * 86'400;
constexpr std::int64_t kHour = 3'600;

/// Devices that start a few programs every five minutes, more at noon, and whatever a test adds.
class Fleet {
  public:
    explicit Fleet(int devices, std::string settings = R"({"behaviour":true})") : devices_(devices) {
        ContentSources sources;
        sources.settings_json = std::move(settings);
        content_ = compile(sources).value();
        engine_ = make_engine(content_);
    }

    void run(int device, std::string_view executable, std::string_view parent = "/usr/sbin/cron") {
        model::ProcessCreate process;
        process.executable = executable;
        process.command_line = executable;
        process.parent_executable = parent;
        model::Event event;
        event.kind = model::EventKind::ProcessCreate;
        event.name = "ProcessCreate";
        event.hub = "hub";
        const auto name = "device-" + std::to_string(device);
        event.device = name;
        event.time = event.received = event.device_time = Timestamp::from_unix_seconds(kFirstDay + now_);
        model::Item item;
        item.position.offset = offset_++;
        item.payload = process;
        event.position = item.position;
        event.items.push_back(item);
        std::vector<model::Finding> out;
        engine_->observe(event, out);
        take(out);
    }
    /// Ordinary life for so many hours, window by window.
    void live(std::int64_t hours) {
        for (const auto until = now_ + hours * kHour; now_ < until; step()) {
            for (int device = 0; device < devices_; ++device) {
                const auto busy = now_ / kHour % 24 == 12 ? 12 : 3;
                const auto runs = 1 + static_cast<int>(random_.below(static_cast<std::uint64_t>(busy)));
                for (int i = 0; i < runs; ++i)
                    run(device, kPrograms[random_.below(4)]);
            }
        }
    }
    void step() {
        now_ += 300;
        std::vector<model::Finding> out;
        engine_->advance(Timestamp::from_unix_seconds(kFirstDay + now_ + 1), out);
        take(out);
    }
    void restart() {
        Bytes saved;
        engine_->save(saved);
        engine_ = make_engine(content_);
        ASSERT_TRUE(engine_->restore(saved));
        Bytes again;
        engine_->save(again);
        EXPECT_EQ(saved, again);
    }
    void dismiss(const model::Alert& alert) {
        std::vector<model::Finding> out;
        const auto done = engine_->decide("hub", alert.id.text(),
                                          {.status = model::AlertStatus::Dismissed,
                                           .by = {},
                                           .reason = {},
                                           .comment = {},
                                           .feedback = {},
                                           .at = Timestamp::from_unix_seconds(kFirstDay + now_)},
                                          out);
        ASSERT_TRUE(done);
    }
    std::vector<std::string> types() const {
        std::vector<std::string> out;
        for (const auto& alert : alerts)
            out.push_back(alert.compromised_entity + " " + alert.type);
        return out;
    }

    std::vector<model::Alert> alerts;

  private:
    static constexpr std::string_view kPrograms[] = {"/usr/bin/logger", "/usr/bin/date", "/bin/sh",
                                                     "/usr/bin/sensor"};

    void take(std::vector<model::Finding>& findings) {
        for (auto& finding : findings)
            if (auto* const alert = std::get_if<model::Alert>(&finding); alert != nullptr && !alert->update)
                alerts.push_back(std::move(*alert));
    }

    int devices_;
    ContentPtr content_;
    std::unique_ptr<Engine> engine_;
    SeededRandom random_{7};
    std::int64_t now_ = 0;
    std::uint64_t offset_ = 0;
};

using Types = std::vector<std::string>;

TEST(DeviceDetector, IsSilentOnTwoOrdinaryWeeksOfTenDevices) {
    Fleet fleet(10);
    fleet.live(24 * 14);
    EXPECT_LE(fleet.alerts.size(), 2u) << "five device-months";
}

TEST(DeviceDetector, TellsOfAProgramThatNobodyEverRan) {
    Fleet fleet(10);
    fleet.live(24 * 3);
    const auto before = fleet.alerts.size();
    fleet.run(4, "/tmp/.x/kworkerds", "/usr/sbin/httpd");
    fleet.step();
    ASSERT_EQ(fleet.alerts.size(), before + 1);
    const auto& alert = fleet.alerts.back();
    EXPECT_EQ(alert.type, "IoT_X_RareProcess");
    EXPECT_EQ(alert.compromised_entity, "device-4");
    EXPECT_NE(alert.extended_json.find(R"("peers":{"k":0,"n":10})"), std::string::npos)
        << alert.extended_json;
    EXPECT_NE(alert.extended_json.find("/tmp/.x/kworkerds"), std::string::npos);
    EXPECT_LE(alert.severity, model::Severity::Medium) << "a model alone never says high";
    EXPECT_NE(alert.extended_json.find(
                  R"("EvidenceQuery":"SecurityIoTRawEvent | where DeviceId == \"device-4\" and )"
                  R"(TimeGenerated between (datetime()"),
              std::string::npos)
        << alert.extended_json;
    EXPECT_NE(alert.extended_json.find(R"(EventDetails contains \"/tmp/.x/kworkerds\")"), std::string::npos)
        << alert.extended_json;
}

TEST(DeviceDetector, IsSilentAboutWhatPeopleExpectUntilTheyNoLongerDo) {
    const auto told = [](std::string_view device, std::string_view until) {
        Fleet fleet(10, R"({"behaviour":true,"behaviour.expectations":[{"verdict":"expected","type":)"
                        R"("IoT_X_RareProcess","device":")" +
                            std::string(device) + R"(","until":")" + std::string(until) + R"("}]})");
        fleet.live(24 * 3);
        const auto before = fleet.alerts.size();
        fleet.run(4, "/opt/vendor/calibrate", "/usr/sbin/agentd");
        fleet.step();
        return fleet.alerts.size() - before;
    };
    EXPECT_EQ(told("device-4", "2099-01-01T00:00:00Z"), 0u);
    EXPECT_EQ(told("device-*", "2099-01-01T00:00:00Z"), 0u);
    EXPECT_EQ(told("device-5", "2099-01-01T00:00:00Z"), 1u) << "said of another one";
    EXPECT_EQ(told("device-4", "2027-01-16T00:00:00Z"), 1u) << "said for a day that is over";
}

TEST(DeviceDetector, TellsOfMuchMoreActivityThanUsual) {
    Fleet fleet(6);
    fleet.live(24 * 3);
    const auto before = fleet.alerts.size();
    for (int i = 0; i < 3'000; ++i)
        fleet.run(2, "/bin/sh");
    fleet.step();
    ASSERT_EQ(fleet.alerts.size(), before + 1);
    EXPECT_EQ(fleet.alerts.back().type, "IoT_X_VolumeAnomaly");
    EXPECT_NE(fleet.alerts.back().extended_json.find("programs started in five minutes"), std::string::npos)
        << fleet.alerts.back().extended_json;
}

TEST(DeviceDetector, CallsAnUpdateOfTheFleetOneEvent) {
    Fleet fleet(20);
    fleet.live(24 * 3);
    const auto before = fleet.alerts.size();
    for (int device = 0; device < 20; ++device)
        fleet.run(device, "/opt/vendor/updater", "/usr/sbin/agentd");
    fleet.step();
    ASSERT_EQ(fleet.alerts.size(), before + 1);
    EXPECT_EQ(fleet.alerts.back().type, "IoT_X_FleetChange");
    EXPECT_EQ(fleet.alerts.back().compromised_entity, "hub");
    fleet.live(24);
    EXPECT_LE(fleet.alerts.size(), before + 2) << "and it is standard from then on";
}

TEST(DeviceDetector, LearnsNothingWhileItsAlertIsOpenAndAllOnceItIsDismissed) {
    for (const bool dismissed : {false, true}) {
        Fleet fleet(10);
        fleet.live(24 * 3);
        fleet.run(1, "/opt/new/tool");
        fleet.step();
        ASSERT_FALSE(fleet.alerts.empty());
        if (dismissed) fleet.dismiss(fleet.alerts.back());
        for (int i = 0; i < 20; ++i) {
            fleet.run(1, "/opt/new/tool");
            fleet.step();
        }
        const auto known = fleet.alerts.size();
        fleet.live(24 * 8);
        fleet.run(1, "/opt/new/tool");
        fleet.step();
        EXPECT_EQ(fleet.alerts.size() - known > 0, !dismissed) << dismissed;
    }
}

TEST(DeviceDetector, GoesOnAfterARestartAsIfThereWasNone) {
    const auto run = [](bool restarts) {
        Fleet fleet(8);
        fleet.live(24 * 2);
        if (restarts) fleet.restart();
        fleet.run(3, "/tmp/x");
        if (restarts) fleet.restart();
        fleet.step();
        fleet.live(12);
        std::vector<std::string> out;
        for (const auto& alert : fleet.alerts)
            out.push_back(alert.id.text() + alert.extended_json);
        return out;
    };
    EXPECT_EQ(run(true), run(false));
    EXPECT_FALSE(run(false).empty());
}

TEST(DeviceDetector, IsOffUnlessSwitchedOn) {
    Fleet fleet(5, "{}");
    fleet.live(24 * 2);
    fleet.run(3, "/tmp/x");
    fleet.step();
    EXPECT_EQ(fleet.types(), Types{});
}

TEST(DeviceModel, StaysWithinItsBudget) {
    EXPECT_LE(sizeof(DeviceModel), 8'800u);
}

}  // namespace
}  // namespace fieldwatch::detect
