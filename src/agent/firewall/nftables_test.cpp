#include "agent/firewall/nftables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

namespace fieldwatch::agent {
namespace {

/// The answer of a real kernel to the rules in collectors/firewall_test.cpp.
Bytes recorded() {
    std::ifstream file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/corpus/nftables/rules", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

std::map<std::string, std::string> members(const Observation& rule) {
    std::map<std::string, std::string> out;
    for (const auto& field : rule.fields)
        out[field.name] = field.is_integer ? std::to_string(field.integer) : field.text;
    for (const auto& extra : rule.extras)
        out[std::string("+") + extra.name] = extra.text;
    return out;
}

using Members = std::map<std::string, std::string>;

TEST(Nftables, ReadsTheRulesOfARealKernel) {
    const auto rules = read_nftables(recorded());
    ASSERT_EQ(rules.size(), 12U);  // 7 and policy, 1, policy, 1 and policy
    const Members base = {{"ChainName", "input"},
                          {"Direction", "In"},
                          {"Enabled", "1"},
                          {"+Family", "inet"},
                          {"+Table", "filter"}};
    const auto expect = [&](std::size_t at, Members wanted) {
        auto found = members(rules[at]);
        found.erase("+Matches");
        wanted.insert(base.begin(), base.end());
        wanted["Priority"] = std::to_string(at);
        EXPECT_EQ(found, wanted) << at;
    };
    expect(0, {{"Action", "Allow"}});
    EXPECT_NE(members(rules[0])["+Matches"].find("ct"), std::string::npos);
    expect(1, {{"Action", "Allow"}});
    EXPECT_EQ(members(rules[1])["+Matches"], "iifname lo");
    expect(2, {{"Action", "Allow"},
               {"Protocol", "tcp"},
               {"DestinationPort", "22"},
               {"SourceAddress", "192.0.2.0/24"}});
    expect(3, {{"Action", "Deny"}, {"Protocol", "tcp"}, {"DestinationPort", "8000-8100"}});
    EXPECT_EQ(members(rules[4])["Protocol"], "udp");
    EXPECT_TRUE(members(rules[4])["DestinationPort"].starts_with("@"));
    expect(5, {{"Action", "Deny"}, {"SourceAddress", "2001:db8::/32"}});
    expect(6, {{"Action", "Other"},
               {"+Action", "jump other"},
               {"Protocol", "icmp"},
               {"DestinationAddress", "!198.51.100.7"}});
    EXPECT_EQ(members(rules[7])["Action"], "Deny");
    EXPECT_EQ(members(rules[7])["+Policy"], "true");
    EXPECT_EQ(members(rules[8])["ChainName"], "other");
    EXPECT_FALSE(members(rules[8]).contains("Direction"));
    EXPECT_EQ(members(rules[8])["Action"], "Deny");
    EXPECT_EQ(members(rules[9])["Direction"], "Out");
    EXPECT_EQ(members(rules[10])["+Action"], "masq");
}

TEST(Nftables, SurvivesAnAnswerThatEndsAnywhere) {
    const auto whole = recorded();
    for (std::size_t size = 0; size <= whole.size(); ++size)
        EXPECT_LE(read_nftables(ByteView(whole).first(size)).size(), 12U);
    auto torn = whole;
    for (std::size_t i = 0; i < torn.size(); i += 7)
        torn[i] ^= std::byte{0xff};
    (void)read_nftables(torn);
}

}  // namespace
}  // namespace fieldwatch::agent
