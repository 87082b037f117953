#include "protocol/defender/report.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "protocol/defender/cbor.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::defender {

namespace {

using json::Type;
using json::Value;

constexpr std::size_t kJsonBytesMax = 8 * kReportBytesMax;  // CBOR as text: a control character takes six
constexpr std::size_t kTextBytesMax = 1'024;
constexpr std::size_t kInterfaceBytesMax = 64;
constexpr std::size_t kNameMax = 128;

std::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::Malformed, "Malformed metrics report: " + std::string(what));
}

/// The member under either of its spellings; null when it is absent or null. Errors: both are there.
Result<const Value*> member(const Value& object, std::string_view name, std::string_view brief) {
    const auto* const spelled = object.find(name);
    const auto* const abbreviated = brief.empty() ? nullptr : object.find(brief);
    if (spelled != nullptr && abbreviated != nullptr)
        return malformed(std::string(name) + " occurs under both of its names");
    const auto* const found = spelled != nullptr ? spelled : abbreviated;
    return found == nullptr || found->is(Type::Null) ? nullptr : found;
}

Result<const Value*> typed(const Value& object, std::string_view name, std::string_view brief, Type type) {
    const auto* const found = FIELDWATCH_TRY(member(object, name, brief));
    if (found != nullptr && !found->is(type))
        return malformed(std::string(name) + " is not " + std::string(json::to_string(type)));
    return found;
}

/// Agents pass numbers through a double: 5.0 and 1e3 are integers too.
std::optional<std::int64_t> integer_of(const Value& value) {
    if (value.is(Type::Integer)) return value.integer;
    constexpr double kMax = 9'007'199'254'740'992;  // beyond it a double does not count any more
    if (!value.is(Type::Real) || value.real != std::floor(value.real) || std::abs(value.real) > kMax)
        return std::nullopt;
    return static_cast<std::int64_t>(value.real);
}

Result<std::optional<std::int64_t>> count(const Value& object, std::string_view name, std::string_view brief,
                                          std::int64_t low = 0, std::int64_t high = INT64_MAX) {
    const auto* const found = FIELDWATCH_TRY(member(object, name, brief));
    if (found == nullptr) return std::optional<std::int64_t>();
    const auto value = integer_of(*found);
    if (!value || *value < low || *value > high)
        return malformed(std::string(name) + " is not a number that it can be");
    return value;
}

Result<std::string> text(const Value& object, std::string_view name, std::string_view brief,
                         std::size_t bytes_max) {
    const auto* const found = FIELDWATCH_TRY(typed(object, name, brief, Type::String));
    if (found == nullptr) return std::string();
    if (found->text.size() > bytes_max) return malformed(std::string(name) + " is too long");
    return std::string(found->text);
}

Result<std::span<const Value>> list(const Value& object, std::string_view name, std::string_view brief) {
    const auto* const found = FIELDWATCH_TRY(typed(object, name, brief, Type::Array));
    if (found == nullptr) return std::span<const Value>();
    if (found->elements.size() > kListMax)
        return fail(Errc::TooLarge, "a metrics report with more than 1000 " + std::string(name));
    return found->elements;
}

Result<std::optional<ListeningPorts>> read_ports(const Value& metrics, std::string_view name,
                                                 std::string_view brief) {
    const auto* const block = FIELDWATCH_TRY(typed(metrics, name, brief, Type::Object));
    if (block == nullptr) return std::optional<ListeningPorts>();
    ListeningPorts out;
    out.total = FIELDWATCH_TRY(count(*block, "total", "t"));
    for (const auto& one : FIELDWATCH_TRY(list(*block, "ports", "pts"))) {
        if (!one.is(Type::Object)) return malformed("a port that is no object");
        const auto port = FIELDWATCH_TRY(count(one, "port", "pt", 1, 65'535));
        if (!port) return malformed("a port without its number");
        out.ports.push_back({.port = static_cast<std::uint16_t>(*port),
                             .interface = FIELDWATCH_TRY(text(one, "interface", "if", kInterfaceBytesMax))});
    }
    return std::optional(std::move(out));
}

/// `ip:port`; an IPv6 address in brackets, or bare: then the last colon is the port's.
Result<void> read_remote(std::string_view said, Connection& out) {
    const auto colon = said.rfind(':');
    if (colon == std::string_view::npos) return malformed("remote_addr is no address with a port");
    auto address = said.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    const auto port = said.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.remote_port);
    const auto ip = parse_ip(address);
    if (!ip || error != std::errc{} || end != port.data() + port.size())
        return malformed("remote_addr is no address with a port");
    out.remote_address = ip->text();
    return {};
}

Result<std::optional<Connections>> read_connections(const Value& metrics) {
    const auto* const tcp = FIELDWATCH_TRY(typed(metrics, "tcp_connections", "tc", Type::Object));
    if (tcp == nullptr) return std::optional<Connections>();
    const auto* const block = FIELDWATCH_TRY(typed(*tcp, "established_connections", "ec", Type::Object));
    if (block == nullptr) return std::optional<Connections>();
    Connections out;
    out.total = FIELDWATCH_TRY(count(*block, "total", "t"));
    for (const auto& one : FIELDWATCH_TRY(list(*block, "connections", "cs"))) {
        if (!one.is(Type::Object)) return malformed("a connection that is no object");
        Connection connection;
        const auto* const remote = FIELDWATCH_TRY(typed(one, "remote_addr", "rad", Type::String));
        if (remote == nullptr) return malformed("a connection without remote_addr");
        FIELDWATCH_TRY(read_remote(remote->text, connection));
        if (const auto port = FIELDWATCH_TRY(count(one, "local_port", "lp", 0, 65'535)))
            connection.local_port = static_cast<std::uint16_t>(*port);
        connection.local_interface = FIELDWATCH_TRY(text(one, "local_interface", "li", kInterfaceBytesMax));
        out.list.push_back(std::move(connection));
    }
    return std::optional(std::move(out));
}

Result<void> read_metrics(const Value& metrics, Report& out) {
    out.tcp_ports = FIELDWATCH_TRY(read_ports(metrics, "listening_tcp_ports", "tp"));
    out.udp_ports = FIELDWATCH_TRY(read_ports(metrics, "listening_udp_ports", "up"));
    out.established = FIELDWATCH_TRY(read_connections(metrics));
    const auto* const network = FIELDWATCH_TRY(typed(metrics, "network_stats", "ns", Type::Object));
    if (network == nullptr) return {};
    out.bytes_in = FIELDWATCH_TRY(count(*network, "bytes_in", "bi"));
    out.bytes_out = FIELDWATCH_TRY(count(*network, "bytes_out", "bo"));
    out.packets_in = FIELDWATCH_TRY(count(*network, "packets_in", "pi"));
    out.packets_out = FIELDWATCH_TRY(count(*network, "packets_out", "po"));
    return {};
}

bool is_metric_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameMax && !name.starts_with("aws:") &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == ':' || c == '_' || c == '-';
           });
}

std::optional<double> number_of(const Value& value) {
    if (value.is(Type::Integer)) return static_cast<double>(value.integer);
    return value.is(Type::Real) ? std::optional(value.real) : std::nullopt;
}

Result<CustomMetric> read_custom(std::string_view name, const Value& value) {
    // A bare object in the place of an array of one is refused by the public service too.
    if (!is_metric_name(name) || !value.is(Type::Array) || value.elements.size() != 1 ||
        !value.elements[0].is(Type::Object) || value.elements[0].members.size() != 1)
        return malformed("a custom metric is a name with an array of one object of one value");
    const auto& [kind, given] = value.elements[0].members[0];
    CustomMetric out{.name = std::string(name), .value = {}};
    if (kind == "number") {
        const auto number = number_of(given);
        if (!number) return malformed("a custom number that is none");
        out.value = *number;
        return out;
    }
    const bool is_numbers = kind == "number_list", is_addresses = kind == "ip_list";
    if ((!is_numbers && !is_addresses && kind != "string_list") || !given.is(Type::Array) ||
        given.elements.size() > kListMax)
        return malformed("a custom metric of a kind that there is not");
    std::vector<double> numbers;
    std::vector<std::string> texts;
    for (const auto& element : given.elements) {
        const auto number = number_of(element);
        if (is_numbers ? !number
                       : !element.is(Type::String) || element.text.size() > kTextBytesMax ||
                             (is_addresses && !parse_ip(element.text)))
            return malformed("a custom list with an element that is not of its kind");
        if (is_numbers)
            numbers.push_back(*number);
        else
            texts.emplace_back(element.text);
    }
    if (is_numbers)
        out.value = std::move(numbers);
    else
        out.value = std::move(texts);
    return out;
}

Result<Report> read_report(const Value& root, std::optional<std::int64_t>& id_read) {
    if (!root.is(Type::Object)) return malformed("it is no object");
    const auto* const header = FIELDWATCH_TRY(typed(root, "header", "hed", Type::Object));
    if (header == nullptr) return malformed("it has no header");
    id_read = FIELDWATCH_TRY(count(*header, "report_id", "rid", 1));
    if (!id_read) return malformed("it has no report_id");
    const auto version = FIELDWATCH_TRY(text(*header, "version", "v", 16));
    if (!version.starts_with("1.")) return malformed("its version is not 1.0");
    Report out{.id = *id_read};
    const auto* const metrics = FIELDWATCH_TRY(typed(root, "metrics", "met", Type::Object));
    const auto* const custom = FIELDWATCH_TRY(typed(root, "custom_metrics", "cmet", Type::Object));
    if (metrics == nullptr && custom == nullptr) return malformed("it has no metrics");
    if (metrics != nullptr) FIELDWATCH_TRY(read_metrics(*metrics, out));
    if (custom != nullptr) {
        if (custom->members.size() > kCustomMax)
            return fail(Errc::TooLarge, "a metrics report with more than 100 custom metrics");
        for (const auto& [name, value] : custom->members)
            out.custom.push_back(FIELDWATCH_TRY(read_custom(name, value)));
    }
    return out;
}

}  // namespace

std::string_view to_string(Format format) {
    return format == Format::Json ? "json" : "cbor";
}

Result<Report> parse_report(ByteView payload, Format format, std::optional<std::int64_t>& id_read) {
    id_read.reset();
    if (payload.size() > kReportBytesMax) return fail(Errc::TooLarge, "a metrics report above 131072 bytes");
    std::string converted;
    if (format == Format::Cbor) converted = FIELDWATCH_TRY(cbor_to_json(payload, kJsonBytesMax));
    json::Reader reader;
    const auto* const root = FIELDWATCH_TRY(
        reader.parse(format == Format::Cbor ? converted : as_text(payload), {.bytes_max = kJsonBytesMax}));
    return read_report(*root, id_read);
}

namespace {

Bytes cbor_reply(const Reply& reply, std::string_view status) {
    Bytes out;
    CborWriter cbor(out);
    const bool refused = !reply.error_code.empty();
    cbor.begin_map(3u + (reply.report_id ? 1 : 0) + (refused ? 1 : 0)).member("thingName", reply.thing);
    if (reply.report_id) cbor.member("reportId", static_cast<std::uint64_t>(*reply.report_id));
    cbor.member("status", status);
    if (refused)
        cbor.text("statusDetails")
            .begin_map(2)
            .member("ErrorCode", reply.error_code)
            .member("ErrorMessage", reply.error_message);
    cbor.member("timestamp", static_cast<std::uint64_t>(reply.unix_milliseconds));
    return out;
}

}  // namespace

Bytes encode_reply(const Reply& reply, Format format) {
    const bool refused = !reply.error_code.empty();
    const std::string_view status = refused ? "REJECTED" : "ACCEPTED";
    if (format == Format::Cbor) return cbor_reply(reply, status);
    std::string out;
    JsonWriter json(out);
    json.begin_object().member("thingName", reply.thing);
    if (reply.report_id) json.member("reportId", *reply.report_id);
    json.member("status", status);
    if (refused)
        json.key("statusDetails")
            .begin_object()
            .member("ErrorCode", reply.error_code)
            .member("ErrorMessage", reply.error_message)
            .end_object();
    json.member("timestamp", reply.unix_milliseconds).end_object();
    const auto bytes = as_bytes(out);
    return Bytes(bytes.begin(), bytes.end());
}

}  // namespace fieldwatch::defender
