#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <sstream>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "base/line_reader.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "base/unicode.hpp"
#include "base/uuid.hpp"

namespace fieldwatch {
namespace {

TEST(Base64, DecodesWhatItEncodes) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& input) {
        const auto bytes = std::as_bytes(std::span(input));
        const auto decoded = from_base64(base64(bytes));
        RC_ASSERT(decoded.has_value());
        RC_ASSERT(std::equal(decoded->begin(), decoded->end(), bytes.begin(), bytes.end()));
    }));
}

TEST(Base64, AnyTextIsAValueOrAnError) {
    EXPECT_TRUE(rc::check([](const std::string& text) { static_cast<void>(from_base64(text)); }));
    EXPECT_FALSE(from_base64("ab=c"));
    EXPECT_FALSE(from_base64("abc"));
}

TEST(Text, TrimsSplitsAndCountsNesting) {
    EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
    EXPECT_EQ(trimmed("\"a \"", "\" "), "a");
    EXPECT_EQ(trimmed(" \n"), "");
    EXPECT_EQ(split("a::b", ':'), (std::vector<std::string_view>{"a", "", "b"}));
    EXPECT_EQ(split("", ':'), std::vector<std::string_view>{""});
    std::vector<std::string_view> lines;
    each_line("one\n\ntwo", [&](std::string_view line) { lines.push_back(line); });
    EXPECT_EQ(lines, (std::vector<std::string_view>{"one", "", "two"}));
    EXPECT_FALSE(nests_deeper_than(2, R"({"a":["[[[\"[["]})"));
    EXPECT_TRUE(nests_deeper_than(2, R"({"a":[{}]})"));
}

TEST(Lines, AreThoseOfGetlineUpToTheBound) {
    const auto both = [](const std::string& text, std::size_t bytes_max) {
        std::istringstream ours(text), theirs(text);
        std::string line, expected;
        while (std::getline(theirs, expected)) {
            EXPECT_TRUE(read_line(ours, line, bytes_max));
            EXPECT_EQ(line, expected.substr(0, bytes_max + 1));
        }
        EXPECT_FALSE(read_line(ours, line, bytes_max)) << text.size();
    };
    for (const std::size_t size : {0, 1, 4'094, 4'095, 4'096, 8'190, 8'191, 9'000})
        for (const auto* const end : {"", "\n", "\n\n", "\nx"})
            for (const std::size_t bytes_max : {10, 5'000, 100'000})
                both(std::string(size, 'a') + end, bytes_max);
    both(std::string("a\0b\n\0", 5), 10);
}

TEST(Percent, DecodesWhatItEncodes) {
    EXPECT_TRUE(
        rc::check([](const std::string& text) { RC_ASSERT(percent_decode(percent_encode(text)) == text); }));
    EXPECT_EQ(percent_decode("%24.ifid"), "$.ifid");
    EXPECT_EQ(percent_decode("a+b%2"), "a+b%2");
    EXPECT_EQ(percent_decode("100%25"), "100%");
}

TEST(Time, WritesWhatItReads) {
    EXPECT_TRUE(rc::check([] {
        const auto ticks =
            *rc::gen::inRange<std::int64_t>(-621'355'968'000'000'000 / 1, 2'534'023'007'999'999'999 / 10);
        const Timestamp time{ticks};
        const auto parsed = parse_iso8601(to_iso8601(time));
        RC_ASSERT(parsed.has_value());
        RC_ASSERT(parsed->time == time);
    }));
}

TEST(Time, AcceptsEveryFormOfTheFieldAgents) {
    const auto expected = Timestamp::from_unix_seconds(1'548'596'932);
    for (const auto* text :
         {"2019-01-27T13:48:52Z", "2019-01-27 13:48:52Z", "2019-01-27T13:48:52", "2019-01-27t13:48:52z",
          "2019-01-27T15:48:52+02:00", "2019-01-27T15:48:52+0200", "2019-01-27T13:48:52.000000000Z"}) {
        const auto parsed = parse_iso8601(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(parsed->time, expected) << text;
    }
    for (const auto* text : {"", "2019-13-27T13:48:52Z", "2019-02-30T13:48:52Z", "2019-01-27T24:00:00Z",
                             "2019-01-27", "garbage", "2019-01-27T13:48:52.Z", "2019-01-27T13:48:52ZZ"}) {
        EXPECT_FALSE(parse_iso8601(text)) << text;
    }
}

TEST(Duration, ReadsAndNormalises) {
    EXPECT_EQ(to_iso8601_duration(*parse_iso8601_duration("PT300S")), "PT5M");
    EXPECT_EQ(to_iso8601_duration(*parse_iso8601_duration("P1DT2H")), "P1DT2H");
    EXPECT_EQ(to_iso8601_duration(*parse_iso8601_duration("PT0.5S")), "PT0.5S");
    EXPECT_EQ(parse_iso8601_duration("P1YT1H")->count(), (365ll * 24 + 1) * 3600 * 10'000'000);
    for (const auto* text : {"", "P", "PT", "5M", "PT5", "PT1.5H3M", "PT-5M", "P99999999999999Y", "PT1S1H"}) {
        EXPECT_FALSE(parse_iso8601_duration(text)) << text;
    }
}

TEST(Crc32c, MatchesTheCheckValueOfRfc3720) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
    EXPECT_EQ(crc32c(as_bytes("6789"), crc32c(as_bytes("12345"))), 0xE3069283u);
}

TEST(Hash, KnownAnswers) {
    EXPECT_EQ(hex(sha256(as_bytes("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");  // RFC 4231 case 2
}

TEST(Uuid, NamedFollowsRfc4122) {
    const auto dns = *Uuid::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    EXPECT_EQ(Uuid::named(dns, "www.example.com").text(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    EXPECT_FALSE(Uuid::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c"));
}

TEST(Utf8, RefusesOverlongFormsAndSurrogates) {
    EXPECT_TRUE(is_utf8("grüße \xF0\x9F\x98\x80"));
    EXPECT_FALSE(is_utf8("\xC0\x80"));
    EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
    EXPECT_FALSE(is_utf8("\xF5\x80\x80\x80"));
    EXPECT_FALSE(is_utf8("\xE2\x82"));
}

TEST(FileSystem, ReplaceLeavesTheNewContent) {
    const auto path =
        testing::TempDir() + "replace-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed());
    auto& files = posix_file_system();
    ASSERT_TRUE(replace_file(files, path, as_bytes("one")));
    ASSERT_TRUE(replace_file(files, path, as_bytes("second")));
    EXPECT_EQ(as_text(*read_file(files, path, 100)), "second");
    EXPECT_EQ(read_file(files, path, 3).error().code, Errc::TooLarge);
    ASSERT_TRUE(files.remove(path));
    EXPECT_EQ(read_file(files, path, 3).error().code, Errc::NotFound);
}

TEST(Metrics, EscapesLabelsAndBoundsSeries) {
    Metrics metrics;
    metrics.counter("a_total", "help", {{"id", "x\"y"}}).add(3);
    EXPECT_THAT(metrics.prometheus_text(), testing::HasSubstr("a_total{id=\"x\\\"y\"} 3\n"));
}

TEST(IpAddress, IsGlobalOutsideTheBlocksThatAreKept) {
    for (const auto* const text : {"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111",
                                   "::ffff:8.8.8.8", "64:ff9b::808:808"})
        EXPECT_TRUE(parse_ip(text)->is_global()) << text;
    for (const auto* const text :
         {"0.0.0.0",        "10.1.2.3",     "100.64.0.1",      "127.0.0.1",   "169.254.169.254",
          "172.16.0.1",     "192.168.0.1",  "192.0.2.1",       "198.18.0.1",  "198.51.100.1",
          "203.0.113.1",    "224.0.0.1",    "255.255.255.255", "::",          "::1",
          "fe80::1",        "fc00::1",      "ff02::1",         "2001:db8::1", "::ffff:10.0.0.1",
          "64:ff9b::a00:1", "2002:a00:1::1"})
        EXPECT_FALSE(parse_ip(text)->is_global()) << text;
}

TEST(IpAddress, IsTheOneOfIPv4ThatItOnlyWraps) {
    EXPECT_EQ(parse_ip("::ffff:192.0.2.7")->unmapped(), parse_ip("192.0.2.7"));
    for (const auto* const text : {"192.0.2.7", "::192.0.2.7", "64:ff9b::c000:207", "2001:db8::1"})
        EXPECT_EQ(parse_ip(text)->unmapped(), parse_ip(text)) << text;
}

TEST(Unicode, GoesIntoUtf8AndOutOfIt) {
    const std::string text = "a\u00e9\u4e2d\U0001F600";
    const auto points = code_points(text);
    ASSERT_TRUE(points);
    EXPECT_EQ(*points, U"a\u00e9\u4e2d\U0001F600");
    std::string again;
    for (const auto point : *points)
        append_utf8(again, point);
    EXPECT_EQ(again, text);
    for (const std::string_view bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xe4\xb8"})
        EXPECT_FALSE(code_points(bad)) << bad;
}

TEST(Unicode, IsWrittenInPunycode) {
    const std::pair<std::u32string_view, std::string_view> known[] = {
        // RFC 3492 section 7.1, and plain ones
        {U"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587", "ihqwcrb4cv8a8dqg056pqjye"},
        {U"3\u5e74B\u7d44\u91d1\u516b\u5148\u751f", "3B-ww4c5e180e575a65lsy2b"},
        {U"m\u00fcnchen", "mnchen-3ya"},
        {U"abc", "abc-"},
        {U"", ""}};
    for (const auto& [points, written] : known) {
        EXPECT_EQ(to_punycode(points), written);
        EXPECT_EQ(from_punycode(written), std::u32string(points));
    }
    for (const std::string_view bad : {"a-!", "\xc3-a", "99999999999", "a-9"})
        EXPECT_FALSE(from_punycode(bad)) << bad;
    EXPECT_EQ(to_punycode(from_punycode("a-zzzzzzzzzzz").value()), "a-zzzzzzzzzzz");
}

}  // namespace
}  // namespace fieldwatch
