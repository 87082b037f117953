// What real feeds do to the forms: quotes, defanging, spreadsheets, ranges, other alphabets, configurations
// of resolvers.
#include <gtest/gtest.h>

#include "detect/intel/address_range.hpp"
#include "detect/intel/domain_name.hpp"
#include "detect/intel/indicator_value.hpp"
#include "detect/intel/intel.hpp"
#include "detect/intel/refang.hpp"
#include "detect/intel/stix_pattern.hpp"

namespace fieldwatch::detect {
namespace {

constexpr auto kVariantsNow = Timestamp::from_unix_seconds(1'800'000'000);

IndicatorFile read_variant(std::string_view text) {
    auto file = parse_indicators("file", text);
    EXPECT_TRUE(file.has_value()) << file.error().message;
    return file.value_or(IndicatorFile{});
}
std::string list(const IndicatorFile& file) {
    std::string out;
    for (const auto& indicator : file.indicators)
        out += std::string(to_string(indicator.type)) + "=" + indicator.value + " ";
    return out;
}
std::string one(std::string_view value) {
    const auto found = classify_value(value);
    return found ? std::string(to_string(found->type)) + "=" + found->value : std::string();
}

TEST(IndicatorValue, UndoesWhatHidesIt) {
    EXPECT_EQ(one("hXXp://evil[.]example/x"), "url=http://evil.example/x");
    EXPECT_EQ(one("hxxps[:]//evil(dot)example/x"), "url=https://evil.example/x");
    EXPECT_EQ(one("HXXPS[://]evil[DOT]example"), "url=https://evil.example");
    EXPECT_EQ(one("h**p://evil.example/x"), "url=http://evil.example/x");
    EXPECT_EQ(one("fxp://evil.example/x"), "url=ftp://evil.example/x");
    EXPECT_EQ(one("1[.]2[.]3[.]4"), "ipv4=1.2.3.4");
    EXPECT_EQ(one("1.2.3[.4"), "ipv4=1.2.3.4");
    EXPECT_EQ(one("evil\\.example"), "domain=evil.example");
    EXPECT_EQ(one("2001[:]db8[:]:1"), "ipv6=2001:db8::1");
    EXPECT_EQ(one("hxxp.example"), "domain=hxxp.example");
}

TEST(IndicatorValue, TakesQuotesAndBlanksOff) {
    EXPECT_EQ(one("\"evil.example\""), "domain=evil.example");
    EXPECT_EQ(one("'198.51.100.7'"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("<http://evil.example/>"), "url=http://evil.example/");
    EXPECT_EQ(one("\xE2\x80\x9C"
                  "evil.example\xE2\x80\x9D"),
              "domain=evil.example");
    EXPECT_EQ(one("\xEF\xBB\xBF\xC2\xA0"
                  "evil.example\xE2\x80\x8B"),
              "domain=evil.example");
    EXPECT_EQ(one("\"\""), "");
}

TEST(IndicatorValue, TellsAddressesApart) {
    EXPECT_EQ(one("198.51.100.7:443"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("198.51.100.7|443"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("[2001:DB8::1]:443"), "ipv6=2001:db8::1");
    EXPECT_EQ(one("[2001:db8::1]"), "ipv6=2001:db8::1");
    EXPECT_EQ(one("198.51.100.7/24"), "cidr=198.51.100.7/24");
    EXPECT_EQ(one("198.51.100.7/32"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("2001:db8::/128"), "ipv6=2001:db8::");
    EXPECT_EQ(one("::ffff:198.51.100.7"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("::ffff:198.51.100.0/120"), "cidr=198.51.100.0/24");
    EXPECT_EQ(one("tcp://198.51.100.7:4444"), "ipv4=198.51.100.7");
    EXPECT_EQ(one("mqtt://evil.example:1883"), "domain=evil.example");
    EXPECT_EQ(one("stratum+tcp://pool.example:3333"), "domain=pool.example");
    for (const auto* const wrong : {"0.0.0.0/0", "128.0.0.0/1", "::/0", "198.51.100.7/33", "198.51.100",
                                    "1.2.3.4.5", "://x", "http://", "256.1.1.1"})
        EXPECT_EQ(one(wrong), "") << wrong;
}

TEST(IndicatorValue, TellsNamesAndHashesApart) {
    const std::string md5(32, 'A'), sha1(40, 'b'), sha256(64, 'c');
    EXPECT_EQ(one("sha256:" + sha256), "sha256=" + sha256);
    EXPECT_EQ(one("MD5=" + md5), "md5=" + md5);
    EXPECT_EQ(one("SHA-1:" + sha1), "sha1=" + sha1);
    EXPECT_EQ(one("*.evil.example"), "domain=evil.example");
    EXPECT_EQ(one("evil.example."), "domain=evil.example");
    EXPECT_EQ(one("evil.example:8080"), "domain=evil.example");
    EXPECT_EQ(one("evil.example/a"), "url=evil.example/a");
    EXPECT_EQ(one("||evil.example^$third-party"), "domain=evil.example");
    EXPECT_EQ(one("XN--MNCHEN-3YA.example"), "domain=XN--MNCHEN-3YA.example");
    EXPECT_EQ(one(std::string(64, 'a') + ".example"), "");
    EXPECT_EQ(one("user@evil.example"), "");
}

TEST(DomainName, WritesOtherAlphabetsInPunycode) {
    EXPECT_EQ(ascii_name("münchen.example"), "xn--mnchen-3ya.example");
    EXPECT_EQ(ascii_name("MÜNCHEN.example"), "xn--mnchen-3ya.example");
    EXPECT_EQ(ascii_name("bücher.ch"), "xn--bcher-kva.ch");
    EXPECT_EQ(ascii_name("пример.испытание"), "xn--e1afmkfd.xn--80akhbyknj4f");
    EXPECT_EQ(ascii_name("ПРИМЕР.испытание"), "xn--e1afmkfd.xn--80akhbyknj4f");
    EXPECT_EQ(ascii_name("例え。テスト"), "xn--r8jz45g.xn--zckzah");
    EXPECT_EQ(ascii_name("παράδειγμα.δοκιμή"), "xn--hxajbheg2az3al.xn--jxalpdlp");
    EXPECT_EQ(ascii_name("plain.example"), "plain.example");
    EXPECT_EQ(ascii_name("\xFF.example"), std::nullopt);
}

TEST(AddressRange, IsTheFewestNetworks) {
    using Texts = std::vector<std::string>;
    EXPECT_EQ(address_range("198.51.100.0-198.51.100.255"), Texts{"198.51.100.0/24"});
    EXPECT_EQ(address_range("198.51.100.1 - 198.51.100.4"),
              (Texts{"198.51.100.1", "198.51.100.2/31", "198.51.100.4"}));
    EXPECT_EQ(address_range("198.51.100.0/255.255.255.0"), Texts{"198.51.100.0/24"});
    EXPECT_EQ(address_range("010.000.002.003"), Texts{"10.0.2.3"});
    EXPECT_EQ(address_range("0.0.0.0-255.255.255.255"), Texts{"0.0.0.0/0"});
    EXPECT_EQ(address_range("0.0.0.1-255.255.255.254").size(), 62u);
    for (const auto* const wrong :
         {"198.51.100.9-198.51.100.1", "198.51.100.0/255.0.255.0", "a-b", "-", "1-2"})
        EXPECT_TRUE(address_range(wrong).empty()) << wrong;
}

TEST(IndicatorTime, ReadsWhatFeedsWrite) {
    const auto is = [](std::string_view text) {
        const auto time = parse_indicator_time(text);
        return time ? to_iso8601(*time, 0) : std::string();
    };
    EXPECT_EQ(is("2026-01-02"), "2026-01-02T00:00:00Z");
    EXPECT_EQ(is("20260102"), "2026-01-02T00:00:00Z");
    EXPECT_EQ(is("2026/01/02 03:04"), "2026-01-02T03:04:00Z");
    EXPECT_EQ(is("2026-01-02T03:04Z"), "2026-01-02T03:04:00Z");
    EXPECT_EQ(is("2026-01-02 03:04:05 UTC"), "2026-01-02T03:04:05Z");
    EXPECT_EQ(is("2026-01-02T03:04:05.123456+01:00"), "2026-01-02T02:04:05Z");
    EXPECT_EQ(is("1767323045"), "2026-01-02T03:04:05Z");
    EXPECT_EQ(is("1767323045000"), "2026-01-02T03:04:05Z");
    for (const auto* const wrong : {"", "soon", "12", "-1767323045", "2026-13-01"})
        EXPECT_EQ(is(wrong), "") << wrong;
}

TEST(IndicatorVariants, ReadsWhatSpreadsheetsSave) {
    EXPECT_EQ(list(read_variant("\xEF\xBB\xBF\"ip\";\"malware\"\r\n\"198.51.100.7\";\"mirai\"\r\n")),
              "ipv4=198.51.100.7 ");
    EXPECT_EQ(list(read_variant("indicator\tfirst seen\tmalware\n198.51.100.7\t2026-01-01\tx\n")),
              "ipv4=198.51.100.7 ");
    std::string utf16 = "\xFF\xFE";
    for (const char c : std::string_view("ip,malware\r\n198.51.100.7,x\r\n"))
        utf16 += {c, '\0'};
    EXPECT_EQ(list(read_variant(utf16)), "ipv4=198.51.100.7 ");
    EXPECT_EQ(list(read_variant("a.example\rb.example\r")), "domain=a.example domain=b.example ");
}

TEST(IndicatorVariants, KnowsHeadersOfOneColumnAndListsBadFirstLines) {
    const auto file = read_variant("domain\nbad.example\n");
    EXPECT_EQ(list(file), "domain=bad.example ");
    EXPECT_EQ(file.skipped, 0u);
    const auto bad = read_variant("12, nothing\n198.51.100.7,x\n");
    EXPECT_EQ(list(bad), "ipv4=198.51.100.7 ");
    ASSERT_EQ(bad.bad.size(), 1u);
    EXPECT_EQ(bad.bad[0].line, 1u);
}

TEST(IndicatorVariants, MixesValuesAndRows) {
    EXPECT_EQ(list(read_variant("bad.example\nworse.example,mirai\n198.51.100.7\n")),
              "domain=bad.example domain=worse.example ipv4=198.51.100.7 ");
    EXPECT_EQ(list(read_variant("http://a.example/1\nhttp://a.example/2,3\n")),
              "url=http://a.example/1 url=http://a.example/2,3 ");
}

TEST(IndicatorVariants, ReadsConfigurationsOfResolvers) {
    const auto file = read_variant(
        "address=/a.example/0.0.0.0\nlocal-zone: \"b.example\" always_nxdomain\nzone \"c.example\" { type "
        "master; };\n"
        "d.example CNAME .\n*.e.example 3600 IN CNAME .\n@@||good.example^\n0.0.0.0\tf.example\n0.0.0.0 "
        "0.0.0.0\n");
    EXPECT_EQ(list(file),
              "domain=a.example domain=b.example domain=c.example domain=d.example domain=e.example "
              "domain=f.example ");
}

TEST(IndicatorVariants, ReadsNetsetsAndReputationLists) {
    const auto file = read_variant(
        "198.51.100.7#4#2#Malicious Host#DE##48.0,2.0#3\n"
        "203.0.113.0/24 ; SBL123\n198.51.100.0 - 198.51.100.127\n192.0.2.0\t192.0.2.255\t24\t77\tNAME\n"
        "203.0.113.9 // noted\n127.0.0.1\n");
    EXPECT_EQ(
        list(file),
        "ipv4=198.51.100.7 cidr=203.0.113.0/24 cidr=198.51.100.0/25 cidr=192.0.2.0/24 ipv4=203.0.113.9 ");
    EXPECT_EQ(file.skipped, 1u);
}

TEST(IndicatorVariants, LeavesOutWhatIsNotMeantForDetection) {
    const std::string md5(32, 'a');
    const auto file = read_variant(
        "uuid,category,type,value,comment,to_ids,date\n"
        "1,Payload delivery,filename|md5,evil.exe|" +
        md5 +
        ",,1,20260101\n"
        "2,Network activity,domain,bad.example,,0,20260101\n"
        "3,Artifacts,filename,evil.exe,,1,20260101\n"
        "4,Network activity,domain|ip,worse.example|198.51.100.7,,1,20260101\n");
    EXPECT_EQ(list(file), "md5=" + md5 + " ipv4=198.51.100.7 domain=worse.example ");
    EXPECT_EQ(file.skipped, 2u);
}

TEST(IndicatorVariants, ReadsObjectsByTheNamesOfTheirFeeds) {
    const auto drop = read_variant(
        "{\"cidr\":\"198.51.100.0/"
        "24\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\",\"timestamp\":1767323045}\n");
    EXPECT_EQ(list(drop), "cidr=198.51.100.0/24 ");
    EXPECT_TRUE(drop.bad.empty());
    const auto feodo = read_variant(
        R"([{"ip_address":"198.51.100.7","port":443,"malware":"Emotet","first_seen":"2026-01-02 03:04:05","last_online":"2026-01-03"}])");
    EXPECT_EQ(list(feodo), "ipv4=198.51.100.7 ");
    EXPECT_EQ(feodo.indicators[0].category, "Emotet");
    EXPECT_TRUE(feodo.indicators[0].last_seen);
    const auto urls = read_variant(
        R"({"1":[{"url":"http://cdn.example/x","host":"cdn.example","threat":"malware_download","tags":["elf","mirai"]}]})");
    EXPECT_EQ(list(urls), "url=http://cdn.example/x ");
    EXPECT_EQ(list(read_variant(R"(["198.51.100.7","bad.example"])")),
              "ipv4=198.51.100.7 domain=bad.example ");
    EXPECT_EQ(list(read_variant(R"({"domains":["bad.example"],"notes":["be careful"]})")),
              "domain=bad.example ");
    EXPECT_EQ(list(read_variant(
                  R"({"type":"indicator","id":"indicator--1","pattern":"[ipv4-addr:value = '198.51.100.7']"}
{"type":"indicator","id":"indicator--2","pattern":"[ipv4-addr:value = '198.51.100.8']"}
)")),
              "ipv4=198.51.100.7 ipv4=198.51.100.8 ");
}

TEST(IndicatorVariants, KeepsTextsReadableWhateverTheirEncoding) {
    const auto file = read_variant("ip,malware\n198.51.100.7,M\xFCll\n\xFF\xFE not one\n");
    EXPECT_EQ(file.indicators[0].category, "M?ll");
    ASSERT_EQ(file.bad.size(), 1u);
}

TEST(IndicatorVariants, ReadsConfidenceInItsSpellings) {
    EXPECT_EQ(parse_confidence("75%"), 75);
    EXPECT_EQ(parse_confidence("85.0"), 85);
    EXPECT_EQ(parse_confidence("HIGH"), 85);
    EXPECT_FALSE(parse_confidence("101"));
    EXPECT_FALSE(parse_confidence("-1"));
    EXPECT_FALSE(parse_confidence("nan"));
    EXPECT_EQ(tlp_from("TLP: AMBER+STRICT"), Tlp::AmberStrict);
    EXPECT_EQ(tlp_from("tlp:amber-strict"), Tlp::AmberStrict);
    EXPECT_EQ(tlp_from("[TLP:GREEN]"), Tlp::Green);
    EXPECT_EQ(tlp_from("tlp"), Tlp::None);
    const auto file = read_variant(
        R"({"type":"bundle","id":"bundle--1","objects":[
        {"type":"indicator","id":"indicator--1","confidence":null,"pattern":"[ipv4-addr:value = '198.51.100.7']"},
        {"type":"indicator","id":"indicator--2","valid_until":"never","pattern":"[ipv4-addr:value = '198.51.100.8']"}]})");
    EXPECT_EQ(list(file), "ipv4=198.51.100.7 ");
    EXPECT_EQ(file.skipped, 1u);
}

TEST(StixPattern, TakesAPlaceByItsAddressWhateverItsPort) {
    const auto of = [](std::string_view pattern) {
        const auto values = pattern_values(pattern);
        EXPECT_TRUE(values.has_value()) << values.error().message;
        std::string out;
        for (const auto& value : values.value_or(std::vector<PatternValue>{}))
            out += value.value + " ";
        return out;
    };
    EXPECT_EQ(of("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = "
                 "'198.51.100.7' AND "
                 "network-traffic:dst_port = 443]"),
              "198.51.100.7 ");
    EXPECT_EQ(of("[network-traffic:dst_port = 443]"), "");
    EXPECT_EQ(of("[network-traffic:dst_port = 443 OR ipv4-addr:value = '198.51.100.7']"), "198.51.100.7 ");
    EXPECT_EQ(of("[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')]"), "198.51.100.7 198.51.100.8 ");
    EXPECT_EQ(of("[domain-name:value LIKE '%.bad.example']"), "bad.example ");
    EXPECT_EQ(of("[url:value LIKE 'http://bad.example/%']"), "");
    EXPECT_EQ(of("[ipv4-addr:value == '198.51.100.7']"), "198.51.100.7 ");
    EXPECT_EQ(of("[ipv4-addr:value <> '198.51.100.7']"), "");
    EXPECT_EQ(of("[file:hashes.\"SHA-256\" = 'x']"), "x ");
    EXPECT_EQ(of("[ipv4-addr:value = '198.51.100.7'] OR [domain-name:value = 'bad.example']"),
              "198.51.100.7 bad.example ");
    EXPECT_EQ(of("[ipv4-addr:value = '198.51.100.7'] AND [domain-name:value = 'bad.example']"), "");
    EXPECT_EQ(of("([ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [url:value = 'x']) OR [url:value = 'y'] "
                 "WITHIN 5 SECONDS"),
              "y ");
}

TEST(IntelVariants, FindsNamesAndUrlsInAnySpelling) {
    const auto built =
        IntelSnapshot::build({{"a.txt",
                               "münchen.example\nhttp://Evil.example:80/A\nhttps://x.example/\n"
                               "::ffff:198.51.100.7\n198.51.101.9/24\n"}},
                             50);
    ASSERT_TRUE(built.has_value());
    const auto& intel = **built;
    EXPECT_TRUE(intel.find("www.XN--MNCHEN-3YA.example", kVariantsNow));
    EXPECT_TRUE(intel.find("www.MÜNCHEN.example", kVariantsNow));
    EXPECT_TRUE(intel.find("HTTP://EVIL.example/A#top", kVariantsNow));
    EXPECT_FALSE(intel.find("http://evil.example/a", kVariantsNow));
    EXPECT_FALSE(intel.find("http://evil.example:8080/A", kVariantsNow));
    EXPECT_TRUE(intel.find("https://x.example:443", kVariantsNow));
    EXPECT_TRUE(intel.find("198.51.100[.]7", kVariantsNow));
    EXPECT_TRUE(intel.find("::ffff:198.51.100.7", kVariantsNow));
    EXPECT_EQ(intel.find("198.51.101.200:23", kVariantsNow)->value, "198.51.101.0/24");
}

TEST(IntelVariants, SaysWhatItFoundInUtf8) {
    const auto built = IntelSnapshot::build({{"a.txt", "http://evil.example/\xFF\n"}}, 50);
    ASSERT_TRUE(built.has_value());
    const auto found = (*built)->find("http://evil.example/\xFF", kVariantsNow);
    ASSERT_TRUE(found);
    EXPECT_NE(to_json(*found).find("\"evil.example/?\""), std::string::npos);
}

}  // namespace
}  // namespace fieldwatch::detect
