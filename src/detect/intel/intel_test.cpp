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
         {"domains.txt", "bad.example\n0.0.0.0 hosts.example\n198.51.100.8:23\n/p\n"},
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

TEST(Intel, ListsBadLinesAndTakesTheGoodOnes) {
    const auto intel = snapshot({{"x.csv", "value,confidence\n192.0.2.1,900\n192.0.2.2,80\nnonsense,80\n"}});
    EXPECT_FALSE(intel->find_address("192.0.2.1", kNow));
    EXPECT_TRUE(intel->find_address("192.0.2.2", kNow));
    const auto& bad = intel->sources().at(0).bad;
    ASSERT_EQ(bad.size(), 2u);
    EXPECT_EQ(bad[0].line, 2u);
    EXPECT_EQ(bad[0].why, "the confidence must be a number from 0 to 100");
    EXPECT_EQ(bad[1].line, 4u);
}

TEST(Intel, TakesTheBetterOfTwoFeedsThatNameTheSame) {
    for (const bool swapped : {false, true}) {
        std::vector<std::pair<std::string, std::string>> files{
            {"old.csv",
             "value,category,valid_until\n192.0.2.1,old,2026-01-01T00:00:00Z\nbad.example,old,2026-01-01T00:"
             "00:00Z\n"},
            {"new.csv", "value,category\n192.0.2.1,new\nbad.example,new\n"}};
        if (swapped) std::swap(files[0], files[1]);
        const auto intel = snapshot(files);
        EXPECT_EQ(intel->find_address("192.0.2.1", kNow)->category, "new");
        EXPECT_EQ(intel->find_domain("bad.example", kNow)->category, "new");
    }
}

TEST(Intel, ComparesWarningListsAsTheirTypeSays) {
    const auto intel = snapshot(
        {{"bad.txt",
          "www.exact.example\nexact.example\nhost.example\nxcdnx.example\n"
          "d41d8cd98f00b204e9800998ecf8427e\n2001:db8::1\nhttp://exact.example/a\n"},
         {"exact.json",
          R"({"name":"n","type":"string","list":["exact.example","d41d8cd98f00b204e9800998ecf8427e"]})"},
         {"names.json", R"({"name":"n","type":"hostname","list":[".host.example"]})"},
         {"parts.json", R"({"name":"n","type":"substring","list":["cdn"]})"},
         {"v6.json", R"({"name":"n","type":"cidr","list":["2001:DB8::/32"]})"}});
    EXPECT_FALSE(intel->find_domain("exact.example", kNow));
    EXPECT_TRUE(intel->find_domain("www.exact.example", kNow));
    EXPECT_FALSE(intel->find_domain("a.host.example", kNow));
    EXPECT_FALSE(intel->find_domain("xcdnx.example", kNow));
    EXPECT_FALSE(intel->find_hash("D41D8CD98F00B204E9800998ECF8427E", kNow));
    EXPECT_FALSE(intel->find_address("2001:db8::1", kNow));
    EXPECT_FALSE(intel->find_url("http://exact.example/a", kNow));
}

TEST(Intel, AUserInAUrlHidesNoIndicator) {
    const auto intel =
        snapshot({{"a.csv", "type,value\nurl,http://evil.example/a\nurl,http://me:pw@other.example/b\n"}});
    EXPECT_TRUE(intel->find_url("http://user:pw@evil.example/a", kNow));
    EXPECT_TRUE(intel->find_url("http://a@b@evil.example:80/a", kNow));
    EXPECT_TRUE(intel->find_url("http://other.example/b", kNow));
    EXPECT_FALSE(intel->find_url("http://other.example/a@evil.example/a", kNow));
}

TEST(Intel, FindsPathsOfUrlsOnceTheLeastConfidenceAllowsIt) {
    const std::vector<std::pair<std::string, std::string>> files{{"trails.txt", "/bins/mirai.arm\n/x\n"}};
    EXPECT_FALSE(snapshot(files)->find_url("http://192.0.2.9/bins/mirai.arm?x=1", kNow));
    const auto all = IntelSnapshot::build(files, 0).value();
    EXPECT_EQ(all->find_url("http://192.0.2.9/bins/mirai.arm?x=1", kNow)->value, "/bins/mirai.arm");
    EXPECT_EQ(all->size(), 1u);
}

TEST(Intel, AnIpv4PeerOnAnIpv6SocketIsTheSamePeer) {
    EXPECT_TRUE(snapshot({{"a.txt", "192.0.2.1\n"}})->find_address("::ffff:192.0.2.1", kNow));
}

TEST(Prefix6Table, AgreesWithTryingEveryPrefix) {
    EXPECT_TRUE(rc::check([](const std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint8_t>>& raw) {
        std::vector<Prefix6Table::Entry> entries;
        std::vector<IpAddress> probes;
        const auto address = [](std::uint64_t high, std::uint64_t low) {
            IpAddress out{.is_v4 = false};
            for (std::size_t i = 0; i < 8; ++i) {
                out.bytes[7 - i] = static_cast<std::uint8_t>(high >> 8 * i);
                out.bytes[15 - i] = static_cast<std::uint8_t>(low >> 8 * i);
            }
            return out;
        };
        for (const auto& [high, low, length] : raw) {
            // Few different bits, so that prefixes hold each other.
            const auto at = address(high & 0xFF000000F0000000, low & 0xF);
            const auto prefix = fieldwatch::parse_prefix(at.text() + "/" + std::to_string(length % 129));
            entries.push_back({*prefix, static_cast<std::uint32_t>(entries.size())});
            probes.push_back(at);
            probes.push_back(address((high & 0xFF000000F0000000) + 1, low));
            probes.push_back(address(high, low));
        }
        probes.push_back(address(~0ull, ~0ull));
        const auto holds = [](const IpPrefix& prefix, const IpAddress& key) {
            for (unsigned bit = 0; bit < prefix.length; ++bit) {
                const auto mask = static_cast<std::uint8_t>(0x80u >> bit % 8);
                if ((prefix.address.bytes[bit / 8] & mask) != (key.bytes[bit / 8] & mask)) return false;
            }
            return true;
        };
        const Prefix6Table table(entries);
        for (const auto& key : probes) {
            int best = -1;
            std::uint32_t expected = Prefix6Table::kNone;
            for (const auto& entry : entries) {
                if (entry.prefix.length >= best && holds(entry.prefix, key)) {
                    best = entry.prefix.length;
                    expected = entry.value;
                }
            }
            RC_ASSERT(table.find(key) == expected);
        }
    }));
}

TEST(NameTable, HoldsWhatAMapHolds) {
    EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::string, std::uint16_t>>& raw) {
        NameTable table;
        std::map<std::string, std::uint32_t> expected;
        for (const auto& [key, value] : raw) {
            table.insert(key, value);
            expected[key] = value;
        }
        RC_ASSERT(table.size() == expected.size());
        for (const auto& [key, value] : expected)
            RC_ASSERT(table.find(key) == value);
        RC_ASSERT(expected.contains("missing") || table.find("missing") == NameTable::kNone);
    }));
}

}  // namespace
}  // namespace fieldwatch::detect
