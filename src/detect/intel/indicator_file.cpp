// Which form a file of indicators has, and the forms of one value a line.
#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "detect/intel/indicator_csv.hpp"
#include "detect/intel/indicator_json.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

/// A file of more is a mistake; 8 M prefixes are 200 MiB of records.
constexpr std::size_t kIndicatorsMax = 8'000'000;
constexpr std::size_t kDocumentBytesMax = 128u
                                          << 20;  ///< of one JSON document, whose tree is ten times as large
constexpr int kPathConfidence =
    40;  ///< a path alone is on harmless servers too: below the usual least confidence

/// `127.0.0.1 a.example b.example`: a hosts file, which sends names nowhere.
bool is_nowhere(std::string_view value) {
    const auto address = parse_ip(value);
    return address && (address->is_loopback() || address->is_unspecified());
}

void add(std::string_view value, std::string_view name, int confidence, std::size_t number,
         IndicatorFile& out) {
    auto indicator = classify_value(value);
    if (!indicator)
        return out.refuse(number, "\"" + std::string(value.substr(0, 80)) +
                                      "\" is no address, network, domain, URL or hash");
    indicator->source = name;
    indicator->confidence =
        indicator->type == IndicatorType::UrlPath ? std::min(confidence, kPathConfidence) : confidence;
    out.indicators.push_back(std::move(*indicator));
}

/// How far to trust an address that so many lists name: one may be wrong, three seldom are.
int confidence_of(std::int64_t lists) {
    return static_cast<int>(std::clamp<std::int64_t>(10 + lists * 20, 30, 100));
}

void read_plain_line(std::string_view line, std::string_view name, std::size_t number, IndicatorFile& out) {
    for (const auto* const mark : {" #", "\t#", " ;"}) {
        if (const auto comment = line.find(mark); comment != line.npos)
            line = trimmed(line.substr(0, comment));
    }
    const auto blank = line.find_first_of(" \t");
    const auto value = line.substr(0, blank);
    auto rest = blank == line.npos ? std::string_view{} : trimmed(line.substr(blank));
    if (!rest.empty() && is_nowhere(value)) {
        while (!rest.empty()) {
            const auto end = rest.find_first_of(" \t");
            const auto host = rest.substr(0, end);
            rest = end == rest.npos ? std::string_view{} : trimmed(rest.substr(end));
            if (host.find('.') != host.npos && !is_nowhere(host)) {
                add(host, name, kDefaultConfidence, number, out);
            } else {
                ++out.skipped;  // localhost and the like
            }
        }
        return;
    }
    std::int64_t lists = 0;
    const auto* const end = rest.data() + rest.size();
    const auto read = std::from_chars(rest.data(), end, lists);
    const bool counted = !rest.empty() && read.ec == std::errc{} && read.ptr == end;
    add(value, name, counted ? confidence_of(lists) : kDefaultConfidence, number, out);
}

bool is_comment(std::string_view line) {
    return line.front() == '#' || line.front() == ';' || line.front() == '!' || line.starts_with("//");
}

/// A list of domains has commas nowhere, and a CSV in its first line of data.
Result<IndicatorFile> read_lines(std::string_view name, std::string_view text) {
    IndicatorFile out;
    CsvReader csv(name);
    std::size_t number = 0;
    bool data = false, is_csv = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = trimmed(text.substr(0, end));
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        ++number;
        if (line.empty()) continue;
        if (is_comment(line)) {
            csv.comment(line.substr(1));
            continue;
        }
        if (out.indicators.size() >= kIndicatorsMax)
            return fail(Errc::TooLarge, std::string(name) + ": more than 8,000,000 indicators");
        if (line.front() == '{') {
            read_indicator_object(Json::parse(line, nullptr, false), name, number, out);
            continue;
        }
        if (!data) is_csv = csv.has_header() || line.find(',') != line.npos;
        data = true;
        if (is_csv) {
            csv.line(line, number, out);
        } else {
            read_plain_line(line, name, number, out);
        }
    }
    return out;
}

}  // namespace

std::string_view to_string(IndicatorType type) {
    static constexpr std::string_view kNames[] = {"ipv4",   "ipv6", "cidr", "domain",  "url",
                                                  "sha256", "sha1", "md5",  "url-path"};
    return kNames[std::to_underlying(type)];
}

std::string_view to_string(Tlp tlp) {
    static constexpr std::string_view kNames[] = {"",          "TLP:CLEAR",        "TLP:GREEN",
                                                  "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"};
    return kNames[std::to_underlying(tlp)];
}

Tlp tlp_from(std::string_view text) {
    auto key = lower(text);
    if (key.starts_with("tlp:")) key.erase(0, 4);
    if (key == "clear" || key == "white") return Tlp::Clear;
    if (key == "green") return Tlp::Green;
    if (key == "amber") return Tlp::Amber;
    if (key == "amber+strict") return Tlp::AmberStrict;
    return key == "red" ? Tlp::Red : Tlp::None;
}

Result<IndicatorFile> parse_indicators(std::string_view name, std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
    const auto first = text.find_first_not_of(" \t\r\n");
    const bool is_json = first != text.npos && (text[first] == '[' || text[first] == '{');
    if (!is_json) return read_lines(name, text);
    const auto line_end = text.find('\n', first);
    const auto line = text.substr(first, line_end == text.npos ? text.npos : line_end - first);
    // Lines that are documents themselves, or one document over all lines.
    if (line_end != text.npos && text.find_first_not_of(" \t\r\n", line_end) != text.npos &&
        Json::accept(line))
        return read_lines(name, text);
    if (text.size() > kDocumentBytesMax)
        return fail(Errc::TooLarge, std::string(name) + ": a JSON document of more than 128 MiB");
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) {
        // A bracket may begin a list of addresses: [2001:db8::1]:23.
        auto lines = text[first] == '[' ? read_lines(name, text) : Result<IndicatorFile>(IndicatorFile{});
        if (lines && !lines->indicators.empty()) return lines;
        return fail(Errc::Malformed, std::string(name) + ": not a JSON document that can be read");
    }
    IndicatorFile out;
    if (document.is_object() && document.contains("value") && document["value"].is_string()) {
        read_indicator_object(document, name, 1, out);
    } else if (!read_json_document(document, name, out)) {
        return fail(Errc::Malformed,
                    std::string(name) +
                        ": JSON, but no STIX bundle, MISP event or warning-list, and no list of indicators");
    }
    if (out.indicators.size() > kIndicatorsMax)
        return fail(Errc::TooLarge, std::string(name) + ": more than 8,000,000 indicators");
    return out;
}

}  // namespace fieldwatch::detect
