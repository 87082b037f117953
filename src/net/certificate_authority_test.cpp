// The certificates a fresh installation makes for itself.
#include "net/certificate_authority.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/random.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::net {
namespace {

class CertificateAuthority : public ::testing::Test {
  protected:
    CertificateAuthority()
        : directory_(std::filesystem::temp_directory_path() /
                     ("ca_test." + std::to_string(system_random().next()))) {}
    ~CertificateAuthority() override { std::filesystem::remove_all(directory_); }
    Certificates open(std::vector<std::string> names = {}) {
        auto opened = open_certificates({.directory = directory_.string(), .names = std::move(names)},
                                        posix_file_system(), clock_);
        EXPECT_TRUE(opened) << opened.error().message;
        return *opened;
    }

    std::filesystem::path directory_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'800'000'000)};
};

constexpr Ticks kDays{std::int64_t{86'400} * 10'000'000};

TEST_F(CertificateAuthority, AFirstStartMakesEverythingAndTheNextNothing) {
    const auto first = open();
    EXPECT_TRUE(first.ca_made && first.server_made);
    EXPECT_TRUE(TlsServerContext::create({.chain_pem = first.chain_pem, .key_pem = first.key_pem}));
    const auto next = open();
    EXPECT_FALSE(next.ca_made || next.server_made);
    EXPECT_EQ(next.chain_pem, first.chain_pem);
}

TEST_F(CertificateAuthority, KeysAreReadableByTheOwnerAlone) {
    open();
    for (const auto* name : {"ca-key.pem", "server-key.pem"}) {
        struct stat status{};
        ASSERT_EQ(::stat((directory_ / name).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777u, 0600u) << name;
    }
}

TEST_F(CertificateAuthority, TheServersCertificateIsRenewedInItsLastMonthTheAuthorityIsNot) {
    const auto first = open();
    clock_.advance(360 * kDays);
    EXPECT_FALSE(open().server_made);
    clock_.advance(10 * kDays);
    const auto renewed = open();
    EXPECT_TRUE(renewed.server_made);
    EXPECT_FALSE(renewed.ca_made);
    EXPECT_EQ(renewed.ca_pem, first.ca_pem);
}

TEST_F(CertificateAuthority, ANewNameMakesANewServerCertificate) {
    open();
    EXPECT_TRUE(open({"hub.example.org", "192.0.2.7"}).server_made);
    EXPECT_FALSE(open({"hub.example.org", "192.0.2.7"}).server_made);
}

TEST_F(CertificateAuthority, ANameThatIsNoneIsRefused) {
    const auto opened = open_certificates({.directory = directory_.string(), .names = {"a,DNS:evil"}},
                                          posix_file_system(), clock_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::InvalidArgument);
}

TEST_F(CertificateAuthority, AnAuthorityWithoutItsKeyIsNotReplaced) {
    open();
    std::filesystem::remove(directory_ / "ca-key.pem");
    EXPECT_FALSE(
        open_certificates({.directory = directory_.string(), .names = {}}, posix_file_system(), clock_));
}

}  // namespace
}  // namespace fieldwatch::net
