#include "detect/intel/intel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fieldwatch::detect {
namespace {

std::shared_ptr<const IntelSnapshot> snapshot(std::vector<std::pair<std::string, std::string>> files) {
    auto built = IntelSnapshot::build(files, 50);
    EXPECT_TRUE(built.has_value()) << built.error().message;
    return built.value();
}
constexpr auto kNow = Timestamp::from_unix_seconds(1'800'000'000);

TEST(PrefixTable, AgreesWithTryingEveryPrefix) {
    EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::uint32_t, std::uint8_t>>& raw,
                             const std::vector<std::uint32_t>& keys) {
        std::vector<PrefixTable::Entry> entries;
        for (std::size_t i = 0; i < raw.size(); ++i)
            entries.push_back(
                {raw[i].first, static_cast<std::uint8_t>(raw[i].second % 33), static_cast<std::uint32_t>(i)});
        const PrefixTable table(entries);
        auto probes = keys;
        for (const auto& entry : entries)
            for (const std::uint32_t step : {0u, 1u, 0xFFFFFFFFu, 0xFFFFu})
                probes.push_back(entry.address + step);
        for (const auto key : probes) {
            int best = -1;
            std::uint32_t expected = PrefixTable::kNone;
            for (const auto& entry : entries) {
                const auto mask = entry.length == 0 ? 0 : 0xFFFFFFFFu << (32 - entry.length);
                if ((key & mask) == (entry.address & mask) && entry.length >= best) {
                    best = entry.length;
                    expected = entry.value;
                }
            }
            RC_ASSERT(table.find(key) == expected);
        }
    }));
}

TEST(Intel, TellsListsApartByTheirContent) {
    const auto intel = snapshot(
        {{"feed.csv",
          "# first "
          "seen,ioc_value,malware,confidence_level\n\"2026-01-01\",\"198.51.100.7\",\"mirai\",\"75\"\n"},
         {"ipsum.txt", "# IP\tnumber\n#\n203.0.113.9\t3\n203.0.113.10\t1\n"},
         {"domains.txt", "bad.example\n0.0.0.0 hosts.example\n198.51.100.8:23\n/path/only\n"},
         {"more.jsonl", R"({"value":"2001:db8::/32","category":"x","confidence":60})"}});
    EXPECT_EQ(intel->find_address("198.51.100.7", kNow)->category, "mirai");
    EXPECT_EQ(intel->find_address("203.0.113.9", kNow)->confidence, 70);
    EXPECT_FALSE(
        intel->find_address("203.0.113.10", kNow));  // named by one list only: below the least confidence
    EXPECT_TRUE(intel->find_address("198.51.100.8", kNow));
    EXPECT_TRUE(intel->find_address("2001:db8:1::5", kNow));
    EXPECT_FALSE(intel->find_address("2001:db9::5", kNow));
    EXPECT_TRUE(intel->find_domain("WWW.bad.example.", kNow));
    EXPECT_FALSE(intel->find_domain("notbad.example", kNow));
    EXPECT_TRUE(intel->find_domain("hosts.example", kNow));
    EXPECT_TRUE(intel->find_url("http://a.bad.example/x", kNow));
    EXPECT_EQ(intel->skipped(), 1u);
}

TEST(Intel, FallsBackToTheWiderPrefixWhenTheNarrowOneHasExpired) {
    const auto intel = snapshot(
        {{"a.csv",
          "value,category,valid_until\n198.51.100.0/24,wide,\n198.51.100.7,narrow,2026-01-01T00:00:00Z\n"}});
    EXPECT_EQ(intel->find_address("198.51.100.7", kNow)->category, "wide");
    EXPECT_EQ(intel->find_address("198.51.100.7", Timestamp::from_unix_seconds(1'700'000'000))->category,
              "narrow");
    EXPECT_EQ(intel->find_address("198.51.100.7", kNow)->value, "198.51.100.0/24");
}

TEST(Intel, AsksWarningListsBeforeItSaysAnything) {
    const auto intel =
        snapshot({{"bad.txt", "192.0.2.1\nbad.example\n"},
                  {"list.json", R"({"name":"n","type":"cidr","list":["192.0.2.0/30"]})"},
                  {"names.json", R"({"name":"n","type":"hostname","list":["good.bad.example"]})"}});
    EXPECT_FALSE(intel->find_address("192.0.2.1", kNow));
    EXPECT_FALSE(intel->find_domain("good.bad.example", kNow));
    EXPECT_TRUE(intel->find_domain("other.bad.example", kNow));
}

TEST(Intel, NamesTheLineOfABadFile) {
    const auto built = IntelSnapshot::build({{"x.csv", "value,confidence\n192.0.2.1,900\n"}}, 50);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().message, "x.csv, line 2: the confidence must be a number from 0 to 100");
}

}  // namespace
}  // namespace fieldwatch::detect
