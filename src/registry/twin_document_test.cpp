#include "registry/twin_document.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fieldwatch::registry {
namespace {

std::string merged(std::string_view document, std::string_view patch) {
    const auto out = merge_twin(document, patch, 32'768);
    return out ? out->document_json : std::string(to_string(out.error().code));
}

TEST(MergePatch, FollowsRfc7396) {
    // RFC 7396 appendix A, the rows whose target and patch are objects.
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"a":"c"})"), R"({"a":"c"})");
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"b":"c"})"), R"({"a":"b","b":"c"})");
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"a":null})"), "{}");
    EXPECT_EQ(merged(R"({"a":"b","b":"c"})", R"({"a":null})"), R"({"b":"c"})");
    EXPECT_EQ(merged(R"({"a":["b"]})", R"({"a":"c"})"), R"({"a":"c"})");
    EXPECT_EQ(merged(R"({"a":"c"})", R"({"a":["b"]})"), R"({"a":["b"]})");
    EXPECT_EQ(merged(R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})"), R"({"a":{"b":"d"}})");
    EXPECT_EQ(merged(R"({"a":[{"b":"c"}]})", R"({"a":[1]})"), R"({"a":[1]})");
    EXPECT_EQ(merged("{}", R"({"a":{"bb":{"ccc":null}}})"), R"({"a":{"bb":{}}})");
}

TEST(MergePatch, RefusesWhatATwinCannotHold) {
    EXPECT_EQ(merged("{}", ""), "Malformed");
    EXPECT_EQ(merged("{}", "7"), "Malformed");
    EXPECT_EQ(merged("{}", "{\"a\":\"\xff\"}"), "Malformed");
    EXPECT_EQ(merged("{}", R"({"$a":1})"), "InvalidArgument");
    EXPECT_EQ(merged("{}", R"({"a":{"b c":1}})"), "InvalidArgument");
    EXPECT_EQ(merged("{}", R"({"a":9223372036854775807})"), "InvalidArgument");
    EXPECT_EQ(merged("{}", R"({"a":")" + std::string(4'097, 'x') + "\"}"), "InvalidArgument");
    EXPECT_EQ(merged("{}", std::string(200'000, '[')), "TooLarge");
    std::string deep = "1";
    for (int i = 0; i < 10; ++i)
        deep = "{\"a\":" + deep + "}";
    EXPECT_EQ(merged("{}", deep), deep);
    EXPECT_EQ(merged("{}", "{\"a\":" + deep + "}"), "TooLarge");
    EXPECT_EQ(merged("{}", R"({"a":"[[[[[[[[[[[["})"), R"({"a":"[[[[[[[[[[[["})");
}

TEST(MergePatch, AnyTextIsAValueOrAnErrorAndApplyingTwiceIsApplyingOnce) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        const auto once = merge_twin(R"({"a":{"b":1}})", text, 32'768);
        if (!once) return;
        RC_ASSERT(merge_twin(once->document_json, once->patch_json, 32'768)->document_json ==
                  once->document_json);
    }));
}

}  // namespace
}  // namespace fieldwatch::registry
