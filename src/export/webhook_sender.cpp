// Webhooks: one POST a finding, signed, with an id that tells repeats.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "export/sender.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::size_t kReplyBytesMax = 64u << 10;
constexpr std::int64_t kRetryAfterMax = 3'600;

/// These say that the body is at fault, so that the same one would be refused for ever. All others may pass:
/// a receiver is mended, a key is put right.
bool is_final(int status) {
    constexpr std::array kFinal{400, 413, 415, 422};
    return std::ranges::find(kFinal, status) != kFinal.end();
}

/// RFC 9110 section 10.2.3, in seconds; a date is not read.
std::chrono::seconds retry_after(const net::HttpReply& reply) {
    for (const auto& [name, value] : reply.headers) {
        std::int64_t seconds = 0;
        if (name == "retry-after" &&
            std::from_chars(value.data(), value.data() + value.size(), seconds).ec == std::errc{})
            return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kRetryAfterMax));
    }
    return std::chrono::seconds(0);
}

class WebhookSender final : public Sender {
  public:
    WebhookSender(const Destination& destination, const SenderParts& parts)
        : destination_(destination), parts_(parts) {}

    Sent send(std::span<const Finding> findings) override {
        Sent out;
        for (const auto& finding : findings) {
            const auto reply = post(finding);
            if (!reply) {
                out.problem = reply.error();
                return out;
            }
            if (reply->status < 200 || reply->status > 299) {
                out.problem = Error{Errc::Unavailable, fmt::format("{} answered with status {}",
                                                                   destination_.host, reply->status)};
                out.retry_after = retry_after(*reply);
                if (!is_final(reply->status)) return out;
                ++out.refused;
                out.problem.reset();
            }
            ++out.done;
        }
        return out;
    }

  private:
    Result<net::HttpReply> post(const Finding& finding) {
        const auto body = render(destination_.format, finding, parts_.teller);
        const auto timestamp = std::to_string(parts_.clock.now().unix_seconds());
        net::HttpClientOptions options;
        options.url = {.tls = destination_.transport == Transport::Https,
                       .host = destination_.host,
                       .port = destination_.port,
                       .path = {}};
        options.ca_pem = destination_.ca_pem;
        options.headers = {{"User-Agent", "Fieldwatch/" + parts_.teller.version},
                           {"Idempotency-Key", finding.delivery_id},
                           {"X-Fieldwatch-Timestamp", timestamp},
                           {"X-Fieldwatch-Signature", signature_of(destination_.secret, timestamp, body)}};
        if (!destination_.authorization.empty())
            options.headers.emplace_back("Authorization", destination_.authorization);
        options.body_bytes_max = kReplyBytesMax;
        options.total = kAttempt;
        options.interrupt = &parts_.interrupt;
        return net::HttpClient(std::move(options)).request("POST", destination_.target, body);
    }

    const Destination& destination_;
    const SenderParts parts_;
};

}  // namespace

std::string signature_of(std::string_view secret, std::string_view timestamp, std::string_view body) {
    const auto said = fmt::format("{}.{}", timestamp, body);
    return "v1=" + hex(hmac_sha256(as_bytes(secret), as_bytes(said)));
}

std::unique_ptr<Sender> make_webhook_sender(const Destination& destination, const SenderParts& parts) {
    return std::make_unique<WebhookSender>(destination, parts);
}

}  // namespace fieldwatch::exports
