#include "registry/keyring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace fieldwatch::registry {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kOne = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";  // 32 bytes of 1
const std::string kTwo = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

RC_GTEST_PROP(Keyring, OpensWhatItSealedAtItsPlaceAndNowhereElse,
              (const std::string& text, std::string place)) {
    const auto keyring = *Keyring::parse(kOne);
    const auto sealed = keyring.seal(place, text);
    RC_ASSERT(*keyring.unseal(place, sealed) == text);
    RC_ASSERT(sealed != keyring.seal(place, text));
    if (text.size() >= 8) RC_ASSERT(as_text(sealed).find(text) == std::string_view::npos);
    RC_ASSERT(keyring.unseal(place + "x", sealed).error().code == Errc::Corrupt);
    auto changed = sealed;
    changed[*rc::gen::inRange<std::size_t>(0, changed.size())] ^= std::byte{1};
    RC_ASSERT(!keyring.unseal(place, changed));
}

RC_GTEST_PROP(Keyring, AnyBytesEndInAnError, (const std::vector<std::uint8_t>& bytes)) {
    RC_ASSERT(!Keyring::parse(kOne)->unseal("p", std::as_bytes(std::span(bytes))));
    static_cast<void>(Keyring::parse(as_text(std::as_bytes(std::span(bytes)))));
}

TEST(Keyring, OpensWhatAKeyOfBeforeSealedAndSealsWithTheFirst) {
    const auto before = *Keyring::parse(kOne);
    const auto both = *Keyring::parse("# the new one\n" + kTwo + "  # since May\r\n\n" + kOne);
    EXPECT_EQ(*both.unseal("p", before.seal("p", "secret")), "secret");
    const auto now = both.seal("p", "secret");
    EXPECT_EQ(*Keyring::parse(kTwo)->unseal("p", now), "secret");
    const auto refused = before.unseal("p", now);
    EXPECT_EQ(refused.error().code, Errc::Unavailable);
    EXPECT_THAT(refused.error().message, HasSubstr(both.id()));
    EXPECT_EQ(both.ids().back(), before.id());
    EXPECT_EQ(both.only(before.id())->ids(), before.ids());
    EXPECT_EQ(before.only(both.id()).error().code, Errc::NotFound);
    EXPECT_EQ(Keyring::parse(both.text())->ids(), both.ids());
}

TEST(Keyring, NamesTheLineThatIsNoKeyAndNotWhatItSays) {
    for (const auto& text : {kOne + "\nhunter2hunter2\n", kOne + "\n" + kTwo.substr(4)}) {
        const auto refused = Keyring::parse(text);
        EXPECT_EQ(refused.error().code, Errc::InvalidArgument);
        EXPECT_THAT(refused.error().message, HasSubstr("line 2"));
        EXPECT_THAT(refused.error().message, Not(HasSubstr("hunter2")));
        EXPECT_THAT(refused.error().message, Not(HasSubstr(kTwo.substr(4))));
    }
    EXPECT_FALSE(Keyring::parse("# nothing\n"));
    std::string nine;
    for (int i = 0; i < 9; ++i)
        nine += kOne + "\n";
    EXPECT_FALSE(Keyring::parse(nine));
}

TEST(Keyring, AFileOfOursThatOthersMayReadIsRefused) {
    std::string directory = testing::TempDir() + "fieldwatch-keyring-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const auto file = master_key_beside(directory + "/registry.db");
    EXPECT_EQ(read_keyring(file).error().code, Errc::NotFound);
    const auto made = Keyring::generate(system_random());
    ASSERT_TRUE(write_keyring(file, made));
    EXPECT_EQ(read_keyring(file)->ids(), made.ids());
    EXPECT_EQ(std::filesystem::status(file.path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::permissions(file.path, std::filesystem::perms(0640));
    EXPECT_THAT(read_keyring(file).error().message, HasSubstr("chmod 600"));
    EXPECT_TRUE(read_keyring({.path = file.path, .is_ours = false}))
        << "a service manager's files have their own modes";
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fieldwatch::registry
