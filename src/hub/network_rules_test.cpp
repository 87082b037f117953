// What a hub's network settings may be: a typing error must never leave a hub open without a word.
#include "hub/network_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwatch::hub {
namespace {

std::string problem(std::string_view configuration) {
    const auto checked = NetworkRules::check(configuration);
    return checked ? std::string() : checked.error().message;
}

TEST(NetworkRules, TakesWhatTheyMayBe) {
    for (const auto* const good :
         {"{}", R"({"publicNetworkAccess":"Disabled","minTlsVersion":"1.3"})",
          R"({"publicNetworkAccess":null,"ipFilterRules":null,"networkRuleSets":null,"minTlsVersion":null})",
          R"({"ipFilterRules":[{"filterName":"a","action":"Accept","ipMask":"10.0.0.0/8"},
              {"filterName":"b","action":"reject","ipMask":"::/0"}],"routing":{},"features":"None"})",
          R"({"networkRuleSets":{"defaultAction":"Deny","applyToBuiltInEventHubEndpoint":true,
              "ipRules":[{"filterName":"a","action":"Allow","ipMask":"10.0.0.1"}]}})"})
        EXPECT_EQ(problem(good), "") << good;
}

TEST(NetworkRules, RefusesWhatWouldBeNoRestriction) {
    const std::pair<const char*, const char*> bad[] = {
        {R"({"publicNetworkAccess":"Disable"})",
         "publicNetworkAccess is Enabled or Disabled, not \"Disable\""},
        {R"({"publicNetworkAccess":false})", "Enabled or Disabled, not false"},
        {R"({"minTlsVersion":1.3})", "minTlsVersion is the text 1.2 or 1.3"},
        {R"({"networkRuleSets":{"defaultAction":"Block"}})", "defaultAction is Allow or Deny"},
        {R"({"networkRuleSets":[]})", "networkRuleSets is an object"},
        {R"({"networkRuleSets":{"defaultAction":"Deny","ipRules":"10.0.0.0/8"}})",
         "ipRules is a list of at most 100"},
        {R"({"ipFilterRules":{"action":"Reject","ipMask":"10.0.0.0/8"}})",
         "ipFilterRules is a list of at most 10"},
        {R"({"ipFilterRules":["10.0.0.0/8"]})", "needs an action"},
        {R"({"ipFilterRules":[{"filterName":"lab","action":"Block","ipMask":"10.0.0.0/8"}]})",
         "\"lab\" needs an action"},
        {R"({"ipFilterRules":[{"filterName":"lab","action":"Reject","ipMask":"10.0.0.0/33"}]})",
         "\"lab\" needs"},
        {R"({"ipFilterRule":[]})", "did you mean ipFilterRules?"},
        {R"({"minTLSVersion":"1.3"})", "did you mean minTlsVersion?"},
        {"[]", "a JSON object"}};
    for (const auto& [configuration, why] : bad)
        EXPECT_THAT(problem(configuration), ::testing::HasSubstr(why)) << configuration;
    std::string many = R"({"ipFilterRules":[)";
    for (int i = 0; i < 11; ++i)
        many +=
            std::string(i > 0 ? "," : "") + R"({"filterName":"a","action":"Reject","ipMask":"10.0.0.0/8"})";
    EXPECT_THAT(problem(many + "]}"), ::testing::HasSubstr("at most 10"));
}

}  // namespace
}  // namespace fieldwatch::hub
