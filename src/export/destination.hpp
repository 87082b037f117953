// Where findings go, and which of them: what an administrator decides about one receiver.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "export/finding.hpp"
#include "export/quiet_hours.hpp"

namespace fieldwatch::exports {

enum class Transport : std::uint8_t { Https, Http, Tcp, Tls, Udp, File, Bus, Smtps, Smtp, SmtpPlain };
enum class Format : std::uint8_t { Json, Ocsf, Stix, Syslog, Cef, Text };
std::string_view to_string(Format format);

inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kRecipientsMax = 32;

/// Of a destination that is a mailbox.
struct MailRoute {
    std::string from;
    std::vector<std::string> recipients;
    std::uint32_t digest_minutes = 0;  ///< at most one mail in so many; 0 = one a finding, at once
};

struct Destination {
    std::string name;
    std::string
        to;  ///< as given: https://host/path, tcp://host:port, tls://…, udp://…, kafka://…, smtp://…, file
    Transport transport = Transport::File;
    std::string host;
    std::uint16_t port = 0;
    std::string target = "/";  ///< of HTTP: path and query
    Format format = Format::Json;
    model::Severity minimum = model::Severity::Informational;
    bool alerts = true, recommendations = true;
    bool later_states = false;  ///< also when an alert is in progress, resolved, dismissed
    bool by_incident =
        false;  ///< of an incident its first alert, and those more severe than what left before
    std::optional<QuietHours> quiet;  ///< nothing leaves in them; it waits
    std::vector<std::string> hubs;    ///< empty = all
    std::uint32_t keep_days = 7;      ///< what waits longer is dropped
    std::string ca_pem;               ///< whom to trust over TLS; "" = the system's authorities
    std::string secret;               ///< webhooks: key of the signature. Never in an answer
    std::string authorization;        ///< webhooks: the whole header, "" = none. Never in an answer
    bus::Address stream;              ///< Kafka and NATS
    MailRoute mail;
    std::string user, password;  ///< streams and mail, "" = nobody asks. The latter never in an answer

    bool is_webhook() const { return transport == Transport::Https || transport == Transport::Http; }
    bool is_mail() const {
        return transport == Transport::Smtps || transport == Transport::Smtp ||
               transport == Transport::SmtpPlain;
    }
    bool is_syslog() const {
        return transport == Transport::Tcp || transport == Transport::Tls || transport == Transport::Udp;
    }
    bool logs_in() const { return transport == Transport::Bus || is_mail(); }
    bool is_encrypted() const;  ///< and the receiver's certificate is verified
    /// Whether what proves us to one may go to the other.
    bool same_receiver(const Destination& other) const;
    bool wants(const Finding& finding) const;
};

/// Reads a destination as a person or the registry wrote it: docs/exports.md. Errors: InvalidArgument, naming
/// the member and what is allowed.
Result<Destination> read_destination(std::string_view name, std::string_view json);

enum class Secrets : std::uint8_t { Hidden, Shown };
/// Hidden: "signed" and "authorized" say whether there are any.
std::string to_json(const Destination& destination, Secrets secrets);

}  // namespace fieldwatch::exports
