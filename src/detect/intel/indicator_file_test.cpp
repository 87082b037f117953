// The forms in which indicators come: small ones of our own, and real ones where the data lies beside the
// tree.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "detect/intel/indicator.hpp"
#include "detect/intel/stix_pattern.hpp"

namespace fieldwatch::detect {
namespace {

IndicatorFile read(std::string_view text) {
    auto file = parse_indicators("file", text);
    EXPECT_TRUE(file.has_value()) << file.error().message;
    return file.value_or(IndicatorFile{});
}
std::string values(const IndicatorFile& file) {
    std::string out;
    for (const auto& indicator : file.indicators)
        out += std::string(to_string(indicator.type)) + "=" + indicator.value + " ";
    return out;
}

TEST(IndicatorFile, ReadsCsvWithACommentForItsHeader) {
    const auto file = read(
        "# abuse\n# "
        "\"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"malware_printable\","
        "\"last_seen_utc\",\"confidence_level\",\"reporter\"\n"
        "\"2026-01-01 10:00:00\", \"1\", \"198.51.100.7:443\", \"ip:port\", \"botnet_cc\", \"Mirai\", \"\", "
        "\"75\", \"someone\"\n"
        "\"2026-01-01 10:00:00\", \"2\", \"https://evil.example/a,b\", \"url\", \"payload_delivery\", \"\", "
        "\"\", \"100\", \"\"\n");
    EXPECT_EQ(values(file), "ipv4=198.51.100.7 url=https://evil.example/a,b ");
    EXPECT_EQ(file.indicators[0].category, "Mirai");
    EXPECT_EQ(file.indicators[0].confidence, 75);
    EXPECT_EQ(file.indicators[0].source, "someone");
    EXPECT_EQ(to_iso8601(*file.indicators[0].first_seen, 0), "2026-01-01T10:00:00Z");
    EXPECT_EQ(file.indicators[1].category, "payload_delivery");
    EXPECT_EQ(file.indicators[1].source, "file");
}

TEST(IndicatorFile, KeepsTheFirstLineOfACsvWithoutHeader) {
    EXPECT_EQ(values(read("198.51.100.1,mirai\n198.51.100.2,mirai\n")),
              "ipv4=198.51.100.1 ipv4=198.51.100.2 ");
    EXPECT_EQ(values(read("2026-01-01,bad.example,x\n")), "domain=bad.example ");
}

TEST(IndicatorFile, ListsAFirstCsvLineThatIsWrong) {
    const auto file = read("198.51.100,mirai\n198.51.100.2,mirai\n");
    EXPECT_EQ(values(file), "ipv4=198.51.100.2 ");
    ASSERT_EQ(file.bad.size(), 1u);
    EXPECT_EQ(file.bad[0].line, 1u);
    EXPECT_TRUE(read("seen by,thing\nx,198.51.100.2\n").bad.empty());
}

TEST(IndicatorFile, ReadsEachHashOfALine) {
    const std::string md5(32, 'a'), sha1(40, 'b'), sha256(64, 'c');
    EXPECT_EQ(values(read("first_seen,sha256_hash,md5_hash,sha1_hash\n2026-01-01," + sha256 + "," + md5 +
                          "," + sha1 + "\n")),
              "sha256=" + sha256 + " md5=" + md5 + " sha1=" + sha1 + " ");
}

TEST(IndicatorFile, ReadsListsOfOneValueALine) {
    const auto file = read(
        "# netset\n198.51.100.0/24\n203.0.113.9\t4\n203.0.113.8 1\n127.0.0.1 localhost\n0.0.0.0 a.example "
        "b.example # x\n"
        "::1 "
        "localhost\n||c.example^\n*.d.example\n/bins/mirai.arm\nhxxp://e[.]example/"
        "x\n198.51.100.8:23\n2001:db8::/32\nnot one\n1.2.3\n");
    EXPECT_EQ(values(file),
              "cidr=198.51.100.0/24 ipv4=203.0.113.9 ipv4=203.0.113.8 domain=a.example domain=b.example "
              "domain=c.example "
              "domain=d.example url-path=/bins/mirai.arm url=http://e.example/x ipv4=198.51.100.8 "
              "cidr=2001:db8::/32 ");
    EXPECT_EQ(file.indicators[1].confidence, 90);
    EXPECT_EQ(file.indicators[2].confidence, 30);
    ASSERT_EQ(file.bad.size(), 2u);
    EXPECT_EQ(file.bad[0].line, 14u);
}

TEST(IndicatorFile, ReadsJsonLinesAndListsOfObjects) {
    const auto file = read(
        "{\"value\":\"198.51.100.1\",\"tlp\":\"TLP:AMBER\"}\n{\"value\":\"bad.example\",\"confidence\":"
        "\"high\"}\n{\"value\":7}\n");
    EXPECT_EQ(values(file), "ipv4=198.51.100.1 domain=bad.example ");
    EXPECT_EQ(file.indicators[0].tlp, Tlp::Amber);
    EXPECT_EQ(file.indicators[1].confidence, 85);
    EXPECT_EQ(file.bad.size(), 1u);
    EXPECT_EQ(values(read(R"([{"value":"198.51.100.1"}])")), "ipv4=198.51.100.1 ");
    EXPECT_EQ(
        values(read(
            R"({"7":[{"ioc_value":"198.51.100.1:80","malware_printable":"x","confidence_level":100}]})")),
        "ipv4=198.51.100.1 ");
}

TEST(IndicatorFile, ReadsAStixBundle) {
    const auto file = read(R"({"type":"bundle","id":"bundle--1","objects":[
      {"type":"indicator","id":"indicator--1","spec_version":"2.1","pattern_type":"stix","created_by_ref":"identity--1","confidence":80,
       "pattern":"[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'bad.example']","valid_from":"2026-01-01T00:00:00Z",
       "valid_until":"2026-06-01T00:00:00.000Z","object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"]},
      {"type":"indicator","id":"indicator--2","labels":["malicious-activity"],"pattern":"[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e' AND file:name = 'x']","valid_from":"2026-01-01T00:00:00Z"},
      {"type":"indicator","id":"indicator--3","pattern":"[ipv4-addr:value = '198.51.100.8'] FOLLOWEDBY [url:value = 'http://x/']"},
      {"type":"indicator","id":"indicator--4","revoked":true,"pattern":"[ipv4-addr:value = '198.51.100.9']"},
      {"type":"indicator","id":"indicator--5","pattern_type":"yara","pattern":"rule x {}"},
      {"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.10"},
      {"type":"identity","id":"identity--1","name":"CERT"},
      {"type":"malware","id":"malware--1","name":"Mirai"},
      {"type":"sighting","id":"sighting--1","sighting_of_ref":"indicator--1","last_seen":"2026-02-01T00:00:00Z"},
      {"type":"relationship","id":"relationship--1","relationship_type":"indicates","source_ref":"indicator--1","target_ref":"malware--1"}]})");
    EXPECT_EQ(values(file), "ipv4=198.51.100.7 domain=bad.example md5=d41d8cd98f00b204e9800998ecf8427e ");
    const auto& first = file.indicators[0];
    EXPECT_EQ(first.source, "CERT");
    EXPECT_EQ(first.category, "Mirai");
    EXPECT_EQ(first.confidence, 80);
    EXPECT_EQ(first.tlp, Tlp::Green);
    EXPECT_EQ(to_iso8601(*first.last_seen, 0), "2026-02-01T00:00:00Z");
    EXPECT_EQ(to_iso8601(*first.valid_until, 0), "2026-06-01T00:00:00Z");
    EXPECT_EQ(file.indicators[2].category, "malicious-activity");
    EXPECT_EQ(file.skipped, 3u);
}

TEST(IndicatorFile, ReadsAMispEvent) {
    const auto file = read(
        R"({"response":[{"Event":{"info":"Ebury","date":"2026-01-01","Orgc":{"name":"CIRT"},"Tag":[{"name":"tlp:clear"}],
      "Attribute":[{"type":"ip-dst|port","value":"198.51.100.7|23","to_ids":true},{"type":"ip-dst","value":"198.51.100.8","to_ids":false},
                   {"type":"domain|ip","value":"bad.example|198.51.100.9","to_ids":"1","Tag":[{"name":"tlp:red"}]},
                   {"type":"filename","value":"x","to_ids":true},{"type":"url","value":"http://x.example/y","to_ids":true,"deleted":true}],
      "Object":[{"name":"file","Attribute":[{"type":"malware-sample","value":"x|d41d8cd98f00b204e9800998ecf8427e","to_ids":true}]}]}}]})");
    EXPECT_EQ(values(file),
              "ipv4=198.51.100.7 domain=bad.example ipv4=198.51.100.9 md5=d41d8cd98f00b204e9800998ecf8427e ");
    EXPECT_EQ(file.indicators[0].tlp, Tlp::Clear);
    EXPECT_EQ(file.indicators[1].tlp, Tlp::Red);
    EXPECT_EQ(file.indicators[0].category, "Ebury");
    EXPECT_EQ(file.indicators[0].source, "CIRT");
}

TEST(IndicatorFile, RefusesADocumentOfAnotherKind) {
    EXPECT_FALSE(parse_indicators("x", R"({"a":1})"));
    EXPECT_FALSE(parse_indicators("x", R"({"type":"bundle",)"));
}

TEST(StixPattern, ErrsOnWhatIsNone) {
    for (const auto* const text :
         {"", "[", "[a:b = ]", "[a:b = 'x'", "[a = 'x']", "[a:b = 'x'] OR", "[a:b = 'x'] 7", "[a:b IN ('x'"})
        EXPECT_FALSE(pattern_values(text)) << text;
    EXPECT_EQ(pattern_values(R"([url:value = 'it\'s'])").value().at(0).value, "it's");
    EXPECT_TRUE(pattern_values("[a:b = 'x' AND c:d = 'y']").value().empty());
    EXPECT_TRUE(pattern_values("[a:b != 'x'] AND [c:d = 'y']").value().empty());
    EXPECT_EQ(pattern_values(
                  "[(a:b = 'x' OR c:d = 'y')] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'")
                  .value()
                  .size(),
              2u);
    EXPECT_TRUE(pattern_values("[a:b = 'x'] REPEATS 5 TIMES").value().empty());
}

/// Real feeds, where FIELDWATCH_DATA or the folder beside the tree has them.
class RealFeeds : public ::testing::Test {
  protected:
    std::string unpack(const std::string& command) {
        const char* const given = std::getenv("FIELDWATCH_DATA");
        const std::string data = given != nullptr ? given : FIELDWATCH_SOURCE_DIR "/../shared/data";
        std::string out;
        const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
            ::popen(("cd '" + data + "' 2>/dev/null && " + command + " 2>/dev/null").c_str(), "r"), ::pclose);
        char buffer[65'536];
        for (std::size_t size = 0; pipe && (size = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;)
            out.append(buffer, size);
        return out;
    }
};
#define UNPACK_OR_SKIP(variable, command)  \
    const auto variable = unpack(command); \
    if (variable.empty()) GTEST_SKIP() << "no data for \"" command "\" beside the tree: NOT TESTED"

TEST_F(RealFeeds, Ipsum) {
    UNPACK_OR_SKIP(text, "xz -dc ti/ipsum_2026-08-22.txt.xz");
    const auto file = read(text);
    EXPECT_EQ(file.indicators.size(), 120'430u);
    EXPECT_TRUE(file.bad.empty());
}
TEST_F(RealFeeds, Maltrail) {
    UNPACK_OR_SKIP(text, "xz -dc ti/maltrail_elf.txt.xz");
    const auto file = read(text);
    EXPECT_GT(file.indicators.size(), 110'000u);
    EXPECT_LT(file.skipped * 200, file.indicators.size())
        << file.bad.at(0).why;  // paths of one or two letters
}
TEST_F(RealFeeds, Blackbook) {
    UNPACK_OR_SKIP(text, "xz -dc ti/blackbook_domains_2024-09-01.csv.xz");
    const auto file = read(text);
    EXPECT_GT(file.indicators.size(), 18'100u);
    EXPECT_EQ(file.indicators[0].value, "statsrvv.com");
    EXPECT_EQ(file.indicators[0].category, "keitaro");
    EXPECT_TRUE(file.indicators[0].first_seen);
}
TEST_F(RealFeeds, Networks) {
    UNPACK_OR_SKIP(text, "xz -dc ti/country_cidr_all.txt.xz");
    EXPECT_EQ(read(text).indicators.size(), 246'346u);
}
TEST_F(RealFeeds, MispEvent) {
    UNPACK_OR_SKIP(text, "tar xJOf ti/eset_misp_events.tar.xz windigo/ebury.misp.json");
    const auto file = read(text);
    EXPECT_GT(file.indicators.size(), 10u);
    EXPECT_TRUE(file.bad.empty()) << file.bad[0].why;
}
TEST_F(RealFeeds, WarningLists) {
    UNPACK_OR_SKIP(text, "tar xJOf ti/misp_warninglists_subset.tar.xz lists/public-dns-v4/list.json");
    EXPECT_EQ(read(text).warnings.prefixes.size(), 62'745u);
    EXPECT_EQ(read(unpack("tar xJOf ti/misp_warninglists_subset.tar.xz lists/dynamic-dns/list.json"))
                  .warnings.names.size(),
              35'467u);
}
TEST_F(RealFeeds, AttackBundleHasNoIndicatorsAndIsNoError) {
    UNPACK_OR_SKIP(text, "xz -dc stix/attack_ics_bundle_stix20.json.xz");
    EXPECT_EQ(read(text).indicators.size(), 0u);
}
TEST_F(RealFeeds, EveryStixObject) {
    UNPACK_OR_SKIP(list, "tar tJf stix/stix21_objects.tar.xz | grep 'json$'");
    int objects = 0;
    for (std::size_t at = 0, end = 0; (end = list.find('\n', at)) != list.npos; at = end + 1, ++objects)
        read(unpack("tar xJOf stix/stix21_objects.tar.xz '" + list.substr(at, end - at) + "'"));
    EXPECT_EQ(objects, 31);
}

}  // namespace
}  // namespace fieldwatch::detect
