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
    void tick(std::int64_t hour) {
        engine_->advance(at(hour), findings_);
        engine_->observe_tick(at(hour), findings_);
    }
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
};

TEST_F(Presence, ADeviceIsSilentAfterThreeDaysWithoutAMessage) {
    message(0);
    tick(71);
    EXPECT_TRUE(silences().empty());
    tick(72);
    tick(90);
    EXPECT_EQ(silences(), std::vector{model::AlertStatus::New});
}

TEST_F(Presence, SilenceEndsWithTheNextMessageAndMayComeAgain) {
    message(0);
    tick(80);
    message(81);
    tick(160);
    EXPECT_EQ(silences(),
              (std::vector{model::AlertStatus::New, model::AlertStatus::Resolved, model::AlertStatus::New}));
}

TEST_F(Presence, TimeWithoutTicksIsNoSilence) {
    message(0);
    engine_->advance(at(500), findings_);
    EXPECT_TRUE(silences().empty());
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
    tick(80);
    EXPECT_TRUE(silences().empty());
}

TEST_F(Presence, SilenceSurvivesACheckpoint) {
    message(0);
    tick(80);
    Bytes state;
    engine_->save(state);
    auto restored = make_engine(compile({}).value());
    ASSERT_TRUE(restored->restore(state));
    std::swap(engine_, restored);
    tick(90);
    message(91);
    EXPECT_EQ(silences(), (std::vector{model::AlertStatus::New, model::AlertStatus::Resolved}));
}

}  // namespace
}  // namespace fieldwatch::detect
