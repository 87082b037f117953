// People: signing in and out, what a cookie is worth, how often one may be wrong.
#include "portal/access_test.hpp"
#include "portal/login_guard.hpp"
#include "portal/password.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class SessionsTest : public testing::AccessTest {};

TEST_F(SessionsTest, APersonSignsInAndMayWhatTheRoleMay) {
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

TEST_F(SessionsTest, ACookieAloneChangesNothing) {
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

TEST_F(SessionsTest, ACookieFromBeforeIsNeverTakenOver) {
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

TEST_F(SessionsTest, EveryChangeOfAUserEndsTheSessions) {
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

TEST_F(SessionsTest, GuessingIsBoundedPerUserAndPerAddressAndTellsNothing) {
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

TEST_F(SessionsTest, PasswordsAreLongEnoughAndKeptAsArgon2id) {
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

}  // namespace
}  // namespace fieldwatch::portal
