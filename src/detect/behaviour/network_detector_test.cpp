#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'800'000'000;

/// A flow as a sensor reports it.
struct Seen {
    double at = 0;  ///< seconds after kStart
    std::string remote = "203.0.113.7";
    std::string port = "443", protocol = "tcp", state = "SF";
    std::string packets_out = "10", packets_in = "10", seconds = "1";
    std::string device = "camera";
    std::string service = "", bytes_out = "", bytes_in = "";
};

class Network {
  public:
    explicit Network(std::string settings = "{}") {
        ContentSources sources;
        sources.settings_json = std::move(settings);
        content_ = compile(sources).value();
        engine_ = make_engine(content_);
    }

    void see(const Seen& seen) {
        model::ConnectionCreate connection;
        connection.remote_address = seen.remote;
        connection.remote_port = seen.port;
        connection.protocol = seen.protocol;
        connection.direction = model::Direction::Out;
        const std::pair<std::string_view, std::string_view> extra[] = {
            {"ConnState", seen.state},  {"PacketsOut", seen.packets_out}, {"PacketsIn", seen.packets_in},
            {"Duration", seen.seconds}, {"Service", seen.service},        {"BytesOut", seen.bytes_out},
            {"BytesIn", seen.bytes_in}};
        model::Event event;
        event.kind = model::EventKind::ConnectionCreate;
        event.name = "ConnectionCreate";
        event.hub = "hub";
        event.device = seen.device;
        event.time = event.received = event.device_time =
            Timestamp{(kStart * 10'000'000) + static_cast<std::int64_t>(seen.at * 1e7)};
        model::Item item;
        item.position.offset = offset_++;
        item.payload = connection;
        if (!seen.state.empty()) item.extra_details = extra;
        event.position = item.position;
        event.items.push_back(item);
        std::vector<model::Finding> out;
        engine_->observe(event, out);
        for (auto& finding : out)
            if (auto* const alert = std::get_if<model::Alert>(&finding); alert != nullptr && !alert->update)
                alerts.push_back(std::move(*alert));
    }
    /// What an ordinary camera does in `hours`: names, time, its cloud.
    void live(double from, double hours, std::uint64_t seed = 1) {
        SeededRandom random(seed);
        for (double at = from; at < from + hours * 3600; at += 60) {
            const auto jitter = static_cast<double>(random.below(50));
            see({.at = at + jitter, .remote = "192.168.1.1", .port = "53", .protocol = "udp"});
            see({.at = at + jitter + 1, .remote = "203.0.113." + std::to_string(1 + random.below(4))});
            if (random.below(16) == 0)
                see({.at = at + jitter + 2,
                     .remote = "198.51.100.1",
                     .port = "123",
                     .protocol = "udp",
                     .state = "S0"});
        }
    }
    std::vector<std::string> types() const {
        std::vector<std::string> out;
        for (const auto& alert : alerts)
            out.push_back(alert.type);
        return out;
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

    std::vector<model::Alert> alerts;

  private:
    ContentPtr content_;
    std::unique_ptr<Engine> engine_;
    std::uint64_t offset_ = 0;
};

using Types = std::vector<std::string>;

TEST(NetworkDetector, IsSilentOnAnOrdinaryWeek) {
    Network network;
    network.live(0, 24 * 7);
    EXPECT_EQ(network.types(), Types{});
}

TEST(NetworkDetector, SeesAScanWithinItsFirstSecondsOnADeviceNobodyKnows) {
    Network network;
    for (int i = 0; i < 40; ++i)
        network.see(
            {.at = i * 0.5, .remote = "198.51.100." + std::to_string(i), .port = "23", .state = "S0"});
    ASSERT_EQ(network.types(), Types{"IoT_X_NetworkScan"});
    EXPECT_LE(network.alerts[0].start.unix_seconds() - kStart, 12) << "near the twentieth address";
    EXPECT_NE(network.alerts[0].extended_json.find(R"("expected":[0,20])"), std::string::npos)
        << network.alerts[0].extended_json;
}

TEST(NetworkDetector, SeesASlowScan) {
    Network network;
    for (int i = 0; i < 100; ++i)
        network.see(
            {.at = i * 30.0, .remote = "198.51.100." + std::to_string(i), .port = "8081", .state = "REJ"});
    EXPECT_EQ(network.types(), Types{"IoT_X_NetworkScan"});
}

TEST(NetworkDetector, TakesAnsweredFlowsToManyForBrowsing) {
    Network network;
    for (int i = 0; i < 200; ++i)
        network.see({.at = i * 1.0, .remote = "198.51.100." + std::to_string(i)});
    EXPECT_EQ(network.types(), Types{});
}

TEST(NetworkDetector, SeesFloodsOfFlowsAndOfPackets) {
    Network network;
    for (int i = 0; i < 1'200; ++i)
        network.see({.at = i * 0.01, .port = "80", .state = "S0"});
    network.see({.at = 30,
                 .remote = "203.0.113.99",
                 .port = "80",
                 .protocol = "udp",
                 .state = "S0",
                 .packets_out = "90000",
                 .packets_in = "0",
                 .seconds = "20"});
    // An hour of video: as many packets, but spread, and the other side sends reports.
    network.see({.at = 40,
                 .remote = "203.0.113.50",
                 .port = "5004",
                 .protocol = "udp",
                 .state = "SF",
                 .packets_out = "90000",
                 .packets_in = "2000",
                 .seconds = "3600"});
    EXPECT_EQ(network.types(), (Types{"IoT_X_Flood", "IoT_X_Flood"}));
}

TEST(NetworkDetector, SeesPasswordGuessing) {
    Network network;
    for (int i = 0; i < 60; ++i)
        network.see({.at = i * 3.0, .remote = "192.168.1.20", .port = "22"});
    EXPECT_EQ(network.types(), Types{"IoT_X_PasswordGuessing"});
}

TEST(NetworkDetector, SeesABeaconToADeadCommandServerWithoutLearning) {
    Network network;
    for (int i = 0; i < 20; ++i)
        network.see({.at = i * 31.0, .remote = "198.51.100.66", .port = "9375", .state = "S0"});
    EXPECT_EQ(network.types(), Types{"IoT_X_Beacon"});
}

TEST(NetworkDetector, SeesAnAnsweredBeaconToANewAddressOnceTheDeviceIsKnown) {
    Network network;
    network.live(0, 14);
    for (int i = 0; i < 20; ++i)
        network.see({.at = 14 * 3600 + i * 60.0, .remote = "198.51.100.66", .port = "9375"});
    EXPECT_EQ(network.types(), (Types{"IoT_X_RareDestination", "IoT_X_Beacon"}));
}

TEST(NetworkDetector, SeesANewHabitOnAWebPortButNotAnOldOneWithANewAddress) {
    for (const bool polls : {false, true}) {
        Network network;
        network.live(0, 14);
        for (int i = 0; polls && i < 100; ++i)
            network.see({.at = i * 60.5, .remote = "192.0.2.10", .port = "80"});
        network.live(14 * 3600, 1);
        for (int i = 0; i < 20; ++i)
            network.see({.at = 15 * 3600 + i * 60.0, .remote = "198.51.100.66", .port = "80"});
        EXPECT_EQ(network.types(), polls ? Types{} : Types{"IoT_X_Beacon"});
    }
}

TEST(NetworkDetector, SeesACallBesideTheCloudButNoCloudThatMoves) {
    enum class Cloud : std::uint8_t { Stays, Moves, MovesSlowly, IsMany };
    const auto told = [](Cloud cloud, std::string_view others) {
        Network network;
        network.live(0, 14);
        const auto call = [&](double at, const std::string& device) {
            network.see({.at = at, .remote = "198.51.100.66", .device = device});
        };
        for (int i = 0; i < 120; ++i) {
            const double at = 14 * 3600 + i * 60.0;
            if (cloud != Cloud::Moves && (cloud != Cloud::MovesSlowly || i < 60))
                network.live(at, 1.0 / 60, 100 + static_cast<std::uint64_t>(i));
            for (int net = 0; cloud == Cloud::IsMany && net < 5; ++net)
                network.see({.at = at + 52, .remote = "100.128." + std::to_string(net) + ".1"});
            call(at + 55, "camera");
            if (!others.empty()) call(at + 56, std::string(others));
        }
        return network.types();
    };
    EXPECT_EQ(told(Cloud::Stays, ""), Types{"IoT_X_Beacon"});
    EXPECT_EQ(told(Cloud::Moves, ""), Types{}) << "its only one from now on";
    EXPECT_EQ(told(Cloud::MovesSlowly, ""), Types{}) << "both for an hour";
    EXPECT_EQ(told(Cloud::IsMany, ""), Types{}) << "who calls many meets new ones";
    EXPECT_EQ(told(Cloud::Stays, "doorbell"), Types{}) << "the maker's new service";
}

TEST(NetworkDetector, LetsAnOldRegularContactBe) {
    Network network;
    for (int i = 0; i < 24 * 60; ++i)
        network.see({.at = i * 60.0, .remote = "198.51.100.66", .port = "9375"});
    EXPECT_EQ(network.types(), Types{});
}

TEST(NetworkDetector, SeesAServerThatCommandsADeviceWhichNobodyKnows) {
    const auto told = [](const Seen& contact, double gap, int count) {
        Network network;
        SeededRandom random(1);
        for (int i = 0; i < count; ++i) {
            auto seen = contact;
            seen.at = i * gap + static_cast<double>(random.below(100)) * gap / 2000;
            network.see(seen);
        }
        return network.types();
    };
    const Seen plain{
        .remote = "198.51.100.66", .port = "9375", .service = "-", .bytes_out = "90", .bytes_in = "40"};
    EXPECT_EQ(told(plain, 60, 40), Types{"IoT_X_Beacon"}) << "short calls in no protocol";
    auto other = plain;
    other.port = "443";
    EXPECT_EQ(told(other, 300, 40), Types{"IoT_X_Beacon"}) << "nor on a port where one is due";
    other.service = "ssl";
    EXPECT_EQ(told(other, 300, 40), Types{}) << "every smart plug does that";
    other = plain;
    other.seconds = "290";
    EXPECT_EQ(told(other, 300, 40), Types{}) << "a connection that is kept open, made anew";
    other = plain;
    other.service = "irc";
    EXPECT_EQ(told(other, 3'000, 4), Types{"IoT_X_Beacon"}) << "a chat server";
    other = plain;
    other.port = "23";
    other.service = "";
    EXPECT_EQ(told(other, 60, 12), Types{"IoT_X_Beacon"}) << "telnet, outside";
}

TEST(NetworkDetector, SeesWhatOnlyOneOfManyAlikeDoes) {
    Network network;
    for (int i = 0; i < 60; ++i) {
        for (int device = 0; device < 12; ++device)
            network.see({.at = i * 60.0 + device,
                         .remote = "203.0.113.7",
                         .port = "8883",
                         .device = "meter-" + std::to_string(device)});
        network.see({.at = i * 60.0 + 30, .remote = "198.51.100.66", .port = "9375", .device = "meter-3"});
    }
    EXPECT_EQ(network.types(), Types{"IoT_X_Beacon"});
}

TEST(NetworkDetector, SeesAScanOfAFewAddressesAnHour) {
    Network network;
    for (int i = 0; i < 240; ++i)
        network.see(
            {.at = i * 300.0, .remote = "198.51.100." + std::to_string(i), .port = "2323", .state = "S0"});
    EXPECT_EQ(network.types(), Types{"IoT_X_NetworkScan"});
}

TEST(NetworkDetector, SeesPatientGuessesAndAPatientLookAtAllPorts) {
    Network network;
    for (int i = 0; i < 100; ++i) {
        network.see({.at = i * 30.0, .remote = "192.168.1.20", .port = "22"});
        network.see(
            {.at = i * 30.0 + 9, .remote = "192.168.1.1", .port = std::to_string(1000 + i), .state = "REJ"});
    }
    EXPECT_EQ(network.types(), (Types{"IoT_X_PasswordGuessing", "IoT_X_NetworkScan"}));
}

TEST(NetworkDetector, SeesAFloodOverAWholeNetworkAndOneThatIsAnswered) {
    Network network;
    for (int i = 0; i < 2'000; ++i)
        network.see({.at = i * 0.05,
                     .remote = "198.51.100." + std::to_string(i % 250),
                     .port = std::to_string(1000 + i % 2'000),
                     .protocol = "udp",
                     .state = "S0",
                     .packets_out = "100",
                     .packets_in = "0"});
    network.see({.at = 200,
                 .protocol = "icmp",
                 .state = "OTH",
                 .packets_out = "90000",
                 .packets_in = "80000",
                 .seconds = "20",
                 .device = "lamp"});
    EXPECT_EQ(network.types(), (Types{"IoT_X_Flood", "IoT_X_Flood"}));
}

TEST(NetworkDetector, SeesDataCarriedOutToASiteThatIsNew) {
    Network network;
    network.live(0, 14);
    network.see({.at = 14 * 3600, .port = "443", .bytes_out = "150000000", .bytes_in = "1000"});
    network.see({.at = 14 * 3600 + 10,
                 .remote = "198.51.100.66",
                 .port = "443",
                 .bytes_out = "150000000",
                 .bytes_in = "1000"});
    EXPECT_EQ(network.types(), Types{}) << "an update of its own files to an ordinary service";
    network.see({.at = 14 * 3600 + 20,
                 .remote = "198.51.100.77",
                 .port = "2121",
                 .bytes_out = "150000000",
                 .bytes_in = "1000"});
    EXPECT_EQ(network.types(), Types{"IoT_X_Exfiltration"});
}

TEST(NetworkDetector, TakesALineThatIsCutForWhatItIs) {
    Network network;
    network.live(0, 14);
    for (int i = 0; i < 720; ++i)
        network.see(
            {.at = 14 * 3600 + i * 10.0, .remote = "203.0.113." + std::to_string(1 + i % 15), .state = "S0"});
    EXPECT_EQ(network.types(), Types{});
}

TEST(NetworkDetector, CannotBeTaughtToTolerateAScan) {
    Network network;
    // Each hour a few addresses more, from the beginning on.
    std::size_t first = 0;
    for (int hour = 0; hour < 200 && network.alerts.empty(); ++hour) {
        first = static_cast<std::size_t>(hour);
        for (int i = 0; i < hour; ++i)
            network.see({.at = hour * 3600 + i * 1.0,
                         .remote = "198." + std::to_string(hour) + ".100." + std::to_string(i),
                         .port = "23",
                         .state = "S0"});
    }
    EXPECT_EQ(network.types(), Types{"IoT_X_NetworkScan"});
    EXPECT_LE(first, 62u) << "the highest bound that any standard reaches";
}

TEST(NetworkDetector, GoesOnAfterARestartAsIfThereWasNone) {
    const auto run = [](bool restarts) {
        Network network;
        network.live(0, 13);
        if (restarts) network.restart();
        for (int i = 0; i < 12; ++i)
            network.see({.at = 13 * 3600 + i * 2.0,
                         .remote = "198.51.100." + std::to_string(i),
                         .port = "23",
                         .state = "S0"});
        if (restarts) network.restart();
        for (int i = 0; i < 20; ++i)
            network.see({.at = 13 * 3600 + 100 + i * 60.0, .remote = "198.51.100.66", .port = "9375"});
        return network.types();
    };
    EXPECT_EQ(run(true), run(false));
    EXPECT_EQ(run(false), (Types{"IoT_X_NetworkScan", "IoT_X_Beacon"}));
}

TEST(NetworkDetector, LeavesAgentsAloneUnlessAsked) {
    for (const bool asked : {false, true}) {
        Network network(asked ? R"({"behaviour":true})" : "{}");
        for (int i = 0; i < 100; ++i)
            network.see(
                {.at = i * 0.5, .remote = "198.51.100." + std::to_string(i), .port = "23", .state = ""});
        EXPECT_EQ(network.types(), asked ? Types{"IoT_X_NetworkScan"} : Types{});
    }
}

}  // namespace
}  // namespace fieldwatch::detect
