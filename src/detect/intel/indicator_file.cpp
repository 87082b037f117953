// Which form a file of indicators has, and the forms of one value a line.
#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "base/unicode.hpp"
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

/// `127.0.0.1 a.example b.example`: a hosts file, which sends names nowhere.
bool is_nowhere(std::string_view value) {
    const auto address = parse_ip(value);
    return address && (address->is_loopback() || address->is_unspecified());
}

void add(std::string_view value, std::string_view name, int confidence, std::size_t number,
         IndicatorFile& out) {
    Indicator about;
    about.source = name;
    about.confidence = confidence;
    if (!append_indicators(value, about, out)) out.refuse(number, not_one(value));
}

/// How far to trust an address that so many lists name: one may be wrong, three seldom are.
int confidence_of(std::int64_t lists) {
    return static_cast<int>(std::clamp<std::int64_t>(10 + lists * 20, 30, 100));
}

/// What stands around the name in the configuration of a resolver or blocker; nullopt for an exception from
/// it.
std::optional<std::string_view> without_directive(std::string_view line) {
    if (line.starts_with("@@")) return std::nullopt;
    for (const std::string_view dnsmasq : {"address=/", "server=/", "local=/"}) {
        if (line.starts_with(dnsmasq))
            return line.substr(dnsmasq.size(), line.find('/', dnsmasq.size()) - dnsmasq.size());
    }
    for (const std::string_view named : {"local-zone:", "local-data:", "zone "}) {
        if (!line.starts_with(named)) continue;
        line = trimmed(line.substr(named.size()), " \t\"");
        return line.substr(0, line.find_first_of(" \t\""));
    }
    return line;
}

/// `first last length`, as DShield lists networks.
std::optional<std::string> network_of_ends(std::string_view first, std::string_view rest) {
    const auto cut = rest.find_first_of(" \t");
    if (cut == rest.npos || !parse_ip(rest.substr(0, cut))) return std::nullopt;
    const auto length = trimmed(rest.substr(cut)).substr(0, 2);
    auto network = std::string(first) + "/" + std::string(trimmed(length));
    return fieldwatch::parse_prefix(network) ? std::optional(std::move(network)) : std::nullopt;
}

void read_hosts_line(std::string_view names, std::string_view name, std::size_t number, IndicatorFile& out) {
    while (!names.empty()) {
        const auto end = names.find_first_of(" \t");
        const auto host = names.substr(0, end);
        names = end == names.npos ? std::string_view{} : trimmed(names.substr(end));
        if (host.find('.') != host.npos && !host.starts_with("localhost.")) {
            add(host, name, kDefaultConfidence, number, out);
        } else {
            ++out.skipped;  // localhost and the like
        }
    }
}

/// A line without the notes right behind an address (`198.51.100.7#4#2#…`); in a URL the mark means
/// something.
std::string_view without_notes(std::string_view line) {
    const auto mark = line.find('#');
    return mark != line.npos && fieldwatch::parse_prefix(line.substr(0, mark)) ? line.substr(0, mark) : line;
}

void read_plain_line(std::string_view line, std::string_view name, std::size_t number, IndicatorFile& out) {
    for (const auto* const mark : {" #", "\t#", " ;", "\t;", " //", "\t//"}) {
        if (const auto comment = line.find(mark); comment != line.npos)
            line = trimmed(line.substr(0, comment));
    }
    const auto directive = without_directive(line);
    if (!directive) {
        ++out.skipped;
        return;
    }
    line = without_notes(*directive);
    const auto blank = line.find_first_of(" \t");
    const auto value = line.substr(0, blank);
    const auto rest = blank == line.npos ? std::string_view{} : trimmed(line.substr(blank));
    if (rest.starts_with('-')) return add(line, name, kDefaultConfidence, number, out);  // first - last
    if (!rest.empty() && is_nowhere(value)) return read_hosts_line(rest, name, number, out);
    if (const auto network = network_of_ends(value, rest))
        return add(*network, name, kDefaultConfidence, number, out);
    std::int64_t lists = 0;
    const auto* const end = rest.data() + rest.size();
    const auto read = std::from_chars(rest.data(), end, lists);
    const bool counted = !rest.empty() && read.ec == std::errc{} && read.ptr == end;
    add(value, name, counted ? confidence_of(lists) : kDefaultConfidence, number, out);
}

bool is_comment(std::string_view line) {
    return line.front() == '#' || line.front() == ';' || line.front() == '!' || line.starts_with("//");
}

/// Lines in any mixture: rows where they have cells, else one value each.
class LineReader {
  public:
    explicit LineReader(std::string_view name) : name_(name), csv_(name) {}

    Result<IndicatorFile> read(std::string_view text) {
        while (!text.empty()) {
            const auto end = text.find_first_of("\r\n");  // a return alone ends a line too
            const auto line = trimmed(text.substr(0, end));
            const bool pair = end != text.npos && text[end] == '\r' && text.substr(end + 1).starts_with('\n');
            text = end == text.npos ? std::string_view{} : text.substr(end + (pair ? 2 : 1));
            ++number_;
            if (out_.indicators.size() >= kIndicatorsMax)
                return fail(Errc::TooLarge, std::string(name_) + ": more than 8,000,000 indicators");
            if (!line.empty()) take(line);
        }
        return std::move(out_);
    }

  private:
    void take(std::string_view line) {
        if (is_comment(line)) return csv_.comment(line.substr(1));
        line = without_notes(line);
        if (line.front() == '{') return take_object(Json::parse(line, nullptr, false));
        if (!std::exchange(in_data_, true) && !csv_.has_columns() && csv_.take_header(line)) return;
        // In a list whose lines are URLs a comma is part of one.
        const bool is_row = csv_.is_row(line) && (csv_.has_columns() || rows_ || !values_ || !is_url(line));
        (is_row ? rows_ : values_) = true;
        is_row ? csv_.line(line, number_, out_) : read_plain_line(line, name_, number_, out_);
    }
    /// A line may be a STIX object or a MISP event, too.
    void take_object(const Json& object) {
        const bool has_value = object.is_object() && object.contains("value");
        if (!has_value && (read_stix(object, name_, out_) || read_misp(object, name_, out_))) return;
        read_indicator_object(object, name_, number_, out_);
    }
    static bool is_url(std::string_view line) {
        return line.find("://") < line.find(',') && line.find_first_of(" \t\"") == line.npos;
    }

    std::string_view name_;
    CsvReader csv_;
    IndicatorFile out_;
    std::size_t number_ = 0;
    bool in_data_ = false, rows_ = false, values_ = false;
};

/// Text that a spreadsheet saved, UTF-16 with its mark, as UTF-8; nullopt without the mark.
std::optional<std::string> from_utf16(std::string_view text) {
    const bool little = text.starts_with("\xFF\xFE"), big = text.starts_with("\xFE\xFF");
    if (!little && !big) return std::nullopt;
    std::string out;
    const auto unit = [&](std::size_t at) {
        const auto a = static_cast<unsigned char>(text[at]), b = static_cast<unsigned char>(text[at + 1]);
        return static_cast<char32_t>(little ? a | b << 8 : a << 8 | b);
    };
    for (std::size_t at = 2; at + 1 < text.size(); at += 2) {
        auto c = unit(at);
        if (c >= 0xD800 && c < 0xDC00 && at + 3 < text.size()) {
            c = 0x10000 + ((c & 0x3FF) << 10) + (unit(at + 2) & 0x3FF);
            at += 2;
        }
        append_utf8(out, c);
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
    auto key = lower(trimmed(text, " \t[]\""));
    if (key.starts_with("tlp")) key.erase(0, std::min(key.size(), key.find_first_not_of(":-_ ", 3)));
    std::replace_if(key.begin(), key.end(), [](char c) { return c == '-' || c == '_' || c == ' '; }, '+');
    if (key == "clear" || key == "white") return Tlp::Clear;
    if (key == "green") return Tlp::Green;
    if (key == "amber") return Tlp::Amber;
    if (key == "amber+strict") return Tlp::AmberStrict;
    return key == "red" ? Tlp::Red : Tlp::None;
}

Result<IndicatorFile> parse_indicators(std::string_view name, std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
    if (const auto converted = from_utf16(text)) return parse_indicators(name, *converted);
    const auto first = text.find_first_not_of(" \t\r\n");
    const bool is_json = first != text.npos && (text[first] == '[' || text[first] == '{');
    if (!is_json) return LineReader(name).read(text);
    const auto line_end = text.find('\n', first);
    const auto line = text.substr(first, line_end == text.npos ? text.npos : line_end - first);
    // Lines that are documents themselves, or one document over all lines.
    if (line_end != text.npos && text.find_first_not_of(" \t\r\n", line_end) != text.npos &&
        Json::accept(line))
        return LineReader(name).read(text);
    if (text.size() > kDocumentBytesMax)
        return fail(Errc::TooLarge, std::string(name) + ": a JSON document of more than 128 MiB");
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) {
        // A bracket may begin a list of addresses: [2001:db8::1]:23.
        auto lines =
            text[first] == '[' ? LineReader(name).read(text) : Result<IndicatorFile>(IndicatorFile{});
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
