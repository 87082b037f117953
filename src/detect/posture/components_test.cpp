// Vulnerable components: advisories act when they come, lists when they come, and what was said survives a
// restart.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/content.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

using FieldList = std::vector<std::pair<std::string_view, std::string_view>>;
constexpr std::int64_t kComponentsStart = 1'800'000'000;

std::string advisory(const std::string& id, const std::string& package, const std::string& fixed) {
    return R"({"schema_version":"1.6.0","id":")" + id +
           R"(","affected":[{"package":{"ecosystem":"Debian:12","name":")" + package +
           R"("},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":")" + fixed +
           R"("}]}]}]})";
}
ContentPtr with_advisories(std::vector<std::pair<std::string, std::string>> files) {
    ContentSources sources;
    sources.advisory_files = std::move(files);
    return compile(sources).value();
}

class ComponentsTest : public ::testing::Test {
  protected:
    void packages(std::vector<FieldList> rows, const char* device = "d") {
        send(model::EventKind::SBoM, std::move(rows), device);
    }
    void of_system(std::string_view distribution, std::string_view version) {
        send(model::EventKind::SystemInformation, {{{"OsDist", distribution}, {"OsDistVersion", version}}},
             "d");
    }
    void advisories(std::vector<std::pair<std::string, std::string>> files) {
        content_ = with_advisories(std::move(files));
        engine_->set_content(content_);
        tick();
    }
    void tick() { engine_->advance(Timestamp::from_unix_seconds(kComponentsStart + ++now_), found_); }
    void restart() {
        Bytes saved, again;
        engine_->save(saved);
        engine_ = make_engine(content_);
        ASSERT_TRUE(engine_->restore(saved));
        engine_->save(again);
        EXPECT_EQ(saved, again);
    }
    /// `component state severity` of what was said since the last call.
    std::string said() {
        std::string out;
        for (const auto& finding : found_) {
            const auto& row = std::get<model::Recommendation>(finding);
            const auto more = nlohmann::json::parse(row.additional_json);
            out += row.device + ":" + more["Component"].get<std::string>() + " " +
                   std::string(to_string(row.state)) + " " + std::string(to_string(row.severity)) + "; ";
        }
        found_.clear();
        return out;
    }

    ContentPtr content_ = with_advisories({});
    std::unique_ptr<Engine> engine_ = make_engine(content_);
    std::vector<model::Finding> found_;
    std::int64_t now_ = 0;

  private:
    void send(model::EventKind kind, const std::vector<FieldList>& rows, const char* device) {
        model::Event event;
        event.kind = kind;
        event.hub = "h";
        event.device = device;
        event.module = "azureiotsecurity";
        event.time = event.received = Timestamp::from_unix_seconds(kComponentsStart + ++now_);
        event.position.offset = static_cast<std::uint64_t>(now_);
        std::vector<model::Item> items;
        for (const auto& row : rows)
            items.push_back({.position = event.position,
                             .payload = model::OtherPayload{
                                 .fields = row, .product = {}, .service = {}, .category = {}}});
        event.items = items;
        std::vector<model::Finding> out;
        engine_->observe(event, out);
        for (auto& finding : out)
            if (std::holds_alternative<model::Recommendation>(finding)) found_.push_back(std::move(finding));
    }
};

const FieldList kOpenssl{{"Name", "libssl3"}, {"Version", "3.0.9-1"}, {"Type", "deb"}, {"Source", "openssl"}};
const FieldList kZlib{{"Name", "zlib1g"}, {"Version", "1:1.2-1"}, {"Type", "deb"}, {"Source", "zlib"}};

TEST_F(ComponentsTest, ActWhenAdvisoriesComeAndGo) {
    of_system("debian", "12");
    packages({kOpenssl, kZlib});
    EXPECT_EQ(said(), "");
    advisories({{"a", advisory("CVE-2023-1", "openssl", "3.0.11-1")}});
    EXPECT_EQ(said(), "d:openssl Active Medium; ");
    tick();
    EXPECT_EQ(said(), "");
    restart();
    advisories({{"a", advisory("CVE-2023-1", "openssl", "3.0.11-1")},
                {"b", advisory("CVE-2023-2", "zlib", "1:1.3-1")}});
    EXPECT_EQ(said(), "d:zlib Active Medium; ");
    advisories({{"b", advisory("CVE-2023-2", "zlib", "1:1.3-1")}});
    EXPECT_EQ(said(), "d:openssl Resolved Medium; ");
    packages({});
    EXPECT_EQ(said(), "d:zlib Resolved Medium; ");
}

TEST_F(ComponentsTest, AreOneForAllPackagesOfASource) {
    advisories({{"a", advisory("CVE-2023-1", "openssl", "3.0.11-1")}});
    packages({kOpenssl, {{"Name", "openssl"}, {"Version", "3.0.9-1"}, {"Type", "deb"}}});
    ASSERT_EQ(found_.size(), 1u);
    const auto row = std::get<model::Recommendation>(found_[0]);
    const auto more = nlohmann::json::parse(row.additional_json);
    EXPECT_EQ(more["Packages"], R"(["libssl3","openssl"])");
    EXPECT_EQ(more["FixedVersion"], "3.0.11-1");
    packages({kOpenssl}, "e");
    EXPECT_EQ(said(), "d:openssl Active Medium; e:openssl Active Medium; ");
}

TEST_F(ComponentsTest, KnownExploitedOnesAreGrave) {
    advisories({{"a", advisory("CVE-2023-1", "openssl", "3.0.11-1")},
                {"k", R"({"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2023-1"}]})"}});
    packages({kOpenssl});
    EXPECT_EQ(said(), "d:openssl Active High; ");
    restart();
    packages({});
    EXPECT_EQ(said(), "d:openssl Resolved High; ");
}

TEST_F(ComponentsTest, WaitForEveryPartOfAList) {
    advisories({{"a", advisory("CVE-2023-1", "openssl", "3.0.11-1")}});
    const auto part = [](FieldList row, std::string_view number) {
        row.emplace_back("SnapshotId", "s");
        row.emplace_back("SnapshotPart", number);
        return row;
    };
    packages({kOpenssl});
    said();
    packages({part(kZlib, "1/2")});
    restart();
    EXPECT_EQ(said(), "");
    packages({part({{"Name", "x"}, {"Version", "1"}}, "2/2")});
    EXPECT_EQ(said(), "d:openssl Resolved Medium; ");
}

TEST(Contents, WithoutAdvisoriesKeepTheirHash) {
    ContentSources sources;
    const auto before = sources.hash();
    sources.advisory_files = {{"a", "x"}};
    EXPECT_NE(sources.hash(), before);
    EXPECT_EQ(compile(sources).error().code, Errc::Malformed);
}

}  // namespace
}  // namespace fieldwatch::detect
