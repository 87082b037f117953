// Syslog over TCP and TLS with octet counting (RFC 6587 section 3.4.1, RFC 5425), and over UDP (RFC 5426).
#include <fmt/format.h>

#include "export/sender.hpp"

namespace fieldwatch::exports {

namespace {

class SyslogSender final : public Sender {
  public:
    SyslogSender(const Destination& destination, const SenderParts& parts)
        : destination_(destination), parts_(parts) {}

    Sent send(std::span<const Finding> findings) override {
        return destination_.transport == Transport::Udp ? send_datagrams(findings) : send_stream(findings);
    }

  private:
    std::string line_of(const Finding& finding) const {
        return destination_.format == Format::Cef ? render_syslog(finding, render_cef(finding, parts_.teller))
                                                  : render_syslog(finding, {});
    }

    /// Nobody confirms a datagram: what the kernel took is done.
    Sent send_datagrams(std::span<const Finding> findings) {
        Sent out;
        for (const auto& finding : findings) {
            const auto sent =
                net::send_datagram(destination_.host, destination_.port, as_bytes(line_of(finding)));
            if (!sent && sent.error().code != Errc::TooLarge) {
                out.problem = sent.error();
                return out;
            }
            out.refused += sent ? 0 : 1;
            ++out.done;
        }
        return out;
    }

    /// Syslog has no acknowledgement: a batch has its connection, and what was read is known by how that
    /// ends.
    Sent send_stream(std::span<const Finding> findings) {
        std::string frames;
        for (const auto& finding : findings) {
            const auto line = line_of(finding);
            frames += fmt::format("{} {}", line.size(), line);
        }
        if (auto left = deliver(frames); !left) return {.done = 0, .refused = 0, .problem = left.error()};
        return {.done = findings.size(), .refused = 0, .problem = {}};
    }

    Result<void> deliver(std::string_view frames) {
        const auto patience = net::Patience::of(kAttempt, &parts_.interrupt);
        auto stream =
            FIELDWATCH_TRY(net::OutboundStream::connect({.host = destination_.host,
                                                         .port = destination_.port,
                                                         .tls = destination_.transport == Transport::Tls,
                                                         .ca_file = {},
                                                         .ca_pem = destination_.ca_pem},
                                                        patience));
        FIELDWATCH_TRY(stream.write_all(as_bytes(frames), patience));
        const auto ended = stream.finish(patience);
        // A receiver that keeps half-open connections never answers; then its system having all of it must
        // do.
        if (!ended && ended.error().code == Errc::Timeout && stream.all_acknowledged()) return {};
        return ended;
    }

    const Destination& destination_;
    const SenderParts parts_;
};

}  // namespace

std::unique_ptr<Sender> make_syslog_sender(const Destination& destination, const SenderParts& parts) {
    return std::make_unique<SyslogSender>(destination, parts);
}

}  // namespace fieldwatch::exports
