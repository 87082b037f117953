#include "detect/content.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::detect {
namespace {

constexpr const char* kRule =
    "title: T\nid: r1\nlevel: high\nlogsource: {product: linux, category: process_creation}\n"
    "detection:\n  s: {Image: /bin/x}\n  condition: s\n";

ContentSources sources(std::string settings = "{}") {
    return {.rule_files = {{"t.yml", kRule}, {"broken.yml", "title: ["}},
            .word_lists = {},
            .indicator_files = {},
            .advisory_files = {},
            .settings_json = std::move(settings)};
}

TEST(Contents, ShareRulesThatNothingChanged) {
    const auto first = compile(sources()).value();
    ASSERT_EQ(first->rules->rules().size(), 1u);
    auto with_indicators = sources();
    with_indicators.indicator_files = {{"a.txt", "198.51.100.7\n"}};
    const auto second = compile(with_indicators, first).value();
    EXPECT_NE(second->hash, first->hash);
    EXPECT_EQ(second->rules, first->rules);
    ASSERT_EQ(second->rule_errors.size(), 1u);
    EXPECT_EQ(second->rule_errors[0].file, "broken.yml");
}

TEST(Contents, CompileRulesAnewWhoseTextOrReadingChanged) {
    const auto first = compile(sources()).value();
    auto with_words = sources();
    with_words.word_lists = {{"w.txt", "a\n"}};
    EXPECT_NE(compile(with_words, first).value()->rules, first->rules);
    auto with_rule = sources();
    with_rule.rule_files[0].second += "\n";
    EXPECT_NE(compile(with_rule, first).value()->rules, first->rules);
    EXPECT_NE(compile(sources(R"({"localSuffixes":["plant.example"]})"), first).value()->rules, first->rules);
}

TEST(Contents, HoldWhatPeopleExpectOrRefuseIt) {
    const auto expecting = compile(sources(
        R"({"behaviour.expectations":[{"verdict":"expected","device":"camera-*","until":"2027-02-01T00:00:00Z"}]})"));
    ASSERT_TRUE(expecting);
    ASSERT_EQ((*expecting)->settings.expectations.size(), 1u);
    EXPECT_EQ((*expecting)->settings.expectations.front().device, "camera-*");
    EXPECT_NE((*expecting)->hash, compile(sources()).value()->hash)
        << "a replay decides as the live hour did";
    EXPECT_FALSE(compile(sources(R"({"behaviour.expectations":[{"verdict":"expected"}]})")));
}

}  // namespace
}  // namespace fieldwatch::detect
