#include "agent/update/download.hpp"

#include <poll.h>

#include <array>

namespace fieldwatch::agent {

namespace {

constexpr int kReadsPerTurn = 8;  // of 16 KiB: what devices do is seen meanwhile

}  // namespace

Result<Download> Download::start(const HttpsUrl& url, net::TlsClientOptions options, Wanted wanted) {
    options.host = url.host;
    options.port = url.port;
    options.server_name = url.host;
    auto tls = FIELDWATCH_TRY(net::TlsClient::start(options));
    auto request = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority +
                   "\r\nUser-Agent: fieldwatch-agent\r\nAccept-Encoding: identity\r\nConnection: close\r\n";
    if (wanted.begin > 0) request += "Range: bytes=" + std::to_string(wanted.begin) + "-\r\n";
    return Download(std::move(tls), wanted, request + "\r\n");
}

short Download::wanted_events() const {
    return static_cast<short>(tls_.wanted_events() | (is_established_ ? POLLIN : 0));
}

Result<bool> Download::advance(const Sink& sink) {
    has_more_ = false;
    if (!is_established_ && !FIELDWATCH_TRY(tls_.advance())) return false;
    is_established_ = true;
    while (!request_.empty()) {
        const auto taken = FIELDWATCH_TRY(tls_.write_some(as_bytes(request_)));
        if (taken == 0) return false;
        request_.erase(0, taken);
    }
    std::array<std::byte, 16 * 1'024> buffer;
    for (int reads = 0; reads < kReadsPerTurn; ++reads) {
        const auto got = FIELDWATCH_TRY(tls_.read_some(buffer));
        if (got == 0) return false;
        received_ += got;
        ByteView bytes = std::span(buffer).first(got);
        if (!in_body_) {
            head_.append(as_text(bytes));
            FIELDWATCH_TRY(take_head());
            if (!in_body_) continue;
            bytes = as_bytes(head_);
        }
        FIELDWATCH_TRY(take_body(bytes, sink));
        head_.clear();
        if (at_ == wanted_.bytes) return true;
    }
    has_more_ = true;
    return false;
}

/// Leaves in `head_` what came of the body with it.
Result<void> Download::take_head() {
    const auto head = FIELDWATCH_TRY(read_answer_head(head_));
    if (!head) return {};
    if (head->status != 200 && head->status != 206)
        return fail(Errc::Unavailable, "the update's server answers " + std::to_string(head->status));
    at_ = head->status == 206 ? head->begin : 0;
    if ((head->status == 206 && at_ != wanted_.begin) || head->length != wanted_.bytes - at_)
        return fail(Errc::Malformed,
                    "what the update's server has is not " + std::to_string(wanted_.bytes) + " bytes long");
    head_.erase(0, head->bytes);
    in_body_ = true;
    return {};
}

Result<void> Download::take_body(ByteView bytes, const Sink& sink) {
    if (bytes.size() > wanted_.bytes - at_)
        return fail(Errc::Malformed, "the update's server sends more than it said");
    if (bytes.empty()) return {};
    FIELDWATCH_TRY(sink(at_, bytes));
    at_ += bytes.size();
    return {};
}

}  // namespace fieldwatch::agent
