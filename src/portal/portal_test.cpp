// The APIs through their public face: requests in, responses out.
#include "portal/portal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/doubles_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using workspace::ColumnType;

constexpr std::string_view kWorkspace = "11111111-2222-3333-4444-555555555555";
constexpr std::int64_t kYear1 = 621'355'968'000'000'000;

class PortalTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = registry::open(directory_.path + "/registry.db", clock_, system_random());
        ASSERT_TRUE(opened) << opened.error().message;
        registry_ = std::move(*opened);
        accounts_ = std::move(*registry::open_accounts(directory_.path + "/registry.db"));
        for (const auto* role : {"reader", "analyst", "operator", "administrator"}) {
            ASSERT_TRUE(accounts_->add(
                registry::Token{.name = std::string("a ") + role,
                                .hash_hex = hex(sha256(as_bytes(std::string("token-") + role))),
                                .role = role}));
        }
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = std::string(kWorkspace)}));
        auto created = Portal::create(
            {.registry = *registry_,
             .accounts = *accounts_,
             .workspace = [this](std::string_view id) { return id == kWorkspace ? &workspace_ : nullptr; },
             .devices = devices_,
             .metrics = metrics_,
             .clock = clock_,
             .random = system_random(),
             .progress = [this] { return progress_; },
             .version = "0.1.0",
             .host_name = "gate.local"});
        ASSERT_TRUE(created);
        portal_ = std::move(*created);
    }

    net::HttpResponse ask(std::string method, std::string target, std::string body = "",
                          std::string_view role = "administrator", std::string_view prefer = "") {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        if (!role.empty()) request.headers.emplace_back("authorization", "Bearer token-" + std::string(role));
        if (!prefer.empty()) request.headers.emplace_back("prefer", prefer);
        EXPECT_TRUE(net::read_target(request));
        return portal_->handler().respond(request);
    }
    static Json json(const net::HttpResponse& response) { return Json::parse(response.body); }
    static std::string message(const net::HttpResponse& response) {
        return json(response)["error"]["message"];
    }

    struct Directory {
        Directory() {
            char name[] = "/tmp/fieldwatch-portal-XXXXXX";
            path = ::mkdtemp(name);
        }
        ~Directory() { std::filesystem::remove_all(path); }
        std::string path;
    };

    Directory directory_;
    testing::ScriptedWorkspace workspace_;
    testing::KnownDevices devices_;
    Metrics metrics_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'795'392'000)};  // 2026-11-23T00:00:00Z
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<registry::Accounts> accounts_;
    PipelineProgress progress_;
    std::unique_ptr<Portal> portal_;
};

const std::string kQuery = "/v1/workspaces/" + std::string(kWorkspace) + "/query";

TEST_F(PortalTest, RefusesWithoutATokenAndSaysHow) {
    const auto response = ask("GET", "/api/v1/hubs", "", "");
    EXPECT_EQ(response.status, 401);
    EXPECT_THAT(message(response), HasSubstr("Bearer TOKEN"));
    EXPECT_EQ(ask("GET", "/api/v1/hubs", "", "nobody").status, 401);
}

TEST_F(PortalTest, ThrottlesTheQueriesOfOneTokenAndSaysWhenToAskAgain) {
    for (int i = 0; i < 199; ++i)
        ASSERT_EQ(ask("POST", kQuery, R"({"query":"x"})", "analyst").status, 200) << i;
    const auto batch = json(ask("POST", "/v1/$batch",
                                R"({"requests":[{"id":"a","workspace":")" + std::string(kWorkspace) +
                                    R"(","body":{"query":"x"}},{"id":"b","workspace":")" +
                                    std::string(kWorkspace) + R"(","body":{"query":"x"}}]})",
                                "analyst"));
    EXPECT_EQ(batch["responses"][0]["status"], 200);
    EXPECT_EQ(batch["responses"][1]["status"], 429) << "each query of a batch counts";
    clock_.advance(std::chrono::seconds(10));
    const auto refused = ask("GET", kQuery + "?query=x", "", "analyst");
    EXPECT_EQ(refused.status, 429);
    EXPECT_THAT(refused.headers, ::testing::Contains(::testing::Pair("retry-after", "20")));
    EXPECT_EQ(json(refused)["error"]["code"], "ThrottledError");
    EXPECT_EQ(message(refused), "more than 200 queries in 30 s: ask again in 20 s");
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"x"})", "operator").status, 200) << "another token";
    EXPECT_EQ(ask("GET", "/api/v1/hubs", "", "analyst").status, 200) << "no query";
    clock_.advance(std::chrono::seconds(20));
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"x"})", "analyst").status, 200);
}

TEST_F(PortalTest, RefusesAnExpiredToken) {
    ASSERT_TRUE(accounts_->add(registry::Token{.name = "old",
                                               .hash_hex = hex(sha256(as_bytes("token-old"))),
                                               .role = "reader",
                                               .expires = clock_.now()}));
    EXPECT_THAT(message(ask("GET", "/api/v1/hubs", "", "old")), HasSubstr("expired at 2026-11-23T00:00:00Z"));
}

TEST_F(PortalTest, GivesEachRoleWhatIsItsOwn) {
    EXPECT_EQ(ask("GET", "/api/v1/hubs", "", "reader").status, 200);
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"print 1"})", "reader").status, 403);
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"print 1"})", "analyst").status, 200);
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/other", "{}", "operator").status, 403);
    EXPECT_THAT(message(ask("GET", "/api/v1/hubs/plant?keys", "", "operator")),
                HasSubstr("administrators only"));
}

TEST_F(PortalTest, AnswersHealthAndThePageWithoutAToken) {
    EXPECT_EQ(ask("GET", "/healthz", "", "").status, 200);
    EXPECT_EQ(ask("GET", "/readyz", "", "").status, 503);
    progress_.ready = true;
    EXPECT_EQ(ask("GET", "/readyz", "", "").status, 200);
    EXPECT_EQ(ask("GET", "/metrics", "", "").status, 401);
}

TEST_F(PortalTest, EncodesEveryTypeAsTheQueryApiDoes) {
    workspace_.answers_ = {
        {"all types",
         {.columns = {{"b", ColumnType::Bool},
                      {"t", ColumnType::DateTime},
                      {"s", ColumnType::TimeSpan},
                      {"n", ColumnType::TimeSpan},
                      {"d", ColumnType::Dynamic},
                      {"r", ColumnType::Real},
                      {"i", ColumnType::Real},
                      {"l", ColumnType::Long},
                      {"x", ColumnType::Real}},
          .rows = {{true, kYear1 + 17'953'920'000'000'000 + 1'234'567, std::int64_t{938'410'000'001},
                    std::int64_t{-10'000'000}, std::string(R"({"a":1})"),
                    std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity(),
                    std::int64_t{9'007'199'254'740'993}, std::monostate{}}}}}};
    const auto body = json(ask("POST", kQuery, R"({"query":"all types"})"));
    EXPECT_EQ(body["tables"][0]["name"], "PrimaryResult");
    EXPECT_EQ(body["tables"][0]["columns"][1], (Json{{"name", "t"}, {"type", "datetime"}}));
    EXPECT_EQ(
        body["tables"][0]["rows"][0],
        Json::parse(
            R"([true,"2026-11-23T00:00:00.1234567Z","1.02:04:01.0000001","-00:00:01","{\"a\":1}","NaN",)"
            R"("-Infinity",9007199254740993,null])"));
    EXPECT_FALSE(body.contains("statistics"));
    EXPECT_FALSE(body.contains("render"));
}

TEST_F(PortalTest, GivesStatisticsAndRenderWhenPreferred) {
    const auto body = json(ask("POST", kQuery, R"({"query":"x"})", "analyst",
                               "wait=30, include-statistics=true,include-render=true"));
    EXPECT_TRUE(body["statistics"]["query"].contains("executionTime"));
    EXPECT_EQ(body["render"]["visualization"], "columnchart");
    EXPECT_EQ(workspace_.asked_.back().timeout, std::chrono::seconds(30));
    EXPECT_THAT(message(ask("POST", kQuery, R"({"query":"x"})", "analyst", "wait=soon")),
                HasSubstr("\"soon\""));
}

TEST_F(PortalTest, AppliesTheTimespanInItsForms) {
    ask("POST", kQuery, R"({"query":"x","timespan":"P1D"})");
    EXPECT_EQ(workspace_.asked_.back().to, clock_.now());
    EXPECT_EQ(workspace_.asked_.back().from, clock_.now() - std::chrono::hours(24));
    ask("GET", kQuery + "?query=x&timespan=2026-11-01T00:00:00Z/PT1H");
    EXPECT_EQ(*workspace_.asked_.back().to - *workspace_.asked_.back().from, std::chrono::hours(1));
    ask("GET", kQuery + "?query=x&timespan=2026-11-01T00:00:00Z/2026-11-03T00:00:00Z");
    EXPECT_EQ(*workspace_.asked_.back().to - *workspace_.asked_.back().from, std::chrono::hours(48));
    EXPECT_THAT(message(ask("GET", kQuery + "?query=x&timespan=yesterday")), HasSubstr("\"yesterday\""));
    EXPECT_EQ(ask("GET", kQuery + "?query=x&timespan=2026-11-03T00:00:00Z/2026-11-01T00:00:00Z").status, 400);
}

TEST_F(PortalTest, SaysWhereAQueryIsWrong) {
    workspace_.refusal_ = {.kind = workspace::QueryError::Kind::Syntax,
                           .message = "expected a table",
                           .line = 2,
                           .column = 7,
                           .length = 3};
    const auto response = ask("POST", kQuery, R"({"query":"x"})");
    EXPECT_EQ(response.status, 400);
    const auto error = json(response)["error"];
    EXPECT_EQ(error["code"], "BadArgumentError");
    EXPECT_EQ(error["innererror"]["code"], "SyntaxError");
    EXPECT_EQ(error["innererror"]["message"], "expected a table (line 2, position 7)");
    EXPECT_EQ(error["innererror"]["line"], 2);
    workspace_.refusal_->kind = workspace::QueryError::Kind::Timeout;
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"x"})").status, 504);
}

TEST_F(PortalTest, MarksACutResultAsPartial) {
    workspace_.truncated_ = true;
    const auto response = ask("POST", kQuery, R"({"query":"x"})");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(json(response)["error"]["code"], "PartialError");
}

TEST_F(PortalTest, RefusesWhatIsNotAQuery) {
    EXPECT_EQ(json(ask("POST", "/v1/workspaces/none/query", R"({"query":"x"})"))["error"]["code"],
              "WorkspaceNotFoundError");
    EXPECT_THAT(message(ask("POST", kQuery, "{}")), HasSubstr("\"query\" is required"));
    EXPECT_THAT(message(ask("POST", kQuery, R"({"query":1})")), HasSubstr("must be a text"));
    EXPECT_THAT(message(ask("POST", kQuery, R"({"query":"x","max":1})")),
                HasSubstr("\"max\" is not a member"));
    EXPECT_THAT(message(ask("POST", kQuery, "not json")), HasSubstr("not JSON"));
    EXPECT_THAT(message(ask("POST", kQuery, std::string(100'000, '['))), HasSubstr("nests deeper"));
    EXPECT_EQ(ask("POST", kQuery, R"({"query":"x","workspaces":["another"]})").status, 400);
    EXPECT_EQ(ask("DELETE", kQuery).status, 405);
    EXPECT_EQ(ask("GET", "/api/v1/nothing").status, 404);
}

TEST_F(PortalTest, AnswersEachQueryOfABatchByItself) {
    const std::string workspace(kWorkspace);
    const auto body = json(
        ask("POST", "/v1/$batch",
            R"({"requests":[
        {"id":"a","workspace":")" +
                workspace +
                R"(","path":"/query","method":"POST","headers":{"prefer":"wait=7,include-statistics=true"},
         "body":{"query":"x","timespan":"PT1H"}},
        {"id":"b","workspace":"none","body":{"query":"x"}},
        {"id":"c","workspace":")" +
                workspace +
                R"(","path":"/metadata","body":{"query":"x"}},
        {"id":"d","workspace":")" +
                workspace +
                R"("},
        5]})"));
    ASSERT_EQ(body["responses"].size(), 5u);
    EXPECT_EQ(body["responses"][0]["id"], "a");
    EXPECT_EQ(body["responses"][0]["status"], 200);
    EXPECT_TRUE(body["responses"][0]["body"].contains("statistics"));
    EXPECT_EQ(workspace_.asked_.back().timeout, std::chrono::seconds(7));
    EXPECT_EQ(body["responses"][1]["status"], 404);
    EXPECT_EQ(body["responses"][1]["body"]["error"]["code"], "WorkspaceNotFoundError");
    EXPECT_EQ(body["responses"][2]["status"], 400);
    EXPECT_EQ(body["responses"][3]["status"], 400);
    EXPECT_EQ(body["responses"][4]["id"], nullptr);
    EXPECT_EQ(ask("POST", "/v1/$batch", R"({"requests":{}})").status, 400);
}

TEST_F(PortalTest, ListsTablesForEditors) {
    const auto body = json(ask("GET", "/v1/workspaces/" + std::string(kWorkspace) + "/metadata"));
    EXPECT_EQ(body["tables"][0]["columns"][0]["type"], "datetime");
}

TEST_F(PortalTest, CreatesAndChangesHubs) {
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/second", R"({"name":"second","storeRawEvents":false})").status, 201);
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/second", "{}").status, 409);
    EXPECT_THAT(message(ask("PUT", "/api/v1/hubs/third", R"({"name":"other"})")), HasSubstr("\"other\""));
    EXPECT_EQ(json(ask("PATCH", "/api/v1/hubs/second", R"({"maskAddresses":true})"))["maskAddresses"], true);
    EXPECT_THAT(message(ask("PATCH", "/api/v1/hubs/second", R"({"maskAddresses":"yes"})")),
                HasSubstr("\"maskAddresses\" must be true or false"));
    EXPECT_EQ(json(ask("GET", "/api/v1/hubs"))["value"].size(), 2u);
    EXPECT_EQ(json(ask("GET", "/api/v1/hubs/plant?keys=true"))["policies"]["iothubowner"],
              registry_->hub({"plant"})->policies.front().keys.primary);
    EXPECT_FALSE(json(ask("GET", "/api/v1/hubs/plant")).contains("policies"));
}

TEST_F(PortalTest, RegistersADeviceWithItsSecurityModule) {
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/plant/devices/pump%233", R"({"authentication":"sas"})").status, 201);
    const std::string module = "/api/v1/hubs/plant/devices/pump%233/modules/azureiotsecurity";
    const auto created = ask("PUT", module, R"({"profile":"classic"})");
    EXPECT_EQ(created.status, 201);
    const model::Identity identity{.hub = {"plant"}, .device = {"pump#3"}, .module = {"azureiotsecurity"}};
    const auto key = registry_->get(identity)->keys.primary;
    EXPECT_FALSE(key.empty());
    EXPECT_THAT(created.body, Not(HasSubstr(key)));
    const auto desired = json(ask("GET", module + "/twin"))["properties"]["desired"];
    EXPECT_EQ(
        desired["ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"]["snapshotFrequency"]["value"],
        "PT13H");
    const auto named = registry_->hub({"plant"})->host_names;
    const auto host = named.empty() ? std::string("gate.local") : named.substr(0, named.find(','));
    EXPECT_EQ(json(ask("GET", module + "/connection-string"))["connectionString"],
              "HostName=" + host + ";DeviceId=pump#3;ModuleId=azureiotsecurity;SharedAccessKey=" + key);
    EXPECT_EQ(ask("GET", module + "/connection-string", "", "operator").status, 403);
    EXPECT_THAT(message(ask("PUT", module, R"({"profile":"fast"})")), HasSubstr("real-time, classic"));
}

TEST_F(PortalTest, ShowsWhatADeviceLastSaid) {
    ask("PUT", "/api/v1/hubs/plant/devices/pump", "{}");
    ask("PUT", "/api/v1/hubs/plant/devices/pump/modules/azureiotsecurity", "{}");
    EXPECT_EQ(json(ask("GET", "/api/v1/hubs/plant/devices/pump"))["agentState"], "NeverReported");
    workspace_.answers_ = {
        {"LastEvent=max",
         {.columns = {{"DeviceId"}, {"LastEvent", ColumnType::DateTime}},
          .rows = {{std::string("pump"), kYear1 + clock_.now().ticks - 36'000'000'000}}}},
        {"by CompromisedEntity, AlertSeverity",
         {.columns = {{"CompromisedEntity"}, {"AlertSeverity"}, {"Alerts", ColumnType::Long}},
          .rows = {{std::string("pump"), std::string("High"), std::int64_t{2}},
                   {std::string("pump"), std::string("Low"), std::int64_t{1}}}}}};
    devices_.connected_.insert({.hub = {"plant"}, .device = {"pump"}, .module = {"azureiotsecurity"}});
    const auto device = json(ask("GET", "/api/v1/hubs/plant/devices"))["value"][0];
    EXPECT_EQ(device["agentState"], "Reporting");
    EXPECT_EQ(device["connectionState"], "Connected");
    EXPECT_EQ(device["openAlerts"], 3);
    EXPECT_EQ(device["openAlertsBySeverity"]["High"], 2);
    clock_.advance(std::chrono::hours(73));
    EXPECT_EQ(json(ask("GET", "/api/v1/hubs/plant/devices/pump"))["agentState"], "Silent");
}

TEST_F(PortalTest, DisconnectsADeviceThatIsDisabledOrDeleted) {
    ask("PUT", "/api/v1/hubs/plant/devices/pump", "{}");
    EXPECT_EQ(json(ask("PATCH", "/api/v1/hubs/plant/devices/pump", R"({"status":"disabled"})",
                       "operator"))["status"],
              "disabled");
    EXPECT_EQ(devices_.disconnected_.size(), 1u);
    EXPECT_EQ(ask("PATCH", "/api/v1/hubs/plant/devices/pump", R"({"status":"off"})").status, 400);
    EXPECT_EQ(ask("DELETE", "/api/v1/hubs/plant/devices/pump").status, 204);
    EXPECT_EQ(devices_.disconnected_.size(), 2u);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant/devices/pump").status, 404);
}

TEST_F(PortalTest, TellsTheDeviceOfANewDesiredSection) {
    ask("PUT", "/api/v1/hubs/plant/devices/pump", "{}");
    EXPECT_EQ(ask("PATCH", "/api/v1/hubs/plant/devices/pump/twin",
                  R"({"properties":{"desired":{"a":1,"$version":7}},"tags":{"SecurityGroup":"press"}})")
                  .status,
              200);
    ASSERT_EQ(devices_.changed_.size(), 1u);
    EXPECT_THAT(devices_.changed_[0].second.patch_json, HasSubstr(R"("a":1)"));
    EXPECT_EQ(
        ask("PATCH", "/api/v1/hubs/plant/devices/pump/twin", R"({"properties":{"reported":{}}})").status,
        400);
}

const std::string kAlert = "0b9d7a52-5e0f-5a5e-8b52-3c1f0f6d9a11";

workspace::ResultTable one_alert() {
    return {
        .columns = {{"SystemAlertId"},
                    {"AlertType"},
                    {"DisplayName"},
                    {"AlertSeverity"},
                    {"Status"},
                    {"CompromisedEntity"},
                    {"ProductComponentName"},
                    {"StartTime", ColumnType::DateTime},
                    {"EndTime", ColumnType::DateTime},
                    {"TimeGenerated", ColumnType::DateTime},
                    {"Evidence", ColumnType::Dynamic},
                    {"ExtendedProperties"}},
        .rows = {
            {kAlert, std::string("IoT_CryptoMiner"), std::string("Crypto coin miner"), std::string("High"),
             std::string("New"), std::string("pump"), std::string("Agent"), kYear1 + 17'953'920'000'000'000,
             kYear1 + 17'953'920'000'000'000, kYear1 + 17'953'920'000'000'000,
             std::string("[[2,41,0],[2,43,1]]"),
             std::string(
                 R"({"DeviceId":"pump","CommandLine":"sh -c \"echo cpuminer-multi\"","HitCount":"3"})")}}};
}

TEST_F(PortalTest, ListsAlertsByTheirLatestState) {
    workspace_.answers_ = {{"arg_max", one_alert()}};
    const auto alerts =
        json(ask("GET", "/api/v1/alerts?severity=High&device=pu%22mp&since=P7D&top=5"))["value"];
    EXPECT_EQ(alerts[0]["id"], kAlert);
    EXPECT_EQ(alerts[0]["hitCount"], 3);
    EXPECT_EQ(alerts[0]["extendedProperties"]["DeviceId"], "pump");
    EXPECT_THAT(workspace_.asked_.back().text, HasSubstr(R"(CompromisedEntity == "pu\"mp")"));
    EXPECT_THAT(workspace_.asked_.back().text, HasSubstr("datetime(2026-11-16T00:00:00.0000000Z)"));
    EXPECT_THAT(workspace_.asked_.back().text, HasSubstr(R"(Status !in ("Dismissed", "Resolved"))"));
}

TEST_F(PortalTest, RefusesFiltersThatMeanNothing) {
    EXPECT_THAT(message(ask("GET", "/api/v1/alerts?severity=Severe")),
                HasSubstr("High, Medium, Low, Informational"));
    EXPECT_THAT(message(ask("GET", "/api/v1/alerts?status=gone")), HasSubstr("open, all"));
    EXPECT_THAT(message(ask("GET", "/api/v1/alerts?since=then")), HasSubstr("\"then\""));
    EXPECT_THAT(message(ask("GET", "/api/v1/alerts?top=0")), HasSubstr("from 1 to 1000"));
    EXPECT_THAT(message(ask("GET", "/api/v1/alerts?hub=none")), HasSubstr("none"));
}

TEST_F(PortalTest, ShowsAnAlertWithTheRowsBehindIt) {
    const auto row = [](const char* details) {
        return std::vector<workspace::Value>{kYear1 + 17'953'920'000'000'000, std::string("ProcessCreate"),
                                             std::string(details)};
    };
    workspace_.answers_ = {{"top 1 by TimeGenerated", one_alert()},
                           {"SecurityIoTRawEvent",
                            {.columns = {{"Time", ColumnType::DateTime}, {"Name"}, {"Details"}},
                             .rows = {row(R"({"CommandLine":"ls"})"),
                                      row(R"({"CommandLine":"sh -c \"echo cpuminer-multi\""})")}}}};
    const auto alert = json(ask("GET", "/api/v1/alerts/" + kAlert));
    ASSERT_EQ(alert["evidence"].size(), 2u);
    EXPECT_EQ(alert["evidence"][1]["details"]["CommandLine"], R"(sh -c "echo cpuminer-multi")");
    EXPECT_THAT(
        workspace_.asked_.back().text,
        HasSubstr("((_Partition == 2 and _Offset == 41 and _Item == 0) or (_Partition == 2 and _Offset "
                  "== 43 and _Item == 1))"));
    EXPECT_EQ(ask("GET", "/api/v1/alerts/x'y").status, 400);
}

TEST_F(PortalTest, TellsHowTheServerIsDoing) {
    EXPECT_EQ(json(ask("GET", "/api/v1/system"))["version"], "0.1.0");
}

TEST_F(PortalTest, SeriesHasADayForEachOfThirty) {
    workspace_.answers_ = {
        {"Day=bin",
         {.columns = {{"AlertSeverity"}, {"Day", ColumnType::DateTime}, {"Alerts", ColumnType::Long}},
          .rows = {{std::string("Low"), kYear1 + clock_.now().ticks - 864'000'000'000, std::int64_t{4}}}}}};
    const auto overview = json(ask("GET", "/api/v1/overview"));
    ASSERT_EQ(overview["daily"].size(), 30u);
    EXPECT_EQ(overview["daily"][0]["date"], "2026-10-25");
    EXPECT_EQ(overview["daily"][29]["date"], "2026-11-23");
    EXPECT_EQ(overview["daily"][28]["Low"], 4);
    EXPECT_EQ(overview["daily"][29]["Low"], 0);
    EXPECT_EQ(overview["dataHealth"]["anyDataReceived"], false);
    EXPECT_EQ(overview["openAlerts"]["High"], 0);
}

TEST_F(PortalTest, OverviewCountsWeakStatesBySeverityAndNamesTheCommonestTypes) {
    const auto row = [](const char* type, const char* severity, std::int64_t count) {
        return std::vector<workspace::Value>{std::string(type), std::string(severity), count, std::int64_t{0},
                                             std::string("Of ") + type};
    };
    workspace_.answers_ = {{"Type=RecommendationName",
                            {.columns = {{"Type"},
                                         {"RecommendationSeverity"},
                                         {"Count", ColumnType::Long},
                                         {"Rank", ColumnType::Long},
                                         {"DisplayName"}},
                             .rows = {row("a", "Low", 9), row("b", "High", 4), row("c", "High", 3),
                                      row("d", "Low", 2), row("e", "Low", 1), row("f", "Medium", 1)}}}};
    const auto found = json(ask("GET", "/api/v1/overview"))["recommendations"];
    EXPECT_EQ(found["active"], (Json{{"High", 7}, {"Medium", 1}, {"Low", 12}, {"Informational", 0}}));
    ASSERT_EQ(found["top"].size(), 5u);
    EXPECT_EQ(found["top"][1],
              (Json{{"type", "b"}, {"displayName", "Of b"}, {"severity", "High"}, {"count", 4}}));
}

TEST_F(PortalTest, MakesTokensThatItShowsOnce) {
    const auto made = json(ask("PUT", "/api/v1/tokens/siem", R"({"role":"analyst"})"));
    const auto secret = made["token"].get<std::string>();
    const auto hash = hex(sha256(as_bytes(secret)));
    EXPECT_EQ((*accounts_->token(hash))->name, "siem");
    EXPECT_THAT(ask("GET", "/api/v1/tokens").body, Not(HasSubstr(hash)));
    EXPECT_EQ(ask("PUT", "/api/v1/tokens/siem", R"({"role":"root"})").status, 400);
}

}  // namespace
}  // namespace fieldwatch::portal
