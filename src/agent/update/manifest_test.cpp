#include "agent/update/manifest.hpp"

#include <gtest/gtest.h>

#include "agent/update/signed_test.hpp"

namespace fieldwatch::agent {
namespace {

TEST(UpdateManifest, IsWhatWasSigned) {
    const auto update = make_update("0.12.3");
    const auto manifest = parse_manifest(update.manifest);
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->version.text(), "0.12.3");
    EXPECT_EQ(manifest->architecture, architecture());
    EXPECT_EQ(manifest->image_bytes(), update.image.size());
    EXPECT_EQ(manifest->key_id, public_key_of(kOwnersKey)->id());
    EXPECT_TRUE(manifest->is_signed_by(*public_key_of(kOwnersKey)));
    EXPECT_FALSE(manifest->is_signed_by(*public_key_of(kStrangersKey)));
    EXPECT_FALSE(manifest->downgrade_from);
}

TEST(UpdateManifest, NoByteOfItMayBeAnother) {
    const auto text = make_update("0.2.0", kOwnersKey, "0.3.0").manifest;
    const auto key = *public_key_of(kOwnersKey);
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const char other : {'0', 'a', ' ', '\n', '\xff'}) {
            auto changed = text;
            if (changed[at] == other) continue;
            changed[at] = other;
            const auto manifest = parse_manifest(changed);
            // The key's name is for people; whose signature it is the signature says.
            const bool is_key_id = at >= text.rfind("ed25519 ") + 8 && at < text.rfind("ed25519 ") + 24;
            EXPECT_TRUE(!manifest || !manifest->is_signed_by(key) || is_key_id) << at << ": " << changed;
        }
    }
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(parse_manifest(text.substr(0, size))) << size;
    EXPECT_FALSE(parse_manifest(text + "\n"));
    EXPECT_FALSE(parse_manifest(text + text));
}

TEST(UpdateManifest, SaysWhyItIsNoManifest) {
    EXPECT_EQ(parse_manifest("").error().message, "the update's manifest is none");
    EXPECT_EQ(parse_manifest("fieldwatch-agent-update 2\n").error().code, Errc::Unsupported);
    EXPECT_EQ(parse_manifest(std::string(1'025, 'x')).error().code, Errc::TooLarge);
    auto large = make_update("0.2.0").manifest;
    const auto size = large.find("agent ", large.find("created")) + 6;
    large.replace(size, large.find(' ', size) - size, "33554433");
    EXPECT_EQ(parse_manifest(large).error().message,
              "the update's manifest names a program without size or hash");
}

TEST(UpdateManifest, AnOlderVersionNeedsLeaveAndNamesWhatItReplaces) {
    const auto current = *Version::parse("0.2.0");
    const auto check = [&](std::string_view version, std::string_view from = {}) {
        return parse_manifest(make_update(version, kOwnersKey, from).manifest)->check_for(current);
    };
    EXPECT_TRUE(check("0.2.1"));
    EXPECT_TRUE(check("0.10.0"));
    EXPECT_TRUE(check("1.0.0"));
    EXPECT_EQ(check("0.2.0").error().message, "version 0.2.0 is here already");
    EXPECT_EQ(check("0.1.9").error().message, "the update would go back from 0.2.0 to 0.1.9");
    EXPECT_TRUE(check("0.1.9", "0.2.0"));
    EXPECT_FALSE(check("0.1.9", "0.3.0"));
    EXPECT_FALSE(check("0.2.0", "0.2.0"));
    EXPECT_TRUE(check("0.2.1", "0.3.0"));
    const auto foreign = parse_manifest(make_update("0.3.0", kOwnersKey, {}, "riscv64").manifest);
    EXPECT_EQ(foreign->check_for(current).error().message, "the update is for riscv64");
}

TEST(UpdateManifest, AVersionHasOneSpelling) {
    for (const auto* text : {"0.1.0", "1.0.0", "65535.65535.65535"})
        EXPECT_EQ(Version::parse(text)->text(), text);
    for (const auto* text :
         {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3 ", "-1.2.3", "65536.0.0", "1..3", "+1.2.3"})
        EXPECT_FALSE(Version::parse(text)) << text;
    EXPECT_LT(*Version::parse("0.9.0"), *Version::parse("0.10.0"));
}

}  // namespace
}  // namespace fieldwatch::agent
