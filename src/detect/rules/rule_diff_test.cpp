#include "detect/rules/rule_diff.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::detect {
namespace {

std::string document(const std::string& id, const std::string& word) {
    return "title: T " + id + "\nid: " + id +
           "\nlogsource: {category: process_creation}\ndetection: {a: {CommandLine: " + word +
           "}, condition: a}\n";
}

TEST(RuleDiff, TellsRulesApartThatShareAFile) {
    const RulePack before{.rules = {{"a.yml", document("a", "x") + "---\n" + document("b", "x")},
                                    {"c.yml", document("c", "x")}},
                          .words = {}};
    const RulePack after{
        .rules = {{"a.yml", "# said again\n" + document("a", "x") + "---\n" + document("b", "y")},
                  {"d.yml", document("d", "x")}},
        .words = {}};
    const auto diff = diff_rules(rule_texts(before), rule_texts(after));
    ASSERT_EQ(diff.added.size(), 1u);
    EXPECT_EQ(diff.added[0].id, "d");
    ASSERT_EQ(diff.removed.size(), 1u);
    EXPECT_EQ(diff.removed[0].title, "T c");
    ASSERT_EQ(diff.changed.size(), 1u);
    EXPECT_EQ(diff.changed[0].before, document("b", "x"));
    EXPECT_EQ(diff.changed[0].after, document("b", "y"));
    EXPECT_TRUE(diff_rules(rule_texts(before), rule_texts(before)).empty());
}

TEST(RuleDiff, LaysAFolderOverAnother) {
    const RulePack base{.rules = {{"b.yml", "b"}, {"a.yml", "a"}}, .words = {{"words/w.txt", "w"}}};
    const auto out =
        laid_over(base, {.rules = {{"a.yml", "other"}, {"b.yml", ""}, {"c.yml", "c"}}, .words = {}});
    ASSERT_EQ(out.rules.size(), 2u);
    EXPECT_EQ(out.rules[0].text, "other");
    EXPECT_EQ(out.rules[1].name, "c.yml");
    EXPECT_EQ(out.words.size(), 1u);
}

}  // namespace
}  // namespace fieldwatch::detect
