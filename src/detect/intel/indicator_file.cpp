// The text forms in which indicators come.
#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "detect/intel/intel.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;
constexpr std::size_t kIndicatorsMax =
    8'000'000;  ///< a file of more is a mistake; 8 M prefixes are 200 MiB of records

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const auto first = text.find_first_not_of(kBlank);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

bool is_domain(std::string_view text) {
    if (text.size() > 253 || text.find('.') == text.npos || text.front() == '.' || text.back() == '.')
        return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '.' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    });
}

/// What one bare value is; nullopt for forms that we do not match on (URL paths, MD5).
std::optional<Indicator> classify_value(std::string_view value) {
    Indicator out;
    out.value = value;
    if (value.find("://") != value.npos) {
        out.type = IndicatorType::Url;
        return out;
    }
    if (value.size() == 64 && is_hex(value)) {
        out.type = IndicatorType::Sha256;
        return out;
    }
    if (const auto prefix = fieldwatch::parse_prefix(value)) {
        const bool whole = prefix->length == (prefix->address.is_v4 ? 32 : 128);
        out.type = !whole                  ? IndicatorType::Cidr
                   : prefix->address.is_v4 ? IndicatorType::Ipv4
                                           : IndicatorType::Ipv6;
        return out;
    }
    const auto colon = value.rfind(':');
    if (colon != value.npos &&
        parse_ip(value.substr(0, colon))) {  // address:port; the port is not part of the match
        out.value = value.substr(0, colon);
        out.type = IndicatorType::Ipv4;
        return out;
    }
    if (value.find('/') != value.npos && value.find('/') != 0 &&
        is_domain(value.substr(0, value.find('/')))) {
        out.type = IndicatorType::Url;
        return out;
    }
    if (is_domain(value)) {
        out.type = IndicatorType::Domain;
        return out;
    }
    return std::nullopt;
}

std::vector<std::string> split_csv(std::string_view line) {
    std::vector<std::string> out(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
            out.back() += line[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            out.emplace_back();
        } else if (!(c == ' ' && out.back().empty() && !quoted)) {
            out.back() += c;
        }
    }
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

enum class Column : std::uint8_t { Other, Value, Category, Confidence, Source, ValidUntil };
/// Names that the common feeds use for the same thing.
Column column_of(std::string_view name) {
    const auto key = lower(trim(name));
    const auto is = [&](std::initializer_list<std::string_view> names) {
        return std::find(names.begin(), names.end(), key) != names.end();
    };
    if (is({"value", "indicator", "ioc_value", "ioc", "ip", "ip_address", "dst_ip", "domain", "url",
            "sha256_hash", "sha256"}))
        return Column::Value;
    if (is({"category", "malware", "malware_printable", "threat_type", "threat", "family", "signature"}))
        return Column::Category;
    if (is({"confidence", "confidence_level"})) return Column::Confidence;
    if (is({"source", "reporter"})) return Column::Source;
    if (is({"validuntil", "valid_until", "expiry", "expires"})) return Column::ValidUntil;
    return Column::Other;
}

std::vector<Column> read_header(std::string_view line) {
    std::vector<Column> out;
    for (const auto& name : split_csv(line))
        out.push_back(column_of(name));
    return std::find(out.begin(), out.end(), Column::Value) == out.end() ? std::vector<Column>{} : out;
}

std::unexpected<Error> bad(std::string_view name, std::size_t line, std::string_view what) {
    return fail(Errc::Malformed,
                std::string(name) + ", line " + std::to_string(line) + ": " + std::string(what));
}

Result<void> set_confidence(Indicator& out, std::string_view text, std::string_view name, std::size_t line) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > 100)
        return bad(name, line, "the confidence must be a number from 0 to 100");
    out.confidence = value;
    return {};
}

Result<void> read_csv_line(std::string_view line, const std::vector<Column>& header, std::string_view name,
                           std::size_t number, IndicatorFile& out) {
    const auto cells = split_csv(line);
    std::optional<Indicator> indicator;
    for (std::size_t i = 0; i < cells.size() && i < header.size(); ++i) {
        if (header[i] == Column::Value) indicator = classify_value(trim(cells[i]));
    }
    if (!indicator) {
        ++out.skipped;
        return {};
    }
    indicator->source = name;
    for (std::size_t i = 0; i < cells.size() && i < header.size(); ++i) {
        const auto cell = trim(cells[i]);
        if (cell.empty()) continue;
        if (header[i] == Column::Category) indicator->category = cell;
        if (header[i] == Column::Source) indicator->source = cell;
        if (header[i] == Column::Confidence) FIELDWATCH_TRY(set_confidence(*indicator, cell, name, number));
        if (header[i] == Column::ValidUntil) {
            const auto time = parse_iso8601(cell);
            if (!time) return bad(name, number, "the expiry is not an ISO 8601 time");
            indicator->valid_until = time->time;
        }
    }
    out.indicators.push_back(std::move(*indicator));
    return {};
}

Result<void> read_json_line(std::string_view line, std::string_view name, std::size_t number,
                            IndicatorFile& out) {
    const auto object = Json::parse(line, nullptr, false);
    if (!object.is_object()) return bad(name, number, "not a JSON object");
    const auto text = [&](const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    auto indicator = classify_value(text("value"));
    if (!indicator) return bad(name, number, "\"value\" is not an address, network, domain, URL or SHA-256");
    indicator->category = text("category");
    indicator->source = text("source").empty() ? std::string(name) : text("source");
    if (const auto found = object.find("confidence"); found != object.end()) {
        if (!found->is_number_integer() || *found < 0 || *found > 100)
            return bad(name, number, "the confidence must be a number from 0 to 100");
        indicator->confidence = found->get<int>();
    }
    if (const auto until = text("validUntil"); !until.empty()) {
        const auto time = parse_iso8601(until);
        if (!time) return bad(name, number, "\"validUntil\" is not an ISO 8601 time");
        indicator->valid_until = time->time;
    }
    out.indicators.push_back(std::move(*indicator));
    return {};
}

void read_plain_line(std::string_view line, std::string_view name, IndicatorFile& out) {
    const auto blank = line.find_first_of(" \t");
    auto value = line.substr(0, blank);
    const auto rest = blank == line.npos ? std::string_view{} : trim(line.substr(blank));
    if ((value == "0.0.0.0" || value == "127.0.0.1") && !rest.empty())
        value = rest.substr(0, rest.find_first_of(" \t#"));  // hosts file
    auto indicator = classify_value(value);
    if (!indicator) {
        ++out.skipped;
        return;
    }
    indicator->source = name;
    int lists = 0;
    if (!rest.empty() && std::from_chars(rest.data(), rest.data() + rest.size(), lists).ec == std::errc{} &&
        lists > 0)
        indicator->confidence = std::min(100, 10 + 20 * lists);  // named by how many block lists: two make 50
    out.indicators.push_back(std::move(*indicator));
}

std::optional<IndicatorFile> read_warning_list(std::string_view text) {
    const auto document = Json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("list") || !document["list"].is_array())
        return std::nullopt;
    IndicatorFile out;
    for (const auto& entry : document["list"]) {
        if (!entry.is_string()) continue;
        const auto& value = entry.get_ref<const std::string&>();
        (fieldwatch::parse_prefix(value) ? out.warning_prefixes : out.warning_names).push_back(value);
    }
    return out;
}

}  // namespace

Result<IndicatorFile> parse_indicators(std::string_view name, std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first != text.npos && text[first] == '{') {
        if (auto list = read_warning_list(text)) return std::move(*list);
    }
    IndicatorFile out;
    std::vector<Column> header;
    std::size_t number = 0;
    bool data = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = trim(text.substr(0, end));
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        ++number;
        if (line.empty()) continue;
        if (line.front() == '#' || line.front() == ';') {
            if (auto columns = read_header(trim(line.substr(1))); !data && columns.size() > 1)
                header = std::move(columns);
            continue;
        }
        if (out.indicators.size() >= kIndicatorsMax)
            return bad(name, number, "more than 8,000,000 indicators");
        if (line.front() == '{') {
            FIELDWATCH_TRY(read_json_line(line, name, number, out));
        } else if (!data && header.empty() && line.find(',') != line.npos) {
            header = read_header(line);
            if (header.empty()) header = {Column::Value};
        } else if (!header.empty()) {
            FIELDWATCH_TRY(read_csv_line(line, header, name, number, out));
        } else {
            read_plain_line(line, name, out);
        }
        data = true;
    }
    return out;
}

}  // namespace fieldwatch::detect
