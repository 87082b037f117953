#include "detect/intel/indicator_csv.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

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

/// Letters, digits, blanks and underscores, and a letter first.
bool is_column_name(std::string_view cell) {
    cell = trimmed(cell);
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    return !cell.empty() && is_letter(cell.front()) && std::ranges::all_of(cell, [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '_';
    });
}

/// Names that the common feeds use for the same thing.
CsvReader::Column CsvReader::column_of(std::string_view name) {
    auto key = lower(trimmed(name));
    std::replace(key.begin(), key.end(), ' ', '_');
    const auto is = [&](std::initializer_list<std::string_view> names) {
        return std::find(names.begin(), names.end(), key) != names.end();
    };
    if (is({"value",       "indicator", "ioc_value", "ioc",    "ip",       "ip_address", "dst_ip", "dstip",
            "src_ip",      "cidr",      "network",   "domain", "host",     "hostname",   "fqdn",   "url",
            "sha256_hash", "sha256",    "sha1_hash", "sha1",   "md5_hash", "md5",        "hash"}))
        return Column::Value;
    if (is({"category", "malware", "malware_printable", "family", "signature", "listingreason"}))
        return Column::Malware;
    if (is({"threat_type", "threat", "description"})) return Column::Threat;
    if (is({"confidence", "confidence_level", "score"})) return Column::Confidence;
    if (is({"source", "reporter"})) return Column::Source;
    if (is({"validuntil", "valid_until", "expiry", "expires", "expiration"})) return Column::ValidUntil;
    if (is({"first_seen", "firstseen", "first_seen_utc", "dateadded", "date_added", "valid_from"}))
        return Column::FirstSeen;
    if (is({"last_seen", "lastseen", "last_seen_utc", "last_online"})) return Column::LastSeen;
    if (is({"tlp", "tlp_level"})) return Column::Tlp;
    return Column::Other;
}

std::vector<CsvReader::Column> CsvReader::header_of(const std::vector<std::string>& cells) {
    std::vector<Column> out;
    for (const auto& cell : cells)
        out.push_back(column_of(cell));
    return std::find(out.begin(), out.end(), Column::Value) == out.end() ? std::vector<Column>{} : out;
}

void CsvReader::comment(std::string_view text) {
    if (data_ || text.find(',') == text.npos) return;
    if (auto columns = header_of(split_csv(trimmed(text))); columns.size() > 1) columns_ = std::move(columns);
}

// What a line says besides its values; false when something in it is wrong.
bool CsvReader::describe(const std::vector<std::string>& cells, std::size_t number, Indicator& about,
                         IndicatorFile& out) const {
    about.source = name_;
    std::string threat;
    const auto time = [&](std::string_view cell, std::optional<Timestamp>& into, const char* what) {
        into = parse_indicator_time(cell);
        if (!into) out.refuse(number, std::string(what) + " is not an ISO 8601 time");
        return into.has_value();
    };
    for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) {
        const auto cell = trimmed(cells[i]);
        if (cell.empty() || cell == "None" || cell == "n/a") continue;
        switch (columns_[i]) {
            case Column::Malware:
                about.category = cell;
                break;
            case Column::Threat:
                threat = cell;
                break;
            case Column::Source:
                about.source = cell;
                break;
            case Column::Tlp:
                about.tlp = tlp_from(cell);
                break;
            case Column::Confidence: {
                const auto confidence = parse_confidence(cell);
                if (!confidence) {
                    out.refuse(number, "the confidence must be a number from 0 to 100");
                    return false;
                }
                about.confidence = *confidence;
                break;
            }
            case Column::ValidUntil:
                if (!time(cell, about.valid_until, "the expiry")) return false;
                break;
            case Column::FirstSeen:
                about.first_seen = parse_indicator_time(cell);
                break;
            case Column::LastSeen:
                about.last_seen = parse_indicator_time(cell);
                break;
            case Column::Value:
            case Column::Other:
                break;
        }
    }
    if (about.category.empty()) about.category = threat;
    return true;
}

void CsvReader::line(std::string_view text, std::size_t number, IndicatorFile& out) {
    const auto cells = split_csv(text);
    const auto value_in = [&](std::size_t i) { return classify_value(trimmed(cells[i])); };
    if (!data_ && columns_.empty()) {
        bool holds_one = false;
        for (std::size_t i = 0; i < cells.size(); ++i)
            holds_one = holds_one || value_in(i).has_value();
        data_ = true;
        if (!holds_one) {
            columns_ = header_of(cells);
            // Whoever names columns that we do not know uses words; anything else is data that is wrong.
            if (columns_.empty() && !std::ranges::all_of(cells, is_column_name))
                out.refuse(number, "no address, network, domain, URL or hash");
            return;
        }
    }
    data_ = true;
    Indicator about;
    if (!describe(cells, number, about, out)) return;
    bool any = false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const bool asked = columns_.empty() || (i < columns_.size() && columns_[i] == Column::Value);
        if (!asked) continue;
        auto indicator = value_in(i);
        if (!indicator) continue;
        about.type = indicator->type;
        about.value = std::move(indicator->value);
        out.indicators.push_back(about);
        any = true;
        if (columns_.empty()) break;  // without names the first that is one is the indicator
    }
    if (!any) out.refuse(number, "no address, network, domain, URL or hash");
}

}  // namespace fieldwatch::detect
