// Shared access signatures: parse, verify, make. Source: spec/iot-hub-protocols.md section 2.3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::sas {

/// `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`, pairs in any order.
struct Token {
    std::string raw_resource;  ///< `sr` as sent: the signature is over this very text (trap 1)
    std::string raw_expiry;    ///< `se` as sent
    std::string signature;     ///< decoded: base64 of the HMAC
    std::string policy;        ///< decoded `skn`; "" = a device's or module's own key
    std::string resource;      ///< decoded `sr`
    Timestamp expiry;
};

inline constexpr std::size_t kTokenBytesMax =
    8'192;  ///< two ids of 128 bytes, percent-encoded, and a long host

/// Errors: Malformed, TooLarge.
Result<Token> parse_token(std::string_view text);

/// HMAC-SHA256 over `sr \n se` with the decoded base64 key; constant-time comparison. False also for a key
/// that is not base64.
bool verify(const Token& token, std::string_view key_base64);

struct TokenRequest {
    std::string_view resource;  ///< not encoded: `{host}/devices/{d}[/modules/{m}]`, or `{host}`
    std::string_view key_base64;
    Timestamp expiry;
    std::string_view policy;  ///< "" for a device's own key
};
/// Errors: InvalidArgument when the key is not base64.
Result<std::string> make_token(const TokenRequest& request);

/// What a decoded `sr` names; views into it.
struct Resource {
    std::string_view host;            ///< without port
    std::string_view device, module;  ///< "" when the scope is wider
};
/// Errors: Malformed (no host, or a path that is none of the three forms). A trailing slash is dropped.
Result<Resource> parse_resource(std::string_view resource);

/// The host without an optional `:port`.
std::string_view without_port(std::string_view host);
/// The port behind a host, 0 when there is none (or none that a port can be).
std::uint16_t port_of(std::string_view host);
/// Host names compare without case.
bool same_host(std::string_view left, std::string_view right);

/// Whether a token of scope `scope` opens device `device`, module `module` ("" = the device itself). A
/// device's token does not open its modules, nor the other way round.
bool covers(const Resource& scope, std::string_view device, std::string_view module);

}  // namespace fieldwatch::sas
