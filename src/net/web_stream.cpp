#include "net/web_stream.hpp"

#include <algorithm>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "net/http_message.hpp"
#include "net/websocket_frame.hpp"

namespace fieldwatch::net {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::size_t kInboxBytesMax = 512u << 10;  // the largest MQTT or AMQP packet, and as much again
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool lists_token(std::string_view header, std::string_view token) {
    return http::token_list(header).exists(token);
}

/// The sub-protocols a client offers, as it spells them.
std::vector<std::string> offered(std::string_view header) {
    std::vector<std::string> out;
    for (const auto& token : http::token_list(header))
        out.emplace_back(token);
    return out;
}

class WebStream;

/// What a binary protocol sees of a WebSocket: its payload.
class WebSocketConnection final : public Connection {
  public:
    WebSocketConnection(Connection& lower, WebStream& stream) : lower_(lower), stream_(stream) {}
    unsigned core() const override { return lower_.core(); }
    std::uint64_t id() const override { return lower_.id(); }
    const std::string& address() const override { return lower_.address(); }
    std::string tls_version() const override { return lower_.tls_version(); }
    std::string tls_cipher() const override { return lower_.tls_cipher(); }
    std::optional<PeerCertificate> certificate() const override { return lower_.certificate(); }
    std::string server_name() const override { return lower_.server_name(); }
    std::string application_protocol() const override { return lower_.application_protocol(); }
    Bytes& output() override { return output_; }
    void flush() override {
        if (!output_.empty()) {
            encode_websocket_frame(lower_.output(), WebSocketOpcode::Binary, output_);
            output_.clear();
            if (output_.capacity() > kKeptBytes) Bytes().swap(output_);
        }
        lower_.flush();
    }
    void bound_output(std::size_t bytes_max) override { lower_.bound_output(bytes_max); }
    void pause() override {
        paused_ = true;
        lower_.pause();
    }
    void resume() override;
    void close() override {
        if (std::exchange(closing_, true)) return;
        flush();
        static constexpr std::byte kNormal[] = {std::byte{0x03}, std::byte{0xe8}};  // 1000
        encode_websocket_frame(lower_.output(), WebSocketOpcode::Close, kNormal);
        lower_.close();
    }
    void deadline_after(std::chrono::milliseconds delay) override { lower_.deadline_after(delay); }
    bool paused() const { return paused_; }

  private:
    static constexpr std::size_t kKeptBytes = 4u << 10;
    Connection& lower_;
    WebStream& stream_;
    Bytes output_;
    bool paused_ = false, closing_ = false;
};

class WebStream final : public Handler {
  public:
    WebStream(Runtime& runtime, Connection& connection, const WebHandlers& handlers)
        : runtime_(runtime),
          connection_(connection),
          handlers_(handlers),
          slot_(std::make_shared<Slot>(Slot{this})) {
        connection_.deadline_after(handlers_.request_timeout);
        next_request();
    }
    ~WebStream() override {
        let_go();
        slot_->stream = nullptr;
    }

    std::size_t received(ByteView input) override {
        std::size_t used = 0;
        while (!closing_) {
            if (socket_) return used + received_frames(input.subspan(used));
            if (answering_ || used >= input.size()) return used;
            const auto step = received_http(input.subspan(used));
            used += step.used;
            if (step.waits) return used;
        }
        return input.size();
    }

    void deadline() override {
        if (socket_) return inner_->deadline();
        if (!answering_) shut();
    }

    void closed(CloseReason reason) override {
        closing_ = true;
        let_go();
        if (inner_) inner_->closed(reason);
    }

    /// Gives the inner protocol what it left, from the loop: it stands inside its own call.
    void pump_later() {
        runtime_.post(connection_.core(), [slot = slot_] {
            if (slot->stream != nullptr) slot->stream->pump();
        });
    }

  private:
    using Parser = http::request_parser<http::string_body>;
    struct Slot {
        WebStream* stream;
    };
    struct Step {
        std::size_t used = 0;
        bool waits = false;  ///< for more bytes
    };

    void next_request() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(handlers_.header_bytes_max));
        parser_->body_limit(handlers_.body_bytes_limit);
        parser_->eager(true);
        head_seen_ = false;
    }

    Step received_http(ByteView input) {
        if (!head_seen_ && input.size() > 0) connection_.deadline_after(handlers_.request_timeout);
        beast::error_code error;
        if (!head_seen_) parser_->eager(false);
        const auto used = parser_->put(boost::asio::const_buffer(input.data(), input.size()), error);
        if (error == http::error::need_more) {
            error = {};
            if (used == 0 && !parser_->is_header_done()) return {0, true};
        }
        if (error) {
            refuse(error == http::error::body_limit || error == http::error::header_limit ? 413 : 400,
                   error.message());
            return {input.size(), false};
        }
        if (parser_->is_header_done() && !std::exchange(head_seen_, true) && !accept_head())
            return {input.size(), false};
        if (!hold_body()) return {input.size(), false};
        if (!parser_->is_done()) return {used, used == 0 || used >= input.size()};
        if (is_upgrade())
            upgrade();
        else
            ask();
        return {used, false};
    }

    /// Looks at what the head announces before the body is taken.
    bool accept_head() {
        parser_->eager(true);
        auto head = take_head();
        if (const auto readable = read_target(head); !readable) {
            refuse(400, readable.error().message);
            return false;
        }
        const auto allowed = handlers_.body_bytes_max(head);
        if (!allowed) {
            refuse(allowed.error());
            return false;
        }
        const auto bytes_max = std::min(*allowed, handlers_.body_bytes_limit);
        if (const auto length = parser_->content_length(); length && *length > bytes_max) {
            refuse(413, "the body is larger than " + std::to_string(bytes_max) + " bytes");
            return false;
        }
        parser_->body_limit(bytes_max);
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) send_text(kContinue);
        return true;
    }

    /// What has come of a body counts against all of the server's; a body that moves has more time.
    bool hold_body() {
        const auto size = parser_->is_header_done() ? parser_->get().body().size() : 0;
        if (size <= held_) return true;
        if (!handlers_.bodies->take(size - held_)) {
            auto busy = error_response(503, "ServerBusy", "the server holds too many bodies; try again");
            busy.headers.emplace_back("retry-after", "5");
            refuse(busy);
            return false;
        }
        if (size / kBodyStep > held_ / kBodyStep) connection_.deadline_after(handlers_.request_timeout);
        held_ = size;
        return true;
    }
    void let_go() { handlers_.bodies->give(std::exchange(held_, 0)); }

    HttpRequest take_head() const { return head_of(parser_->get(), connection_.address()); }

    void ask() {
        auto request = take_head();
        static_cast<void>(read_target(request));  // it was readable
        keep_alive_ = parser_->get().keep_alive();
        is_head_ = parser_->get().method() == http::verb::head;
        request.body = std::move(parser_->get().body());
        next_request();
        answering_ = true;
        connection_.pause();
        handlers_.request(
            std::move(request), connection_,
            [slot = slot_, runtime = &runtime_, core = connection_.core()](HttpResponse response) {
                runtime->post(core, [slot, response = std::move(response)] {
                    if (slot->stream != nullptr) slot->stream->answered(response);
                });
            });
    }

    void answered(const HttpResponse& response) {
        answering_ = false;
        let_go();
        if (closing_) return;
        send(response);
        if (!keep_alive_) return shut();
        connection_.flush();
        connection_.deadline_after(handlers_.idle_timeout);
        connection_.resume();
    }

    void send(const HttpResponse& response) {
        std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ' +
                           std::string(http::obsolete_reason(static_cast<http::status>(response.status))) +
                           "\r\n";
        for (const auto& [name, value] : response.headers)
            head += name + ": " + value + "\r\n";
        const bool has_body = response.status != 204 && response.status != 304;
        if (has_body) head += "content-length: " + std::to_string(response.body.size()) + "\r\n";
        if (!keep_alive_) head += "connection: close\r\n";
        head += "\r\n";
        auto& out = connection_.output();
        const auto append = [&](std::string_view text) {
            const auto bytes = as_bytes(text);
            out.insert(out.end(), bytes.begin(), bytes.end());
        };
        append(head);
        if (has_body && !is_head_) append(response.body);
    }

    void send_text(std::string_view text) {
        const auto bytes = as_bytes(text);
        connection_.output().insert(connection_.output().end(), bytes.begin(), bytes.end());
        connection_.flush();
    }

    void refuse(int status, std::string_view why) {
        refuse(error_response(status, status == 413 ? "MessageTooLarge" : "BadRequest", why));
    }
    void refuse(const HttpResponse& response) {
        keep_alive_ = false;
        send(response);
        let_go();
        shut();
    }

    void shut() {
        closing_ = true;
        connection_.close();
    }

    bool is_upgrade() const {
        const auto& message = parser_->get();
        return lists_token(message[http::field::connection], "upgrade") &&
               beast::iequals(message[http::field::upgrade], "websocket");
    }

    void upgrade() {
        auto request = take_head();
        static_cast<void>(read_target(request));
        const auto key = request.header("sec-websocket-key");
        if (request.method != "GET" || request.header("sec-websocket-version") != "13" || key.size() != 24)
            return refuse(400, "this is no WebSocket upgrade of version 13");
        auto socket = std::make_unique<WebSocketConnection>(connection_, *this);
        std::string chosen;
        for (const auto& name : offered(request.header("sec-websocket-protocol"))) {
            inner_ = handlers_.websocket ? handlers_.websocket(request.path, name, *socket) : nullptr;
            chosen = name;  // as the client spells it (trap 14)
            if (inner_) break;
        }
        if (!inner_) return refuse(400, "no WebSocket of that path and sub-protocol is served here");
        send_text(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            "sec-websocket-accept: " +
            websocket_accept(key) + "\r\nsec-websocket-protocol: " + chosen + "\r\n\r\n");
        connection_.bound_output(handlers_.websocket_output_bytes_max);
        socket_ = std::move(socket);
        parser_.reset();
    }

    std::size_t received_frames(ByteView input) {
        std::size_t used = 0;
        while (!closing_ && !socket_->paused()) {
            const auto step =
                decoder_.decode(input.subspan(used), inbox_, kInboxBytesMax, connection_.output());
            if (!connection_.output().empty()) connection_.flush();
            if (!step) {
                shut();
                return input.size();
            }
            used += *step;
            give();
            if (decoder_.closed()) {
                shut();
                return input.size();
            }
            if (*step == 0) break;
        }
        return closing_ ? input.size() : used;
    }

    void give() {
        if (inbox_.empty() || socket_->paused()) return;
        const auto taken = std::min(inner_->received(inbox_), inbox_.size());
        inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(taken));
        if (inbox_.empty()) Bytes().swap(inbox_);
    }

    void pump() {
        if (!closing_ && socket_) give();
    }

    Runtime& runtime_;
    Connection& connection_;
    const WebHandlers& handlers_;
    const std::shared_ptr<Slot> slot_;  // of answers and posts that may come when this is gone
    std::optional<Parser> parser_;
    std::size_t held_ = 0;  // of the budget for bodies
    bool head_seen_ = false, answering_ = false, keep_alive_ = true, is_head_ = false, closing_ = false;
    std::unique_ptr<WebSocketConnection> socket_;
    std::unique_ptr<Handler> inner_;  // stands on socket_: goes first
    WebSocketDecoder decoder_;
    Bytes inbox_;
};

void WebSocketConnection::resume() {
    if (!std::exchange(paused_, false)) return;
    stream_.pump_later();
    lower_.resume();
}

}  // namespace

std::unique_ptr<Handler> make_web_stream(Runtime& runtime, Connection& connection,
                                         const WebHandlers& handlers) {
    return std::make_unique<WebStream>(runtime, connection, handlers);
}

}  // namespace fieldwatch::net
