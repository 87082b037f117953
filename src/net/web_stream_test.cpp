// HTTP and WebSocket over the stream server, spoken by hand over real TLS.
#include "net/web_stream.hpp"
#include "net/ask_test.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/random.hpp"
#include "net/ask_test.hpp"
#include "net/certificate_authority.hpp"
#include "net/tls_client.hpp"
#include "net/websocket_frame.hpp"

namespace fieldwatch::net {
namespace {

using namespace std::chrono_literals;

/// Sends back what it gets, in capitals; pauses once, as a slow protocol does.
class Shout final : public Handler {
  public:
    explicit Shout(Connection& connection) : connection_(connection) {}
    std::size_t received(ByteView input) override {
        for (const auto byte : input) {
            const auto c = std::to_integer<char>(byte);
            connection_.output().push_back(static_cast<std::byte>(c >= 'a' && c <= 'z' ? c - 32 : c));
        }
        connection_.flush();
        if (as_text(input).find('!') != std::string_view::npos) connection_.close();
        return input.size();
    }
    void deadline() override {}
    void closed(CloseReason) override {}

  private:
    Connection& connection_;
};

class WebStreamTest : public testing::Test {
  protected:
    void SetUp() override {
        directory_ =
            std::filesystem::temp_directory_path() / ("web_stream." + std::to_string(system_random().next()));
        const auto certificates = open_certificates({.directory = directory_.string(), .names = {}},
                                                    posix_file_system(), system_clock());
        ASSERT_TRUE(certificates);
        auto tls = *TlsServerContext::create(
            {.chain_pem = certificates->chain_pem, .key_pem = certificates->key_pem});
        handlers_.request = [this](HttpRequest request, const Connection&, WebHandlers::Respond respond) {
            // From a thread of its own, later: connections do not wait for each other.
            runtime_.post_worker([request = std::move(request), respond = std::move(respond)]() mutable {
                respond({.status = request.path == "/none" ? 204 : 200,
                         .headers = {{"x-method", request.method}},
                         .body = request.path == "/none" ? "" : request.path + "|" + request.body});
            });
        };
        handlers_.body_bytes_max = [](const HttpRequest&) { return std::size_t{100}; };
        handlers_.websocket = [](std::string_view path, std::string_view name,
                                 Connection& connection) -> std::unique_ptr<Handler> {
            if (path != "/$iothub/websocket" || (name != "mqtt" && name != "MQTT")) return nullptr;
            return std::make_unique<Shout>(connection);
        };
        server_ = *StreamServer::start(
            runtime_, tls, {.address = "127.0.0.1", .output_bytes_max = 300u << 20}, metrics_,
            [](const std::string&) { return true; },
            [this](Connection& connection) { return make_web_stream(runtime_, connection, handlers_); });
    }
    void TearDown() override {
        server_->stop();
        std::filesystem::remove_all(directory_);
    }
    TlsClient connect() {
        return *TlsClient::connect(
            {.host = "127.0.0.1", .port = server_->port(), .ca_file = (directory_ / "ca.pem").string()}, 5s);
    }
    static std::string masked(unsigned opcode, std::string_view payload) {
        std::string out{
            static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size()), 1, 2, 3, 4};
        for (std::size_t i = 0; i < payload.size(); ++i)
            out += static_cast<char>(payload[i] ^ static_cast<char>(i % 4 + 1));
        return out;
    }

    std::filesystem::path directory_;
    Metrics metrics_;
    Runtime runtime_{{.cores = 2}};
    WebHandlers handlers_;
    std::unique_ptr<StreamServer> server_;
};

TEST_F(WebStreamTest, AnswersRequestsOfOneConnectionInOrder) {
    auto client = connect();
    const auto answer = ask(client,
                            "GET /a%20b HTTP/1.1\r\nhost: x\r\n\r\n"
                            "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
                            "GET /none HTTP/1.1\r\nhost: x\r\n\r\n",
                            "204 No Content");
    EXPECT_LT(answer.find("/a b|"), answer.find("/p|hello"));
    EXPECT_LT(answer.find("/p|hello"), answer.find("204 No Content"));
}

TEST_F(WebStreamTest, TakesChunkedBodiesInPieces) {
    auto client = connect();
    EXPECT_TRUE(client.write_all(as_bytes("POST /c HTTP/1.1\r\nhost: x\r\ntransfer-enc"), 5s));
    std::this_thread::sleep_for(20ms);
    EXPECT_TRUE(client.write_all(as_bytes("oding: chunked\r\n\r\n3\r\nabc\r\n"), 5s));
    std::this_thread::sleep_for(20ms);
    EXPECT_NE(ask(client, "2\r\nde\r\n0\r\n\r\n", "abcde").find("200 OK"), std::string::npos);
}

TEST_F(WebStreamTest, RefusesWhatIsTooLargeOrNoRequest) {
    for (const auto* text : {"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n",
                             "POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n65\r\n"}) {
        auto client = connect();
        EXPECT_NE(ask(client, text, "\r\n\r\n").find("413 "), std::string::npos) << text;
    }
    auto client = connect();
    EXPECT_NE(ask(client, "nonsense\r\n\r\n", "\r\n\r\n").find("400 "), std::string::npos);
    auto large = connect();
    EXPECT_NE(
        ask(large, "GET / HTTP/1.1\r\nx: " + std::string(40'000, 'x') + "\r\n\r\n", "\r\n\r\n").find("413 "),
        std::string::npos);
}

TEST_F(WebStreamTest, AllBodiesTogetherAreBounded) {
    handlers_.bodies = std::make_shared<ByteBudget>(150);
    constexpr std::string_view kHalf = "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
    const std::string rest(99, 'x');
    auto first = connect();
    EXPECT_TRUE(first.write_all(as_bytes(std::string(kHalf) + rest), 5s));
    for (int i = 0; i < 100 && handlers_.bodies->held() < 99; ++i)
        std::this_thread::sleep_for(10ms);
    auto second = connect();
    EXPECT_NE(ask(second, std::string(kHalf) + rest, "\r\n\r\n").find("503 "), std::string::npos);
    // One that is answered, and one that goes away, leave room.
    EXPECT_NE(ask(first, "x", rest).find("200 OK"), std::string::npos);
    {
        auto third = connect();
        EXPECT_TRUE(third.write_all(as_bytes(std::string(kHalf) + rest), 5s));
        for (int i = 0; i < 100 && handlers_.bodies->held() < 99; ++i)
            std::this_thread::sleep_for(10ms);
    }
    for (int i = 0; i < 100 && handlers_.bodies->held() > 0; ++i)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(handlers_.bodies->held(), 0u);
}

TEST_F(WebStreamTest, AHeadMayBeRefusedBeforeItsBody) {
    handlers_.body_bytes_max = [](const HttpRequest& head) -> std::expected<std::size_t, HttpResponse> {
        if (head.path == "/closed") return std::unexpected(error_response(403, "No", "not without a key"));
        return std::size_t{100};
    };
    auto client = connect();
    const auto answer = ask(client, "PUT /closed HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n", "key");
    EXPECT_NE(answer.find("403 "), std::string::npos) << answer;
}

TEST_F(WebStreamTest, UpgradesToAProtocolAndEchoesItsSpelling) {
    auto client = connect();
    const auto hello =
        ask(client,
            "GET /$iothub/websocket?x=1 HTTP/1.1\r\nhost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: nothing, MQTT\r\n\r\n",
            "\r\n\r\n");
    EXPECT_NE(hello.find("101 Switching"), std::string::npos);
    EXPECT_NE(hello.find("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos);
    EXPECT_NE(hello.find("sec-websocket-protocol: MQTT\r\n"), std::string::npos);
    EXPECT_EQ(ask(client, masked(2, "ab") + masked(9, "p") + masked(2, "c"), "C"),
              std::string("\x8a\x01p\x82\x03"
                          "ABC"));  // what came together is answered together
    EXPECT_EQ(ask(client, masked(8, "\x03\xe8"), "\x88\x02\x03\xe8"), "\x88\x02\x03\xe8");
}

TEST_F(WebStreamTest, APeerThatDoesNotReadItsWebSocketIsCutOffAtTheWebSocketsBound) {
    std::signal(SIGPIPE, SIG_IGN);  // the test writes until it is cut off
    auto client = connect();
    ask(client,
        "GET /$iothub/websocket HTTP/1.1\r\nhost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
        "\r\n\r\n");
    constexpr std::size_t kPayload = 65'535, kFrames = 1'600;  // 100 MB: beyond what both kernels may hold
    std::string frame{char(0x82), char(0xfe), char(0xff), char(0xff), 0, 0, 0, 0};
    frame.append(kPayload, 'x');
    std::size_t sent = 0;
    while (sent < kFrames && client.write_all(as_bytes(frame), 5s))
        ++sent;
    EXPECT_LT(sent, kFrames) << "the server keeps all of it for a peer that reads nothing";
}

TEST_F(WebStreamTest, RefusesOtherUpgrades) {
    auto client = connect();
    EXPECT_NE(ask(client,
                  "GET /other HTTP/1.1\r\nhost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
                  "\r\n\r\n")
                  .find("400 "),
              std::string::npos);
}

}  // namespace
}  // namespace fieldwatch::net
