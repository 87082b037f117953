// Hashes of files against indicators, and indicators that are in force for a while only, on log time.
#include "detect/intel/malicious_files.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/content.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
constexpr std::int64_t kFilesStart = 1'800'000'000;
const std::string kKnownHash(64, 'a');

class MaliciousFilesTest : public ::testing::Test {
  protected:
    void indicators(std::string text) {
        ContentSources sources;
        sources.indicator_files = {{"feed", std::move(text)}};
        engine_ = make_engine(compile(sources).value());
    }
    void process(std::string_view hash, std::int64_t second) {
        send(model::EventKind::ProcessCreate,
             {.position = {},
              .payload =
                  model::ProcessCreate{.executable = "/tmp/x", .command_line = "/tmp/x -d", .hash = hash},
              .extra_details = {},
              .details_json = {}},
             second);
    }
    void send(model::EventKind kind, model::Item item, std::int64_t second) {
        model::Event event;
        event.kind = kind;
        event.hub = "h";
        event.device = "d";
        event.time = event.received = Timestamp::from_unix_seconds(kFilesStart + second);
        item.position = event.position = {.partition = 0, .offset = ++offset_, .item = 0};
        event.items = {item};
        std::vector<model::Finding> found;
        engine_->observe(event, found);
        engine_->advance(event.received, found);
        for (auto& finding : found) {
            const auto* const alert = std::get_if<model::Alert>(&finding);
            if (alert != nullptr && alert->type == "IoT_X_MaliciousFile" && !alert->update)
                alerts_.push_back(*alert);
        }
    }
    std::vector<model::Alert> alerts_;

  private:
    std::unique_ptr<Engine> engine_;
    std::uint64_t offset_ = 0;
};

TEST_F(MaliciousFilesTest, AlertNamesIndicatorSourceConfidenceAndHowFarItMayBePassedOn) {
    indicators(R"({"value":")" + kKnownHash +
               R"(","category":"mirai","source":"lab","confidence":80,"tlp":"amber"})");
    process(std::string(64, 'A'), 0);
    ASSERT_EQ(alerts_.size(), 1u);
    const auto more = nlohmann::json::parse(alerts_[0].extended_json);
    EXPECT_EQ(more["Indicator"], kKnownHash);
    EXPECT_EQ(more["IndicatorType"], "sha256");
    EXPECT_EQ(more["IndicatorCategory"], "mirai");
    EXPECT_EQ(more["IndicatorSource"], "lab");
    EXPECT_EQ(more["IndicatorConfidence"], 80);
    EXPECT_EQ(more["IndicatorTlp"], "TLP:AMBER");
    EXPECT_EQ(more["File"], "/tmp/x");
    EXPECT_EQ(alerts_[0].severity, model::Severity::High);
    EXPECT_NE(alerts_[0].entities_json.find("filehash"), std::string::npos);
}

TEST_F(MaliciousFilesTest, SigmasHashesAreTakenApart) {
    indicators(kKnownHash);
    const std::string both = "MD5=00000000000000000000000000000000,SHA256=" + kKnownHash;
    const Fields fields{{"Image", "/tmp/y"}, {"Hashes", both}};
    send(model::EventKind::SigmaEvent,
         {.position = {},
          .payload = model::OtherPayload{.fields = fields, .product = {}, .service = {}, .category = {}},
          .extra_details = {},
          .details_json = {}},
         0);
    ASSERT_EQ(alerts_.size(), 1u);
    EXPECT_NE(alerts_[0].extended_json.find("/tmp/y"), std::string::npos);
}

TEST_F(MaliciousFilesTest, AnIndicatorActsFromItsBeginningToItsEndOnLogTime) {
    indicators(R"({"value":")" + kKnownHash + R"(","validFrom":)" + std::to_string(kFilesStart + 10) +
               R"(,"validUntil":)" + std::to_string(kFilesStart + 20) + "}");
    process(kKnownHash, 9);
    EXPECT_TRUE(alerts_.empty());
    process(kKnownHash, 10);
    EXPECT_EQ(alerts_.size(), 1u);
    process(kKnownHash, 21);
    EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(MaliciousFilesTest, AWarningListSilencesAHash) {
    indicators(kKnownHash);
    ContentSources sources;
    sources.indicator_files = {{"feed", kKnownHash},
                               {"list", R"({"name":"n","type":"string","list":[")" + kKnownHash + R"("]})"}};
    const auto content = compile(sources).value();
    EXPECT_FALSE(content->intel->find_hash(kKnownHash, Timestamp::from_unix_seconds(kFilesStart)));
}

TEST(IntelValidity, OneThatIsNotYetValidDoesNotHideAnotherOfTheSameValue) {
    const auto at = [](std::int64_t second) { return Timestamp::from_unix_seconds(kFilesStart + second); };
    for (const std::string value :
         {"198.51.100.7", "198.51.100.0/24", "2001:db8::/32", "bad.example", "http://bad.example/x"}) {
        const auto line = [&](std::int64_t from, std::int64_t until, int confidence) {
            return R"({"value":")" + value + R"(","validFrom":)" + std::to_string(kFilesStart + from) +
                   R"(,"validUntil":)" + std::to_string(kFilesStart + until) + R"(,"confidence":)" +
                   std::to_string(confidence) + "}\n";
        };
        const auto intel =
            IntelSnapshot::build({{"f", line(0, 10, 60) + line(20, 90, 70) + line(5, 8, 99)}}, 0).value();
        const auto probe = value.find("/") == value.npos || value.starts_with("http") ? value
                           : value.starts_with("2001")                                ? "2001:db8::1"
                                                                                      : "198.51.100.9";
        EXPECT_FALSE(intel->find(probe, at(-1))) << value;
        ASSERT_TRUE(intel->find(probe, at(5))) << value;
        EXPECT_EQ(intel->find(probe, at(5))->confidence, 60) << value;
        EXPECT_FALSE(intel->find(probe, at(15))) << value;
        ASSERT_TRUE(intel->find(probe, at(20))) << value;
        EXPECT_EQ(intel->find(probe, at(20))->confidence, 70) << value;
        EXPECT_FALSE(intel->find(probe, at(91))) << value;
    }
}

}  // namespace
}  // namespace fieldwatch::detect
