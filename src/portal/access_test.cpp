// Who may what: every route with every role and with none, tokens of some hubs, people's sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/context.hpp"
#include "portal/doubles_test.hpp"
#include "portal/login_guard.hpp"
#include "portal/password.hpp"
#include "portal/portal.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kRoles{"", "reader", "analyst", "operator", "administrator"};

/// What each route asks for at least, written by hand: a route that is not here fails the test.
constexpr std::string_view kMatrix = R"(
GET /healthz public
GET /readyz public
GET /metrics reader
GET /api/v1/who reader
GET /api/v1/settings/{key} reader
PUT /api/v1/settings/{key} administrator
POST /v1/workspaces/{id}/query analyst
GET /v1/workspaces/{id}/query analyst
POST /v1/$batch analyst
GET /v1/workspaces/{id}/metadata reader
POST /api/v1/session public
GET /api/v1/session reader
DELETE /api/v1/session reader
PUT /api/v1/session/password reader
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
GET /api/v1/alerts/{id} reader
POST /api/v1/alerts/{id}/dismiss operator
PATCH /api/v1/alerts/{id} operator
GET /api/v1/recommendations reader
GET /api/v1/recommendations/{id} reader
GET /api/v1/overview reader
GET /api/v1/system reader
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
GET /api/v1/intel reader
GET /api/v1/intel/lookup reader
PUT /api/v1/intel/{name} administrator
DELETE /api/v1/intel/{name} administrator
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups reader
GET /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} reader
PUT /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
DELETE /subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
GET /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups reader
GET /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} reader
PUT /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
DELETE /providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group} administrator
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

class AccessTest : public ::testing::Test {
  protected:
    AccessTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-access-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        registry_ = std::move(*registry::open(directory_ + "/registry.db", clock_, system_random()));
        accounts_ = std::move(*registry::open_accounts(directory_ + "/registry.db"));
        for (const auto role : kRoles) {
            if (!role.empty()) add_token(std::string(role), std::string(role), {});
        }
        EXPECT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w1"}));
        EXPECT_TRUE(registry_->create_hub({.name = {"office"}, .workspace = "w2"}));
        portal_ = std::move(*Portal::create(
            {.registry = *registry_,
             .accounts = *accounts_,
             .workspace = [this](std::string_view) { return &workspace_; },
             .devices = devices_,
             .metrics = metrics_,
             .clock = clock_,
             .random = system_random(),
             .progress = [] { return PipelineProgress{}; },
             .provisioning = [](const net::HttpRequest&, std::string_view) { return net::HttpResponse{}; },
             .version = "0.1.0",
             .host_name = "gate.local"}));
    }
    ~AccessTest() override {
        portal_.reset();
        accounts_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }

    void add_token(const std::string& name, const std::string& role, std::vector<std::string> hubs) {
        EXPECT_TRUE(accounts_->add(registry::Token{.name = name,
                                                   .hash_hex = hex(sha256(as_bytes("token-" + name))),
                                                   .role = role,
                                                   .expires = {},
                                                   .hubs = std::move(hubs)}));
    }
    using Headers = std::vector<std::pair<std::string, std::string>>;
    net::HttpResponse ask(std::string method, std::string target, std::string body, Headers headers) {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.headers = std::move(headers);
        request.peer = peer_;
        EXPECT_TRUE(net::read_target(request));
        return portal_->handler().respond(request);
    }
    net::HttpResponse with_token(std::string method, std::string target, std::string_view name,
                                 std::string body = "{}") {
        Headers headers;
        if (!name.empty()) headers.emplace_back("authorization", "Bearer token-" + std::string(name));
        return ask(std::move(method), std::move(target), std::move(body), std::move(headers));
    }
    static std::string header(const net::HttpResponse& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) return value;
        }
        return {};
    }
    static std::string message(const net::HttpResponse& response) {
        return Json::parse(response.body)["error"]["message"];
    }

    struct SignedIn {
        std::string cookie, csrf;
    };
    void add_user(const std::string& name, const std::string& role) {
        const auto added = with_token("PUT", "/api/v1/users/" + name, "administrator",
                                      Json{{"role", role}, {"password", kPassword}}.dump());
        ASSERT_EQ(added.status, 201) << added.body;
    }
    net::HttpResponse try_password(const std::string& name, const std::string& password,
                                   Headers headers = {}) {
        return ask("POST", "/api/v1/session", Json{{"user", name}, {"password", password}}.dump(),
                   std::move(headers));
    }
    SignedIn sign_in(const std::string& name, Headers headers = {}) {
        const auto reply = try_password(name, kPassword, std::move(headers));
        EXPECT_EQ(reply.status, 200) << reply.body;
        const auto cookie = header(reply, "set-cookie");
        return {.cookie = cookie.substr(0, cookie.find(';')), .csrf = Json::parse(reply.body)["csrf"]};
    }
    std::vector<std::string> audited() {
        std::vector<std::string> out;
        const auto rows = registry_->outbox(10'000);
        for (const auto& row : *rows) {
            if (row.record.kind != model::RecordKind::ControlPlane) continue;
            const auto json = Json::parse(row.record.body);
            const auto operation = json["operationName"].get<std::string>();
            if (!operation.starts_with("Fieldwatch/")) continue;
            out.push_back(operation + " " + json["caller"].get<std::string>() + " " +
                          json["resultType"].get<std::string>() + " " + row.record.sender.hub.value);
        }
        return out;
    }

    static constexpr const char* kPassword = "correct horse battery";
    std::string directory_;
    testing::ScriptedWorkspace workspace_;
    testing::KnownDevices devices_;
    Metrics metrics_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'795'392'000)};
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<registry::Accounts> accounts_;
    std::unique_ptr<Portal> portal_;
    std::string peer_ = "192.0.2.1";
};

std::vector<Route> every_route() {
    std::vector<Route> out;
    for (const auto& group :
         {settings_routes(),   query_routes(), hub_routes(),          certificate_routes(),
          device_routes(),     twin_routes(),  alert_routes(),        recommendation_routes(),
          overview_routes(),   group_routes(), provisioning_routes(), intel_routes(),
          rule_trial_routes(), rule_routes(),  backup_routes(),       purge_routes(),
          user_routes(),       token_routes(), session_routes(),      system_routes()})
        out.insert(out.end(), group.begin(), group.end());
    return out;
}

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
    for (const auto& route : every_route()) {
        const auto line = std::string(route.method) + " " + std::string(route.pattern) + " " +
                          std::string(to_string(route.role)) + "\n";
        if (std::string(kMatrix).find("\n" + line) == std::string::npos) missing += line;
    }
    EXPECT_EQ(missing, "");
    for (const auto& route : every_route()) {
        for (std::size_t role = 0; role < kRoles.size(); ++role) {
            const auto reply = with_token(std::string(route.method), filled(route.pattern), kRoles[role]);
            const auto where = fmt::format("{} {} as \"{}\"", route.method, route.pattern, kRoles[role]);
            if (route.role == Role::Public) {
                EXPECT_NE(reply.status, 403) << where;
            } else if (role == 0) {
                EXPECT_EQ(reply.status, 401) << where;
            } else if (role < static_cast<std::size_t>(route.role)) {
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
    for (const auto& route : every_route()) {
        if (route.role == Role::Public) continue;
        const auto status = ask_as(std::string(route.method), filled(route.pattern));
        const bool of_anyone =
            route.pattern == "/api/v1/who" || (route.pattern == "/api/v1/hubs" && route.method == "GET");
        EXPECT_EQ(status, of_anyone ? 200 : 403) << route.method << " " << route.pattern;
    }
    EXPECT_EQ(ask_as("GET", "/api/v1/hubs/plant"), 200);
    EXPECT_EQ(ask_as("GET", "/api/v1/hubs/office"), 403);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts?hub=plant"), 200);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts?hub=office"), 403);
    EXPECT_EQ(ask_as("GET", "/api/v1/alerts"), 403);
    EXPECT_EQ(ask_as("GET", "/v1/workspaces/w1/query?query=x"), 200);
    EXPECT_EQ(ask_as("GET", "/v1/workspaces/w2/query?query=x"), 403);
    const auto hubs = Json::parse(with_token("GET", "/api/v1/hubs", "plant only").body)["value"];
    ASSERT_EQ(hubs.size(), 1u);
    EXPECT_EQ(hubs[0]["name"], "plant");
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

TEST_F(AccessTest, APersonSignsInAndMayWhatTheRoleMay) {
    add_user("ann", "operator");
    const auto reply = try_password("ann", kPassword);
    const auto cookie = header(reply, "set-cookie");
    EXPECT_THAT(cookie, HasSubstr("HttpOnly; SameSite=Strict"));
    EXPECT_THAT(cookie, HasSubstr("; Secure"));
    EXPECT_THAT(reply.body, ::testing::Not(HasSubstr(cookie.substr(19, 64))));
    const auto session = sign_in("ann");
    const auto who = ask("GET", "/api/v1/session", "", {{"cookie", "other=1; " + session.cookie}});
    EXPECT_EQ(Json::parse(who.body)["role"], "operator");
    EXPECT_EQ(Json::parse(who.body)["csrf"], session.csrf);
    const Headers whole{{"cookie", session.cookie}, {"x-fieldwatch-csrf", session.csrf}};
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/x", "{}", whole).status, 403) << "not an operator's";
    EXPECT_EQ(ask("DELETE", "/api/v1/session", "", whole).status, 204);
    EXPECT_EQ(ask("GET", "/api/v1/who", "", whole).status, 401) << "signed out";
    peer_ = "127.0.0.1";
    EXPECT_THAT(header(try_password("ann", kPassword), "set-cookie"), ::testing::Not(HasSubstr("Secure")));
}

TEST_F(AccessTest, ACookieAloneChangesNothing) {
    add_user("root", "administrator");
    const auto session = sign_in("root");
    const auto put = [&](Headers headers) {
        headers.emplace_back("cookie", session.cookie);
        headers.emplace_back("host", "gate.local:7780");
        return ask("PUT", "/api/v1/settings/detection.settings", R"({"value":"{}"})", headers).status;
    };
    EXPECT_EQ(put({}), 403);
    EXPECT_EQ(put({{"x-fieldwatch-csrf", std::string(64, '0')}}), 403);
    EXPECT_EQ(put({{"x-fieldwatch-csrf", session.csrf}, {"origin", "https://evil.example"}}), 403);
    EXPECT_EQ(put({{"x-fieldwatch-csrf", session.csrf}, {"origin", "null"}}), 403);
    EXPECT_EQ(put({{"x-fieldwatch-csrf", session.csrf}, {"origin", "https://gate.local:7780"}}), 200);
    EXPECT_EQ(put({{"x-fieldwatch-csrf", session.csrf}}), 200);
    EXPECT_EQ(
        try_password("root", kPassword, {{"origin", "https://evil.example"}, {"host", "gate.local"}}).status,
        403);
}

TEST_F(AccessTest, ACookieFromBeforeIsNeverTakenOver) {
    add_user("ann", "reader");
    const auto planted = std::string(kSessionCookie) + "=" + std::string(64, 'a');
    const auto first = sign_in("ann", {{"cookie", planted}});
    EXPECT_NE(first.cookie, planted);
    EXPECT_EQ(ask("GET", "/api/v1/who", "", {{"cookie", planted}}).status, 401);
    const auto second = sign_in("ann", {{"cookie", first.cookie}});
    EXPECT_NE(second.cookie, first.cookie);
    EXPECT_EQ(ask("GET", "/api/v1/who", "", {{"cookie", first.cookie}}).status, 401) << "replaced";
    clock_.advance(std::chrono::hours(13));
    EXPECT_EQ(ask("GET", "/api/v1/who", "", {{"cookie", second.cookie}}).status, 401) << "a day is over";
}

TEST_F(AccessTest, EveryChangeOfAUserEndsTheSessions) {
    add_user("ann", "administrator");
    for (const auto* change :
         {R"({"role":"reader"})", R"({"password":"another horse battery"})", R"({"enabled":false})"}) {
        const auto password =
            std::string(change).find("false") == std::string::npos ? kPassword : "another horse battery";
        const auto reply = try_password("ann", password);
        ASSERT_EQ(reply.status, 200) << change;
        const auto cookie = header(reply, "set-cookie");
        EXPECT_EQ(with_token("PATCH", "/api/v1/users/ann", "administrator", change).status, 200);
        EXPECT_EQ(ask("GET", "/api/v1/who", "", {{"cookie", cookie.substr(0, cookie.find(';'))}}).status, 401)
            << change;
    }
    EXPECT_EQ(try_password("ann", "another horse battery").status, 401) << "disabled";
}

TEST_F(AccessTest, GuessingIsBoundedPerUserAndPerAddressAndTellsNothing) {
    add_user("ann", "reader");
    const auto wrong = try_password("ann", "wrong horse battery");
    const auto nobody = try_password("nobody", "wrong horse battery");
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(wrong.body, nobody.body) << "whether there is such a user is not told";
    for (int i = 0; i < LoginGuard::kFailuresOfUser; ++i)
        try_password("ann", "wrong horse battery");
    peer_ = "192.0.2.99";
    const auto refused = try_password("ann", kPassword);
    EXPECT_EQ(refused.status, 429) << "not even with the right one, from wherever";
    EXPECT_EQ(header(refused, "retry-after"), "300");
    clock_.advance(std::chrono::minutes(6));
    EXPECT_EQ(try_password("ann", kPassword).status, 200);

    LoginGuard guard;
    int admitted = 0;
    for (int i = 0; i < 1'000; ++i)
        admitted += guard.admit("user" + std::to_string(i), "192.0.2.7", clock_.now()) ==
                    LoginGuard::Verdict::Admitted;
    EXPECT_EQ(admitted, LoginGuard::kFailuresOfAddress);
}

TEST(LoginGuard, RemembersAnAddressHoweverManyNamesItMakesUp) {
    LoginGuard guard;
    const auto now = Timestamp::from_unix_seconds(1'795'392'000);
    int admitted = 0;
    for (std::size_t i = 0; i < 3 * LoginGuard::kKeysMax; ++i)
        admitted += guard.admit("user" + std::to_string(i), fmt::format("2001:db8::{:x}", i % 0xFFFF + 1),
                                now) == LoginGuard::Verdict::Admitted;
    EXPECT_EQ(admitted, LoginGuard::kFailuresOfAddress) << "one /64 is one customer's";
    EXPECT_EQ(guard.admit("x", "::ffff:192.0.2.1", now), LoginGuard::Verdict::Admitted);
}

TEST(LoginGuard, TellsOnceOfALockAndForgetsWhatWasNotLookedAt) {
    LoginGuard guard;
    const auto now = Timestamp::from_unix_seconds(1'795'392'000);
    for (int i = 0; i < 2 * LoginGuard::kFailuresOfUser; ++i) {
        EXPECT_EQ(guard.admit("ann", "192.0.2.1", now), LoginGuard::Verdict::Admitted);
        guard.take_back("ann", "192.0.2.1");
    }
    for (int i = 0; i < LoginGuard::kFailuresOfUser; ++i)
        EXPECT_EQ(guard.admit("ann", "192.0.2.1", now), LoginGuard::Verdict::Admitted);
    EXPECT_EQ(guard.admit("ann", "192.0.2.1", now), LoginGuard::Verdict::Locked);
    EXPECT_EQ(guard.admit("ann", "192.0.2.1", now), LoginGuard::Verdict::Refused);
    EXPECT_EQ(guard.admit("ann", "192.0.2.1", now + LoginGuard::kWindow), LoginGuard::Verdict::Admitted);
}

TEST(HashingQueue, LetsTwoInAndSendsTheOthersAwayAtOnce) {
    HashingQueue queue;
    auto first = queue.enter();
    {
        const auto second = queue.enter();
        ASSERT_TRUE(first && second);
        for (int i = 0; i < 5; ++i)
            EXPECT_EQ(queue.enter().error().code, Errc::Exhausted);
    }
    EXPECT_TRUE(queue.enter());
    EXPECT_TRUE(first->turn().owns_lock());
}

TEST_F(AccessTest, NoSettingThatHoldsAKeyIsReadOrWrittenHere) {
    ASSERT_TRUE(registry_->set_setting("provisioning.keys", R"({"primary":"hush"})"));
    ASSERT_TRUE(registry_->set_setting("detection.settings", "{}"));
    for (const auto role : kRoles) {
        if (role.empty()) continue;
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

TEST_F(AccessTest, PasswordsAreLongEnoughAndKeptAsArgon2id) {
    EXPECT_EQ(
        with_token("PUT", "/api/v1/users/ann", "administrator", R"({"role":"reader","password":"short"})")
            .status,
        400);
    add_user("ann", "reader");
    EXPECT_THAT(accounts_->user("ann")->password_hash,
                ::testing::StartsWith("$argon2id$v=19$m=65536,t=3,p=1$"));
    EXPECT_THAT(with_token("GET", "/api/v1/users", "administrator").body,
                ::testing::Not(HasSubstr("argon2")));
    const auto session = sign_in("ann");
    const Headers whole{{"cookie", session.cookie}, {"x-fieldwatch-csrf", session.csrf}};
    EXPECT_EQ(
        ask("PUT", "/api/v1/session/password", R"({"old":"wrong","new":"another horse battery"})", whole)
            .status,
        401);
    EXPECT_EQ(ask("PUT", "/api/v1/session/password",
                  Json{{"old", kPassword}, {"new", "another horse battery"}}.dump(), whole)
                  .status,
              204);
    EXPECT_EQ(try_password("ann", kPassword).status, 401);
    EXPECT_EQ(try_password("ann", "another horse battery").status, 200);
}

TEST_F(AccessTest, WhatChangesSomethingIsInTheActivityLogRefusedOrNot) {
    with_token("PUT", "/api/v1/settings/detection.settings", "administrator", R"({"value":"{\"hush\":1}"})");
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
