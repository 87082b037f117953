// What the server opens itself: HTTPS with verification, ends by time and by interruption, and what the end
// of a stream says about what was read.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "net/certificate_authority.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"

namespace fieldwatch::net {
namespace {

using namespace std::chrono_literals;

/// A socket on a port of the kernel's choice on loopback.
class Listening {
  public:
    explicit Listening(int type) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        socklen_t size = sizeof address;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        if (type == SOCK_STREAM) {
            EXPECT_EQ(::listen(fd_, 4), 0);
        }
    }
    ~Listening() { close(); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    int fd() const { return fd_; }
    std::uint16_t port() const { return port_; }
    OutboundOptions options() const {
        return {.host = "127.0.0.1", .port = port_, .ca_file = {}, .ca_pem = {}};
    }

  private:
    int fd_;
    std::uint16_t port_ = 0;
};

TEST(Outbound, FinishSaysThatThePeerReadEverything) {
    Listening listening(SOCK_STREAM);
    std::string received;
    std::thread peer([&] {
        const int fd = ::accept(listening.fd(), nullptr, nullptr);
        char bytes[1024];
        for (ssize_t got = 0; (got = ::recv(fd, bytes, sizeof bytes, 0)) > 0;)
            received.append(bytes, static_cast<std::size_t>(got));
        ::close(fd);
    });
    auto stream = OutboundStream::connect(listening.options(), Patience::of(5s));
    ASSERT_TRUE(stream) << stream.error().message;
    const std::string text(200'000, 'x');
    EXPECT_TRUE(stream->write_all(as_bytes(text), Patience::of(5s)));
    EXPECT_TRUE(stream->finish(Patience::of(5s)));
    peer.join();
    EXPECT_EQ(received, text);
    EXPECT_TRUE(stream->all_acknowledged());
}

TEST(Outbound, FinishFailsWhenThePeerDiedOverUnreadBytes) {
    Listening listening(SOCK_STREAM);
    auto stream = OutboundStream::connect(listening.options(), Patience::of(5s));
    ASSERT_TRUE(stream) << stream.error().message;
    EXPECT_TRUE(stream->write_all(as_bytes("lost"), Patience::of(5s)));
    ::close(::accept(listening.fd(), nullptr, nullptr));  // unread bytes: the kernel answers with a reset
    const auto done = stream->finish(Patience::of(5s));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::Unavailable);
}

TEST(Outbound, NobodyThereAndNoAnswerAndInterruptedAreTold) {
    Listening listening(SOCK_STREAM);  // connects, and never answers
    const Url url{.tls = false, .host = "127.0.0.1", .port = listening.port(), .path = {}};
    HttpClientOptions options{.url = url, .bearer_token = {}, .ca_file = {}, .ca_pem = {}, .headers = {}};
    options.total = 100ms;
    EXPECT_EQ(HttpClient(options).request("POST", "/", "{}").error().code, Errc::Timeout);

    const auto interrupt = std::move(*Interrupt::create());
    options.total = 60s;
    options.interrupt = interrupt.get();
    std::thread ending([&] { interrupt->raise(); });
    EXPECT_EQ(HttpClient(options).request("POST", "/", "{}").error().code, Errc::Cancelled);
    ending.join();

    listening.close();
    options.interrupt = nullptr;
    EXPECT_EQ(HttpClient(options).request("POST", "/", "{}").error().code, Errc::Unavailable);
}

TEST(Outbound, DatagramsGoOut) {
    Listening listening(SOCK_DGRAM);
    ASSERT_TRUE(send_datagram("127.0.0.1", listening.port(), as_bytes("hello")));
    char bytes[64];
    EXPECT_EQ(::recv(listening.fd(), bytes, sizeof bytes, 0), 5);
    EXPECT_EQ(send_datagram("127.0.0.1", listening.port(), as_bytes(std::string(70'000, 'x'))).error().code,
              Errc::TooLarge);
}

TEST(Outbound, HttpsIsVerifiedAndCarriesOurHeaders) {
    std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-outbound-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    {
        const auto certificates =
            open_certificates({.directory = pattern, .names = {}}, posix_file_system(), system_clock());
        ASSERT_TRUE(certificates) << certificates.error().message;
        Metrics metrics;
        auto server = HttpServer::create(
            {},
            {.respond =
                 [](const HttpRequest& r) {
                     return HttpResponse{.body =
                                             r.path + " " + std::string(r.header("x-mark")) + " " + r.body};
                 }},
            metrics,
            *TlsServerContext::create(
                {.chain_pem = certificates->chain_pem, .key_pem = certificates->key_pem}));
        ASSERT_TRUE(server) << server.error().message;
        (*server)->start();
        std::ifstream file(pattern + "/ca.pem");
        HttpClientOptions options{.url = *parse_url("https://127.0.0.1:" + std::to_string((*server)->port())),
                                  .bearer_token = {},
                                  .ca_file = {},
                                  .ca_pem = std::string(std::istreambuf_iterator<char>(file), {}),
                                  .headers = {{"X-Mark", "seen"}}};
        options.total = 5s;
        const auto reply = HttpClient(options).request("POST", "/hook", "body");
        ASSERT_TRUE(reply) << reply.error().message;
        EXPECT_EQ(reply->status, 200);
        EXPECT_EQ(reply->body, "/hook seen body");
        options.ca_pem.clear();  // the system's authorities do not know ours
        EXPECT_EQ(HttpClient(options).request("POST", "/hook", "body").error().code, Errc::Unauthorized);
    }
    std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace fieldwatch::net
