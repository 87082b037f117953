// Advisories over HTTP, and which devices have one of them.
#include <gmock/gmock.h>

#include <map>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using workspace::ColumnType;

/// Files in memory, in force at once.
class AdvisoriesInMemory final : public AdvisoryFiles {
  public:
    std::map<std::string, std::string> files_;

    Result<Imported> import(Import import) override {
        const auto file = detect::parse_advisories(import.name, import.text);
        if (!file) return std::unexpected(file.error());
        files_[import.name] = import.text;
        return Imported{.source = {.name = import.name, .format = file->format, .advisories = file->count},
                        .bytes = 7};
    }
    Result<void> remove(const std::string& name) override {
        if (files_.erase(name) == 0) return fail(Errc::NotFound, "there is no " + name);
        return {};
    }
    Result<std::shared_ptr<const detect::AdvisoryTable>> in_force() override {
        return detect::AdvisoryTable::build({files_.begin(), files_.end()});
    }
};

class VulnerabilitiesApi : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    }
    void join(Parts& parts) override {
        parts.advisories = &files_;
        parts.workspace = [this](std::string_view) { return &workspace_; };
    }
    /// Rows as the workspace has them: of each component what its recommendation says.
    void vulnerable(const std::vector<std::pair<std::string, Json>>& components) {
        workspace::ResultTable table{.columns = {{"DeviceId"},
                                                 {"RecommendationId"},
                                                 {"RecommendationSeverity"},
                                                 {"RecommendationAdditionalData"}},
                                     .rows = {}};
        for (const auto& [device, data] : components)
            table.rows.push_back({device, std::string("r"), std::string("High"), data.dump()});
        workspace_.answers_.emplace_back("VulnerablePackage", table);
    }
    static Json component(const std::string& version, const std::string& count, const std::string& named,
                          const std::string& priority) {
        return {{"Component", "openssl"},   {"Type", "deb"},       {"Version", version},
                {"Distribution", "debian"}, {"Release", "12"},     {"VulnerabilityCount", count},
                {"Vulnerabilities", named}, {"Priority", priority}};
    }

    AdvisoriesInMemory files_;
    testing::ScriptedWorkspace workspace_;
};

constexpr const char* kOpenssl =
    R"({"schema_version":"1","id":"DSA-1","aliases":["CVE-2024-1"],"affected":[{"package":{"ecosystem":"Debian:12","name":"openssl"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"3.0"}]}]}]})";

TEST_F(VulnerabilitiesApi, ImportsListsAndRemovesFiles) {
    EXPECT_EQ(Json::parse(ask("PUT", "/api/v1/advisories/a.json", kOpenssl).body)["bytes"], 7);
    EXPECT_EQ(ask("PUT", "/api/v1/advisories/a.json", "nothing").status, 400);
    EXPECT_EQ(ask("PUT", "/api/v1/advisories/a.json", kOpenssl, "reader").status, 403);
    const auto list = Json::parse(ask("GET", "/api/v1/advisories", "", "reader").body);
    EXPECT_EQ(list["value"][0]["format"], "osv");
    EXPECT_EQ(list["inForce"], 1);
    EXPECT_EQ(ask("DELETE", "/api/v1/advisories/a.json").status, 204);
    EXPECT_EQ(ask("DELETE", "/api/v1/advisories/a.json").status, 404);
}

TEST_F(VulnerabilitiesApi, FindsDevicesWhoseRecommendationNamesItOrHasNoRoomForIt) {
    ASSERT_EQ(ask("PUT", "/api/v1/advisories/a", kOpenssl).status, 200);
    vulnerable({{"named", component("2.0", "1", R"([{"Id":"CVE-2024-1","FixedVersion":"3.0"}])", "30")},
                {"other", component("2.0", "1", R"([{"Id":"CVE-2024-15"}])", "99")},
                {"crowded", component("2.0", "40", R"([{"Id":"CVE-2024-15"}])", "40")},
                {"mended", component("3.0", "40", R"([{"Id":"CVE-2024-15"}])", "40")}});
    const auto reply = ask("GET", "/api/v1/vulnerabilities/DSA-1", "", "reader");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto one = Json::parse(reply.body);
    ASSERT_EQ(one["devices"].size(), 2u) << reply.body;
    EXPECT_EQ(one["devices"][0]["device"], "crowded");
    EXPECT_EQ(one["devices"][1]["device"], "named");
    EXPECT_EQ(one["devices"][0]["fixedVersion"], "3.0");
    EXPECT_EQ(one["advisories"][0]["package"], "openssl");
    EXPECT_EQ(one["exploitProbability"], nullptr);
    EXPECT_EQ(ask("GET", "/api/v1/vulnerabilities/CVE-2000-1").status, 404);
}

}  // namespace
}  // namespace fieldwatch::portal
