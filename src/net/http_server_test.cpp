// Real sockets on port zero: what a peer may do, and what it may not.
#include "net/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "net/http_event_stream.hpp"

namespace fieldwatch::net {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// A blocking TCP client that says exactly what it is told to.
class Client {
  public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{5, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(std::string_view bytes) {
        ASSERT_TRUE(connected_);
        while (!bytes.empty()) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;  // refused midway: the answer says why
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Reads until `mark` has arrived or the server closed.
    std::string read_until(std::string_view mark) {
        while (read_.find(mark) == std::string::npos && read_some()) {
        }
        return std::exchange(read_, {});
    }
    std::string read_to_end() {
        while (read_some()) {
        }
        return std::exchange(read_, {});
    }

  private:
    bool read_some() {
        char bytes[4096];
        const auto count = ::recv(socket_, bytes, sizeof bytes, 0);
        if (count <= 0) return false;
        read_.append(bytes, static_cast<std::size_t>(count));
        return true;
    }
    int socket_;
    bool connected_ = false;
    std::string read_;
};

HttpResponse echo(const HttpRequest& request) {
    return {.body = request.method + " " + request.path + " " + request.body};
}

class HttpServerTest : public testing::Test {
  protected:
    void serve(HttpServerOptions options = {}, HttpHandler handler = {.respond = echo}) {
        auto created = HttpServer::create(options, std::move(handler), metrics_);
        ASSERT_TRUE(created) << created.error().message;
        server_ = std::move(*created);
        server_->start();
    }
    std::string ask(std::string_view bytes) {
        Client client(server_->port());
        client.send(bytes);
        return client.read_to_end();
    }
    Metrics metrics_;
    std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersSeveralRequestsOnOneConnection) {
    serve();
    Client client(server_->port());
    client.send("GET /a%20b?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(client.read_until("GET /a b "), StartsWith("HTTP/1.1 200 OK\r\n"));
    client.send("POST /c HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(client.read_until("hello"), EndsWith("POST /c hello"));
}

TEST_F(HttpServerTest, TakesABodyInChunksAndSaysContinueWhenAsked) {
    serve();
    Client client(server_->port());
    client.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
    client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT_THAT(client.read_until("abcde"), EndsWith("POST / abcde"));
}

TEST_F(HttpServerTest, AnswersHeadWithTheLengthAndNoBody) {
    serve();
    const auto answer = ask("HEAD /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, RefusesAnotherSitesHostName) {
    serve();
    const auto answer = ask("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 421"));
    EXPECT_THAT(answer, HasSubstr("\"MisdirectedRequest\""));
    EXPECT_THAT(ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, TakesTheHostNamesItWasGiven) {
    serve({.host_names = {"gate.example"}});
    EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: GATE.example:8443\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesABodyOverItsLimitBeforeReadingIt) {
    serve({.body_bytes_max = 1'000});
    const auto answer = ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(answer, HasSubstr("1000 bytes"));
}

TEST_F(HttpServerTest, RefusesAChunkedBodyOverItsLimit) {
    serve({.body_bytes_max = 1'000});
    std::string chunks = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 20; ++i)
        chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
    EXPECT_THAT(ask(chunks), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, RefusesAHeaderOverItsLimit) {
    serve({.header_bytes_max = 4'096});
    EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
    serve();
    EXPECT_THAT(ask(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n"),
                StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(ask("GET /%01 HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, ClosesAConnectionWhoseHeaderComesTooSlowly) {
    serve({.header_timeout = 200ms});
    Client client(server_->port());
    const auto begin = std::chrono::steady_clock::now();
    client.send("GET / HTTP/1.1\r\nHost: loc");
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST_F(HttpServerTest, ClosesAnIdleConnection) {
    serve({.idle_timeout = 100ms});
    Client client(server_->port());
    EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpServerTest, ClosesConnectionsOverTheLimitAndCountsThem) {
    serve({.connections_max = 1});
    Client first(server_->port());
    first.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    first.read_until("GET / ");
    Client second(server_->port());
    EXPECT_EQ(second.read_to_end(), "");
    EXPECT_THAT(metrics_.prometheus_text(),
                HasSubstr("fieldwatch_http_refused_total{reason=\"connections\"} 1"));
}

TEST_F(HttpServerTest, ServesOthersWhileAHandlerBlocks) {
    std::atomic<bool> release{false};
    serve({.workers = 2}, {.respond = [&](const HttpRequest& request) {
              while (request.path == "/slow" && !release)
                  std::this_thread::sleep_for(1ms);
              return echo(request);
          }});
    Client slow(server_->port());
    slow.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(ask("GET /quick HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
                EndsWith("/quick "));
    release = true;
    EXPECT_THAT(slow.read_until("/slow "), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, LetsARunningRequestEndWhenItStops) {
    std::atomic<bool> entered{false};
    serve({}, {.respond = [&](const HttpRequest& request) {
              entered = true;
              std::this_thread::sleep_for(200ms);
              return echo(request);
          }});
    Client busy(server_->port());
    Client idle(server_->port());
    busy.send("GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!entered)
        std::this_thread::sleep_for(1ms);
    server_->stop();
    EXPECT_THAT(busy.read_to_end(), HasSubstr("GET /last "));
    EXPECT_EQ(idle.read_to_end(), "");
}

TEST_F(HttpServerTest, ContainsAHandlersException) {
    serve({},
          {.respond = [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("a library's"); }});
    EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 500"));
}

TEST_F(HttpServerTest, RefusesPlainHttpBeyondLoopbackAndAddressesThatAreNone) {
    EXPECT_EQ(HttpServer::create({.address = "0.0.0.0"}, {.respond = echo}, metrics_).error().code,
              Errc::InvalidArgument);
    EXPECT_EQ(HttpServer::create({.address = "here"}, {.respond = echo}, metrics_).error().code,
              Errc::InvalidArgument);
}

class EventStreamTest : public HttpServerTest {
  protected:
    void serve_stream() {
        serve({}, {.respond = echo,
                   .is_stream = [](const HttpRequest& request) { return request.path == "/stream"; },
                   .subscribe = [this](const HttpRequest& request,
                                       std::shared_ptr<EventStream> stream) -> std::optional<HttpResponse> {
                       if (request.parameter("refuse")) return error_response(401, "Unauthorized", "no");
                       stream_ = std::move(stream);
                       stream_->write("hello", "first\nsecond");
                       subscribed_ = true;
                       return std::nullopt;
                   }});
    }
    std::shared_ptr<EventStream> stream_;
    std::atomic<bool> subscribed_{false};
};

TEST_F(EventStreamTest, CarriesEventsAsTheyAreWritten) {
    serve_stream();
    Client client(server_->port());
    client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(client.read_until("second\n\n"), EndsWith("event: hello\ndata: first\ndata: second\n\n"));
    EXPECT_TRUE(stream_->write("alert", "{}"));
    EXPECT_EQ(client.read_until("{}\n\n"), "event: alert\ndata: {}\n\n");
}

TEST_F(EventStreamTest, IsRefusedByTheHandlersAnswer) {
    serve_stream();
    EXPECT_THAT(ask("GET /stream?refuse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 401"));
}

TEST_F(EventStreamTest, NoticesThatTheClientLeft) {
    serve_stream();
    {
        Client client(server_->port());
        client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.read_until("second\n\n");
    }
    for (int i = 0; i < 2'000 && stream_->open(); ++i)
        std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(stream_->open());
    EXPECT_FALSE(stream_->write("alert", "{}"));
}

TEST_F(EventStreamTest, EndsWhenTheHandlerEndsIt) {
    serve_stream();
    Client client(server_->port());
    client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_until("second\n\n");
    stream_->end();
    EXPECT_FALSE(stream_->open());
    EXPECT_FALSE(stream_->write("alert", "{}"));
    EXPECT_EQ(client.read_to_end(), "");
    stream_->end();
}

TEST_F(EventStreamTest, DropsAClientThatDoesNotRead) {
    serve_stream();
    Client client(server_->port());
    client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!subscribed_)
        std::this_thread::sleep_for(1ms);
    const std::string news(100'000, 'x');
    bool written = true;
    for (int i = 0; i < 1'000 && written; ++i)
        written = stream_->write("alert", news);
    EXPECT_FALSE(written);
}

TEST_F(EventStreamTest, EndsWhenTheServerStops) {
    serve_stream();
    Client client(server_->port());
    client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_until("second\n\n");
    server_->stop();
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_FALSE(stream_->write("alert", "{}"));
}

TEST(EncodeEvent, KeepsDataFromEndingTheEvent) {
    EXPECT_EQ(encode_event("a\nb", "x\r\ny\rz\n\nid: 1"),
              "event: ab\ndata: x\ndata: y\ndata: z\ndata: \ndata: id: 1\n\n");
}

TEST(HostIsOurs, KnowsLoopbackInItsPlainFormsOnly) {
    for (const auto* host :
         {"localhost", "LocalHost:80", "127.0.0.1", "127.8.9.10:1", "[::1]:443", "[::1]"}) {
        EXPECT_TRUE(host_is_ours(host, {})) << host;
    }
    for (const auto* host :
         {"", "127.1", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "0x7f.0.0.1",
          "[::1].evil.example", "localhost:@evil.example", "localhost:80/x"}) {
        EXPECT_FALSE(host_is_ours(host, {})) << host;
    }
}

TEST(ReadTarget, DecodesPathAndParametersInOrder) {
    HttpRequest request{.target = "/v1/a%2Fb?query=x+%7C%20y&timespan=P1D&flag&=e"};
    ASSERT_TRUE(read_target(request));
    EXPECT_EQ(request.path, "/v1/a/b");
    EXPECT_EQ(request.parameter("query"), "x | y");
    EXPECT_EQ(request.parameter("flag"), "");
    EXPECT_EQ(request.parameter("none"), std::nullopt);
}

RC_GTEST_PROP(ReadTarget, EndsInAValueOrAnErrorForAnyBytes, (const std::string& bytes)) {
    HttpRequest request{.target = "/" + bytes};
    const auto result = read_target(request);
    RC_ASSERT((result.has_value() || result.error().code == Errc::Malformed));
}

}  // namespace
}  // namespace fieldwatch::net
