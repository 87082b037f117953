// Indicators over HTTP.
#include <map>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

/// Files in memory, in force at once.
class FilesInMemory final : public IndicatorFiles {
  public:
    std::map<std::string, std::string> files_;

    Result<detect::IndicatorFile> import(Import import) override {
        if (files_.contains(import.name) && !import.may_shrink) return fail(Errc::Conflict, "it shrank");
        auto file = detect::parse_indicators(import.name, import.text);
        if (file) files_[import.name] = import.text;
        return file;
    }
    Result<void> remove(const std::string& name) override {
        if (files_.erase(name) == 0) return fail(Errc::NotFound, "there is no " + name);
        return {};
    }
    Result<std::shared_ptr<const detect::IntelSnapshot>> in_force() override {
        return detect::IntelSnapshot::build({files_.begin(), files_.end()}, 50);
    }
};

class IntelApi : public testing::ApiTest {
  protected:
    void join(Parts& parts) override { parts.indicators = &files_; }
    FilesInMemory files_;
};

TEST_F(IntelApi, ImportsListsLooksUpAndRemoves) {
    const auto made = ask("PUT", "/api/v1/intel/feed.txt", "198.51.100.0/24\nbad.example\nnot one\n");
    ASSERT_EQ(made.status, 200) << made.body;
    EXPECT_EQ(Json::parse(made.body)["indicators"], 2);
    EXPECT_EQ(Json::parse(made.body)["bad"][0]["line"], 3);
    EXPECT_EQ(Json::parse(ask("GET", "/api/v1/intel").body)["byType"]["cidr"], 1);
    const auto found = Json::parse(ask("GET", "/api/v1/intel/lookup?value=198.51.100.7", "", "reader").body);
    EXPECT_EQ(found["found"], true);
    EXPECT_EQ(found["indicator"]["indicator"], "198.51.100.0/24");
    EXPECT_EQ(Json::parse(ask("GET", "/api/v1/intel/lookup?value=www.bad.example").body)["found"], true);
    EXPECT_EQ(Json::parse(ask("GET", "/api/v1/intel/lookup?value=192.0.2.1").body)["found"], false);
    EXPECT_EQ(ask("DELETE", "/api/v1/intel/feed.txt").status, 204);
    EXPECT_EQ(ask("DELETE", "/api/v1/intel/feed.txt").status, 404);
}

TEST_F(IntelApi, RefusesWhatShrankUnlessTold) {
    ASSERT_EQ(ask("PUT", "/api/v1/intel/a", "198.51.100.1\n").status, 200);
    EXPECT_EQ(ask("PUT", "/api/v1/intel/a", "198.51.100.2\n").status, 412);
    EXPECT_EQ(ask("PUT", "/api/v1/intel/a?force=true", "198.51.100.2\n").status, 200);
    EXPECT_EQ(ask("PUT", "/api/v1/intel/a", "{\"a\":1}", "reader").status, 403);
    EXPECT_EQ(ask("PUT", "/api/v1/intel/b", "{\"a\":1}").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/intel/lookup").status, 400);
}

}  // namespace
}  // namespace fieldwatch::portal
