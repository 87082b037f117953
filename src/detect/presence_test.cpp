// A35, silence: judged by ticks of the log alone, once an episode, and over when data come again.
#include <gtest/gtest.h>

#include "detect/content.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kHourSeconds = 3'600;

class Presence : public ::testing::Test {
  protected:
    Presence() : engine_(make_engine(compile({}).value())) {}

    void message(std::int64_t hour, std::string_view device = "d") {
        model::Event event;
        event.kind = model::EventKind::Heartbeat;
        event.hub = "h";
        event.device = device;
        event.module = "azureiotsecurity";
        event.time = event.received = at(hour);
        event.position.offset = next_++;
        engine_->observe(event, findings_);
    }
    void identity(std::int64_t hour, std::string_view body) {
        model::RecordView record;
        record.kind = model::RecordKind::IdentityChange;
        record.received = at(hour);
        record.hub = "h";
        record.device = "d";
        record.body = body;
        engine_->observe_change(record, {.partition = 0, .offset = next_++, .item = 0}, {}, findings_);
    }
    /// The server ran from where it stood until this hour.
    void run_to(std::int64_t hour) {
        for (; ran_ <= hour * 60; ++ran_) {
            const auto now = at(0) + std::chrono::minutes(ran_);
            engine_->advance(now, findings_);
            engine_->observe_tick(now, findings_);
        }
    }
    void restart() {
        Bytes state;
        engine_->save(state);
        auto restored = make_engine(compile({}).value());
        ASSERT_TRUE(restored->restore(state));
        std::swap(engine_, restored);
    }
    void stand_still_to(std::int64_t hour) { ran_ = hour * 60; }
    /// States of A35, in the order they were said.
    std::vector<model::AlertStatus> silences() const {
        std::vector<model::AlertStatus> out;
        for (const auto& finding : findings_) {
            const auto* const alert = std::get_if<model::Alert>(&finding);
            if (alert != nullptr && alert->type == "IoT_DeviceSilent") out.push_back(alert->status);
        }
        return out;
    }
    static Timestamp at(std::int64_t hour) {
        return Timestamp::from_unix_seconds(1'800'000'000 + hour * kHourSeconds);
    }

    std::vector<model::Finding> findings_;
    std::unique_ptr<Engine> engine_;
    std::uint64_t next_ = 0;
    std::int64_t ran_ = 0;  ///< minutes
};

TEST_F(Presence, ADeviceIsSilentAfterThreeDaysWithoutAMessage) {
    message(0);
    run_to(71);
    EXPECT_TRUE(silences().empty());
    run_to(72);
    run_to(90);
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
}

TEST_F(Presence, SilenceEndsWithTheNextMessageAndMayComeAgain) {
    message(0);
    run_to(80);
    message(81);
    run_to(160);
    EXPECT_EQ(silences(),
              (std::vector{model::AlertStatus::New, model::AlertStatus::Resolved, model::AlertStatus::New}));
}

TEST_F(Presence, TimeWithoutTicksIsNoSilence) {
    message(0);
    engine_->advance(at(500), findings_);
    EXPECT_TRUE(silences().empty());
}

TEST_F(Presence, WhileTheServerStoodStillNobodyWasSilent) {
    message(0);
    run_to(60);
    stand_still_to(200);
    run_to(211);
    EXPECT_TRUE(silences().empty());
    run_to(212);
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
}

TEST_F(Presence, OutagesSurviveACheckpoint) {
    message(0);
    run_to(60);
    stand_still_to(200);
    run_to(201);
    restart();
    run_to(211);
    EXPECT_TRUE(silences().empty());
    run_to(212);
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
}

TEST_F(Presence, WithoutTicksADeviceIsSilentWhileOthersAreHeard) {
    message(0);
    for (std::int64_t hour = 20; hour <= 60; hour += 20)
        message(hour, "other");
    EXPECT_TRUE(silences().empty());
    message(80, "other");
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
    message(81);
    EXPECT_EQ(silences(), (std::vector{model::AlertStatus::New, model::AlertStatus::Resolved}));
}

TEST_F(Presence, WithoutTicksNothingIsKnownOfTimeInWhichNobodyWasHeard) {
    message(0);
    message(20, "other");
    message(50, "other");  // more than a day later: listened to from here on
    message(73, "other");
    message(95, "other");
    message(118, "other");
    EXPECT_TRUE(silences().empty());
    message(122, "other");
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
}

TEST_F(Presence, ADisabledDeviceMayBeSilent) {
    message(0);
    identity(1, R"({"change":"update","identity":{"deviceId":"d","status":"disabled"}})");
    run_to(80);
    EXPECT_TRUE(silences().empty());
}

TEST_F(Presence, SilenceSurvivesACheckpoint) {
    message(0);
    run_to(80);
    restart();
    run_to(90);
    message(91);
    EXPECT_EQ(silences(), (std::vector{model::AlertStatus::New, model::AlertStatus::Resolved}));
}

}  // namespace
}  // namespace fieldwatch::detect
