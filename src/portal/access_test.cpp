// Who may what: every route with every role and with none, tokens of some hubs, the activity log.
#include "portal/access_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using testing::AccessTest;
using testing::kRoles;

/// What each route asks for at least, written by hand: a route that is not here fails the test.
constexpr std::string_view kMatrix = R"(
GET /healthz public
GET /readyz public
GET /api/v1/openapi.json public
GET /api/v1/stream reader
GET /metrics reader
GET /api/v1/who reader
GET /api/v1/settings/{key} reader
PUT /api/v1/settings/{key} administrator
GET /api/v1/hubs/{hub}/retention reader
PUT /api/v1/hubs/{hub}/retention administrator
POST /api/v1/hubs/{hub}/retention/preview administrator
GET /api/v1/expectations reader
POST /api/v1/expectations administrator
DELETE /api/v1/expectations/{id} administrator
POST /v1/workspaces/{id}/query analyst
GET /v1/workspaces/{id}/query analyst
POST /v1/$batch analyst
GET /v1/workspaces/{id}/metadata reader
POST /api/v1/session public
GET /api/v1/session reader
DELETE /api/v1/session reader
GET /api/v1/session/provider public
GET /api/v1/session/provider/begin public
GET /api/v1/session/provider/callback public
GET /api/v1/identity-provider administrator
PUT /api/v1/identity-provider administrator
DELETE /api/v1/identity-provider administrator
POST /api/v1/identity-provider/test administrator
PUT /api/v1/session/password reader
POST /api/v1/session/second-factor reader
POST /api/v1/session/second-factor/confirm reader
POST /api/v1/session/second-factor/remove reader
DELETE /api/v1/users/{name}/second-factor administrator
GET /api/v1/users administrator
PUT /api/v1/users/{name} administrator
PATCH /api/v1/users/{name} administrator
DELETE /api/v1/users/{name} administrator
GET /api/v1/tokens administrator
PUT /api/v1/tokens/{name} administrator
DELETE /api/v1/tokens/{name} administrator
GET /api/v1/backups administrator
POST /api/v1/backups administrator
GET /api/v1/backups/{id}/content administrator
DELETE /api/v1/backups/{id} administrator
POST /api/v1/purge administrator
GET /api/v1/exports administrator
GET /api/v1/exports/{name} administrator
PUT /api/v1/exports/{name} administrator
DELETE /api/v1/exports/{name} administrator
POST /api/v1/exports/{name}/test administrator
GET /api/v1/hubs reader
GET /api/v1/hubs/{hub} reader
PUT /api/v1/hubs/{hub} administrator
PATCH /api/v1/hubs/{hub} administrator
GET /api/v1/hubs/{hub}/routes reader
POST /api/v1/hubs/{hub}/policies/{policy}/rotate administrator
GET /api/v1/hubs/{hub}/certificates reader
PUT /api/v1/hubs/{hub}/certificates/{name} administrator
DELETE /api/v1/hubs/{hub}/certificates/{name} administrator
POST /api/v1/hubs/{hub}/certificates/{name}/generateVerificationCode administrator
POST /api/v1/hubs/{hub}/certificates/{name}/verify administrator
GET /api/v1/hubs/{hub}/devices reader
GET /api/v1/hubs/{hub}/devices/{device} reader
PUT /api/v1/hubs/{hub}/devices/{device} administrator
PATCH /api/v1/hubs/{hub}/devices/{device} operator
DELETE /api/v1/hubs/{hub}/devices/{device} administrator
GET /api/v1/hubs/{hub}/devices/{device}/connection-string administrator
GET /api/v1/hubs/{hub}/devices/{device}/twin reader
PATCH /api/v1/hubs/{hub}/devices/{device}/twin administrator
GET /api/v1/hubs/{hub}/devices/{device}/modules/{module} reader
PUT /api/v1/hubs/{hub}/devices/{device}/modules/{module} administrator
PATCH /api/v1/hubs/{hub}/devices/{device}/modules/{module} operator
DELETE /api/v1/hubs/{hub}/devices/{device}/modules/{module} administrator
GET /api/v1/hubs/{hub}/devices/{device}/modules/{module}/connection-string administrator
GET /api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin reader
PATCH /api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin administrator
GET /api/v1/alerts reader
GET /api/v1/assignees operator
GET /api/v1/alerts/{id} reader
POST /api/v1/alerts/decisions operator
POST /api/v1/alerts/{id}/dismiss operator
PATCH /api/v1/alerts/{id} operator
GET /api/v1/recommendations reader
GET /api/v1/recommendations/{id} reader
GET /api/v1/overview reader
GET /api/v1/system reader
GET /api/v1/hubs/{hub}/connectors administrator
GET /api/v1/hubs/{hub}/connectors/{name} administrator
PUT /api/v1/hubs/{hub}/connectors/{name} administrator
DELETE /api/v1/hubs/{hub}/connectors/{name} administrator
POST /api/v1/hubs/{hub}/records forwarder
PUT /api/v1/hubs/{hub}/snapshots/configuration forwarder
PUT /api/v1/hubs/{hub}/snapshots/identities forwarder
PUT /api/v1/hubs/{hub}/routes/{endpoint}/secret administrator
DELETE /api/v1/hubs/{hub}/routes/{endpoint}/secret administrator
GET /api/v1/hubs/{hub}/scheduled-rules/{rule}/runs reader
POST /api/v1/hubs/{hub}/scheduled-rules/{rule}/check analyst
GET /api/v1/risk reader
GET /api/v1/rules reader
POST /api/v1/rules/check reader
POST /api/v1/rules/diff reader
POST /api/v1/rules/explain reader
POST /api/v1/rules/apply administrator
GET /api/v1/rules/versions reader
GET /api/v1/rules/versions/{n} reader
GET /api/v1/rules/versions/{n}/diff reader
POST /api/v1/rules/versions/{n}/rollback administrator
GET /api/v1/rules/{id} reader
POST /api/v1/rules/backtest analyst
GET /api/v1/rules/backtests analyst
GET /api/v1/rules/backtests/{id} analyst
DELETE /api/v1/rules/backtests/{id} analyst
GET /api/v1/hubs/{hub}/devices/{device}/why analyst
GET /api/v1/intel/feeds administrator
GET /api/v1/intel/feeds/{name} administrator
PUT /api/v1/intel/feeds/{name} administrator
DELETE /api/v1/intel/feeds/{name} administrator
POST /api/v1/intel/feeds/{name}/run administrator
GET /api/v1/intel/bundles administrator
POST /api/v1/intel/bundles administrator
POST /api/v1/intel/bundles/{name}/rollback administrator
DELETE /api/v1/intel/bundles/{name} administrator
GET /api/v1/intel/trust administrator
PATCH /api/v1/intel/trust administrator
GET /api/v1/intel reader
GET /api/v1/intel/lookup reader
PUT /api/v1/intel/{name} administrator
DELETE /api/v1/intel/{name} administrator
GET /api/v1/advisories reader
PUT /api/v1/advisories/{name} administrator
DELETE /api/v1/advisories/{name} administrator
GET /api/v1/vulnerabilities reader
GET /api/v1/vulnerabilities/{id} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} reader
PUT /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
DELETE /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
GET /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups reader
GET /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} reader
PUT /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
DELETE /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
GET /subscriptions/{subscription}/providers/Microsoft.Security/iotSecuritySolutions reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotAlerts reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotAlerts/{id} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotAlertTypes reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotAlertTypes/{name} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotRecommendations reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotRecommendations/{id} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotRecommendationTypes reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/iotRecommendationTypes/{name} reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default/aggregatedAlerts reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default/aggregatedAlerts/{type}/{date} reader
POST /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default/aggregatedAlerts/{type}/{date}/dismiss operator
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default/aggregatedRecommendations reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions/{hub}/analyticsModels/default/aggregatedRecommendations/{name} reader
GET /api/v1/hubs/{hub}/queries analyst
GET /api/v1/hubs/{hub}/queries/{id} analyst
PUT /api/v1/hubs/{hub}/queries/{id} analyst
DELETE /api/v1/hubs/{hub}/queries/{id} analyst
GET /api/v1/hubs/{hub}/profiles reader
GET /api/v1/hubs/{hub}/profiles/{profile} reader
PUT /api/v1/hubs/{hub}/profiles/{profile} administrator
DELETE /api/v1/hubs/{hub}/profiles/{profile} administrator
GET /api/v1/hubs/{hub}/profiles/{profile}/mud reader
GET /api/v1/hubs/{hub}/profiles/{profile}/nftables reader
GET /api/v1/hubs/{hub}/profiles/{profile}/allow-list reader
POST /api/v1/hubs/{hub}/profiles/{profile}/diff analyst
GET /api/v1/hubs/{hub}/scheduled-rules reader
GET /api/v1/hubs/{hub}/scheduled-rules/{rule} reader
PUT /api/v1/hubs/{hub}/scheduled-rules/{rule} administrator
DELETE /api/v1/hubs/{hub}/scheduled-rules/{rule} administrator
POST /api/v1/hubs/{hub}/scheduled-rules/{rule}/run analyst
GET /api/v1/hubs/{hub}/scheduled-rules/{rule}/versions reader
GET /api/v1/hubs/{hub}/groups reader
GET /api/v1/hubs/{hub}/groups/{group} reader
PUT /api/v1/hubs/{hub}/groups/{group} administrator
DELETE /api/v1/hubs/{hub}/groups/{group} administrator
GET /api/v1/provisioning administrator
POST /api/v1/provisioning/enrollments/query administrator
POST /api/v1/provisioning/enrollmentGroups/query administrator
POST /api/v1/provisioning/registrations/{id}/query administrator
GET /api/v1/provisioning/enrollments/{id} administrator
PUT /api/v1/provisioning/enrollments/{id} administrator
DELETE /api/v1/provisioning/enrollments/{id} administrator
GET /api/v1/provisioning/enrollmentGroups/{id} administrator
PUT /api/v1/provisioning/enrollmentGroups/{id} administrator
DELETE /api/v1/provisioning/enrollmentGroups/{id} administrator
GET /api/v1/provisioning/registrations/{id} administrator
PUT /api/v1/provisioning/registrations/{id} administrator
DELETE /api/v1/provisioning/registrations/{id} administrator
)";

/// The path with something in every place; the hub is one that is not there, so that nothing is done.
std::string filled(std::string_view pattern) {
    std::string out;
    for (std::size_t at = 0; at < pattern.size();) {
        if (pattern[at] != '{') {
            out += pattern[at++];
            continue;
        }
        out += "none";
        at = pattern.find('}', at) + 1;
    }
    return out;
}

TEST_F(AccessTest, EveryRouteAsksForItsRoleAndTheMatrixNamesEveryRoute) {
    std::string missing;
    for (const auto& route : all_routes()) {
        const auto line = std::string(route.method) + " " + std::string(route.pattern) + " " +
                          std::string(to_string(route.role)) + "\n";
        if (std::string(kMatrix).find("\n" + line) == std::string::npos) missing += line;
    }
    EXPECT_EQ(missing, "");
    for (const auto& route : all_routes()) {
        for (std::size_t role = 0; role < kRoles.size(); ++role) {
            const auto reply = with_token(std::string(route.method), filled(route.pattern), kRoles[role]);
            const auto where = fmt::format("{} {} as \"{}\"", route.method, route.pattern, kRoles[role]);
            if (route.role == Role::Public) {
                EXPECT_NE(reply.status, 403) << where;
            } else if (role == 0) {
                EXPECT_EQ(reply.status, 401) << where;
            } else if (route.role == Role::Forwarder
                           ? kRoles[role] != "forwarder" && kRoles[role] != "administrator"
                           : role < static_cast<std::size_t>(route.role)) {
                EXPECT_EQ(reply.status, 403) << where;
            } else {
                EXPECT_NE(reply.status, 401) << where;
                EXPECT_TRUE(reply.status != 403 || message(reply).starts_with("a token has no password"))
                    << where;
            }
        }
    }
}

TEST_F(AccessTest, ATokenOfOneHubSeesNothingOfAnotherNorOfTheServer) {
    add_token("plant only", "administrator", {"plant"});
    const auto ask_as = [&](std::string method, std::string target) {
        return with_token(std::move(method), std::move(target), "plant only").status;
    };
    for (const auto& route : all_routes()) {
        if (route.role == Role::Public) continue;
        const auto status = ask_as(std::string(route.method), filled(route.pattern));
        const bool of_anyone = route.pattern == "/api/v1/who" ||
                               route.pattern.ends_with("/iotSecuritySolutions") ||
                               (route.pattern == "/api/v1/hubs" && route.method == "GET");
        EXPECT_EQ(status, of_anyone ? 200 : 403) << route.method << " " << route.pattern;
    }
    EXPECT_EQ(ask_as("GET", "/api/v1/hubs/plant"), 200);
    EXPECT_EQ(ask_as("GET", "/api/v1/hubs/office"), 403);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts?hub=plant"), 200);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts?hub=office"), 403);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts"), 403);
    for (const auto* of_hub :
         {"/api/v1/risk", "/api/v1/vulnerabilities", "/api/v1/vulnerabilities/CVE-2021-44228"}) {
        EXPECT_NE(ask_as("GET", std::string(of_hub) + "?hub=plant"), 403) << of_hub;
        EXPECT_EQ(ask_as("GET", std::string(of_hub) + "?hub=office"), 403) << of_hub;
        EXPECT_EQ(ask_as("GET", of_hub), 403) << of_hub;
    }
    EXPECT_EQ(ask_as("GET", "/v1/workspaces/w1/query?query=x"), 200);
    EXPECT_EQ(ask_as("GET", "/v1/workspaces/w2/query?query=x"), 403);
    const auto hubs = Json::parse(with_token("GET", "/api/v1/hubs", "plant only").body)["value"];
    ASSERT_EQ(hubs.size(), 1u);
    EXPECT_EQ(hubs[0]["name"], "plant");
    const std::string solutions =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Security/iotSecuritySolutions";
    const auto own = Json::parse(with_token("GET", solutions, "plant only").body)["value"];
    ASSERT_EQ(own.size(), 1u);
    EXPECT_EQ(own[0]["name"], "plant");
    EXPECT_EQ(ask_as("GET", solutions + "/plant/iotAlerts"), 200);
    EXPECT_EQ(ask_as("GET", solutions + "/office/iotAlerts"), 403);
    // A workspace that another hub shares is that hub's too.
    ASSERT_TRUE(registry_->create_hub({.name = {"annex"}, .workspace = "w1"}));
    EXPECT_EQ(ask_as("GET", "/v1/workspaces/w1/query?query=x"), 403);
}

TEST_F(AccessTest, TokensAreShownOnceAndWorthNothingOnceRevoked) {
    const auto made = with_token("PUT", "/api/v1/tokens/siem", "administrator",
                                 R"({"role":"reader","hubs":["plant"],"expires":"2027-01-01T00:00:00Z"})");
    ASSERT_EQ(made.status, 201) << made.body;
    const auto secret = Json::parse(made.body)["token"].get<std::string>();
    const auto ask_it = [&] {
        return ask("GET", "/api/v1/who", "", {{"authorization", "Bearer " + secret}}).status;
    };
    EXPECT_EQ(ask_it(), 200);
    EXPECT_THAT(with_token("GET", "/api/v1/tokens", "administrator").body, ::testing::Not(HasSubstr(secret)));
    EXPECT_EQ(
        with_token("PUT", "/api/v1/tokens/x", "administrator", R"({"role":"reader","hubs":["moon"]})").status,
        404);
    EXPECT_EQ(with_token("PUT", "/api/v1/tokens/x", "administrator",
                         R"({"role":"reader","expires":"2020-01-01T00:00:00Z"})")
                  .status,
              400);
    EXPECT_EQ(with_token("DELETE", "/api/v1/tokens/siem", "administrator").status, 204);
    EXPECT_EQ(ask_it(), 401);
}

TEST_F(AccessTest, AForwarderIsAProgramAndNobodysRoleButATokens) {
    EXPECT_EQ(
        with_token("PUT", "/api/v1/tokens/logs", "administrator", R"({"role":"forwarder","hubs":["plant"]})")
            .status,
        201);
    EXPECT_EQ(with_token("GET", "/api/v1/who", "forwarder").status, 403);
    EXPECT_EQ(with_token("PUT", "/api/v1/users/logs", "administrator",
                         Json{{"role", "forwarder"}, {"password", kPassword}}.dump())
                  .status,
              400);
    const auto refused = with_token("POST", "/api/v1/hubs/plant/records", "operator");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(message(refused), "this needs the role forwarder; \"operator\" has the role operator");
    add_token("office's", "forwarder", {"office"});
    EXPECT_EQ(with_token("POST", "/api/v1/hubs/plant/records", "office's").status, 403);
    EXPECT_NE(with_token("POST", "/api/v1/hubs/office/records", "office's").status, 403);
}

TEST_F(AccessTest, NoSettingThatHoldsAKeyIsReadOrWrittenHere) {
    ASSERT_TRUE(registry_->set_setting("provisioning.keys", R"({"primary":"hush"})"));
    ASSERT_TRUE(registry_->set_setting("detection.settings", "{}"));
    for (const auto role : kRoles) {
        if (role.empty() || role == "forwarder") continue;
        const auto reply = with_token("GET", "/api/v1/settings/provisioning.keys", role);
        EXPECT_EQ(reply.status, 404) << role;
        EXPECT_THAT(reply.body, ::testing::Not(HasSubstr("hush")));
        EXPECT_EQ(with_token("GET", "/api/v1/settings/detection.settings", role).status, 200);
    }
    EXPECT_EQ(
        with_token("PUT", "/api/v1/settings/provisioning.keys", "administrator", R"({"value":"x"})").status,
        404);
    EXPECT_EQ(**registry_->setting("provisioning.keys"), R"({"primary":"hush"})");
}

TEST_F(AccessTest, WhatChangesSomethingIsInTheActivityLogRefusedOrNot) {
    with_token("PUT", "/api/v1/settings/detection.settings", "administrator", R"({"value":"hush"})");
    with_token("PUT", "/api/v1/settings/detection.settings", "administrator", R"({"value":"{}"})");
    with_token("PUT", "/api/v1/hubs/plant", "reader");
    with_token("GET", "/api/v1/hubs", "reader");
    EXPECT_EQ(audited(), (std::vector<std::string>{"Fieldwatch/settings/write administrator Failure office",
                                                   "Fieldwatch/settings/write administrator Failure plant",
                                                   "Fieldwatch/settings/write administrator Success office",
                                                   "Fieldwatch/settings/write administrator Success plant",
                                                   "Fieldwatch/hubs/write reader Failure plant"}));
    add_user("root", "administrator");
    const auto session = sign_in("root");
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/plant", "{}", {{"cookie", session.cookie}}).status, 403);
    EXPECT_EQ(audited().back(), "Fieldwatch/hubs/write (session) Failure plant");
    const auto count = audited().size();
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/plant", "{}", {}).status, 401);
    EXPECT_EQ(audited().size(), count) << "a stranger does not fill it";
    try_password("mistyped secret", "x");
    EXPECT_THAT(audited().back(), HasSubstr("Fieldwatch/session/action (unknown) Failure"));
    const auto rows = registry_->outbox(10'000);
    for (const auto& row : *rows)
        EXPECT_THAT(row.record.body, ::testing::Not(HasSubstr("hush")));
}

}  // namespace
}  // namespace fieldwatch::portal
