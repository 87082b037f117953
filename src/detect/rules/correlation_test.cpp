#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>

#include "detect/rules/correlator.hpp"
#include "detect/rules/pack.hpp"
#include "detect/rules/recorded.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::string_view kBase = R"(
title: failed login
id: failed
name: failed_login
logsource: {product: linux, service: sshd}
detection: {s: {Action: fail}, condition: s}
---
title: login
id: okay
name: good_login
logsource: {product: linux, service: sshd}
detection: {s: {Action: ok}, condition: s}
---
)";

struct Event {
    int second;
    std::string action, user;
    std::string value = "0";
};

RuleSet::Compiled compile_correlation(const std::string& correlation) {
    const SourceFile file{
        "t.yml",
        std::string(kBase) + "title: C\nid: c\nlevel: high\nauthor: A\ncorrelation: {" + correlation + "}\n"};
    return RuleSet::compile({&file, 1}, {});
}

std::string line(const Event& event) {
    const auto stamp = to_iso8601(Timestamp::from_unix_seconds(1'800'000'000 + event.second), 0);
    return nlohmann::json{{"time", stamp},
                          {"hub", "h"},
                          {"device", "d"},
                          {"kind", "sigma-event"},
                          {"body",
                           {{"logsource", {{"product", "linux"}, {"service", "sshd"}}},
                            {"fields",
                             {{"Action", event.action},
                              {"User", event.user},
                              {"Account", event.user},
                              {"Value", event.value}}}}}}
        .dump();
}

/// The numbers of the events at which the correlation was told.
std::vector<int> told(const std::string& correlation, const std::vector<Event>& events) {
    const auto compiled = compile_correlation(correlation);
    for (const auto& error : compiled.errors)
        ADD_FAILURE() << error.why;
    RecordedMatches matches(compiled.rules);
    std::string out;
    for (std::size_t i = 0; i < events.size(); ++i)
        EXPECT_TRUE(matches.match(line(events[i]), i + 1, out));
    matches.finish(out);
    std::vector<int> numbers;
    std::istringstream text(out);
    for (std::string one; std::getline(text, one);) {
        const auto json = nlohmann::json::parse(one);
        if (json["rule"] == "c") numbers.push_back(json["event"].get<int>());
    }
    return numbers;
}

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Sigma, NamesTheCorrelationThatAnOldAggregationIs) {
    const auto why = [](std::string_view rest) {
        const SourceFile file{
            "t.yml", "title: T\nlogsource: {product: linux}\ndetection:\n  a: {A: x}\n  b: {B: y}\n" +
                         std::string(rest)};
        const auto compiled = RuleSet::compile({&file, 1}, {});
        return compiled.errors.empty() ? "" : compiled.errors[0].why;
    };
    using testing::HasSubstr;
    EXPECT_THAT(why("  timeframe: 30s\n  condition: a | near b\n"), HasSubstr("'| near' left Sigma"));
    EXPECT_THAT(why("  timeframe: 30s\n  condition: a | near b\n"), HasSubstr("type temporal"));
    EXPECT_THAT(why("  condition: a | count() by C > 5\n"), HasSubstr("type event_count"));
    EXPECT_THAT(why("  condition: a | count(User) by C > 5\n"), HasSubstr("type value_count"));
    EXPECT_THAT(why("  condition: a | sum(Bytes) > 5\n"), HasSubstr("type value_sum"));
    EXPECT_THAT(why("  timeframe: 30s\n  condition: a\n"), HasSubstr("timeframe left Sigma"));
    EXPECT_THAT(why("  c: {C|re: 'x)'}\n  condition: c\n"), HasSubstr("not understood: "));
}

TEST(Correlation, CountsEventsOfAGroupWithinTheTimespanItsEndIncluded) {
    const std::string rule =
        "type: event_count, rules: [failed], group-by: [User], timespan: 1m, condition: {gte: 3}";
    EXPECT_THAT(told(rule, {{0, "fail", "a"}, {1, "fail", "b"}, {30, "fail", "a"}, {60, "fail", "a"}}),
                ElementsAre(4));
    EXPECT_THAT(told(rule, {{0, "fail", "a"}, {30, "fail", "a"}, {61, "fail", "a"}}), IsEmpty());
}

TEST(Correlation, DecidesUpperBoundsWhenTheWindowEnds) {
    const std::string rule =
        "type: event_count, rules: [failed], group-by: [User], timespan: 1m, condition: {gt: 1, lte: 2}";
    EXPECT_THAT(told(rule, {{0, "fail", "a"}, {1, "fail", "a"}}), ElementsAre(2));
    EXPECT_THAT(told(rule, {{0, "fail", "a"}, {1, "fail", "a"}, {2, "fail", "a"}}), IsEmpty());
}

TEST(Correlation, CountsDistinctValuesAndAddsNumbers) {
    EXPECT_THAT(told("type: value_count, rules: [failed], timespan: 1m, condition: {field: User, gte: 2}",
                     {{0, "fail", "a"}, {1, "fail", "a"}, {2, "fail", "b"}}),
                ElementsAre(3));
    EXPECT_THAT(told("type: value_sum, rules: [failed], group-by: [User], timespan: 1m, condition: {field: "
                     "Value, gt: 100}",
                     {{0, "fail", "a", "60"}, {1, "fail", "a", "40"}, {2, "fail", "a", "1"}}),
                ElementsAre(3));
    EXPECT_THAT(told("type: value_avg, rules: [failed], group-by: [User], timespan: 1m, condition: {field: "
                     "Value, gt: 50}",
                     {{0, "fail", "a", "90"}, {1, "fail", "a", "5"}}),
                IsEmpty());
    EXPECT_THAT(told("type: value_percentile, rules: [failed], timespan: 1m, condition: {field: Value, "
                     "percentile: 50, gte: 7}",
                     {{0, "fail", "a", "1"}, {1, "fail", "a", "7"}, {2, "fail", "a", "9"}}),
                ElementsAre(3));
}

TEST(Correlation, KnowsTheMedianAndLongTimespans) {
    EXPECT_THAT(told("type: value_median, rules: [failed], timespan: 1m, condition: {field: Value, gte: 7}",
                     {{0, "fail", "a", "1"}, {1, "fail", "a", "7"}, {2, "fail", "a", "9"}}),
                ElementsAre(3));
    EXPECT_THAT(told("type: event_count, rules: [failed], timespan: 1w, condition: {gte: 2}",
                     {{0, "fail", "a"}, {6 * 86'400, "fail", "a"}}),
                ElementsAre(2));
    EXPECT_THAT(compile_correlation("type: event_count, rules: [failed], timespan: 1y, condition: {gte: 2}")
                    .errors.at(0)
                    .why,
                HasSubstr("at most 90d"));
}

TEST(Correlation, KnowsOrder) {
    const std::string rest =
        ", rules: [failed_login, good_login], group-by: [who], timespan: 1m, aliases: {who: "
        "{failed_login: User, good_login: Account}}";
    EXPECT_THAT(told("type: temporal_ordered" + rest, {{0, "fail", "a"}, {5, "ok", "a"}}), ElementsAre(2));
    EXPECT_THAT(told("type: temporal_ordered" + rest, {{0, "ok", "a"}, {5, "fail", "a"}}), IsEmpty());
    EXPECT_THAT(told("type: temporal" + rest, {{0, "ok", "a"}, {5, "fail", "a"}}), ElementsAre(2));
    EXPECT_THAT(told("type: temporal" + rest, {{0, "ok", "a"}, {5, "fail", "b"}}), IsEmpty());
}

TEST(Correlation, TakesATextOfItsRulesForACondition) {
    const std::string rest = ", rules: [failed_login, good_login], timespan: 1m";
    const std::vector<Event> both{{0, "ok", "a"}, {5, "fail", "a"}};
    EXPECT_THAT(told("type: temporal" + rest + ", condition: failed_login AND good_login", both),
                ElementsAre(2));
    EXPECT_THAT(told("type: temporal" + rest + ", condition: failed_login AND good_login", {both[0]}),
                IsEmpty());
    EXPECT_THAT(told("type: temporal" + rest + ", condition: failed_login or good_login", {both[1]}),
                ElementsAre(1));
    EXPECT_THAT(told("type: temporal" + rest + ", condition: all of *_login", both), ElementsAre(2));
    EXPECT_THAT(told("type: temporal_ordered" + rest + ", condition: failed_login and good_login", both),
                IsEmpty());
    const auto why = [&](const std::string& condition) {
        return compile_correlation(condition).errors.at(0).why;
    };
    EXPECT_THAT(why("type: temporal" + rest + ", condition: not failed_login"),
                HasSubstr("takes 'and', 'or'"));
    EXPECT_THAT(why("type: temporal" + rest + ", condition: failed_logon"), HasSubstr("failed_login"));
    EXPECT_THAT(why("type: temporal_ordered" + rest + ", condition: failed_login or good_login"),
                HasSubstr("'and' of all its rules"));
    EXPECT_THAT(why("type: event_count" + rest + ", condition: failed_login"), HasSubstr("{gte: 5}"));
    EXPECT_THAT(why("type: temporal, timespan: 1m, condition: all of them"), HasSubstr("needs 'rules'"));
}

TEST(Correlation, KnowsTheRulesOfAnAliasByIdAndByName) {
    const std::vector<Event> pair{{0, "fail", "a"}, {5, "ok", "a"}};
    for (const std::string rules : {"[failed, good_login]", "[failed_login, okay]"}) {
        EXPECT_THAT(told("type: temporal, rules: " + rules +
                             ", group-by: [who], timespan: 1m, "
                             "aliases: {who: {failed_login: User, okay: Account}}",
                         pair),
                    ElementsAre(2));
    }
    EXPECT_THAT(compile_correlation("type: temporal, rules: [failed, okay], group-by: [who], timespan: 1m, "
                                    "aliases: {who: {faild: User}}")
                    .errors.at(0)
                    .why,
                HasSubstr("'failed'"));
}

TEST(Correlation, ReadsTheSpecificationsExampleOfAChainOutermostFirst) {
    const SourceFile file{"t.yml", R"(
title: failures, then a login
id: c
correlation: {type: temporal_ordered, rules: [many_failed, good], group-by: [User], timespan: 10m}
level: high
---
name: many_failed
correlation: {type: event_count, rules: [failed], group-by: [User], timespan: 10m, condition: {gte: 3}}
---
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {Action: fail}, condition: s}
---
name: good
logsource: {product: linux, service: sshd}
detection: {s: {Action: ok}, condition: s}
)"};
    const auto compiled = RuleSet::compile({&file, 1}, {});
    ASSERT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
    RecordedMatches matches(compiled.rules);
    std::string out;
    const std::vector<Event> events{{0, "ok", "a"},   {1, "fail", "a"}, {2, "fail", "b"}, {3, "fail", "a"},
                                    {4, "fail", "a"}, {5, "ok", "b"},   {6, "ok", "a"}};
    for (std::size_t i = 0; i < events.size(); ++i)
        ASSERT_TRUE(matches.match(line(events[i]), i + 1, out));
    EXPECT_THAT(out, HasSubstr("\"event\":7"));
    EXPECT_EQ(std::ranges::count(out, '\n'), 1);
}

TEST(Filter, LeavesOutWhatItSelectsHoweverThatIsSaid) {
    const auto hits = [](const std::string& filter) {
        const SourceFile file{
            "t.yml",
            std::string(kBase) + "title: F\nlogsource: {product: linux}\nfilter: {" + filter + "}\n"};
        const auto compiled = RuleSet::compile({&file, 1}, {});
        for (const auto& error : compiled.errors)
            ADD_FAILURE() << error.why;
        RecordedMatches matches(compiled.rules);
        std::string out;
        EXPECT_TRUE(matches.match(line({0, "fail", "adm_bob"}), 1, out));
        EXPECT_TRUE(matches.match(line({1, "fail", "bob"}), 2, out));
        EXPECT_TRUE(matches.match(line({2, "ok", "adm_bob"}), 3, out));
        std::vector<int> numbers;
        std::istringstream text(out);
        for (std::string one; std::getline(text, one);)
            numbers.push_back(nlohmann::json::parse(one)["event"].get<int>());
        return numbers;
    };
    const std::string selection = ", selection: {User|startswith: adm_}";
    EXPECT_THAT(hits("rules: [failed]" + selection + ", condition: selection"), ElementsAre(2, 3));
    EXPECT_THAT(hits("rules: [failed_login]" + selection + ", condition: not selection"), ElementsAre(2, 3));
    EXPECT_THAT(hits("rules: failed" + selection + ", condition: 1 of selection*"), ElementsAre(2, 3));
    EXPECT_THAT(hits("rules: any" + selection + ", condition: selection"), ElementsAre(2));
    EXPECT_THAT(
        hits("rules: [failed]" + selection + ", other: {User: bob}, condition: not selection and not other"),
        ElementsAre(3));
}

TEST(Filter, IsForRulesOfItsLogSourceOnly) {
    const SourceFile file{"t.yml", std::string(kBase) + R"(title: F
logsource: {product: linux, service: sudo}
filter: {rules: any, selection: {User: a}, condition: selection}
)"};
    const auto compiled = RuleSet::compile({&file, 1}, {});
    RecordedMatches matches(compiled.rules);
    std::string out;
    ASSERT_TRUE(matches.match(line({0, "fail", "a"}), 1, out));
    EXPECT_FALSE(out.empty());
}

TEST(Correlation, SilencesTheRulesItReadsUnlessItGeneratesThem) {
    const std::string rule = "type: event_count, rules: [failed], timespan: 1m, condition: {gte: 9}";
    for (const bool generate : {false, true}) {
        const auto compiled = compile_correlation(rule + (generate ? ", generate: true" : ""));
        RecordedMatches matches(compiled.rules);
        std::string out;
        ASSERT_TRUE(matches.match(line({0, "fail", "a"}), 1, out));
        EXPECT_EQ(out.empty(), !generate);
    }
}

TEST(Correlation, LeavesARuleItsVoiceThatAsksForIt) {
    const SourceFile file{"t.yml", R"(
title: failed
id: failed
logsource: {product: linux, service: sshd}
detection: {s: {Action: fail}, condition: s}
fieldwatch: {generate: true}
---
title: okay
id: okay
logsource: {product: linux, service: sshd}
detection: {s: {Action: ok}, condition: s}
---
title: C
id: c
correlation: {type: temporal, rules: [failed, okay], timespan: 1m}
)"};
    const auto compiled = RuleSet::compile({&file, 1}, {});
    ASSERT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
    for (const auto& rule : compiled.rules->rules())
        EXPECT_EQ(rule.only_correlated, rule.origin.id == "okay") << rule.origin.id;
}

TEST(Correlation, RefusesWhatItCannotReadWithTheNearestForm) {
    const auto why = [](const std::string& correlation) {
        const auto compiled = compile_correlation(correlation);
        return compiled.errors.empty() ? std::string{} : compiled.errors[0].why;
    };
    EXPECT_THAT(why("type: event_counts, rules: [failed], timespan: 1m, condition: {gte: 1}"),
                HasSubstr("event_count"));
    EXPECT_THAT(why("type: event_count, rules: [failled], timespan: 1m, condition: {gte: 1}"),
                HasSubstr("failed"));
    EXPECT_THAT(why("type: event_count, rules: [failed], timespan: 1x, condition: {gte: 1}"),
                HasSubstr("90m"));
    EXPECT_THAT(why("type: event_count, rules: [c], timespan: 1m, condition: {gte: 1}"), HasSubstr("itself"));
    EXPECT_THAT(why("type: event_count, rules: [failed], timespan: 1m, condition: {gte: 99999}"),
                HasSubstr("too costly"));
}

/// What was told in all, whatever the order of arrival: the events that are evidence.
std::vector<std::uint64_t> evidence(const RuleSetPtr& rules,
                                    const std::vector<std::pair<int, std::string>>& events,
                                    bool through_a_checkpoint) {
    auto correlator = std::make_unique<Correlator>(rules);
    Matcher matcher(rules);
    std::vector<Correlator::Found> found;
    for (const auto& [second, user] : events) {
        auto recorded = *RecordedEvent::parse(line({second, "fail", user}));
        recorded.set_place(static_cast<std::size_t>(second) * 10 + (user == "a" ? 1 : 2));
        std::vector<RuleHit> hits;
        matcher.match_all(recorded.event(), recorded.item(), hits);
        correlator->observe(recorded.event(), recorded.item(), hits, {}, found);
        if (!through_a_checkpoint) continue;
        Bytes saved;
        ByteWriter writer(saved);
        correlator->save(writer);
        correlator = std::make_unique<Correlator>(rules);
        ByteReader reader(saved);
        RC_ASSERT(correlator->restore(reader).has_value());
        RC_ASSERT(reader.empty());
    }
    std::vector<std::uint64_t> out;
    for (const auto& one : found) {
        for (const auto& position : one.evidence)
            out.push_back(position.offset);
    }
    std::ranges::sort(out);
    return out;
}

struct Aggregate {
    int from, to;  ///< seconds
    std::int64_t hits;
    std::string value = "0";
};

std::vector<Correlator::Found> found_in(const std::string& correlation,
                                        const std::vector<Aggregate>& aggregates) {
    const auto compiled = compile_correlation(correlation);
    Correlator correlator(compiled.rules);
    Matcher matcher(compiled.rules);
    std::vector<Correlator::Found> found;
    for (const auto& one : aggregates) {
        auto recorded = *RecordedEvent::parse(line({one.to, "fail", "a", one.value}));
        recorded.set_place(static_cast<std::size_t>(one.to));
        auto event = recorded.event();
        event.hit_count = one.hits;
        event.window_start = Timestamp::from_unix_seconds(1'800'000'000 + one.from);
        event.window_end = Timestamp::from_unix_seconds(1'800'000'000 + one.to);
        std::vector<RuleHit> hits;
        matcher.match_all(event, event.items.front(), hits);
        correlator.observe(event, event.items.front(), hits, {}, found);
    }
    correlator.finish(found);
    return found;
}

TEST(Correlation, SpreadsTheHitsOfAnAggregateEvenlyOverItsInterval) {
    const std::string rule = "type: event_count, rules: [failed], timespan: 5m, condition: {gte: 20}";
    EXPECT_TRUE(found_in(rule, {{0, 3'600, 30}}).empty());
    EXPECT_TRUE(found_in(rule, {{0, 3'600, 220}}).empty());  // 18 in five minutes
    EXPECT_TRUE(found_in(rule, {{0, 18 * 3'600, 4'000}}).empty());
    EXPECT_TRUE(found_in(rule, {{0, 72 * 3'600, 16'000}}).empty());
    for (const auto& [from, to, hits, value] : std::vector<Aggregate>{
             {0, 0, 20}, {0, 300, 20}, {0, 3'600, 260}, {0, 18 * 3'600, 5'000}, {0, 72 * 3'600, 20'000}}) {
        const auto found = found_in(rule, {{from, to, hits}});
        ASSERT_EQ(found.size(), 1u) << to;
        EXPECT_GE(found[0].measured, 20) << to;
        EXPECT_LE(found[0].hits, hits) << to;
        EXPECT_EQ(found[0].evidence.size(), 1u) << to;
    }
    // The ends of two meet in one window.
    EXPECT_TRUE(found_in(rule, {{0, 300, 12}}).empty());
    EXPECT_EQ(found_in(rule, {{0, 120, 12}, {150, 270, 12}}).size(), 1u);
    EXPECT_TRUE(found_in(rule, {{0, 600, 24}, {600, 1'200, 24}}).empty());
}

TEST(Correlation, AnAggregateIsOneValueAndItsNumbersAddUpWhereTheyLie) {
    EXPECT_TRUE(found_in("type: value_count, rules: [failed], timespan: 5m, condition: {field: User, gte: 2}",
                         {{0, 3'600, 30}})
                    .empty());
    EXPECT_EQ(found_in("type: value_count, rules: [failed], timespan: 5m, condition: {field: User, gte: 1}",
                       {{0, 3'600, 30}})
                  .at(0)
                  .hits,
              30);
    const std::string sum =
        "type: value_sum, rules: [failed], timespan: 5m, condition: {field: Value, gte: 200}";
    EXPECT_TRUE(found_in(sum, {{0, 3'600, 30, "10"}}).empty());
    EXPECT_EQ(found_in(sum, {{0, 240, 30, "10"}}).size(), 1u);
}

TEST(Correlation, SaysTheSameOfShuffledEventsAndAcrossCheckpoints) {
    const auto rules =
        compile_correlation(
            "type: event_count, rules: [failed], group-by: [User], timespan: 1m, condition: {gte: 4}")
            .rules;
    rc::check("shuffled within the lateness", [&] {
        const auto seconds = *rc::gen::unique<std::vector<int>>(rc::gen::inRange(0, 600));
        std::vector<std::pair<int, std::string>> events;
        for (const auto second : seconds)
            events.emplace_back(second, second % 3 == 0 ? "a" : "b");
        auto ordered = events;
        std::ranges::sort(ordered);
        const auto expected = evidence(rules, ordered, false);
        RC_ASSERT(evidence(rules, events, false) == expected);
        RC_ASSERT(evidence(rules, events, true) == expected);
    });
}

}  // namespace
}  // namespace fieldwatch::detect
