#include <gtest/gtest.h>

#include <filesystem>

#include "registry/accounts.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::registry {
namespace {

const Timestamp kNow = Timestamp::from_unix_seconds(1'795'392'000);

class AccountsTest : public ::testing::Test {
  protected:
    AccountsTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-users-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        reopen();
    }
    ~AccountsTest() override {
        accounts_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    void reopen() {
        accounts_.reset();
        registry_.reset();
        registry_ = std::move(*open(directory_ + "/registry.db", clock_, system_random()));
        accounts_ = std::move(*open_accounts(directory_ + "/registry.db"));
    }
    static User ann() {
        return {.name = "ann",
                .password_hash = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA",
                .role = "operator",
                .created = kNow,
                .password_changed = kNow};
    }
    void open_session(const std::string& hash, Timestamp at) {
        const auto opened = accounts_->open_session(
            {.hash_hex = hash, .user = "ann", .created = at, .expires = at + Ticks(std::chrono::hours(12))});
        ASSERT_TRUE(opened) << opened.error().message;
    }

    std::string directory_;
    ManualClock clock_{kNow};
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Accounts> accounts_;
};

TEST_F(AccountsTest, AreKeptOverARestart) {
    ASSERT_TRUE(accounts_->add(ann()));
    EXPECT_EQ(accounts_->add(ann()).error().code, Errc::AlreadyExists);
    reopen();
    const auto user = accounts_->user("ann");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->role, "operator");
    EXPECT_TRUE(user->enabled);
    EXPECT_EQ(accounts_->user("bob").error().code, Errc::NotFound);
    EXPECT_EQ(accounts_->users()->size(), 1u);
}

TEST_F(AccountsTest, RefuseNamesRolesAndPasswordsThatAreNone) {
    auto user = ann();
    for (const auto* name : {"", "a b", "a/b", "a\n"}) {
        user.name = name;
        EXPECT_FALSE(accounts_->add(user)) << name;
    }
    user = ann();
    user.role = "owner";
    EXPECT_FALSE(accounts_->add(user));
    user.role = "forwarder";  // of tokens alone
    EXPECT_FALSE(accounts_->add(user));
    Token token{
        .name = "logs", .hash_hex = std::string(64, 'a'), .role = "forwarder", .expires = {}, .hubs = {}};
    EXPECT_TRUE(accounts_->add(token));
    token.role = "owner";
    EXPECT_FALSE(accounts_->add(token));
    user = ann();
    user.password_hash = "correct horse battery staple";
    EXPECT_FALSE(accounts_->add(user));
}

TEST_F(AccountsTest, LoseTheirSessionsWithEveryChangeAndWithThemselves) {
    ASSERT_TRUE(accounts_->add(ann()));
    open_session("aa", kNow);
    ASSERT_TRUE(accounts_->change("ann", {.role = {}, .password_hash = {}, .enabled = false}));
    EXPECT_FALSE(accounts_->session("aa")->has_value());
    open_session("bb", kNow);
    ASSERT_TRUE(accounts_->remove_user("ann"));
    EXPECT_FALSE(accounts_->session("bb")->has_value());
    EXPECT_EQ(accounts_->remove_user("ann").error().code, Errc::NotFound);
}

TEST_F(AccountsTest, KeepWhatAChangeDoesNotName) {
    ASSERT_TRUE(accounts_->add(ann()));
    const std::string other = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$b3RoZXI";
    ASSERT_TRUE(accounts_->change("ann", {.role = "reader", .password_hash = {}, .enabled = {}}));
    ASSERT_TRUE(accounts_->change("ann", {.role = {}, .password_hash = {}, .enabled = false}));
    const auto changed = accounts_->change("ann", {.role = {},
                                                   .password_hash = other,
                                                   .enabled = {},
                                                   .password_changed = kNow + std::chrono::hours(1),
                                                   .if_password_hash = ann().password_hash});
    ASSERT_TRUE(changed) << changed.error().message;
    for (const auto& user : {*changed, *accounts_->user("ann")}) {
        EXPECT_EQ(user.role, "reader");
        EXPECT_FALSE(user.enabled);
        EXPECT_EQ(user.password_hash, other);
        EXPECT_EQ(user.password_changed, kNow + std::chrono::hours(1));
    }
    const auto late = accounts_->change(
        "ann", {.role = {}, .password_hash = other, .enabled = {}, .if_password_hash = "x"});
    EXPECT_EQ(late.error().code, Errc::Conflict);
    EXPECT_EQ(accounts_->change("ann", {.role = "king", .password_hash = {}, .enabled = {}}).error().code,
              Errc::InvalidArgument);
    EXPECT_EQ(accounts_->change("bob", {}).error().code, Errc::NotFound);
}

TEST_F(AccountsTest, HaveABoundedNumberOfSessionsAndNoneThatExpired) {
    ASSERT_TRUE(accounts_->add(ann()));
    for (int i = 0; i < 20; ++i)
        open_session(std::to_string(i), kNow + std::chrono::seconds(i));
    EXPECT_FALSE(accounts_->session("3")->has_value()) << "the oldest went";
    EXPECT_TRUE(accounts_->session("4")->has_value());
    ASSERT_TRUE(accounts_->end_session("4"));
    ASSERT_TRUE(accounts_->end_session("4"));
    EXPECT_FALSE(accounts_->session("4")->has_value());
    open_session("later", kNow + std::chrono::hours(20));
    EXPECT_FALSE(accounts_->session("19")->has_value()) << "expired";
}

TEST_F(AccountsTest, AndTokensCarryTheirHubsAndCanBeRemoved) {
    ASSERT_TRUE(accounts_->add(
        Token{.name = "siem", .hash_hex = std::string(64, 'a'), .role = "reader", .hubs = {"a", "b"}}));
    EXPECT_FALSE(accounts_->add(Token{.name = "t", .hash_hex = std::string(64, 'b'), .role = "king"}));
    EXPECT_FALSE(accounts_->add(Token{.name = "t", .hash_hex = "b", .role = "reader"}));
    EXPECT_EQ(accounts_->tokens()->size(), 1u);
    const auto token = accounts_->token(std::string(64, 'a'));
    ASSERT_TRUE(token && *token);
    EXPECT_EQ((*token)->hubs, (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(accounts_->remove_token("siem"));
    EXPECT_FALSE(accounts_->token(std::string(64, 'a'))->has_value());
    EXPECT_EQ(accounts_->remove_token("siem").error().code, Errc::NotFound);
}

TEST_F(AccountsTest, TakeACodeOnceAndARecoveryCodeOnce) {
    EXPECT_EQ(accounts_->begin_second_factor("ann", "aa").error().code, Errc::NotFound);
    ASSERT_TRUE(accounts_->add(ann()));
    EXPECT_FALSE(accounts_->second_factor("ann")->has_value());
    ASSERT_TRUE(accounts_->begin_second_factor("ann", "aa"));
    ASSERT_TRUE(accounts_->begin_second_factor("ann", "bb")) << "the first was never confirmed";
    EXPECT_FALSE(*accounts_->take_step("ann", 5)) << "nor was this one yet";
    open_session("mine", kNow);
    open_session("other", kNow);
    EXPECT_EQ(accounts_->confirm_second_factor("ann", "aa", 5, {}, "mine").error().code, Errc::Conflict);
    ASSERT_TRUE(accounts_->confirm_second_factor("ann", "bb", 5, {"h1", "h2"}, "mine"));
    EXPECT_TRUE(accounts_->session("mine")->has_value());
    EXPECT_FALSE(accounts_->session("other")->has_value());
    EXPECT_EQ(accounts_->begin_second_factor("ann", "cc").error().code, Errc::AlreadyExists);
    EXPECT_FALSE(*accounts_->take_step("ann", 5)) << "it confirmed";
    EXPECT_TRUE(*accounts_->take_step("ann", 7));
    EXPECT_FALSE(*accounts_->take_step("ann", 6)) << "older than what was taken";
    EXPECT_TRUE(*accounts_->take_recovery_code("ann", "h1"));
    EXPECT_FALSE(*accounts_->take_recovery_code("ann", "h1"));
    reopen();
    EXPECT_EQ((*accounts_->second_factor("ann"))->last_step, 7);
    EXPECT_EQ((*accounts_->second_factor("ann"))->recovery_codes, 1u);
    ASSERT_TRUE(accounts_->remove_second_factor("ann"));
    EXPECT_FALSE(*accounts_->take_recovery_code("ann", "h2"));
    ASSERT_TRUE(accounts_->begin_second_factor("ann", "dd"));
    ASSERT_TRUE(accounts_->remove_user("ann")) << "with what was begun";
}

TEST_F(AccountsTest, ACopyOfTheRegistryHoldsThemAndWhatElseThereIs) {
    ASSERT_TRUE(accounts_->add(ann()));
    ASSERT_TRUE(registry_->create_hub({.name = {"plant"}}));
    const auto done = copy_registry(directory_ + "/registry.db", directory_ + "/copy.db");
    ASSERT_TRUE(done) << done.error().message;
    auto copy = open(directory_ + "/copy.db", clock_, system_random());
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_TRUE((*copy)->hub({"plant"}));
    EXPECT_TRUE((*open_accounts(directory_ + "/copy.db"))->user("ann"));
    // Sequences go on behind those that were used.
    const auto last = (*copy)->outbox(100)->back().sequence;
    ASSERT_TRUE((*copy)->outbox_done(last));
    ASSERT_TRUE((*copy)->create_hub({.name = {"second"}}));
    EXPECT_GT((*copy)->outbox(100)->front().sequence, last);
}

}  // namespace
}  // namespace fieldwatch::registry
