// Rules over HTTP: shapes, roles, refusals. What stands behind is the engine's own compiler over one pack;
// the versions and the journal are the server's, and tests/integration/rules.py has them.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"
#include "portal/rules.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;

std::string text_of(const std::string& id, const std::string& word, const std::string& more = "") {
    return "title: Rule " + id + "\nid: " + id +
           "\nlevel: high\nlogsource: {product: linux, category: process_creation}\n"
           "detection: {a: {CommandLine|contains: " +
           word + "}, condition: a}\n" + more;
}

/// Sets in memory over a pack of one rule.
class RulesInMemory final : public Rules {
  public:
    RulesInMemory() { sets_.emplace_back(); }

    Result<RunningRules> running() override {
        RunningRules out;
        out.version = sets_.size() - 1;
        out.content_hash = "c";
        out.set = sets_.back();
        out.pack = composed(out.set).value();
        detect::ContentSources sources;
        for (const auto& file : out.pack.rules)
            sources.rule_files.emplace_back(file.name, file.text);
        out.content = detect::compile(sources).value();
        return out;
    }
    Result<detect::RulePack> composed(const RuleSetText& set) override {
        detect::RulePack base{.rules = {{"pack.yml", text_of("p", "packed")}}, .words = {}};
        if (set.only) base.rules.clear();
        return detect::laid_over(std::move(base), set.pack);
    }
    pipeline::RuleCounts counts() override {
        pipeline::RuleCounts out;
        out.rules["p"] = {.hits = 3, .alerts = 1, .repeats = 2, .cost_ns = 500};
        out.measured = 10;
        return out;
    }
    Timestamp counted_since() override { return Timestamp::from_unix_seconds(1); }
    Result<Applied> apply(ApplyRequest request) override {
        Applied out;
        const auto report = detect::check_rules(composed(request.set).value());
        for (const auto& error : report.errors)
            out.refused.push_back({error.file, error.line, error.rule, error.why});
        if (!out.refused.empty()) return out;
        by_ = request.by;
        sets_.push_back(std::move(request.set));
        out.version = sets_.size() - 1;
        return out;
    }
    std::vector<RuleVersion> versions() override {
        std::vector<RuleVersion> out;
        for (std::size_t i = sets_.size(); i-- > 0;)
            out.push_back({.version = i, .by = by_, .note = {}, .hash = {}, .rolled_back_to = std::nullopt});
        return out;
    }
    Result<RuleSetText> version(std::uint64_t version) override {
        if (version >= sets_.size()) return fail(Errc::NotFound, "no such version");
        return sets_[version];
    }
    Result<BacktestJob> start_backtest(BacktestStart start) override {
        auto report = std::make_shared<pipeline::BacktestReport>();
        report->from = start.from;
        report->to = start.to;
        report->rules.push_back({.id = "a",
                                 .title = "A",
                                 .now = pipeline::BacktestCount{.hits = 8, .alerts = 4, .devices = 2},
                                 .before = std::nullopt,
                                 .cost_ns = 12,
                                 .top_devices = {},
                                 .gained = {},
                                 .lost = {}});
        job_ = {.id = "1",
                .state = BacktestJob::State::Done,
                .from = start.from,
                .to = start.to,
                .started = {},
                .error = {},
                .diff = {},
                .report = report};
        return job_;
    }
    std::vector<BacktestJob> backtests() override { return {job_}; }
    Result<BacktestJob> backtest(const std::string& id) override {
        if (id != job_.id) return fail(Errc::NotFound, "no such backtest");
        return job_;
    }
    Result<void> stop_backtest(const std::string&) override { return {}; }
    Result<pipeline::Why> why(pipeline::WhyRequest request) override {
        asked_ = std::move(request);
        pipeline::Why out;
        out.rule_id = "p";
        out.sentence = "why";
        out.stage = pipeline::WhyStage::Condition;
        return out;
    }

    std::vector<RuleSetText> sets_;
    std::string by_;
    BacktestJob job_;
    pipeline::WhyRequest asked_;
};

class RulesApi : public testing::ApiTest {
  protected:
    void join(Parts& parts) override { parts.rules = &rules_; }
    static std::string set(const std::string& id, const std::string& word, Json more = Json::object()) {
        more["files"] = Json::array({{{"name", "mine/a.yml"}, {"text", text_of(id, word)}}});
        return more.dump();
    }
    Json ok(const net::HttpResponse& response, int status = 200) {
        EXPECT_EQ(response.status, status) << response.body;
        return Json::parse(response.body);
    }
    RulesInMemory rules_;
};

TEST_F(RulesApi, ListsRulesWithWhatTheyDid) {
    const auto listed = ok(ask("GET", "/api/v1/rules", "", "reader"));
    ASSERT_EQ(listed["value"].size(), 1u);
    EXPECT_EQ(listed["value"][0]["counts"]["repeats"], 2);
    EXPECT_EQ(listed["value"][0]["counts"]["costNs"], 50);
    EXPECT_EQ(listed["value"][0]["from"], "pack");
    const auto one = ok(ask("GET", "/api/v1/rules/p"));
    EXPECT_EQ(one["source"], text_of("p", "packed"));
    EXPECT_EQ(ask("GET", "/api/v1/rules/none").status, 404);
}

TEST_F(RulesApi, ChecksExplainsAndComparesASet) {
    const auto checked = ok(ask("POST", "/api/v1/rules/check", set("a", "x"), "reader"));
    EXPECT_EQ(checked["total"], 1);
    EXPECT_EQ(checked["value"][0]["fedBy"], "agent");
    const auto broken = ok(ask("POST", "/api/v1/rules/check", set("p", "x")));
    EXPECT_THAT(broken["failures"].dump(), HasSubstr("another rule has this id"));
    const Json events = {{{"logsource", {{"product", "linux"}, {"category", "process_creation"}}},
                          {"fields", {{"CommandLine", "an x"}}}},
                         {{"logsource", {{"product", "linux"}, {"category", "process_creation"}}},
                          {"fields", {{"CommandLine", "ls"}}}}};
    const auto explained =
        ok(ask("POST", "/api/v1/rules/explain", set("a", "x", {{"events", events}}), "reader"));
    ASSERT_EQ(explained["value"].size(), 2u);
    EXPECT_EQ(explained["value"][0]["fires"], true);
    EXPECT_EQ(explained["value"][1]["clauses"][0]["values"]["CommandLine"][0], "ls");
    const auto diff = ok(ask("POST", "/api/v1/rules/diff", set("a", "x")));
    EXPECT_EQ(diff["added"][0]["id"], "a");
    EXPECT_TRUE(diff["removed"].empty());
}

TEST_F(RulesApi, AppliesRefusesAndRollsBack) {
    EXPECT_EQ(ask("POST", "/api/v1/rules/apply", set("a", "x"), "reader").status, 403);
    EXPECT_EQ(ok(ask("POST", "/api/v1/rules/apply", set("a", "x")))["version"], 1);
    EXPECT_EQ(rules_.by_, "administrator");
    const auto refused = ask("POST", "/api/v1/rules/apply", set("p", "x"));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(Json::parse(refused.body)["error"]["code"], "RulesRefused");
    EXPECT_EQ(Json::parse(refused.body)["error"]["details"].size(), 1u);
    EXPECT_EQ(ok(ask("GET", "/api/v1/rules/versions"))["value"].size(), 2u);
    EXPECT_EQ(ok(ask("GET", "/api/v1/rules/versions/1"))["files"][0]["name"], "mine/a.yml");
    EXPECT_EQ(ok(ask("GET", "/api/v1/rules/versions/1/diff"))["added"][0]["id"], "a");
    EXPECT_EQ(ok(ask("POST", "/api/v1/rules/versions/0/rollback"))["version"], 2);
    EXPECT_EQ(ask("POST", "/api/v1/rules/versions/9/rollback").status, 404);
    EXPECT_EQ(ask("GET", "/api/v1/rules/versions/one").status, 400);
}

TEST_F(RulesApi, RefusesNamesThatLeaveTheFolder) {
    for (const auto* name : {"../a.yml", "/etc/a.yml", "a.txt", "", "a/../b.yml", "a\n.yml"}) {
        const Json body{{"files", {{{"name", name}, {"text", "x"}}}}};
        EXPECT_EQ(ask("POST", "/api/v1/rules/check", body.dump()).status, 400) << name;
    }
    const Json twice{{"files", {{{"name", "a.yml"}, {"text", "x"}}, {{"name", "a.yml"}, {"text", "y"}}}}};
    EXPECT_EQ(ask("POST", "/api/v1/rules/check", twice.dump()).status, 400);
    EXPECT_EQ(ask("POST", "/api/v1/rules/check", R"({"files":[1]})").status, 400);
    EXPECT_EQ(ask("POST", "/api/v1/rules/apply", R"({"files":[]})").status, 400);
}

TEST_F(RulesApi, BacktestsAndSaysWhy) {
    const Json time{{"from", "2026-11-20T00:00:00Z"}, {"to", "2026-11-22T00:00:00Z"}};
    EXPECT_EQ(ask("POST", "/api/v1/rules/backtest", set("a", "x", time), "reader").status, 403);
    EXPECT_EQ(ok(ask("POST", "/api/v1/rules/backtest", set("a", "x", time)), 202)["id"], "1");
    const auto job = ok(ask("GET", "/api/v1/rules/backtests/1"));
    EXPECT_EQ(job["state"], "done");
    EXPECT_EQ(job["report"]["value"][0]["alertsPerDay"], 2.0);
    EXPECT_EQ(job["report"]["value"][0]["change"], "added");
    EXPECT_EQ(ask("GET", "/api/v1/rules/backtests/2").status, 404);
    EXPECT_EQ(ask("POST", "/api/v1/rules/backtest", set("p", "x", time)).status, 400);
    EXPECT_EQ(ask("POST", "/api/v1/rules/backtest", set("a", "x", {{"from", "now"}, {"to", "then"}})).status,
              400);

    ASSERT_TRUE(registry_->create_hub({.name = {"plant7"}}));
    const std::string why = "/api/v1/hubs/plant7/devices/gate/why?at=2026-11-20T00:00:00Z";
    EXPECT_EQ(ok(ask("GET", why + "&rule=p&within=PT5M"))["stage"], "condition");
    EXPECT_EQ(rules_.asked_.within, Ticks(std::chrono::minutes(5)));
    EXPECT_EQ(ask("GET", why).status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/none/devices/gate/why?rule=p&at=2026-11-20T00:00:00Z").status, 404);
}

}  // namespace
}  // namespace fieldwatch::portal
