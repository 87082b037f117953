#include "registry/sealing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file_system.hpp"

namespace fieldwatch::registry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kNewKey = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// The bytes of a file; "" when it is not there.
std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class SealingTest : public testing::Test {
  protected:
    SealingTest() {
        directory_ = testing::TempDir() + "fieldwatch-sealing-XXXXXX";
        EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
        path_ = directory_ + "/registry.db";
        key_file_ = master_key_beside(path_);
    }
    ~SealingTest() override { fs::remove_all(directory_); }

    std::unique_ptr<Registry> opened() {
        auto registry = open(path_, clock_, system_random());
        EXPECT_TRUE(registry) << registry.error().message;
        return std::move(*registry);
    }
    /// Everything of the folder but the master key: what a thief of the file, or of the disk, has.
    std::string everything_else() {
        std::string out;
        for (const auto& entry : fs::directory_iterator(directory_))
            if (entry.path() != key_file_.path) out += content(entry.path());
        return out;
    }
    bool lies_there(const std::string& text) { return everything_else().find(text) != std::string::npos; }
    /// A secret in each place that has one.
    void fill(Registry& registry, Accounts& accounts) {
        ASSERT_TRUE(registry.create_hub({.name = {"plant"}}));
        Entry pump;
        pump.identity = {{"plant"}, {"pump"}, {}};
        pump.keys = {base64(as_bytes("plain-device-key-one")), base64(as_bytes("plain-device-key-two"))};
        ASSERT_TRUE(registry.create(pump));
        ASSERT_TRUE(
            registry.put_document({{}, "export-destination", "siem"}, R"({"secret":"plain-webhook"})", {}));
        ASSERT_TRUE(registry.set_setting("provisioning.keys", "plain-enrollment"));
        ASSERT_TRUE(accounts.add({.name = "ann",
                                  .password_hash = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA",
                                  .role = "operator",
                                  .created = clock_.now(),
                                  .password_changed = clock_.now()}));
        ASSERT_TRUE(accounts.begin_second_factor("ann", "706c61696e2d746f7470"));
    }
    std::vector<std::string> secrets(Registry& registry) {
        std::vector<std::string> out = {base64(as_bytes("plain-device-key-one")),
                                        base64(as_bytes("plain-device-key-two")), "plain-webhook",
                                        "plain-enrollment", "706c61696e2d746f7470"};
        const auto hub = *registry.hub({"plant"});
        for (const auto& policy : hub.policies) {
            out.push_back(policy.keys.primary);
            out.push_back(policy.keys.secondary);
        }
        return out;
    }
    void expect_all_there(Registry& registry, Accounts& accounts) {
        EXPECT_EQ(registry.get({{"plant"}, {"pump"}, {}})->keys.primary,
                  base64(as_bytes("plain-device-key-one")));
        EXPECT_EQ(registry.document({{}, "export-destination", "siem"})->json,
                  R"({"secret":"plain-webhook"})");
        EXPECT_EQ(**registry.setting("provisioning.keys"), "plain-enrollment");
        EXPECT_EQ((*accounts.second_factor("ann"))->secret_hex, "706c61696e2d746f7470");
    }
    /// A registry of the release before, with many devices, whose keys say who they are.
    void bring_plain(int devices) {
        for (const auto& entry : fs::directory_iterator(directory_))
            fs::remove(entry.path());
        fs::copy_file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/corpus/registry/schema-6.db", path_);
        const auto raw = *Connection::open(path_, Connection::Mode::ReadWrite);
        ASSERT_TRUE(raw->execute("BEGIN"));
        for (int i = 0; i < devices; ++i) {
            const auto name = "many-" + std::to_string(i);
            ASSERT_TRUE(
                raw->change("INSERT INTO entries SELECT hub, ?, module, auth, ?, ?, primary_thumbprint, "
                            "secondary_thumbprint, enabled, status_reason, generation_id, etag, created, "
                            "status_updated, iot_edge FROM entries WHERE device = 'd1'",
                            name, "plain-one-of-" + name, "plain-two-of-" + name));
        }
        ASSERT_TRUE(raw->execute("COMMIT"));
    }
    void expect_sealed_and_whole(int devices) {
        const auto registry = opened();
        EXPECT_EQ(registry->get({{"old"}, {"d1"}, {}})->keys.primary, "cGxhaW4tb2xkLWRldmljZS1rZXktMQ==");
        for (int i = 0; i < devices; ++i) {
            const auto name = "many-" + std::to_string(i);
            EXPECT_EQ(registry->get({{"old"}, {name}, {}})->keys.primary, "plain-one-of-" + name);
        }
        EXPECT_FALSE(lies_there("plain-"));
        EXPECT_FALSE(lies_there("cGxhaW4tb2xk"));
        EXPECT_TRUE(sealing_state(path_)->clean);
    }
    /// Runs `work` in a process of its own and kills it after `delay`. Whether it was killed.
    template <class Work>
    static bool killed_after(std::chrono::microseconds delay, const Work& work) {
        const auto child = ::fork();
        if (child == 0) {
            work();
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(delay.count()));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status);
    }

    /// How long `work` takes in a process of its own that nobody kills.
    template <class Work>
    static std::chrono::microseconds time_of(const Work& work) {
        const auto began = system_clock().monotonic();
        const auto child = ::fork();
        if (child == 0) {
            work();
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
        return std::chrono::duration_cast<std::chrono::microseconds>(system_clock().monotonic() - began);
    }

    std::string directory_, path_;
    MasterKeyFile key_file_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
};

TEST_F(SealingTest, NoSecretIsInTheFileNorInItsWriteAheadLog) {
    const auto registry = opened();
    const auto accounts = *open_accounts(path_);
    fill(*registry, *accounts);
    const auto known = secrets(*registry);
    ASSERT_EQ(known.size(), 15u);
    ASSERT_TRUE(lies_there("pump"));
    for (const auto& secret : known)
        EXPECT_FALSE(lies_there(secret)) << secret;
    // What a reader of the SQLite file can tell: which key, and that there is one.
    EXPECT_EQ(sealing_state(path_)->key_id, read_keyring(key_file_)->id());
    expect_all_there(*registry, *accounts);
}

TEST_F(SealingTest, ASealedValueOpensInNoOtherRow) {
    const auto registry = opened();
    const auto accounts = *open_accounts(path_);
    fill(*registry, *accounts);
    ASSERT_TRUE(registry->create({.identity = {{"plant"}, {"press"}, {}}}));
    const auto raw = *Connection::open(path_, Connection::Mode::ReadWrite);
    ASSERT_TRUE(
        raw->execute("UPDATE entries SET primary_key = (SELECT primary_key FROM entries WHERE device = "
                     "'press') WHERE device = "
                     "'pump'"));
    EXPECT_EQ(registry->get({{"plant"}, {"pump"}, {}}).error().code, Errc::Corrupt);
    ASSERT_TRUE(raw->execute("UPDATE entries SET primary_key = 'a key of mine' WHERE device = 'pump'"));
    const auto refused = registry->get({{"plant"}, {"pump"}, {}});
    EXPECT_EQ(refused.error().code, Errc::Corrupt);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("a key of mine")));
    EXPECT_TRUE(registry->get({{"plant"}, {"press"}, {}}));
}

TEST_F(SealingTest, WithoutTheMasterKeyItSaysWhatToDo) {
    {
        const auto registry = opened();
        ASSERT_TRUE(registry->create_hub({.name = {"plant"}}));
    }
    const auto key = content(key_file_.path);
    const auto id = read_keyring(key_file_)->id();
    fs::remove(key_file_.path);
    const auto missing = open(path_, clock_, system_random());
    EXPECT_EQ(missing.error().code, Errc::Unauthorized);
    EXPECT_THAT(missing.error().message, testing::AllOf(HasSubstr(id), HasSubstr("put it back"),
                                                        HasSubstr("FIELDWATCH_MASTER_KEY_FILE")));
    EXPECT_FALSE(fs::exists(key_file_.path)) << "another key in its place would hide what is missing";

    ASSERT_TRUE(write_keyring(key_file_, *Keyring::parse(kNewKey)));
    const auto wrong = open(path_, clock_, system_random());
    EXPECT_EQ(wrong.error().code, Errc::Unauthorized);
    EXPECT_THAT(wrong.error().message, testing::AllOf(HasSubstr(id), HasSubstr(Keyring::parse(kNewKey)->id()),
                                                      Not(HasSubstr(std::string(kNewKey)))));

    // The same, brought by somebody else.
    const MasterKeyFile theirs{.path = directory_ + "/credential", .is_ours = false};
    EXPECT_THAT(open(path_, theirs, clock_, system_random()).error().message, HasSubstr("put it back"));
    ASSERT_TRUE(replace_file(posix_file_system(), theirs.path, as_bytes(key)));
    const auto found = open(path_, theirs, clock_, system_random());
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE((*found)->hub({"plant"}));
    EXPECT_EQ(rotate_master_key(path_, theirs, clock_, system_random()).error().code, Errc::Unsupported);
}

TEST_F(SealingTest, ACredentialThatIsNotThereIsNotMade) {
    const MasterKeyFile theirs{.path = directory_ + "/credential", .is_ours = false};
    EXPECT_THAT(open(path_, theirs, clock_, system_random()).error().message,
                HasSubstr("openssl rand -base64 32"));
    EXPECT_FALSE(fs::exists(theirs.path));
}

TEST_F(SealingTest, ARotationSealsEverythingAgainAndForgetsTheKeyOfBefore) {
    {
        const auto registry = opened();
        const auto accounts = *open_accounts(path_);
        fill(*registry, *accounts);
    }
    const auto before = *read_keyring(key_file_);
    const auto rotated = rotate_master_key(path_, key_file_, clock_, system_random());
    ASSERT_TRUE(rotated) << rotated.error().message;
    const auto after = *read_keyring(key_file_);
    EXPECT_EQ(after.ids(), std::vector{*rotated});
    EXPECT_FALSE(after.holds(before.id()));
    EXPECT_EQ(sealing_state(path_)->key_id, *rotated);
    const auto old_id = *from_hex(before.id());
    EXPECT_FALSE(lies_there(std::string(as_text(old_id)))) << "nothing is left under it";
    const auto registry = opened();
    const auto accounts = *open_accounts(path_);
    expect_all_there(*registry, *accounts);
}

TEST_F(SealingTest, ANewKeyAboveTheOldOneIsARotationThatNeedsNoCommand) {
    const MasterKeyFile theirs{.path = directory_ + "/credential", .is_ours = false};
    const auto old = Keyring::generate(system_random());
    ASSERT_TRUE(replace_file(posix_file_system(), theirs.path, as_bytes(old.text())));
    ASSERT_TRUE((*open(path_, theirs, clock_, system_random()))->set_setting("s", "kept"));
    ASSERT_TRUE(
        replace_file(posix_file_system(), theirs.path, as_bytes(std::string(kNewKey) + "\n" + old.text())));
    EXPECT_EQ(**(*open(path_, theirs, clock_, system_random()))->setting("s"), "kept");
    EXPECT_EQ(read_keyring(theirs)->ids().size(), 2u) << "theirs to take away";
    ASSERT_TRUE(replace_file(posix_file_system(), theirs.path, as_bytes(kNewKey)));
    EXPECT_EQ(**(*open(path_, theirs, clock_, system_random()))->setting("s"), "kept");
}

TEST_F(SealingTest, APlainRegistryOfBeforeIsSealedWhenItIsOpenedAndNothingPlainStays) {
    bring_plain(600);
    ASSERT_TRUE(lies_there("plain-"));
    expect_sealed_and_whole(600);
    const auto registry = opened();
    const auto accounts = *open_accounts(path_);
    EXPECT_EQ(registry->hub({"old"})->policies.at(0).keys.primary, "cGxhaW4tb2xkLXBvbGljeS1rZXktMQ==");
    EXPECT_EQ(registry->document({{}, "export-destination", "siem"})->json,
              R"({"secret":"plain-old-webhook"})");
    EXPECT_EQ(**registry->setting("identity-provider"), R"({"clientSecret":"plain-old-client"})");
    EXPECT_EQ((*accounts->second_factor("old-ann"))->secret_hex, "706c61696e2d6f6c642d746f7470");
    // The installation's own secret is the same: fingerprints of before compare with those of now.
    ASSERT_TRUE(registry->update(*registry->get({{"old"}, {"d1"}, {}}), std::nullopt));
    const Bytes secret(32, std::byte{7});
    EXPECT_THAT(registry->outbox(10)->back().record.body,
                HasSubstr(hex(hmac_sha256(secret, as_bytes("cGxhaW4tb2xkLWRldmljZS1rZXktMQ==")))));
}

TEST_F(SealingTest, AKillInTheMiddleOfSealingLeavesTheOneOrTheOther) {
    const auto seal = [&] { static_cast<void>(open(path_, clock_, system_random())); };
    bring_plain(600);
    const auto whole = static_cast<std::uint64_t>(time_of(seal).count());
    SeededRandom chance(11);
    int killed = 0;
    for (int kill = 0; kill < 8; ++kill) {
        bring_plain(600);
        // Until it is done by itself, however often it is killed on the way.
        for (int again = 0; again < 2; ++again) {
            const std::chrono::microseconds delay(chance.below(whole));
            killed += killed_after(delay, seal);
        }
        expect_sealed_and_whole(600);
    }
    EXPECT_GT(killed, 3) << "no kill came before the end";
}

TEST_F(SealingTest, AKillInTheMiddleOfARotationIsEndedByTheNextStart) {
    bring_plain(600);
    {
        const auto registry = opened();
    }
    const auto rotate = [&] {
        static_cast<void>(rotate_master_key(path_, key_file_, clock_, system_random()));
    };
    const auto whole = static_cast<std::uint64_t>(time_of(rotate).count());
    SeededRandom chance(12);
    int killed = 0;
    for (int kill = 0; kill < 14; ++kill) {
        const std::chrono::microseconds delay(chance.below(whole));
        killed += killed_after(delay, rotate);
        const auto registry = opened();
        const auto ids = read_keyring(key_file_)->ids();
        EXPECT_EQ(ids.size(), 1u);
        EXPECT_EQ(sealing_state(path_)->key_id, ids.front());
        EXPECT_EQ(registry->get({{"old"}, {"many-599"}, {}})->keys.secondary, "plain-two-of-many-599");
    }
    expect_sealed_and_whole(600);
    EXPECT_GT(killed, 5) << "no kill came before the end";
}

}  // namespace
}  // namespace fieldwatch::registry
