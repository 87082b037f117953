// Correlations over the fleet: what one shard tells of its devices, and what comes of it where facts meet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>

#include "detect/rules/correlator.hpp"
#include "detect/rules/pack.hpp"

namespace fieldwatch::detect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string device_line(int second, const std::string& device, const std::string& source) {
    const auto stamp = to_iso8601(Timestamp::from_unix_seconds(1'800'000'000 + second), 0);
    return nlohmann::json{{"time", stamp},
                          {"hub", "h"},
                          {"device", device},
                          {"kind", "sigma-event"},
                          {"body",
                           {{"logsource", {{"product", "linux"}, {"service", "sshd"}}},
                            {"fields", {{"Action", "fail"}, {"SourceIp", source}}}}}}
        .dump();
}

RuleSet::Compiled compile_fleet_rule(const std::string& scope) {
    const SourceFile file{"t.yml",
                          "title: failed login\nid: failed\nlogsource: {product: linux, service: sshd}\n"
                          "detection: {s: {Action: fail}, condition: s}\n---\n"
                          "title: C\nid: c\nlevel: high\ncorrelation: {type: value_count, rules: [failed], "
                          "group-by: [SourceIp], timespan: 10m, condition: {field: device.id, gte: 3}}\n"
                          "fieldwatch: {scope: " +
                              scope + "}\n"};
    return RuleSet::compile({&file, 1}, {});
}

TEST(Correlation, CountsAcrossDevicesOnlyInTheScopeOfTheFleet) {
    for (const bool fleet : {false, true}) {
        const auto compiled = compile_fleet_rule(fleet ? "fleet" : "device");
        ASSERT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
        RecordedMatches matches(compiled.rules);
        std::string out;
        int number = 0;
        for (const auto* device : {"a", "b", "b", "c"}) {
            ++number;
            const auto place = static_cast<std::size_t>(number);
            ASSERT_TRUE(matches.match(device_line(number, device, "10.0.0.1"), place, out));
        }
        ASSERT_TRUE(matches.match(device_line(5, "d", "10.0.0.2"), 5, out));
        EXPECT_EQ(out, fleet ? "{\"rule\":\"c\",\"event\":4}\n" : "");
    }
    EXPECT_THAT(compile_fleet_rule("hub").errors.at(0).why, HasSubstr("neither device nor fleet"));
}

TEST(Correlation, HasAScopeARuleHasNone) {
    const SourceFile file{"t.yml",
                          "title: T\nlogsource: {product: linux}\ndetection: {a: {A: x}, condition: a}\n"
                          "fieldwatch: {scope: fleet}\n"};
    EXPECT_THAT(RuleSet::compile({&file, 1}, {}).errors.at(0).why, HasSubstr("is a correlation's"));
}

/// A correlator that is shown what happened, fact by fact, and what it said.
struct FleetView {
    explicit FleetView(RuleSetPtr rules) : correlator(std::move(rules)) {}
    Correlator correlator;
    std::vector<Correlator::Found> found;
};

FleetFact fact_of(const RuleSetPtr& rules, int second, const std::string& device, const std::string& source) {
    FleetFact fact{.rule = rules->correlations()[0].state_key(), .hub = "h", .device = device};
    fact.values = {{"SourceIp", source}};
    fact.text = device;
    fact.time = Timestamp::from_unix_seconds(1'800'000'000 + second);
    fact.evidence = {{.partition = 1, .offset = static_cast<std::uint64_t>(second), .item = 0}};
    return fact;
}

TEST(FleetFact, IsReadAsItWasWritten) {
    rc::check("read(write(fact)) == fact", [] {
        const auto text = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
        FleetFact fact{
            .rule = *text, .place = *rc::gen::arbitrary<std::uint32_t>(), .hub = *text, .device = *text};
        const auto count = *rc::gen::inRange(0, 5);
        for (int i = 0; i < count; ++i)
            fact.values.emplace_back(*text, *text);
        fact.text = *text;
        fact.number = *rc::gen::arbitrary<double>();
        fact.weight = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
        fact.time.ticks = *rc::gen::inRange<std::int64_t>(-1'000'000, 1'000'000);
        fact.evidence = {{.partition = 3, .offset = *rc::gen::arbitrary<std::uint64_t>(), .item = 7}};
        const auto record = fleet_fact_record(fact, {.partition = 2, .offset = 9, .number = 4}, {});
        const auto bytes = model::encode(record);
        const auto read = read_fleet_fact(model::decode_record(bytes).value());
        RC_ASSERT(read.has_value());
        RC_ASSERT(read->fact == fact);
        RC_ASSERT(read->origin.offset == 9u);
    });
    FleetFact small;
    small.hub = "h";
    auto wide = fleet_fact_record(small, {}, {});
    wide.body.replace(wide.body.find("\"place\":0"), 9, "\"place\":4294967296");
    EXPECT_FALSE(read_fleet_fact(model::view_of(wide))) << "a place that is cut short would be another's";
    const auto why = [](std::string_view body) {
        const auto read = read_fleet_fact({.kind = model::RecordKind::FleetFact, .body = body});
        return read ? std::string() : read.error().message;
    };
    EXPECT_THAT(why("{"), HasSubstr("no JSON object"));
    EXPECT_THAT(why(R"({"version":2})"), HasSubstr("of a version"));
    EXPECT_THAT(why(R"({"version":1,"origin":[0,1,2],"place":-1,"weight":1,"time":1})"),
                HasSubstr("without"));
    EXPECT_THAT(why(R"({"version":1,"origin":[0,1,2],"place":0,"weight":0,"time":1})"),
                HasSubstr("out of range"));
    EXPECT_THAT(
        why(R"({"version":1,"origin":[0,1,2],"place":0,"weight":1,"time":1,"rule":"r","text":"","number":0,"values":[["a"]]})"),
        HasSubstr("a name and a text"));
    EXPECT_EQ(bounded_fact_text(std::string(5'000, 'a')).size(), FleetFact::kTextBytesMax);
    EXPECT_NE(bounded_fact_text(std::string(5'000, 'a')), bounded_fact_text(std::string(5'001, 'a')));
}

TEST(Correlation, OfTheFleetGoesOnFromItsSavedState) {
    const auto rules = compile_fleet_rule("fleet").rules;
    FleetView before(rules);
    before.correlator.observe_fact(fact_of(rules, 0, "a", "10.0.0.1"), before.found);
    before.correlator.observe_fact(fact_of(rules, 1, "b", "10.0.0.1"), before.found);
    EXPECT_TRUE(before.found.empty());
    Bytes state;
    ByteWriter out(state);
    before.correlator.save(out);
    FleetView after(rules);
    ByteReader in(state);
    ASSERT_TRUE(after.correlator.restore(in));
    EXPECT_TRUE(in.empty());
    after.correlator.observe_fact(fact_of(rules, 2, "c", "10.0.0.1"), after.found);
    ASSERT_EQ(after.found.size(), 1u);
    EXPECT_THAT(after.found[0].devices, ElementsAre("a", "b", "c"));
    EXPECT_EQ(after.found[0].device, "");
    EXPECT_EQ(after.found[0].evidence.size(), 3u);
    const auto alert = make_correlation_alert(rules->rules()[rules->correlations()[0].rule],
                                              rules->correlations()[0], after.found[0]);
    EXPECT_EQ(alert.compromised_entity, "h");
    EXPECT_THAT(alert.extended_json, HasSubstr(R"("DeviceCount":"3")"));
    EXPECT_THAT(alert.entities_json, HasSubstr(R"("DeviceId":"b")"));
}

TEST(Correlation, OfTheFleetIsTheSameInWhateverOrderItsFactsCome) {
    const auto rules = compile_fleet_rule("fleet").rules;
    rc::check("the same devices, told once", [&] {
        auto order = *rc::gen::container<std::vector<int>>(4, rc::gen::inRange(0, 5));
        FleetView view(rules);
        std::set<std::string> devices;
        for (const auto one : order) {
            const std::string device(1, static_cast<char>('a' + one));
            devices.insert(device);
            view.correlator.observe_fact(fact_of(rules, one, device, "10.0.0.1"), view.found);
        }
        RC_ASSERT(view.found.empty() == (devices.size() < 3));
        if (!view.found.empty())
            RC_ASSERT(view.found.back().devices == std::vector<std::string>(devices.begin(), devices.end()));
    });
}

}  // namespace
}  // namespace fieldwatch::detect
