#include "pipeline/input/zeek.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "detect/command/address.hpp"

namespace fieldwatch::pipeline {
namespace {

/// `\x09`, as the header writes characters.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned code = 0;
        if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
            const auto [end, error] = std::from_chars(text.data() + i + 2, text.data() + i + 4, code, 16);
            if (error == std::errc{} && end == text.data() + i + 4) {
                out.push_back(static_cast<char>(code));
                i += 3;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

/// Seconds since 1970 with a fraction, or ISO 8601; so many digits that they are milliseconds are those.
std::optional<Timestamp> time_of(const std::string& text) {
    if (const auto iso = parse_iso8601(text)) return iso->time;
    std::int64_t seconds = 0;
    const auto* const end = text.data() + text.size();
    const auto [next, error] = std::from_chars(text.data(), end, seconds);
    if (error != std::errc{} || seconds < 0) return std::nullopt;
    if (seconds >= 100'000'000'000) {
        const auto per_second = seconds >= 100'000'000'000'000 ? 1'000'000 : 1'000;
        if (seconds / per_second > 253'402'300'799) return std::nullopt;
        return Timestamp{seconds * (10'000'000 / per_second)};
    }
    Timestamp time = Timestamp::from_unix_seconds(seconds);
    if (next == end) return time;
    if (*next != '.') return std::nullopt;
    std::int64_t scale = 1'000'000;
    for (const auto* at = next + 1; at != end && scale > 0; ++at, scale /= 10) {
        if (*at < '0' || *at > '9') return std::nullopt;
        time.ticks += (*at - '0') * scale;
    }
    return time;
}

template <class Row>
std::string get(const Row& row, std::string_view name) {
    const auto at = row.find(name);
    return at == row.end() ? std::string() : at->second;
}

/// What the sensor was told of its networks (`local_orig`, `local_resp`) goes before what the address says.
bool is_local(const std::string& address, std::string_view said) {
    if (said == "T" || said == "true") return true;
    if (said == "F" || said == "false") return false;
    return !detect::is_external(address, {.documentation_is_external = true, .local_suffixes = {}});
}

/// The name that Zeek's own logs have for a member: `id_orig_h`, and the Elastic Common Schema's.
std::string_view zeek_name(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kNames{
        {{"id_orig_h", "id.orig_h"},
         {"id_orig_p", "id.orig_p"},
         {"id_resp_h", "id.resp_h"},
         {"id_resp_p", "id.resp_p"},
         {"orig_h", "id.orig_h"},
         {"orig_p", "id.orig_p"},
         {"resp_h", "id.resp_h"},
         {"resp_p", "id.resp_p"},
         {"source.ip", "id.orig_h"},
         {"source.address", "id.orig_h"},
         {"source.port", "id.orig_p"},
         {"source.bytes", "orig_bytes"},
         {"source.packets", "orig_pkts"},
         {"destination.ip", "id.resp_h"},
         {"destination.address", "id.resp_h"},
         {"destination.port", "id.resp_p"},
         {"destination.bytes", "resp_bytes"},
         {"destination.packets", "resp_pkts"},
         {"network.transport", "proto"},
         {"network.protocol", "service"},
         {"zeek.connection.state", "conn_state"},
         {"zeek.connection.history", "history"},
         {"zeek.connection.local_orig", "local_orig"},
         {"zeek.connection.local_resp", "local_resp"},
         {"@timestamp", "ts"},
         {"dns.question.name", "query"}}};
    for (const auto& [other, zeek] : kNames)
        if (other == name) return zeek;
    return name;
}

constexpr std::size_t kNestedMax = 4;

template <class Row>
void flatten(const json::Value& object, const std::string& prefix, std::size_t depth, Row& row) {
    for (const auto& member : object.members) {
        const auto name = prefix + std::string(member.key);
        if (member.value.is(json::Type::Object)) {
            if (depth < kNestedMax) flatten(member.value, name + ".", depth + 1, row);
            continue;
        }
        if (member.value.is(json::Type::Null)) continue;
        std::string text;
        if (member.value.is(json::Type::String))
            text = member.value.text;
        else if (member.value.is(json::Type::Real))
            text = fmt::format("{:.6f}", member.value.real);
        else
            json::append(text, member.value);
        // `event.duration` of the Elastic Common Schema is in nanoseconds.
        if (name == "event.duration") {
            std::int64_t nanoseconds = 0;
            std::from_chars(text.data(), text.data() + text.size(), nanoseconds);
            row.emplace("duration", fmt::format("{:.6f}", static_cast<double>(nanoseconds) / 1e9));
            continue;
        }
        row.emplace(zeek_name(name), std::move(text));
    }
}

/// A log without `conn_state` says by its counts whether anybody answered.
std::string state_by_counts(std::string_view packets_in, std::string_view bytes_in,
                            std::string_view packets_out, std::string_view bytes_out) {
    if (packets_in.empty() && bytes_in.empty() && packets_out.empty() && bytes_out.empty()) return {};
    const auto none = [](std::string_view text) { return text.find_first_not_of("0.") == text.npos; };
    return none(packets_in) && none(bytes_in) ? "S0" : "SF";
}

}  // namespace

Result<void> ZeekReader::header(std::string_view line) {
    const auto value = [&](std::string_view name) -> std::optional<std::string_view> {
        if (!line.starts_with(name)) return std::nullopt;
        return line.substr(std::min(name.size() + 1, line.size()));
    };
    if (const auto text = value("#separator")) {
        const auto separator = unescaped(*text);
        if (separator.size() != 1) return fail(Errc::Unsupported, "#separator: one character is supported");
        separator_ = separator[0];
    } else if (const auto unset = value("#unset_field")) {
        unset_ = *unset;
    } else if (const auto empty = value("#empty_field")) {
        empty_ = *empty;
    } else if (const auto path = value("#path")) {
        path_ = *path;
    } else if (const auto names = value("#fields")) {
        columns_.clear();
        for (auto rest = *names; !rest.empty() && columns_.size() < kColumnsMax;) {
            const auto end = std::min(rest.find(separator_), rest.size());
            columns_.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        names_service_ = std::ranges::find(columns_, "service") != columns_.end();
    }
    return {};
}

Result<ZeekReader::Row> ZeekReader::tabular(std::string_view line) const {
    if (columns_.empty()) return fail(Errc::Malformed, "no Zeek log: a #fields line comes before its rows");
    Row row;
    std::size_t column = 0;
    for (auto rest = line;; ++column) {
        const auto end = std::min(rest.find(separator_), rest.size());
        const auto value = rest.substr(0, end);
        if (column < columns_.size() && value != unset_ && value != empty_)
            row.emplace(columns_[column], unescaped(value));
        if (end == rest.size()) break;
        rest.remove_prefix(end + 1);
    }
    // What others append to Zeek's columns, labels say, is none of ours; a row that ends early is cut off.
    if (column + 1 < columns_.size() && !row.contains("id.resp_h"))
        return fail(Errc::Malformed,
                    fmt::format("a row of {} columns where #fields names {}", column + 1, columns_.size()));
    return row;
}

Result<ZeekReader::Row> ZeekReader::json(std::string_view line) {
    const auto* const root = FIELDWATCH_TRY(
        reader_.parse(line, {.bytes_max = options_.line_bytes_max, .depth_max = limits::json_depth}));
    if (!root->is(json::Type::Object)) return fail(Errc::Malformed, "/: an object is needed");
    Row row;
    flatten(*root, "", 1, row);
    return row;
}

Result<void> ZeekReader::read(std::string_view line, std::uint64_t number, const RecordSink& sink) {
    if (line.size() > options_.line_bytes_max) return fail(Errc::TooLarge, "the line is too long");
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) return header(line);
    const auto fields = FIELDWATCH_TRY(line.starts_with('{') ? json(line) : tabular(line));
    return row(fields, number, sink);
}

Result<void> ZeekReader::row(const Row& row, std::uint64_t number, const RecordSink& sink) {
    names_service_ |= row.contains("service");
    const auto path = row.contains("_path") ? get(row, "_path") : path_;
    const auto from = get(row, "id.orig_h"), to = get(row, "id.resp_h");
    if (!parse_ip(from) || !parse_ip(to)) return {};  // logs about files, certificates, Zeek itself
    const auto time = time_of(get(row, "ts"));
    if (!time) return fail(Errc::Malformed, "/ts: is not a time that can be read");
    auto connection = connection_of(row, path);
    // Other logs add nothing: the connection itself stands in conn.log.
    if (path != "conn" && !path.empty() && connection.dns_name.empty()) return {};
    if (connection.remote_port.empty()) connection.remote_port = "0";
    maker_.connection({.device = connection.local_address, .time = *time, .line = number}, connection, sink);
    return {};
}

RecordedConnection ZeekReader::connection_of(const Row& row, std::string_view path) const {
    const auto from = get(row, "id.orig_h"), to = get(row, "id.resp_h");
    RecordedConnection connection;
    connection.in = !is_local(from, get(row, "local_orig")) && is_local(to, get(row, "local_resp"));
    connection.remote_address = connection.in ? from : to;
    connection.remote_port = get(row, connection.in ? "id.orig_p" : "id.resp_p");
    connection.local_address = connection.in ? to : from;
    connection.local_port = get(row, connection.in ? "id.resp_p" : "id.orig_p");
    if (const auto protocol = get(row, "proto"); !protocol.empty()) connection.protocol = protocol;
    connection.executable = "unknown";  // a network sensor sees no process
    if (path == "conn" || path.empty()) {
        connection.seconds = get(row, "duration");
        connection.packets_out = get(row, connection.in ? "resp_pkts" : "orig_pkts");
        connection.packets_in = get(row, connection.in ? "orig_pkts" : "resp_pkts");
        connection.bytes_out = get(row, connection.in ? "resp_bytes" : "orig_bytes");
        connection.bytes_in = get(row, connection.in ? "orig_bytes" : "resp_bytes");
        connection.state = get(row, "conn_state");
        if (connection.state.empty())
            connection.state = state_by_counts(connection.packets_in, connection.bytes_in,
                                               connection.packets_out, connection.bytes_out);
        // That the sensor looked and knew no protocol is news too; a row without the field says nothing.
        connection.service = get(row, "service");
        if (connection.service.empty() && names_service_) connection.service = "-";
    } else if (path == "dns") {
        connection.dns_name = get(row, "query");
    } else if (path == "http") {
        connection.dns_name = get(row, "host");
    } else if (path == "ssl") {
        connection.dns_name = get(row, "server_name");
    }
    return connection;
}

}  // namespace fieldwatch::pipeline
