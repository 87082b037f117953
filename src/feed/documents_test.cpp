// Pages of TAXII collections and MISP manifests: what is kept of them, and what is refused.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "detect/intel/indicator.hpp"
#include "feed/misp_feed.hpp"
#include "feed/taxii.hpp"

namespace fieldwatch::feed {
namespace {

constexpr auto kDocumentsNow = Timestamp::from_unix_seconds(1'800'000'000);
constexpr std::string_view kUuid = "11111111-1111-4111-8111-111111111111",
                           kOther = "22222222-2222-4222-8222-222222222222";

std::string indicator(std::string_view id, std::string_view address, std::string_view modified,
                      std::string_view more = "") {
    return R"({"type":"indicator","spec_version":"2.1","id":"indicator--)" + std::string(id) +
           R"(","created":"2026-01-01T00:00:00Z","modified":")" + std::string(modified) +
           R"(","valid_from":"2026-01-01T00:00:00Z","pattern_type":"stix","pattern":"[ipv4-addr:value = ')" +
           std::string(address) + R"(']")" + std::string(more) + "}";
}
std::vector<std::string> values_of(std::string_view text) {
    std::vector<std::string> out;
    const auto file = detect::parse_indicators("feed", text);
    EXPECT_TRUE(file) << file.error().message;
    for (const auto& one : file->indicators)
        out.push_back(one.value);
    return out;
}

TEST(Taxii, TheObjectsEndpointIsFoundHoweverTheCollectionIsNamed) {
    for (const auto* const given :
         {"https://t.example/api/collections/9", "https://t.example/api/collections/9/",
          "https://t.example/api/collections/9/objects/"})
        EXPECT_EQ(objects_url(given, "", ""), "https://t.example/api/collections/9/objects/");
    EXPECT_EQ(objects_url("https://t.example/c", "2026-01-01T00:00:00.5Z", "a b"),
              "https://t.example/c/objects/?added_after=2026-01-01T00%3A00%3A00.5Z&next=a%20b");
}

TEST(Taxii, TheNewestVersionOfAnObjectCountsAndWhatWasRevokedOrExpiredGoes) {
    StixObjects objects;
    const auto first = objects.take(
        R"({"more":true,"next":"2","objects":[)" + indicator("a", "203.0.113.1", "2026-02-01T00:00:00Z") +
        "," + indicator("b", "203.0.113.2", "2026-02-01T00:00:00Z") + "," +
        indicator("c", "203.0.113.3", "2026-02-01T00:00:00Z", R"(,"valid_until":"2026-03-01T00:00:00Z")") +
        R"(,{"type":"attack-pattern","id":"attack-pattern--1","name":"not read"}]})");
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_TRUE(first->more);
    EXPECT_EQ(first->next, "2");
    EXPECT_EQ(first->objects, 4u);
    const auto second =
        objects.take(R"({"objects":[)" + indicator("a", "203.0.113.9", "2026-01-15T00:00:00.000Z") + "," +
                     indicator("b", "203.0.113.2", "2026-02-02T00:00:00Z", R"(,"revoked":true)") + "]}");
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_FALSE(second->more);
    EXPECT_EQ(objects.size(), 3u);
    EXPECT_EQ(values_of(objects.bundle(kDocumentsNow).value()), std::vector<std::string>{"203.0.113.1"});
    StixObjects again;  // what was kept is where the next pull goes on
    ASSERT_TRUE(again.take(objects.bundle(kDocumentsNow).value()));
    EXPECT_EQ(again.bundle(kDocumentsNow), objects.bundle(kDocumentsNow));
}

TEST(Taxii, WhatIsNoEnvelopeIsRefused) {
    for (const auto& text :
         {std::string("[]"), std::string("<html>"), std::string(R"({"objects":7})"), std::string(1'000, '[')})
        EXPECT_EQ(StixObjects().take(text).error().code, Errc::Malformed) << text.substr(0, 20);
    EXPECT_TRUE(StixObjects().take("{}")) << "an empty page";
}

TEST(MispFeed, OnlyWhatIsNewIsAskedForAndWhatIsGoneIsForgotten) {
    const auto manifest = parse_manifest(R"({")" + std::string(kUuid) + R"(":{"timestamp":"100"},")" +
                                         std::string(kOther) + R"(":{"timestamp":7}})");
    ASSERT_TRUE(manifest) << manifest.error().message;
    auto events = MispEvents::of("");
    EXPECT_EQ(events.wanted(*manifest), (std::vector<std::string>{std::string(kUuid), std::string(kOther)}));
    const auto event =
        R"({"Event":{"uuid":")" + std::string(kUuid) +
        R"(","info":"botnet","Orgc":{"name":"lab","uuid":"x"},"Tag":[{"name":"tlp:green","colour":"#0f0"}],"Attribute":[
        {"type":"ip-dst","value":"203.0.113.7","to_ids":true,"comment":"long"},{"type":"domain","value":"ref.example","to_ids":false}],
        "Object":[{"name":"file","Attribute":[{"type":"sha256","value":")" +
        std::string(64, 'a') + R"(","to_ids":true}]}]}})";
    ASSERT_TRUE(events.take(std::string(kUuid), "100", event));
    const auto kept = events.text().value();
    EXPECT_EQ(kept.find("comment"), std::string::npos);
    const auto file = detect::parse_indicators("feed", kept).value();
    ASSERT_EQ(file.indicators.size(), 2u);
    EXPECT_EQ(file.indicators[0].source, "lab");
    EXPECT_EQ(file.indicators[0].tlp, detect::Tlp::Green);
    EXPECT_EQ(MispEvents::of(kept).wanted(*manifest), std::vector<std::string>{std::string(kOther)});
    auto newer = *manifest;
    newer[std::string(kUuid)] = "101";
    EXPECT_EQ(MispEvents::of(kept).wanted(newer).size(), 2u);
    newer.erase(std::string(kUuid));
    auto less = MispEvents::of(kept);
    less.keep_only(newer);
    EXPECT_EQ(less.size(), 0u);
}

TEST(MispFeed, AManifestNamesNothingButEvents) {
    EXPECT_EQ(parse_manifest(R"({"../../etc/passwd":{}})").error().code, Errc::Malformed);
    EXPECT_EQ(parse_manifest("[]").error().code, Errc::Malformed);
    auto events = MispEvents::of("");
    EXPECT_NE(events.take(std::string(kUuid), "1", R"({"Event":{"uuid":")" + std::string(kOther) + R"("}})")
                  .error()
                  .message.find("another event"),
              std::string::npos);
}

TEST(FeedDocuments, AnyTextIsAValueOrAnError) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        StixObjects objects;
        static_cast<void>(objects.take(text));
        static_cast<void>(parse_manifest(text));
        auto events = MispEvents::of(text);
        RC_ASSERT(events.text().has_value());
    }));
}

}  // namespace
}  // namespace fieldwatch::feed
