// Lines: RFC 5424 and the Common Event Format (ArcSight's implementation standard, version 0).
#include <fmt/format.h>

#include <algorithm>

#include "export/render.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::size_t kValueBytesMax = 1'024;  ///< 12 values stay within the 8 KiB that receivers must take
constexpr int kFacility = 16;                  ///< local0
/// Reserved for documentation (RFC 5612): we have no number of our own, and names without one are IANA's.
constexpr std::string_view kDataId = "fieldwatch@32473";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// RFC 5424 section 6.2.1.
int syslog_severity(model::Severity severity) {
    switch (severity) {
        case model::Severity::High:
            return 2;
        case model::Severity::Medium:
            return 4;
        case model::Severity::Low:
            return 5;
        case model::Severity::Informational:
            return 6;
    }
    std::unreachable();
}

/// A header field: printable ASCII without blanks; "-" for nothing.
std::string header_field(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (const char c : text.substr(0, bytes_max))
        out += c > ' ' && c <= '~' ? c : '_';
    return out.empty() ? "-" : out;
}

/// Section 6.3.3: quotes, backslashes and brackets are escaped. Control characters become blanks: receivers
/// write lines.
std::string parameter(std::string_view name, std::string_view value) {
    if (value.empty()) return {};
    std::string out = fmt::format(" {}=\"", name);
    for (const char c : shortened(value, kValueBytesMax)) {
        if (c == '"' || c == '\\' || c == ']') out += '\\';
        out += is_control(c) ? ' ' : c;
    }
    return out + '"';
}

std::string one_line(std::string_view text) {
    std::string out(shortened(text, kValueBytesMax));
    std::ranges::replace_if(out, is_control, ' ');
    return out;
}

std::string joined(const std::vector<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, ","));
}

std::string first_of(const Finding& finding, Observable::What what) {
    const auto found = std::ranges::find(finding.observables, what, &Observable::what);
    return found == finding.observables.end() ? std::string() : found->value;
}

/// A value in CEF's header: pipes and backslashes are escaped, and there is no way to write a line end.
std::string cef_header(std::string_view text) {
    std::string out;
    for (const char c : shortened(text, 512)) {
        if (c == '|' || c == '\\') out += '\\';
        out += is_control(c) ? ' ' : c;
    }
    return out;
}

/// A value of CEF's extension: equal signs and backslashes are escaped, line ends written as \n and \r.
std::string cef_member(std::string_view key, std::string_view value,
                       std::size_t bytes_max = kValueBytesMax - 1) {
    if (value.empty()) return {};
    std::string out = fmt::format("{}=", key);
    for (const char c : shortened(value, bytes_max)) {
        if (c == '\n' || c == '\r') {
            out += c == '\n' ? "\\n" : "\\r";
            continue;
        }
        if (c == '=' || c == '\\') out += '\\';
        out += is_control(c) ? ' ' : c;
    }
    return out + ' ';
}

std::string cef_custom(int number, std::string_view label, std::string_view value) {
    if (value.empty()) return {};
    return cef_member(fmt::format("cs{}Label", number), label) +
           cef_member(fmt::format("cs{}", number), value);
}

int cef_severity(model::Severity severity) {
    return 2 + 2 * static_cast<int>(severity) + (severity == model::Severity::High ? 1 : 0);  // 2, 4, 6, 9
}

}  // namespace

std::string render_syslog(const Finding& finding, std::string_view message) {
    std::string data;
    if (message.empty()) {
        data = fmt::format(
            "[{}{}{}{}{}{}{}{}{}{}{}{}]", kDataId, parameter("id", finding.id),
            parameter("delivery", finding.delivery_id), parameter("type", finding.type),
            parameter("severity", model::to_string(finding.severity)), parameter("state", finding.state),
            parameter("hub", finding.hub), parameter("device", finding.device),
            parameter("start", to_iso8601(finding.first, 3)), parameter("tactics", finding.tactics),
            parameter("techniques", joined(finding.techniques)),
            parameter("command", first_of(finding, Observable::What::CommandLine)));
    }
    auto said = std::string(message);
    if (said.empty()) {
        said = one_line(finding.device.empty() ? finding.title : finding.device + ": " + finding.title);
        if (!finding.description.empty()) said += " - " + one_line(finding.description);
    }
    return fmt::format("<{}>1 {} {} fieldwatch - {} {} {}", kFacility * 8 + syslog_severity(finding.severity),
                       to_iso8601(finding.decided, 6), header_field(finding.hub, 255),
                       finding.kind == Kind::Alert ? "alert" : "recommendation", data.empty() ? "-" : data,
                       said);
}

std::string render_cef(const Finding& finding, const Teller& teller) {
    auto out =
        fmt::format("CEF:0|Fieldwatch|Fieldwatch|{}|{}|{}|{}|", cef_header(teller.version),
                    cef_header(finding.type), cef_header(finding.title), cef_severity(finding.severity));
    out += cef_member("externalId", finding.delivery_id);
    out += cef_member("cat", finding.kind == Kind::Alert ? "alert" : "recommendation");
    out += cef_member("outcome", finding.state);
    out += cef_member("rt", std::to_string(finding.decided.unix_millis()));
    out += cef_member("start", std::to_string(finding.first.unix_millis()));
    out += cef_member("end", std::to_string(finding.last.unix_millis()));
    out += cef_member("cnt", std::to_string(finding.hits));
    out += cef_member("dvchost", finding.device, 100);
    out += cef_member("deviceExternalId", finding.device, 255);
    out += cef_member("suser", first_of(finding, Observable::What::UserName));
    out += cef_member("filePath", first_of(finding, Observable::What::FilePath));
    out += cef_member("request", first_of(finding, Observable::What::Url));
    out += cef_member("msg", finding.description);
    out += cef_custom(1, "Hub", finding.hub);
    out += cef_custom(2, "Tactics", finding.tactics);
    out += cef_custom(3, "Techniques", joined(finding.techniques));
    out += cef_custom(4, "CommandLine", first_of(finding, Observable::What::CommandLine));
    out += cef_custom(5, "RemoteAddress", first_of(finding, Observable::What::IpAddress));
    out += cef_custom(6, "Link", link_to(finding, teller));
    out.pop_back();  // the blank behind the last member
    return out;
}

}  // namespace fieldwatch::exports
