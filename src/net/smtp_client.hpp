// Mail handed to a server over SMTP (RFC 5321) through libcurl: TLS from the first byte or by STARTTLS (RFC
// 3207), verified, and whatever way of logging in both sides know (RFC 4954).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::net {

struct SmtpOptions {
    enum class Security : std::uint8_t {
        Implicit,  ///< TLS from the first byte (RFC 8314)
        StartTls,  ///< a server that does not offer it is told nothing
        None,      ///< for a server on this machine
    };
    std::string host;
    std::uint16_t port = 0;
    Security security = Security::StartTls;
    std::string ca_pem;          ///< whom to trust; "" = the system's authorities
    std::string user, password;  ///< "" = nobody asks
    std::chrono::milliseconds timeout{30'000};
};

struct Mail {
    std::string from;             ///< addresses without brackets
    std::vector<std::string> to;  ///< one that the server refuses holds up no other
    std::string text;             ///< RFC 5322: header, empty line, body; lines end with CRLF
};

/// A connection that is kept between mails, until hang_up(). One thread, but for interrupt().
class SmtpClient {
  public:
    /// Errors: Io.
    static Result<std::unique_ptr<SmtpClient>> create(SmtpOptions options);
    virtual ~SmtpClient() = default;

    /// The server answers for it when this returns; what it says of recipients that it refuses, "" = took
    /// all. Errors: InvalidArgument (it read the mail and will never take it), Unauthorized (certificate,
    /// login), Unavailable (anything else: it is tried again later), Cancelled.
    virtual Result<std::string> send(const Mail& mail) = 0;
    /// Ends the connection in good order; the next mail begins another.
    virtual void hang_up() = 0;
    /// Ends a call that is under way, for good. Any thread.
    virtual void interrupt() = 0;
};

/// Whether that is an address that SMTP takes in ASCII: local part of atoms, domain or address literal.
bool is_mail_address(std::string_view text);

}  // namespace fieldwatch::net
