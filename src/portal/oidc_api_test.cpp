// Signing in at an identity provider, as far as it goes without one: tests/integration/sign_in_elsewhere.mjs
// has one.
#include "portal/access_test.hpp"
#include "portal/oidc/provider.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using testing::AccessTest;

constexpr std::string_view kProvider = "/api/v1/identity-provider";
/// Nobody listens there.
constexpr std::string_view kSettings =
    R"({"issuer":"http://127.0.0.1:9","clientId":"us","clientSecret":"hush","page":"http://127.0.0.1:7780","otherwise":"reader"})";

class SignInElsewhere : public AccessTest {
  protected:
    net::HttpResponse set(std::string body) {
        return with_token("PUT", std::string(kProvider), "administrator", std::move(body));
    }
    net::HttpResponse callback(const std::string& query, Headers headers = {}) {
        return ask("GET", "/api/v1/session/provider/callback?" + query, "", std::move(headers));
    }
};

TEST_F(SignInElsewhere, TheSecretComesInAndNeverGoesOut) {
    EXPECT_EQ(with_token("GET", std::string(kProvider), "administrator").status, 404);
    EXPECT_EQ(Json::parse(ask("GET", "/api/v1/session/provider", "", {}).body), (Json{{"enabled", false}}));
    const auto put = set(std::string(kSettings));
    ASSERT_EQ(put.status, 200) << put.body;
    EXPECT_THAT(put.body, Not(HasSubstr("hush")));
    EXPECT_EQ(Json::parse(put.body)["confidential"], true);
    EXPECT_THAT(with_token("GET", std::string(kProvider), "administrator").body, Not(HasSubstr("hush")));
    const auto shown = ask("GET", "/api/v1/session/provider", "", {});
    EXPECT_EQ(Json::parse(shown.body)["name"], "http://127.0.0.1:9");
    EXPECT_THAT(shown.body, Not(HasSubstr("clientId")));
    // The secret stays when a change does not name it, and goes with another client.
    EXPECT_EQ(
        set(R"({"issuer":"http://127.0.0.1:9","clientId":"us","page":"http://127.0.0.1:7780","otherwise":"analyst"})")
            .status,
        200);
    EXPECT_THAT(**registry_->setting("identity.provider"), HasSubstr("hush"));
    EXPECT_EQ(
        set(R"({"issuer":"http://127.0.0.1:9","clientId":"we","page":"http://127.0.0.1:7780","otherwise":"analyst"})")
            .status,
        200);
    EXPECT_THAT(**registry_->setting("identity.provider"), Not(HasSubstr("hush")));
    EXPECT_EQ(with_token("DELETE", std::string(kProvider), "administrator").status, 204);
    EXPECT_EQ(ask("GET", "/api/v1/session/provider/begin", "", {}).status, 404);
    EXPECT_EQ(with_token("DELETE", std::string(kProvider), "administrator").status, 404);
}

TEST_F(SignInElsewhere, AProviderThatDoesNotAnswerIsSaid) {
    ASSERT_EQ(set(std::string(kSettings)).status, 200);
    const auto test = Json::parse(with_token("POST", std::string(kProvider) + "/test", "administrator").body);
    EXPECT_EQ(test["works"], false);
    EXPECT_THAT(test["problem"].get<std::string>(), HasSubstr("no server answers"));
    EXPECT_EQ(ask("GET", "/api/v1/session/provider/begin", "", {}).status, 503);
}

TEST_F(SignInElsewhere, OnlyPlacesOfOurPageAreComeBackTo) {
    ASSERT_EQ(set(std::string(kSettings)).status, 200);
    for (const auto* const place :
         {"https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript%3Aalert(1)"})
        EXPECT_EQ(ask("GET", std::string("/api/v1/session/provider/begin?return=") + place, "", {}).status,
                  400)
            << place;
}

TEST_F(SignInElsewhere, WhoDidNotBeginHereDoesNotComeIn) {
    ASSERT_EQ(set(std::string(kSettings)).status, 200);
    for (const auto& [query, cookie] : {std::pair<std::string, std::string>{"code=x&state=y", ""},
                                        {"code=x&state=y", "fieldwatch_attempt=abc"},
                                        {"code=x", "fieldwatch_attempt=abc"},
                                        {"code=x&state=", ""}}) {
        const auto reply = callback(query, cookie.empty() ? Headers{} : Headers{{"cookie", cookie}});
        EXPECT_EQ(reply.status, 401) << query;
        EXPECT_THAT(header(reply, "content-security-policy"), HasSubstr("default-src 'none'"));
        EXPECT_THAT(header(reply, "set-cookie"), HasSubstr("fieldwatch_attempt=; "));
        EXPECT_THAT(header(reply, "set-cookie"), Not(HasSubstr("fieldwatch_session")));
    }
}

TEST_F(SignInElsewhere, WhatAProviderSaysIsTextOnThePage) {
    ASSERT_EQ(set(std::string(kSettings)).status, 200);
    const oidc::Attempt attempt("abc");
    const auto reply =
        callback("state=" + attempt.state + "&error=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22'%26",
                 {{"cookie", "fieldwatch_attempt=abc"}});
    EXPECT_EQ(reply.status, 401);
    EXPECT_THAT(reply.body, Not(HasSubstr("<script")));
    EXPECT_THAT(reply.body, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
}

TEST_F(SignInElsewhere, NoPasswordFitsWhoSignsInElsewhere) {
    ASSERT_TRUE(accounts_->add(registry::User{.name = "ann",
                                              .password_hash = oidc::mark_of("https://a", "1"),
                                              .role = "administrator",
                                              .enabled = true,
                                              .created = clock_.now(),
                                              .password_changed = clock_.now()}));
    EXPECT_EQ(try_password("ann", oidc::mark_of("https://a", "1")).status, 401);
    EXPECT_EQ(try_password("ann", kPassword).status, 401);
    const auto users = Json::parse(with_token("GET", "/api/v1/users", "administrator").body)["value"];
    EXPECT_EQ(users[0]["external"], true);
    EXPECT_THAT(users.dump(), Not(HasSubstr("external:")));
}

}  // namespace
}  // namespace fieldwatch::portal
