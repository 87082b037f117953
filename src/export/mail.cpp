#include "export/mail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/bytes.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::size_t kTitleBytesMax = 120;
constexpr std::size_t kEncodedWordBytes = 45;  ///< 60 characters of base64; a word has 75 at most
constexpr std::size_t kBodyLine = 57;          ///< 76 characters of base64
constexpr std::string_view kRule = "\n----------------------------------------------------------------\n\n";
/// Names digests, which have no id of their own.
constexpr Uuid kDigests{
    {0x8b, 0x1f, 0x6a, 0x02, 0x55, 0x3d, 0x4e, 0x97, 0x90, 0x2c, 0x71, 0xe4, 0x3a, 0x0d, 0xb6, 0x18}};

/// What may stand in a Message-ID: a stranger's id without anything that ends one.
std::string id_token(std::string_view id) {
    std::string out(id.substr(0, 128));
    std::ranges::replace_if(
        out,
        [](char c) {
            return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-';
        },
        '-');
    return out;
}

/// RFC 5322 section 3.3, in UTC.
std::string mail_date(Timestamp time) {
    namespace chrono = std::chrono;
    constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const chrono::sys_seconds at{chrono::seconds(time.unix_seconds())};
    const auto day = chrono::floor<chrono::days>(at);
    const chrono::year_month_day date{day};
    const chrono::hh_mm_ss clock{at - day};
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[chrono::weekday(day).c_encoding()],
                       static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                       static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                       clock.seconds().count());
}

std::string subject_of(const Finding& finding) {
    std::string out = "[Fieldwatch] ";
    if (finding.kind == Kind::Recommendation) out += "Recommendation, ";
    if (finding.later) out += plain_line(finding.state, 32) + ", ";
    out += fmt::format("{}: {}", model::to_string(finding.severity),
                       plain_line(finding.title.empty() ? finding.type : finding.title, kTitleBytesMax));
    if (!finding.device.empty()) out += " at " + plain_line(finding.device, kTitleBytesMax);
    if (!finding.hub.empty()) out += fmt::format(" ({})", plain_line(finding.hub, 64));
    return out;
}

std::string subject_of(std::span<const Finding> findings) {
    if (findings.size() == 1) return subject_of(findings.front());
    const auto most = std::ranges::max(findings, {}, &Finding::severity).severity;
    const auto count = std::ranges::count(findings, most, &Finding::severity);
    return fmt::format("[Fieldwatch] {} findings, {} of them {}", findings.size(), count,
                       model::to_string(most));
}

std::string digest_id(std::span<const Finding> findings) {
    std::string all;
    for (const auto& finding : findings)
        all += finding.delivery_id + "\n";
    return Uuid::named(kDigests, all).text();
}

std::string body_of(std::span<const Finding> findings, const Teller& teller) {
    if (findings.size() == 1) return render_text(findings.front(), teller);
    std::vector<const Finding*> sorted;
    for (const auto& finding : findings)
        sorted.push_back(&finding);
    std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const auto* one) { return one->severity; });
    std::string out;
    for (const auto* const one : sorted)
        out += subject_of(*one).substr(std::string_view("[Fieldwatch] ").size()) + "\n";
    for (const auto* const one : sorted)
        out += std::string(kRule) + render_text(*one, teller);
    return out;
}

/// Base64 of lines that end with CRLF: nothing in it is a dot, a From or a line too long.
std::string encoded_body(std::string_view text) {
    std::string lines;
    for (const char c : text) {
        if (c == '\n') lines += '\r';
        lines += c;
    }
    std::string out;
    for (std::size_t at = 0; at < lines.size(); at += kBodyLine)
        out += base64(as_bytes(std::string_view(lines).substr(at, kBodyLine))) + "\r\n";
    return out;
}

}  // namespace

std::string mail_header_value(std::string_view text) {
    const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }) &&
                       text.find("=?") == std::string_view::npos && text.size() <= 4 * kTitleBytesMax;
    if (plain) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const auto word = shortened(text, kEncodedWordBytes);
        const auto bytes = word.empty() ? text.substr(0, kEncodedWordBytes) : word;  // no character at all
        out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64(as_bytes(bytes)));
        text.remove_prefix(bytes.size());
    }
    return out;
}

std::string compose_mail(const MailRoute& route, std::span<const Finding> findings, const Teller& teller) {
    const auto domain = route.from.substr(route.from.find('@') + 1);
    const auto newest = std::ranges::max(findings, {}, &Finding::decided).decided;
    const bool digest = findings.size() > 1;
    std::string out;
    const auto field = [&](std::string_view name, std::string_view value) {
        out += fmt::format("{}: {}\r\n", name, value);
    };
    field("Date", mail_date(newest));
    field("From", fmt::format("Fieldwatch <{}>", route.from));
    field("To", fmt::format("{}", fmt::join(route.recipients, ",\r\n ")));
    field("Subject", mail_header_value(subject_of(findings)));
    field("Message-ID",
          fmt::format("<{}@{}>", digest ? digest_id(findings) : id_token(findings.front().delivery_id),
                      domain));
    // What belongs to one incident, or is a later state of one alert, lies together in a mailbox.
    if (const auto& one = findings.front(); !digest && (!one.incident.empty() || one.later))
        field("References",
              fmt::format("<{}@{}>", id_token(one.incident.empty() ? one.id : one.incident), domain));
    field("Auto-Submitted", "auto-generated");  // RFC 3834: nobody's absence is answered to us
    field("MIME-Version", "1.0");
    field("Content-Type", "text/plain; charset=utf-8");
    field("Content-Transfer-Encoding", "base64");
    return out + "\r\n" + encoded_body(body_of(findings, teller));
}

}  // namespace fieldwatch::exports
