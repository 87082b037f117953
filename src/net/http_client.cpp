#include "net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/bytes.hpp"
#include "base/text.hpp"

namespace fieldwatch::net {

namespace {

constexpr std::size_t kHeadBytesMax = 64u << 10;

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
    Url url;
    const auto whole = text;
    const auto wrong = [&] {
        return fail(
            Errc::InvalidArgument,
            fmt::format("\"{}\" is not a server address; write it like http://127.0.0.1:7780", whole));
    };
    if (text.starts_with("https://")) {
        url.tls = true;
        url.port = 443;
        text.remove_prefix(8);
    } else if (text.starts_with("http://")) {
        text.remove_prefix(7);
    } else {
        return wrong();
    }
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) {
        url.path = text.substr(slash);
        while (url.path.ends_with('/'))
            url.path.pop_back();
        text = text.substr(0, slash);
    }
    const auto bracket = text.rfind(']');
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        const auto digits = text.substr(colon + 1);
        const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
        if (problem != std::errc{} || stop != digits.data() + digits.size()) return wrong();
        text = text.substr(0, colon);
    }
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (text.empty()) return wrong();
    url.host = text;
    return url;
}

std::string_view HttpReply::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

/// One connection and what was read from it beyond the last line.
class HttpClient::Connection {
  public:
    Connection(OutboundStream stream, const HttpClientOptions& options, std::optional<Patience> whole)
        : stream_(std::move(stream)), options_(options), whole_(whole) {}

    Result<void> write(std::string_view data) {
        if (auto done = stream_.write_all(as_bytes(data), patience()); !done)
            return in_context("sending to the server", std::move(done).error());
        return {};
    }
    /// Appends what arrives to the buffer; false at the end of the stream.
    Result<bool> fill() {
        std::array<std::byte, 16'384> chunk;
        auto got = stream_.read_some(chunk, patience());
        if (!got && got.error().code == Errc::Timeout)
            return fail(Errc::Timeout, "the server did not answer in time");
        if (!got) return in_context("reading from the server", std::move(got).error());
        buffer_.append(as_text(ByteView(chunk).first(*got)));
        return *got > 0;
    }
    /// One line without its line end; the end of the stream ends the last line. Errors: TooLarge.
    Result<std::string> line() {
        for (;;) {
            const auto end = buffer_.find('\n');
            if (end != std::string::npos) {
                auto out = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                if (out.ends_with('\r')) out.pop_back();
                return out;
            }
            if (buffer_.size() > kHeadBytesMax)
                return fail(Errc::TooLarge, "a line of the server's answer is too long");
            if (!FIELDWATCH_TRY(fill())) return fail(Errc::Unavailable, "the server closed the connection");
        }
    }
    Result<std::string> exactly(std::size_t size) {
        while (buffer_.size() < size) {
            if (!FIELDWATCH_TRY(fill())) return fail(Errc::Malformed, "the server's answer ends too soon");
        }
        auto out = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return out;
    }
    Result<std::string> to_the_end(std::size_t bytes_max) {
        while (FIELDWATCH_TRY(fill())) {
            if (buffer_.size() > bytes_max) return fail(Errc::TooLarge, "the server's answer is too large");
        }
        return std::exchange(buffer_, {});
    }
    Result<HttpReply> read_head() {
        HttpReply reply;
        const auto status = FIELDWATCH_TRY(line());
        if (!status.starts_with("HTTP/1.") || status.size() < 12) {
            return fail(Errc::Malformed, "what answers there does not speak HTTP/1.1");
        }
        std::from_chars(status.data() + 9, status.data() + 12, reply.status);
        std::size_t total = 0;
        for (;;) {
            const auto text = FIELDWATCH_TRY(line());
            if (text.empty()) return reply;
            total += text.size();
            if (total > kHeadBytesMax)
                return fail(Errc::TooLarge, "the headers of the server's answer are too long");
            const auto colon = text.find(':');
            if (colon == std::string::npos) continue;
            reply.headers.emplace_back(lower(text.substr(0, colon)),
                                       trimmed(std::string_view(text).substr(colon + 1)));
        }
    }
    Result<std::string> read_chunks(std::size_t bytes_max) {
        std::string body;
        for (;;) {
            const auto text = FIELDWATCH_TRY(line());
            std::size_t size = 0;
            const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), size, 16);
            if (problem != std::errc{} || stop == text.data())
                return fail(Errc::Malformed, "a chunk without its size");
            if (size > bytes_max - std::min(bytes_max, body.size())) {
                return fail(Errc::TooLarge, "the server's answer is too large");
            }
            body += FIELDWATCH_TRY(exactly(size));
            FIELDWATCH_TRY(line());
            if (size == 0) return body;
        }
    }

  private:
    Patience patience() const {
        return whole_ ? *whole_ : Patience::of(options_.timeout, options_.interrupt);
    }

    OutboundStream stream_;
    const HttpClientOptions& options_;
    std::optional<Patience> whole_;
    std::string buffer_;
};

HttpClient::HttpClient(HttpClientOptions options) : options_(std::move(options)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<std::unique_ptr<HttpClient::Connection>> HttpClient::connect() const {
    const auto& url = options_.url;
    std::optional<Patience> whole;
    if (options_.total.count() > 0) whole = Patience::of(options_.total, options_.interrupt);
    auto stream =
        OutboundStream::connect({.host = url.host,
                                 .port = url.port,
                                 .tls = url.tls,
                                 .ca_file = options_.ca_file,
                                 .ca_pem = options_.ca_pem,
                                 .only_global = options_.only_global},
                                whole ? *whole : Patience::of(options_.timeout, options_.interrupt));
    if (!stream && stream.error().code == Errc::Unavailable)
        return fail(Errc::Unavailable, fmt::format("no server answers at {}:{} ({})", url.host, url.port,
                                                   stream.error().message));
    if (!stream) return std::unexpected(std::move(stream).error());
    return std::make_unique<Connection>(std::move(*stream), options_, whole);
}

std::string HttpClient::head(std::string_view method, std::string_view target, std::size_t body_size) const {
    const auto& url = options_.url;
    const bool six = url.host.find(':') != std::string::npos;
    auto out = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}{}{}:{}\r\nConnection: close\r\n", method, url.path,
                           target, six ? "[" : "", url.host, six ? "]" : "", url.port);
    const bool accepts =
        std::ranges::any_of(options_.headers, [](const auto& one) { return lower(one.first) == "accept"; });
    if (!accepts) out += "Accept: */*\r\n";
    for (const auto& [name, value] : options_.headers)
        out += fmt::format("{}: {}\r\n", name, value);
    if (!options_.bearer_token.empty())
        out += fmt::format("Authorization: Bearer {}\r\n", options_.bearer_token);
    if (body_size > 0 || method == "POST" || method == "PUT" || method == "PATCH") {
        const bool typed = std::ranges::any_of(
            options_.headers, [](const auto& header) { return header.first == "Content-Type"; });
        if (!typed) out += "Content-Type: application/json\r\n";
        out += fmt::format("Content-Length: {}\r\n", body_size);
    }
    return out + "\r\n";
}

Result<HttpReply> HttpClient::request(std::string_view method, std::string_view target,
                                      std::string_view body) {
    const auto connection = FIELDWATCH_TRY(connect());
    FIELDWATCH_TRY(connection->write(head(method, target, body.size())));
    FIELDWATCH_TRY(connection->write(body));
    auto reply = FIELDWATCH_TRY(connection->read_head());
    if (reply.status == 204 || reply.status == 304 || method == "HEAD") return reply;
    if (lower(reply.header("transfer-encoding")) == "chunked") {
        reply.body = FIELDWATCH_TRY(connection->read_chunks(options_.body_bytes_max));
    } else if (const auto length = reply.header("content-length"); !length.empty()) {
        std::size_t size = 0;
        std::from_chars(length.data(), length.data() + length.size(), size);
        if (size > options_.body_bytes_max) return fail(Errc::TooLarge, "the server's answer is too large");
        reply.body = FIELDWATCH_TRY(connection->exactly(size));
    } else {
        reply.body = FIELDWATCH_TRY(connection->to_the_end(options_.body_bytes_max));
    }
    return reply;
}

Result<void> HttpClient::stream(std::string_view target,
                                const std::function<bool(std::string_view, std::string_view)>& on_event) {
    const auto connection = FIELDWATCH_TRY(connect());
    FIELDWATCH_TRY(connection->write(head("GET", target, 0)));
    const auto reply = FIELDWATCH_TRY(connection->read_head());
    if (reply.status != 200)
        return fail(Errc::Unavailable,
                    fmt::format("the server refused the stream with status {}", reply.status));
    const bool chunked = lower(reply.header("transfer-encoding")) == "chunked";
    std::string event;
    std::string data;
    std::string pending;
    for (;;) {
        // A chunk may hold part of a line or many: lines are cut from what the chunks add up to.
        std::string text;
        if (chunked) {
            while (pending.find('\n') == std::string::npos) {
                const auto size_line = connection->line();
                if (!size_line) return {};
                std::size_t size = 0;
                std::from_chars(size_line->data(), size_line->data() + size_line->size(), size, 16);
                if (size == 0) return {};
                pending += FIELDWATCH_TRY(connection->exactly(size));
                FIELDWATCH_TRY(connection->line());
            }
            const auto end = pending.find('\n');
            text = pending.substr(0, end);
            pending.erase(0, end + 1);
            if (text.ends_with('\r')) text.pop_back();
        } else {
            auto line = connection->line();
            if (!line) return {};
            text = std::move(*line);
        }
        if (text.empty()) {
            if (!data.empty() && !on_event(event.empty() ? "message" : event, data)) return {};
            event.clear();
            data.clear();
        } else if (text.starts_with("event:")) {
            event = trimmed(std::string_view(text).substr(6));
        } else if (text.starts_with("data:")) {
            if (!data.empty()) data += '\n';
            data += trimmed(std::string_view(text).substr(5));
        }
    }
}

}  // namespace fieldwatch::net
