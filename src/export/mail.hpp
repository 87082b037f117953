// Findings as a mail (RFC 5322, MIME): a header that nobody else writes into, and plain text. Pure: the same
// findings give the same bytes, so that a mailbox knows a repeat by its Message-ID.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "export/destination.hpp"
#include "export/render.hpp"

namespace fieldwatch::exports {

/// One finding, or a digest of several, the most severe first.
std::string compose_mail(const MailRoute& route, std::span<const Finding> findings, const Teller& teller);

/// A text as the value of a header field: as it is when it is printable ASCII, else in encoded words (RFC
/// 2047) that are folded.
std::string mail_header_value(std::string_view text);

}  // namespace fieldwatch::exports
