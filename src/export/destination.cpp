#include "export/destination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "model/ids.hpp"
#include "net/http_client.hpp"
#include "net/smtp_client.hpp"

namespace fieldwatch::exports {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;  ///< of the registry's document, its member "v"
constexpr std::size_t kAddressBytesMax = 2'048;
constexpr std::size_t kSecretBytesMax = 4'096;
constexpr std::size_t kCaBytesMax = 64u << 10;
constexpr std::size_t kHubsMax = 64;
constexpr std::uint32_t kDigestMinutesMax = 24 * 60;
constexpr std::array<std::string_view, 19> kMembers{
    "to",       "format", "minimumSeverity", "findings",      "hubs",
    "keepDays", "ca",     "secret",          "authorization", "name",
    "v",        "states", "group",           "quietHours",    "user",
    "password", "from",   "recipients",      "digestMinutes"};

struct Scheme {
    std::string_view begins;
    Transport transport;
    std::uint16_t port;  ///< where none is given
};
/// RFC 6587 names no port for TCP, 601 is IANA's; 514 and 6514: RFC 5426, RFC 5425; 465 and 587: RFC 8314.
constexpr std::array kSchemes{
    Scheme{"https://", Transport::Https, 443}, Scheme{"http://", Transport::Http, 80},
    Scheme{"tcp://", Transport::Tcp, 601},     Scheme{"tls://", Transport::Tls, 6514},
    Scheme{"udp://", Transport::Udp, 514},     Scheme{"smtps://", Transport::Smtps, 465},
    Scheme{"smtp://", Transport::Smtp, 587},   Scheme{"smtp+plain://", Transport::SmtpPlain, 25}};
constexpr std::array<std::string_view, 4> kBusSchemes{"kafka://", "kafkas://", "nats://", "natss://"};

constexpr std::array kFormats{
    std::pair{Format::Json, std::string_view{"json"}}, std::pair{Format::Ocsf, std::string_view{"ocsf"}},
    std::pair{Format::Stix, std::string_view{"stix"}}, std::pair{Format::Syslog, std::string_view{"syslog"}},
    std::pair{Format::Cef, std::string_view{"cef"}},   std::pair{Format::Text, std::string_view{"text"}}};

bool is_visible_ascii(std::string_view text, bool blanks) {
    return std::ranges::all_of(text, [&](char c) { return (c > ' ' && c <= '~') || (blanks && c == ' '); });
}

Result<void> check_name(std::string_view name) {
    const bool fits = !name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
                      std::ranges::all_of(name, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                      });
    if (fits) return {};
    return fail(Errc::InvalidArgument,
                fmt::format("a destination's name is 1 to {} small letters, digits and "
                            "dashes",
                            kNameBytesMax));
}

Result<std::string> member_text(const Json& object, const char* name, std::size_t bytes_max) {
    const auto found = object.find(name);
    if (found == object.end()) return std::string();
    if (!found->is_string()) return fail(Errc::InvalidArgument, fmt::format("\"{}\" must be a text", name));
    auto out = found->get<std::string>();
    if (out.size() > bytes_max)
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" has at most {} bytes", name, bytes_max));
    return out;
}

Result<void> read_address(Destination& out) {
    const auto wrong = [&] {
        return fail(Errc::InvalidArgument,
                    fmt::format("\"to\" must be one of https://host/path, tcp://host:port, tls://host:port, "
                                "udp://host:port, kafka://host:port/topic, nats://host:port/subject, "
                                "smtp://host:port, smtps://host:port, file; it is \"{}\"",
                                out.to));
    };
    if (out.to == "file") {
        out.transport = Transport::File;
        return {};
    }
    if (!is_visible_ascii(out.to, false) || out.to.find_first_of("#@") != std::string::npos) return wrong();
    if (std::ranges::any_of(kBusSchemes, [&](auto scheme) { return out.to.starts_with(scheme); })) {
        out.transport = Transport::Bus;
        out.stream = FIELDWATCH_TRY(bus::parse_address(out.to));
        return {};
    }
    const auto* const scheme =
        std::ranges::find_if(kSchemes, [&](const Scheme& one) { return out.to.starts_with(one.begins); });
    if (scheme == kSchemes.end()) return wrong();
    out.transport = scheme->transport;
    const auto rest = std::string_view(out.to).substr(scheme->begins.size());
    const auto path = rest.find_first_of("/?");
    const auto authority = rest.substr(0, path);
    const bool has_port =
        authority.rfind(':') != std::string_view::npos &&
        (authority.rfind(']') == std::string_view::npos || authority.rfind(':') > authority.rfind(']'));
    const auto url = net::parse_url(
        fmt::format("http://{}{}", authority, has_port ? std::string() : fmt::format(":{}", scheme->port)));
    if (!url || url->port == 0) return wrong();
    out.host = url->host;
    out.port = url->port;
    if (!out.is_webhook()) return path == std::string_view::npos ? Result<void>() : Result<void>(wrong());
    if (path != std::string_view::npos) out.target = rest.substr(path);
    if (!out.target.starts_with('/')) return wrong();
    return {};
}

bool is_on_this_machine(const std::string& host) {
    const auto address = parse_ip(host);
    return host == "localhost" || (address && address->is_loopback());
}

Result<void> check_plain(const Destination& destination) {
    if (destination.transport == Transport::Http && !is_on_this_machine(destination.host))
        return fail(Errc::InvalidArgument, "plain http is for receivers on this machine; use https");
    if (destination.transport == Transport::SmtpPlain && !is_on_this_machine(destination.host))
        return fail(Errc::InvalidArgument,
                    "smtp+plain is for a mail server on this machine; use smtp (STARTTLS) or smtps");
    return {};
}

bool fits(Format format, const Destination& destination) {
    if (destination.is_mail() || format == Format::Text)
        return destination.is_mail() && format == Format::Text;
    if (destination.is_syslog()) return format == Format::Syslog || format == Format::Cef;
    return format != Format::Syslog && (format != Format::Cef || destination.transport == Transport::File);
}

Result<void> read_format(const Json& object, Destination& out) {
    out.format = out.is_syslog() ? Format::Syslog : out.is_mail() ? Format::Text : Format::Json;
    const auto name = FIELDWATCH_TRY(member_text(object, "format", 16));
    if (name.empty()) return {};
    const auto* const found = std::ranges::find(kFormats, name, [](const auto& one) { return one.second; });
    if (found == kFormats.end() || !fits(found->first, out)) {
        std::string allowed;
        for (const auto& [format, spelled] : kFormats) {
            if (fits(format, out)) allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", spelled);
        }
        return fail(
            Errc::InvalidArgument,
            fmt::format("\"format\" must be one of {} for \"{}\"; it is \"{}\"", allowed, out.to, name));
    }
    out.format = found->first;
    return {};
}

struct Word {
    const char* name;
    std::string_view usual, other;
    bool* into;
};

Result<void> read_filter(const Json& object, Destination& out) {
    out.by_incident = out.is_mail();  // people read a mail an incident
    if (const auto name = FIELDWATCH_TRY(member_text(object, "minimumSeverity", 32)); !name.empty()) {
        const auto severity = model::severity_from(name);
        if (!severity)
            return fail(Errc::InvalidArgument,
                        "\"minimumSeverity\" must be one of Informational, Low, Medium, High");
        out.minimum = *severity;
    }
    if (const auto found = object.find("findings"); found != object.end()) {
        out.alerts = out.recommendations = false;
        for (const auto& one : found->is_array() ? *found : Json::array()) {
            if (one == "alerts") {
                out.alerts = true;
            } else if (one == "recommendations") {
                out.recommendations = true;
            } else {
                out.alerts = out.recommendations = false;
                break;
            }
        }
        if (!out.alerts && !out.recommendations)
            return fail(Errc::InvalidArgument, R"("findings" must hold "alerts", "recommendations" or both)");
    }
    for (const auto& [name, usual, other, into] : {Word{"states", "new", "all", &out.later_states},
                                                   Word{"group", "none", "incident", &out.by_incident}}) {
        const auto word = FIELDWATCH_TRY(member_text(object, name, 16));
        if (!word.empty() && word != usual && word != other)
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" must be one of {}, {}; it is \"{}\"", name, usual, other, word));
        if (!word.empty()) *into = word == other;
    }
    if (const auto hours = FIELDWATCH_TRY(member_text(object, "quietHours", 64)); !hours.empty())
        out.quiet = FIELDWATCH_TRY(QuietHours::parse(hours));
    if (const auto found = object.find("hubs"); found != object.end()) {
        if (!found->is_array() || found->size() > kHubsMax)
            return fail(Errc::InvalidArgument,
                        fmt::format("\"hubs\" must be an array of at most {} names", kHubsMax));
        for (const auto& one : *found) {
            if (!one.is_string()) return fail(Errc::InvalidArgument, "\"hubs\" must hold names");
            out.hubs.push_back(FIELDWATCH_TRY(model::parse_hub_name(one.get<std::string>())).value);
        }
    }
    if (const auto found = object.find("keepDays"); found != object.end()) {
        if (!found->is_number_integer() || *found < 1 || *found > 30)
            return fail(Errc::InvalidArgument, "\"keepDays\" must lie between 1 and 30");
        out.keep_days = found->get<std::uint32_t>();
    }
    return {};
}

Result<void> read_trust(const Json& object, Destination& out) {
    out.ca_pem = FIELDWATCH_TRY(member_text(object, "ca", kCaBytesMax));
    out.secret = FIELDWATCH_TRY(member_text(object, "secret", kSecretBytesMax));
    out.authorization = FIELDWATCH_TRY(member_text(object, "authorization", kSecretBytesMax));
    if (!out.ca_pem.empty() && !out.is_encrypted())
        return fail(Errc::InvalidArgument,
                    "\"ca\" goes with https://, tls://, smtp://, smtps://, kafkas:// and natss://");
    if (!out.ca_pem.empty() && out.ca_pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
        return fail(Errc::InvalidArgument, "\"ca\" must be the PEM text of certificates");
    if ((!out.secret.empty() || !out.authorization.empty()) && !out.is_webhook())
        return fail(Errc::InvalidArgument, "\"secret\" and \"authorization\" go with https://");
    if (!is_visible_ascii(out.authorization, true))
        return fail(Errc::InvalidArgument, "\"authorization\" must be one line of ASCII");
    out.user = FIELDWATCH_TRY(member_text(object, "user", kSecretBytesMax));
    out.password = FIELDWATCH_TRY(member_text(object, "password", kSecretBytesMax));
    if ((!out.user.empty() || !out.password.empty()) && !out.logs_in())
        return fail(Errc::InvalidArgument, "\"user\" and \"password\" go with kafka://, nats:// and smtp://");
    if (out.user.empty() && !out.password.empty())
        return fail(Errc::InvalidArgument, "\"password\" goes with a \"user\"");
    for (const auto& text : {out.user, out.password}) {
        if (text.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
            return fail(Errc::InvalidArgument, "\"user\" and \"password\" are one line each");
    }
    return {};
}

Result<void> read_mail(const Json& object, Destination& out) {
    const bool says_any =
        object.contains("from") || object.contains("recipients") || object.contains("digestMinutes");
    if (!out.is_mail()) {
        if (!says_any) return {};
        return fail(Errc::InvalidArgument,
                    "\"from\", \"recipients\" and \"digestMinutes\" go with smtp:// and smtps://");
    }
    const auto check = [](const std::string& address) -> Result<void> {
        if (net::is_mail_address(address)) return {};
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" is no mail address", address.substr(0, 254)));
    };
    out.mail.from = FIELDWATCH_TRY(member_text(object, "from", 254));
    FIELDWATCH_TRY(check(out.mail.from));
    const auto recipients = object.find("recipients");
    if (recipients == object.end() || !recipients->is_array() || recipients->empty() ||
        recipients->size() > kRecipientsMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"recipients\" must be an array of 1 to {} mail addresses", kRecipientsMax));
    for (const auto& one : *recipients) {
        if (!one.is_string()) return fail(Errc::InvalidArgument, "\"recipients\" must hold mail addresses");
        out.mail.recipients.push_back(one.get<std::string>());
        FIELDWATCH_TRY(check(out.mail.recipients.back()));
    }
    if (const auto found = object.find("digestMinutes"); found != object.end()) {
        if (!found->is_number_integer() || *found < 0 || *found > kDigestMinutesMax)
            return fail(Errc::InvalidArgument,
                        fmt::format("\"digestMinutes\" must lie between 0 and {}", kDigestMinutesMax));
        out.mail.digest_minutes = found->get<std::uint32_t>();
    }
    return {};
}

}  // namespace

std::string_view to_string(Format format) {
    return std::ranges::find(kFormats, format, [](const auto& one) { return one.first; })->second;
}

bool Destination::is_encrypted() const {
    using enum Transport;
    return transport == Https || transport == Tls || transport == Smtps || transport == Smtp ||
           (transport == Bus && stream.tls);
}

bool Destination::same_receiver(const Destination& other) const {
    return transport == other.transport && host == other.host && port == other.port && user == other.user &&
           stream.kind == other.stream.kind && stream.tls == other.stream.tls &&
           stream.servers == other.stream.servers;
}

bool Destination::wants(const Finding& finding) const {
    if (!(finding.kind == Kind::Alert ? alerts : recommendations)) return false;
    if (finding.severity < minimum) return false;
    return hubs.empty() || std::ranges::find(hubs, finding.hub) != hubs.end();
}

Result<Destination> read_destination(std::string_view name, std::string_view json) {
    FIELDWATCH_TRY(check_name(name));
    const auto object = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Errc::InvalidArgument, "a destination is a JSON object");
    for (const auto& [member, value] : object.items()) {
        if (std::ranges::find(kMembers, member) == kMembers.end())
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" is not a member of a destination", member));
    }
    if (object.value("v", Json(kVersion)) != kVersion)
        return fail(Errc::Unsupported, fmt::format("the destination {} is of another version", name));
    Destination out;
    out.name = name;
    out.to = FIELDWATCH_TRY(member_text(object, "to", kAddressBytesMax));
    FIELDWATCH_TRY(read_address(out));
    FIELDWATCH_TRY(check_plain(out));
    FIELDWATCH_TRY(read_format(object, out));
    FIELDWATCH_TRY(read_filter(object, out));
    FIELDWATCH_TRY(read_trust(object, out));
    FIELDWATCH_TRY(read_mail(object, out));
    return out;
}

std::string to_json(const Destination& destination, Secrets secrets) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    if (secrets == Secrets::Hidden) json.member("name", destination.name);
    if (secrets == Secrets::Shown) json.member("v", std::int64_t{kVersion});
    json.member("to", destination.to)
        .member("format", to_string(destination.format))
        .member("minimumSeverity", model::to_string(destination.minimum));
    json.key("findings").begin_array();
    if (destination.alerts) json.string("alerts");
    if (destination.recommendations) json.string("recommendations");
    json.end_array().key("hubs").begin_array();
    for (const auto& hub : destination.hubs)
        json.string(hub);
    json.end_array()
        .member("states", destination.later_states ? "all" : "new")
        .member("group", destination.by_incident ? "incident" : "none")
        .member("quietHours", destination.quiet ? destination.quiet->text() : std::string())
        .member("keepDays", std::int64_t{destination.keep_days});
    json.member_if("ca", destination.ca_pem).member_if("user", destination.user);
    if (destination.is_mail()) {
        json.member("from", destination.mail.from).key("recipients").begin_array();
        for (const auto& one : destination.mail.recipients)
            json.string(one);
        json.end_array().member("digestMinutes", std::int64_t{destination.mail.digest_minutes});
    }
    if (secrets == Secrets::Shown) {
        json.member_if("secret", destination.secret)
            .member_if("authorization", destination.authorization)
            .member_if("password", destination.password);
    } else {
        json.key("signed").boolean(!destination.secret.empty());
        json.key("authorized").boolean(!destination.authorization.empty() || !destination.password.empty());
    }
    json.end_object();
    return out;
}

}  // namespace fieldwatch::exports
