// Signed bundles: who changed a byte is found out, versions go forward only, and back only on purpose.
#include "feed/bundles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>

namespace fieldwatch::feed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Of RFC 8410 section 10.3 and 10.1, and another that was made for this test.
constexpr std::string_view kPrivate =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END "
    "PRIVATE KEY-----\n";
constexpr std::string_view kPublic =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END "
    "PUBLIC KEY-----\n";
constexpr std::string_view kOtherPrivate =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n-----END "
    "PRIVATE KEY-----\n";

std::string addresses(int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
        out += "203.0.113." + std::to_string(i) + "\n";
    return out;
}
std::string packed(std::uint64_t version, std::string text, std::string_view key = kPrivate,
                   std::string file = "list.txt") {
    const auto out = pack_bundle({.name = "lab",
                                  .version = version,
                                  .created = Timestamp::from_unix_seconds(1'800'000'000),
                                  .files = {{std::move(file), std::move(text)}},
                                  .signature = {},
                                  .signed_text = {}},
                                 key);
    EXPECT_TRUE(out) << out.error().message;
    return out.value_or("");
}

TEST(Signature, IsThatOfItsKeyAndText) {
    // RFC 8032 section 7.1, test 1: the empty message.
    const auto key = public_key_of(
                         "-----BEGIN PRIVATE "
                         "KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/"
                         "VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n")
                         .value();
    EXPECT_EQ(hex(std::as_bytes(std::span(key.bytes))),
              "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    const auto known = from_hex(
                           "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc"
                           "61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
                           .value();
    EXPECT_TRUE(is_signed_by(key, {}, known));
    EXPECT_FALSE(is_signed_by(key, as_bytes("x"), known));
    EXPECT_FALSE(is_signed_by(key, {}, ByteView(known).first(63)));
    EXPECT_EQ(public_key_of(kPrivate), public_key_of(kPublic));
    EXPECT_THAT(public_key_of("nonsense").error().message, HasSubstr("openssl genpkey"));
    EXPECT_FALSE(sign(kPublic, {}));
}

TEST(Bundle, EveryChangedByteIsFoundOut) {
    const auto bytes = packed(7, addresses(3));
    const auto key = public_key_of(kPublic).value();
    ASSERT_TRUE(parse_bundle(bytes)->is_signed_by(key));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto other = bytes;
        other[i] = static_cast<char>(other[i] ^ 1);
        const auto bundle = parse_bundle(other);
        const bool held = bundle && bundle->is_signed_by(key) && bundle->signature->key_id == key.id();
        EXPECT_FALSE(held) << "byte " << i;
    }
    EXPECT_FALSE(parse_bundle(bytes.substr(0, bytes.size() - 1)));
    EXPECT_FALSE(parse_bundle(bytes + "x"));
}

TEST(Bundle, WhatIsPackedIsReadBack) {
    EXPECT_TRUE(rc::check([](std::vector<std::string> texts) {
        if (texts.empty()) texts.emplace_back();
        texts.resize(std::min<std::size_t>(texts.size(), 60));
        Bundle bundle{.name = "lab",
                      .version = 3,
                      .created = Timestamp::from_unix_seconds(1'800'000'000),
                      .files = {},
                      .signature = {},
                      .signed_text = {}};
        for (std::size_t i = 0; i < texts.size(); ++i)
            bundle.files.emplace_back("f" + std::to_string(100 + i), texts[i]);
        const auto again = parse_bundle(pack_bundle(bundle, kPrivate).value());
        RC_ASSERT(again.has_value());
        RC_ASSERT(again->files == bundle.files);
        RC_ASSERT(again->is_signed_by(public_key_of(kPublic).value()));
        RC_ASSERT(!again->is_signed_by(public_key_of(kOtherPrivate).value()));
    }));
}

class BundlesTest : public testing::Test {
  protected:
    BundlesTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-bundles-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        registry_ = std::move(*registry::open(directory_ + "/registry.db", system_clock(), system_random()));
        open();
    }
    ~BundlesTest() override {
        bundles_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    void open() {
        auto bundles = Bundles::open({.registry = *registry_,
                                      .files = posix_file_system(),
                                      .directory = directory_ + "/bundles",
                                      .intel_directory = directory_ + "/intel",
                                      .changed = [this] { ++changes_; }});
        ASSERT_TRUE(bundles) << bundles.error().message;
        bundles_ = std::move(*bundles);
    }
    void trust(bool required) {
        ASSERT_TRUE(
            bundles_->set_trust({.required = required, .keys = {{"maker", public_key_of(kPublic).value()}}}));
    }
    std::string why_not(std::string_view bytes, bool may_shrink = false) {
        const auto applied = bundles_->apply(bytes, may_shrink);
        return applied ? "" : applied.error().message;
    }
    std::vector<std::string> files() const {
        auto out = posix_file_system().list(directory_ + "/intel").value_or(std::vector<std::string>{});
        std::ranges::sort(out);
        return out;
    }

    std::unique_ptr<Bundles> bundles_;
    std::string directory_;
    int changes_ = 0;

  private:
    std::unique_ptr<registry::Registry> registry_;
};

TEST_F(BundlesTest, VersionsGoForwardAndBackOnlyOnPurpose) {
    trust(true);
    EXPECT_EQ(why_not(packed(1, addresses(3))), "");
    EXPECT_EQ(why_not(packed(2, addresses(4), kPrivate, "other.txt")), "");
    EXPECT_THAT(files(), ElementsAre("bundle-lab.other.txt"));
    EXPECT_THAT(why_not(packed(2, addresses(5))), HasSubstr("not above 2"));
    EXPECT_THAT(why_not(packed(1, addresses(3))), HasSubstr("not above 2"));
    const auto back = bundles_->roll_back("lab", 0);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->shown.current, 1u);
    EXPECT_EQ(back->shown.highest, 2u);
    EXPECT_EQ(back->shown.versions[0].signed_by, "maker");
    EXPECT_THAT(files(), ElementsAre("bundle-lab.list.txt"));
    EXPECT_EQ(changes_, 3);
    open();
    EXPECT_THAT(why_not(packed(2, addresses(5))), HasSubstr("not above 2")) << "also after a restart";
    EXPECT_EQ(why_not(packed(3, addresses(5))), "");
    EXPECT_EQ(bundles_->roll_back("lab", 9).error().code, Errc::NotFound);
    EXPECT_EQ(bundles_->roll_back("none", 0).error().code, Errc::NotFound);
}

TEST_F(BundlesTest, WhereSignaturesAreRequiredNothingElseIsTaken) {
    EXPECT_EQ(why_not(packed(1, addresses(3), "")), "") << "nobody asked for one yet";
    EXPECT_TRUE(bundles_->check_unsigned_allowed());
    trust(true);
    EXPECT_EQ(bundles_->check_unsigned_allowed().error().code, Errc::Forbidden);
    EXPECT_THAT(why_not(packed(2, addresses(3), "")), HasSubstr("not signed"));
    EXPECT_THAT(why_not(packed(2, addresses(3), kOtherPrivate)), HasSubstr("not trusted"));
    auto forged = packed(2, addresses(3));
    forged.replace(forged.find("2027-"), 5, "2026-");
    EXPECT_THAT(why_not(forged), HasSubstr("was changed"));
    EXPECT_EQ(why_not(packed(2, addresses(3))), "");
    EXPECT_EQ(bundles_->roll_back("lab", 0).error().code, Errc::Unauthorized) << "back to the unsigned one";
    EXPECT_EQ(bundles_->set_trust({.required = true, .keys = {}}).error().code, Errc::InvalidArgument);
}

TEST_F(BundlesTest, OneThatShrinksSuddenlyIsRefusedAndTheOldOneStays) {
    EXPECT_EQ(why_not(packed(1, addresses(40))), "");
    EXPECT_THAT(why_not(packed(2, addresses(19))), HasSubstr("--accept-shrink"));
    EXPECT_THAT(why_not(packed(2, "nothing here!")), HasSubstr("shrank"));
    EXPECT_EQ(bundles_->list()->front().current, 1u);
    EXPECT_EQ(why_not(packed(2, addresses(19)), true), "");
}

TEST_F(BundlesTest, WhatACrashLeftUndoneIsDoneAtTheNextStart) {
    EXPECT_EQ(why_not(packed(1, addresses(3))), "");
    EXPECT_TRUE(posix_file_system().remove(directory_ + "/intel/bundle-lab.list.txt"));
    EXPECT_TRUE(
        replace_file(posix_file_system(), directory_ + "/intel/bundle-lab.stray", as_bytes("203.0.113.9\n")));
    EXPECT_TRUE(replace_file(posix_file_system(), directory_ + "/intel/mine", as_bytes("203.0.113.9\n")));
    open();
    EXPECT_THAT(files(), ElementsAre("bundle-lab.list.txt", "mine"));
    ASSERT_TRUE(bundles_->remove("lab"));
    EXPECT_THAT(files(), ElementsAre("mine"));
    EXPECT_TRUE(bundles_->list()->empty());
}

}  // namespace
}  // namespace fieldwatch::feed
