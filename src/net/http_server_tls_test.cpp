// HTTPS with a certificate of our own authority: beyond loopback there is no other way in.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "net/ask_test.hpp"
#include "net/certificate_authority.hpp"
#include "net/http_server.hpp"
#include "net/tls_client.hpp"

namespace fieldwatch::net {
namespace {

using std::chrono_literals::operator""s;
using testing::EndsWith;
using testing::StartsWith;

class HttpServerTlsTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-https-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        const auto certificates =
            open_certificates({.directory = directory_, .names = {}}, posix_file_system(), system_clock());
        ASSERT_TRUE(certificates) << certificates.error().message;
        auto tls = TlsServerContext::create(
            {.chain_pem = certificates->chain_pem, .key_pem = certificates->key_pem});
        ASSERT_TRUE(tls) << tls.error().message;
        tls_ = *tls;
        listen(false);
    }
    void listen(bool plain_from_here) {
        server_.reset();
        auto server = HttpServer::create(
            {.plain_from_here = plain_from_here, .header_timeout = 1s},
            {.respond = [](const HttpRequest& request) { return HttpResponse{.body = request.path}; }},
            metrics_, tls_);
        ASSERT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
        server_->start();
    }
    void TearDown() override {
        server_.reset();
        std::filesystem::remove_all(directory_);
    }
    Result<TlsClient> connect(const std::string& ca_file) {
        return TlsClient::connect(
            {.host = "127.0.0.1", .port = server_->port(), .server_name = {}, .ca_file = ca_file}, 5s);
    }

    int plain_socket() const {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server_->port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{5, 0};
        ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return socket;
    }
    std::string ask_plainly() const {
        const int socket = plain_socket();
        constexpr std::string_view kRequest = "GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n";
        EXPECT_EQ(::send(socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(kRequest.size()));
        std::string answer;
        char bytes[4096];
        for (ssize_t count = 1; count > 0 && !answer.ends_with("/one");) {
            count = ::recv(socket, bytes, sizeof bytes, 0);
            if (count > 0) answer.append(bytes, static_cast<std::size_t>(count));
        }
        ::close(socket);
        return answer;
    }

    std::string directory_;
    Metrics metrics_;
    std::shared_ptr<TlsServerContext> tls_;
    std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTlsTest, AnswersWhoTrustsItsAuthority) {
    auto client = connect(directory_ + "/ca.pem");
    ASSERT_TRUE(client) << client.error().message;
    const auto first = ask(*client, "GET /one HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "/one");
    EXPECT_THAT(first, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(ask(*client, "GET /two HTTP/1.1\r\nHost: localhost\r\n\r\n", "/two"), EndsWith("/two"));
}

TEST_F(HttpServerTlsTest, IsRefusedByWhoDoesNot) {
    const auto client = connect("");
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Errc::Unauthorized) << client.error().message;
    auto trusting = connect(directory_ + "/ca.pem");
    ASSERT_TRUE(trusting) << "the server goes on after a failed handshake: " << trusting.error().message;
}

TEST_F(HttpServerTlsTest, ShowsARenewedCertificateToWhoComesAndDisturbsNobodyWhoIsThere) {
    const std::string others = directory_ + "/others";
    const auto renewed =
        open_certificates({.directory = others, .names = {}}, posix_file_system(), system_clock());
    ASSERT_TRUE(renewed);
    auto before = connect(directory_ + "/ca.pem");
    ASSERT_TRUE(before);
    EXPECT_FALSE(tls_->renew(renewed->chain_pem, "no key")) << "and nothing changed";
    EXPECT_TRUE(connect(directory_ + "/ca.pem"));
    ASSERT_TRUE(tls_->renew(renewed->chain_pem, renewed->key_pem));
    EXPECT_THAT(ask(*before, "GET /one HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "/one"), EndsWith("/one"));
    EXPECT_FALSE(connect(directory_ + "/ca.pem")) << "another authority's certificate is shown now";
    auto after = connect(others + "/ca.pem");
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_THAT(ask(*after, "GET /two HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "/two"), EndsWith("/two"));
}

TEST_F(HttpServerTlsTest, GivesAPlainPeerNothing) {
    const auto answer = ask_plainly();
    EXPECT_EQ(answer.find("/one"), std::string::npos);
    EXPECT_TRUE(answer.empty() || static_cast<unsigned char>(answer[0]) == 0x15)
        << "an alert record, or the end";
}

TEST_F(HttpServerTlsTest, SpeaksBothWithThisMachineWhereAllowed) {
    listen(true);
    EXPECT_THAT(ask_plainly(), EndsWith("/one"));
    auto client = connect(directory_ + "/ca.pem");
    ASSERT_TRUE(client) << client.error().message;
    EXPECT_THAT(ask(*client, "GET /two HTTP/1.1\r\nHost: localhost\r\n\r\n", "/two"), EndsWith("/two"));
    // One that says nothing does not keep the server from ending.
    const int silent = plain_socket();
    server_->stop();
    ::close(silent);
}

}  // namespace
}  // namespace fieldwatch::net
