// A snapshot that needs several messages is judged once all of it is there, and as one.
#include "detect/posture/snapshot_parts.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/content.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

using Details = std::vector<std::pair<std::string_view, std::string_view>>;
constexpr std::int64_t kPartsStart = 1'800'000'000;

class SnapshotPartsTest : public ::testing::Test {
  protected:
    struct Part {
        std::string_view snapshot, number;  ///< "" for a whole snapshot
    };
    void send(std::vector<model::Payload> payloads, Part part, std::int64_t second = 0,
              std::string_view device = "d") {
        model::Event event;
        event.kind = kind_of(payloads.front());
        const auto id = std::to_string(++sent_);
        event.id = id;
        event.hub = "h";
        event.device = device;
        event.module = "azureiotsecurity";
        event.time = at(second == 0 ? sent_ : second);
        event.received = at(std::max(sent_, second));
        event.position.offset = static_cast<std::uint64_t>(sent_);
        Details details;
        if (!part.snapshot.empty())
            details = {
                {"SnapshotId", part.snapshot}, {"SnapshotPart", part.number}, {"in-interface", "eth0"}};
        for (auto& payload : payloads) {
            event.items.push_back({.position = event.position,
                                   .payload = payload,
                                   .extra_details = details,
                                   .details_json = {}});
            ++event.position.item;
        }
        engine_->observe(event, found_);
    }
    void restart() {
        Bytes saved, again;
        engine_->save(saved);
        engine_ = make_engine(compile({}).value());
        ASSERT_TRUE(engine_->restore(saved));
        engine_->save(again);
        EXPECT_EQ(saved, again);
    }
    /// `type state` of what was said since the last call; onboarding apart.
    std::string said() {
        std::string out;
        for (const auto& finding : found_) {
            if (const auto* const row = std::get_if<model::Recommendation>(&finding)) {
                out += row->type + " " + std::string(to_string(row->state)) + "; ";
                evidence_ = nlohmann::json::parse(row->additional_json);
            } else if (const auto* const alert = std::get_if<model::Alert>(&finding);
                       alert != nullptr && alert->type != "IoT_DeviceOnboarded") {
                out += alert->type + " " + alert->discriminator + "; ";
            }
        }
        found_.clear();
        return out;
    }
    static model::EventKind kind_of(const model::Payload& payload) {
        using enum model::EventKind;
        return std::holds_alternative<model::ListeningPort>(payload)   ? ListeningPorts
               : std::holds_alternative<model::LocalUser>(payload)     ? LocalUsers
               : std::holds_alternative<model::FirewallRule>(payload)  ? FirewallConfiguration
               : std::holds_alternative<model::BaselineCheck>(payload) ? OSBaseline
                                                                       : SBoM;
    }
    static model::Payload user(std::string_view name, std::string_view groups = "g") {
        return model::LocalUser{.user_name = name, .user_id = name, .group_names = groups, .group_ids = {}};
    }
    static model::Payload port(std::string_view number, std::string_view address = "0.0.0.0") {
        model::ListeningPort out;
        out.protocol = "tcp";
        out.local_address = address;
        out.local_port = number;
        return out;
    }
    static model::Payload check(std::string_view severity) {
        model::BaselineCheck out;
        out.result = "Fail";
        out.severity = severity;
        return out;
    }
    static Timestamp at(std::int64_t second) { return Timestamp::from_unix_seconds(kPartsStart + second); }

    std::unique_ptr<Engine> engine_ = make_engine(compile({}).value());
    std::vector<model::Finding> found_;
    nlohmann::json evidence_;
    std::int64_t sent_ = 0;
};

TEST_F(SnapshotPartsTest, UsersOfTheOtherPartAreNotGone) {
    for (const auto* const snapshot : {"s1", "s2"}) {
        send({user("ann"), user("bob")}, {snapshot, "1/2"});
        restart();
        send({user("eve")}, {snapshot, "2/2"});
        EXPECT_EQ(said(), "");
    }
    send({user("ann")}, {"s3", "1/2"});
    send({user("eve", "g;sudo")}, {"s3", "2/2"});
    EXPECT_EQ(said(), "IoT_LocalUserDeleted bob; IoT_LocalUserAddedToGroup eve; ");
}

TEST_F(SnapshotPartsTest, APortOfEitherPartIsOpen) {
    send({port("80")}, {"s1", "1/2"});
    EXPECT_EQ(said(), "");
    send({port("631", "127.0.0.1"), port("22")}, {"s1", "2/2"});
    EXPECT_EQ(said(), "IoT_OpenPorts Active; ");
    EXPECT_EQ(evidence_["Endpoints"], R"(["0.0.0.0:22","0.0.0.0:80"])");
}

TEST_F(SnapshotPartsTest, ChecksOfAllPartsAreCounted) {
    send({check("Critical"), check("Critical")}, {"s1", "1/2"});
    send({check("Warning")}, {"s1", "2/2"});
    EXPECT_EQ(said(), "IoT_Baseline Active; ");
    EXPECT_EQ(evidence_["TotalFailedRules"], "3");
    EXPECT_EQ(evidence_["SnapshotId"], "s1");
}

TEST_F(SnapshotPartsTest, MayComeInAnyOrderAndTwice) {
    send({check("Warning")}, {"s1", "3/3"}, 3);
    send({check("Warning")}, {"s1", "1/3"}, 1);
    send({check("Warning")}, {"s1", "1/3"}, 1);
    EXPECT_EQ(said(), "");
    send({check("Warning")}, {"s1", "2/3"}, 2);
    EXPECT_EQ(said(), "IoT_Baseline Active; ");
    EXPECT_EQ(evidence_["TotalFailedRules"], "3");
}

TEST_F(SnapshotPartsTest, OfAnotherSnapshotDeviceOrKindAreNoneOfIt) {
    send({check("Warning")}, {"s1", "1/2"}, 10);
    send({check("Warning")}, {"s1", "2/2"}, 10, "e");
    send({port("80")}, {"s1", "2/2"}, 10);
    send({check("Critical")}, {"s2", "1/2"}, 20);
    send({check("Warning")}, {"s1", "2/2"}, 11);  // of what a newer one has taken the place of
    EXPECT_EQ(said(), "");
    send({check("Critical")}, {"s2", "2/2"}, 21);
    EXPECT_EQ(said(), "IoT_Baseline Active; ");
    EXPECT_EQ(evidence_["TotalCriticalFailedRules"], "2");
}

TEST_F(SnapshotPartsTest, AreForgottenWhenAWholeOneComesAndAfterADay) {
    send({check("Warning")}, {"s1", "1/2"}, 10);
    send({check("Critical")}, {}, 20);
    EXPECT_EQ(said(), "IoT_Baseline Active; ");
    send({check("Warning")}, {"s1", "2/2"}, 21);
    EXPECT_EQ(said(), "");
    engine_->advance(at(25 * 3'600), found_);
    send({check("Warning")}, {"s1", "1/2"}, 25 * 3'600);
    EXPECT_EQ(said(), "");
}

TEST_F(SnapshotPartsTest, ThatMakeNoSenseAreWholeSnapshots) {
    for (const auto* const number : {"", "1", "1/", "0/2", "3/2", "a/b", "1/2x", "-1/2"}) {
        send({port(std::to_string(1000 + sent_))}, {"s1", number});
        EXPECT_EQ(said(), "IoT_OpenPorts Active; ") << number;
    }
}

TEST_F(SnapshotPartsTest, AreBounded) {
    const std::string name(100'000, 'x');
    for (int part = 1; part <= 60; ++part)
        send({user(name)}, {"small", std::to_string(part) + "/64"}, 0, "small");
    // One that is larger than any may be is never judged, and lets go of what it held.
    const std::string large(200'000, 'x');
    for (int part = 1; part <= 64; ++part)
        send({check(large)}, {"s1", std::to_string(part) + "/64"});
    EXPECT_EQ(said(), "");
    // Many devices that never end: what is held stays below the bound.
    for (int device = 0; device < 400; ++device)
        send({user(name)}, {"s", "1/2"}, 0, "d" + std::to_string(device));
    Bytes saved;
    engine_->save(saved);
    EXPECT_LT(saved.size(), SnapshotParts::kBytesMax + (2u << 20));
    for (const auto* const number : {"1/65", "1/99999999999"}) {  // more parts than any may have
        send({port("80")}, {"s1", number});
        EXPECT_EQ(said(), "");
    }
}

}  // namespace
}  // namespace fieldwatch::detect
