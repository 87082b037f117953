// The second factor: the codes of RFC 6238, and signing in with them.
#include <gmock/gmock.h>

#include <cctype>
#include <fstream>

#include "portal/api_test.hpp"
#include "portal/login_guard.hpp"
#include "portal/totp.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Totp, GivesTheCodesOfTheStandard) {
    // RFC 6238 appendix B, SHA-1, the last six of its eight digits.
    const auto secret = as_bytes("12345678901234567890");
    for (const auto& [seconds, code] :
         {std::pair{59, "287082"}, std::pair{1'111'111'109, "081804"}, std::pair{1'111'111'111, "050471"},
          std::pair{1'234'567'890, "005924"}, std::pair{2'000'000'000, "279037"}}) {
        const auto time = Timestamp::from_unix_seconds(seconds);
        EXPECT_EQ(totp_code(secret, totp_step(time)), code) << seconds;
        EXPECT_EQ(totp_match(secret, code, time + std::chrono::seconds(30)), totp_step(time));
        EXPECT_FALSE(totp_match(secret, code, time + std::chrono::seconds(90)));
        EXPECT_FALSE(totp_match(secret, "", time));
    }
}

TEST(Totp, WritesSecretsAsAuthenticatorsReadThem) {
    EXPECT_EQ(base32(as_bytes("foobar")), "MZXW6YTBOI");  // RFC 4648 section 10
    EXPECT_EQ(base32(as_bytes("f")), "MY");
    EXPECT_EQ(base32({}), "");
    EXPECT_EQ(totp_uri("gate", "a b", as_bytes("foobar")),
              "otpauth://totp/Fieldwatch:a%20b%40gate?secret=MZXW6YTBOI&issuer=Fieldwatch");
}

class SecondFactorTest : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        const auto added =
            ask("PUT", "/api/v1/users/ann", Json{{"role", "reader"}, {"password", kPassword}}.dump());
        ASSERT_EQ(added.status, 201) << added.body;
    }
    net::HttpResponse sign_in(const std::string& code, const std::string& password = kPassword) {
        Json body{{"user", "ann"}, {"password", password}};
        if (!code.empty()) body["code"] = code;
        return ask("POST", "/api/v1/session", body.dump(), "");
    }
    /// As ann, with the session of this answer.
    net::HttpResponse as_ann(const net::HttpResponse& session, std::string method, std::string target,
                             Json body) {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = body.dump();
        for (const auto& [name, value] : session.headers) {
            if (name == "set-cookie")
                request.headers.emplace_back("cookie", value.substr(0, value.find(';')));
        }
        request.headers.emplace_back("x-fieldwatch-csrf", Json::parse(session.body).value("csrf", ""));
        EXPECT_TRUE(net::read_target(request));
        return portal_->handler().respond(request);
    }
    std::string code_of_now() {
        const auto factor = *accounts_->second_factor("ann");
        return totp_code(*from_hex(factor->secret_hex), totp_step(clock_.now()));
    }
    /// Enrols ann; her recovery codes.
    std::vector<std::string> enrol() {
        const auto session = sign_in("");
        EXPECT_EQ(session.status, 200) << session.body;
        const auto begun =
            as_ann(session, "POST", "/api/v1/session/second-factor", {{"password", kPassword}});
        EXPECT_EQ(begun.status, 201) << begun.body;
        EXPECT_EQ(Json::parse(begun.body)["secret"].get<std::string>().size(), 32u);
        EXPECT_EQ(sign_in("").status, 200) << "not asked for before it is confirmed";
        EXPECT_EQ(
            as_ann(session, "POST", "/api/v1/session/second-factor/confirm", {{"code", "12345"}}).status,
            400);
        const auto confirmed =
            as_ann(session, "POST", "/api/v1/session/second-factor/confirm", {{"code", code_of_now()}});
        EXPECT_EQ(confirmed.status, 200) << confirmed.body;
        return Json::parse(confirmed.body)["recoveryCodes"].get<std::vector<std::string>>();
    }

    static constexpr const char* kPassword = "correct horse battery";
};

TEST_F(SecondFactorTest, IsAskedForOnceConfirmedAndACodeIsTakenOnce) {
    EXPECT_EQ(enrol().size(), 10u);
    const auto wanted = sign_in("");
    EXPECT_EQ(wanted.status, 401);
    EXPECT_EQ(Json::parse(wanted.body)["error"]["code"], "SecondFactorRequiredError");
    EXPECT_EQ(Json::parse(sign_in("", "wrong horse battery").body)["error"]["code"], "InvalidTokenError")
        << "who does not know the password does not learn of the factor";
    EXPECT_EQ(sign_in(code_of_now()).status, 401) << "it confirmed: it was used";
    clock_.advance(std::chrono::seconds(30));
    const auto code = code_of_now();
    EXPECT_EQ(sign_in(code, "wrong horse battery").status, 401);
    EXPECT_EQ(sign_in(code).status, 200) << "a wrong password takes no code";
    EXPECT_EQ(sign_in(code).status, 401) << "seen over a shoulder, it is worth nothing";
    EXPECT_THAT(ask("GET", "/api/v1/users").body, HasSubstr(R"("secondFactor":true)"));
}

TEST_F(SecondFactorTest, RecoveryCodesWorkOnceAndAreKeptAsHashes) {
    const auto codes = enrol();
    ASSERT_EQ(codes.size(), 10u);
    auto typed = codes[0];
    std::erase(typed, '-');
    for (auto& c : typed)
        c = static_cast<char>(std::tolower(c));
    const auto session = sign_in(typed);
    EXPECT_EQ(session.status, 200) << session.body;
    EXPECT_EQ(sign_in(codes[0]).status, 401);
    EXPECT_EQ(Json::parse(as_ann(session, "GET", "/api/v1/session", {}).body)["recoveryCodes"], 9);
    accounts_.reset();
    const auto file = std::filesystem::path(path_) / "registry.db";
    std::string bytes(std::filesystem::file_size(file), '\0');
    std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    EXPECT_THAT(bytes, Not(HasSubstr(codes[1])));
    portal_.reset();
}

TEST_F(SecondFactorTest, GuessesCountAsWrongPasswordsDo) {
    enrol();
    clock_.advance(std::chrono::seconds(30));
    for (int i = 0; i < LoginGuard::kFailuresOfUser; ++i)
        EXPECT_EQ(sign_in("000000x").status, 401);
    EXPECT_EQ(sign_in(code_of_now()).status, 429);
}

TEST_F(SecondFactorTest, GoesWithPasswordAndCodeOrByAnAdministrator) {
    const auto codes = enrol();
    const auto session = sign_in(codes[0]);
    EXPECT_EQ(
        as_ann(session, "POST", "/api/v1/session/second-factor/remove", {{"password", kPassword}}).status,
        401);
    EXPECT_EQ(as_ann(session, "POST", "/api/v1/session/second-factor", {{"password", kPassword}}).status,
              409);
    EXPECT_EQ(as_ann(session, "POST", "/api/v1/session/second-factor/remove",
                     {{"password", kPassword}, {"code", codes[1]}})
                  .status,
              204);
    EXPECT_EQ(sign_in("").status, 200);
    enrol();
    EXPECT_EQ(ask("DELETE", "/api/v1/users/ann/second-factor", "", "reader").status, 403);
    EXPECT_EQ(ask("DELETE", "/api/v1/users/ann/second-factor").status, 204);
    EXPECT_EQ(ask("DELETE", "/api/v1/users/ann/second-factor").status, 404);
    EXPECT_EQ(sign_in("").status, 200);
    EXPECT_EQ(ask("POST", "/api/v1/session/second-factor", "{}").status, 403) << "a token has none";
}

}  // namespace
}  // namespace fieldwatch::portal
