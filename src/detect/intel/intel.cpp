#include "detect/intel/intel.hpp"

#include <algorithm>
#include <limits>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "detect/intel/domain_name.hpp"
#include "detect/intel/indicator_value.hpp"
#include "detect/intel/refang.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kEqualsMax = 8;  ///< of one value: of further ones the least good are not asked
constexpr std::size_t kWarnedPartsMax = 1'000;  ///< each is compared with each hit; lists of parts are short

IpAddress masked(IpAddress address, unsigned length) {
    for (unsigned bit = length; bit < (address.is_v4 ? 32u : 128u); ++bit)
        address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    return address;
}

std::string_view without_scheme(std::string_view url) {
    const auto scheme = url.find("://");
    return scheme == url.npos ? url : url.substr(scheme + 3);
}

/// Scheme, user, the scheme's usual port and fragment gone, host as the resolver gets it:
/// `HTTP://me:pw@Evil.example:80/A#x` is `evil.example/A`.
std::string url_key(std::string_view url) {
    const auto scheme = lower(url.substr(0, std::min(url.find("://"), url.size())));
    url = without_scheme(url);
    url = url.substr(0, url.find('#'));
    const auto path = std::min(url.find_first_of("/?"), url.size());
    auto host = url.substr(0, path);
    if (const auto at = host.rfind('@'); at != host.npos) host = host.substr(at + 1);
    if (scheme == "http" && host.ends_with(":80")) host.remove_suffix(3);
    if (scheme == "https" && host.ends_with(":443")) host.remove_suffix(4);
    auto out = lower(ascii_name(host).value_or(std::string(host)));
    out.append(url.substr(path));
    while (out.ends_with('/'))
        out.pop_back();
    return out;
}

/// From the first slash behind the host, without query; empty when there is none.
std::string_view path_of(std::string_view url) {
    url = without_scheme(url);
    const auto slash = url.find('/');
    if (slash == url.npos) return {};
    return url.substr(slash,
                      url.find_first_of("?#") == url.npos ? url.npos : url.find_first_of("?#") - slash);
}

std::string_view host_of(std::string_view url) {
    url = without_scheme(url);
    url = url.substr(0, url.find_first_of("/?#"));
    if (const auto at = url.rfind('@'); at != url.npos) url = url.substr(at + 1);
    if (url.starts_with('[')) return url.substr(1, url.find(']') == url.npos ? url.npos : url.find(']') - 1);
    return url.substr(0, url.find(':'));
}

std::string prefix_key(const PrefixTable::Entry& entry) {
    IpAddress address;
    for (unsigned i = 0; i < 4; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(entry.address >> (24 - 8 * i));
    address.is_v4 = true;
    return masked(address, entry.length).text() + "/" + std::to_string(entry.length);
}
std::string prefix_key(const Prefix6Table::Entry& entry) {
    return masked(entry.prefix.address, entry.prefix.length).text() + "/" +
           std::to_string(entry.prefix.length);
}

std::string hash_key(std::string_view hex) {
    const auto bytes = from_hex(hex);
    return bytes ? std::string(as_text(*bytes)) : std::string();
}

std::uint32_t seconds_of(const std::optional<Timestamp>& time, std::uint32_t absent) {
    if (!time) return absent;
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(time->unix_seconds(), 1, std::numeric_limits<std::uint32_t>::max() - 1));
}

std::optional<Timestamp> time_of(std::uint32_t seconds) {
    if (seconds == 0 || seconds == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return Timestamp::from_unix_seconds(seconds);
}

}  // namespace

struct IntelSnapshot::Building {
    std::vector<PrefixTable::Entry> v4, warned_v4;
    std::vector<Prefix6Table::Entry> v6, warned_v6;
};

std::uint32_t IntelSnapshot::intern(std::string_view text) {
    if (const auto found = text_index_.find(text); found != text_index_.end()) return found->second;
    const auto index = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    text_index_.emplace(text, index);
    return index;
}

/// Of two feeds that name the same thing the one counts that does so longer, then the one that is surer.
bool IntelSnapshot::is_better(std::uint32_t record, std::uint32_t than) const {
    const auto &a = records_[record], &b = records_[than];
    return a.valid_until != b.valid_until ? a.valid_until > b.valid_until : a.confidence >= b.confidence;
}

/// Whether `record` is in force whenever `other` is: then nobody need ask the other.
bool IntelSnapshot::outlasts(std::uint32_t record, std::uint32_t other) const {
    const auto &a = records_[record], &b = records_[other];
    return a.valid_from <= b.valid_from && a.valid_until >= b.valid_until;
}

/// Of several indicators of one value, the best first: each leads to the next that may be in force when those
/// before it are not. The last keeps its parent.
void IntelSnapshot::chain_equals(std::vector<std::uint32_t> equals) {
    std::size_t kept = 1;
    for (std::size_t i = 1; i < equals.size() && kept < kEqualsMax; ++i) {
        const auto last = equals.begin() + static_cast<std::ptrdiff_t>(kept);
        const bool idle = std::any_of(equals.begin(), last,
                                      [&](std::uint32_t before) { return outlasts(before, equals[i]); });
        if (!idle) equals[kept++] = equals[i];
    }
    const auto around = records_[equals.front()].parent;
    for (std::size_t i = 0; i < kept; ++i)
        records_[equals[i]].parent = i + 1 < kept ? equals[i + 1] : around;
}

void IntelSnapshot::add_name(NameTable& table, std::string_view key, std::uint32_t record) {
    if (key.empty() || key.size() > 4'096) return;
    std::vector<std::uint32_t> equals{record};
    for (auto before = table.find(key); before != NameTable::kNone; before = records_[before].parent)
        equals.push_back(before);
    if (equals.size() > 1) {
        std::stable_sort(equals.begin(), equals.end(), [&](std::uint32_t a, std::uint32_t b) {
            return is_better(a, b) && !is_better(b, a);
        });
        records_[equals.front()].parent = NameTable::kNone;
        chain_equals(equals);
    }
    table.insert(key, equals.front());
}

void IntelSnapshot::add(const Indicator& indicator, Building& building) {
    const auto index = static_cast<std::uint32_t>(records_.size());
    records_.push_back({.valid_from = seconds_of(indicator.valid_from, 0),
                        .valid_until = seconds_of(indicator.valid_until, Record::kNever),
                        .first_seen = seconds_of(indicator.first_seen, 0),
                        .last_seen = seconds_of(indicator.last_seen, 0),
                        .category = intern(indicator.category),
                        .source = intern(indicator.source),
                        .type = indicator.type,
                        .tlp = indicator.tlp,
                        .confidence = static_cast<std::uint8_t>(indicator.confidence)});
    has_beginnings_ |= indicator.valid_from.has_value();
    ++by_type_[std::to_underlying(indicator.type)];
    switch (indicator.type) {
        case IndicatorType::Ipv4:
        case IndicatorType::Ipv6:
        case IndicatorType::Cidr: {
            const auto prefix = fieldwatch::parse_prefix(indicator.value);
            if (!prefix) return;  // the reader has checked it
            records_.back().length = prefix->length;
            if (prefix->address.is_v4) {
                building.v4.push_back({prefix->address.v4(), prefix->length, index});
            } else {
                building.v6.push_back({*prefix, index});
            }
            return;
        }
        case IndicatorType::Domain:
            return add_name(domains_, lower(indicator.value), index);
        case IndicatorType::Url:
            return add_name(urls_, url_key(indicator.value), index);
        case IndicatorType::UrlPath:
            return add_name(paths_, indicator.value, index);
        case IndicatorType::Sha256:
        case IndicatorType::Sha1:
        case IndicatorType::Md5:
            return add_name(hashes_, hash_key(indicator.value), index);
    }
}

void IntelSnapshot::add_warnings(const WarningValues& warnings, Building& building) {
    for (const auto& value : warnings.prefixes) {
        const auto prefix = fieldwatch::parse_prefix(value);
        if (!prefix) continue;
        if (prefix->address.is_v4) {
            building.warned_v4.push_back({prefix->address.v4(), prefix->length, 0});
        } else {
            building.warned_v6.push_back({*prefix, 0});
        }
    }
    const auto insert = [](NameTable& table, const std::vector<std::string>& values) {
        for (const auto& value : values) {
            if (!value.empty() && value.size() <= 4'096) table.insert(lower(value), 0);
        }
    };
    insert(warned_names_, warnings.names);
    insert(warned_exact_, warnings.exact);
    for (const auto& value : warnings.substrings) {
        if (warned_parts_.size() < kWarnedPartsMax) warned_parts_.push_back(lower(value));
    }
}

// Values of the tables are record indexes, which count other types too; for parents dense ones are needed.
void IntelSnapshot::finish(Building building) {
    const auto make = [&]<class Table, class Entry>(Table& into, std::vector<Entry>& entries) {
        std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
            return !is_better(a.value, b.value);  // the best of equal prefixes comes last, and counts
        });
        std::vector<std::uint32_t> record_of(entries.size()), parents;
        for (std::uint32_t i = 0; i < entries.size(); ++i)
            record_of[i] = std::exchange(entries[i].value, i);
        static_cast<void>(Table(entries, &parents));
        for (std::uint32_t i = 0; i < entries.size(); ++i) {
            entries[i].value = record_of[i];
            if (parents[i] != Table::kNone) records_[record_of[i]].parent = record_of[parents[i]];
        }
        if (has_beginnings_) {  // else the best of equal ones is in force whenever another is
            std::map<std::string, std::vector<std::uint32_t>> equals;
            for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
                equals[prefix_key(*entry)].push_back(entry->value);
            for (auto& [key, records] : equals) {
                if (records.size() > 1) chain_equals(std::move(records));
            }
        }
        into = Table(std::move(entries));
    };
    make(v4_, building.v4);
    make(v6_, building.v6);
    warned_v4_ = PrefixTable(std::move(building.warned_v4));
    warned_v6_ = Prefix6Table(std::move(building.warned_v6));
    for (auto* table : {&domains_, &urls_, &paths_, &hashes_, &warned_names_, &warned_exact_})
        table->shrink();
    records_.shrink_to_fit();
}

Result<std::shared_ptr<const IntelSnapshot>> IntelSnapshot::build(
    const std::vector<std::pair<std::string, std::string>>& files, int confidence_min) {
    auto out = std::make_shared<IntelSnapshot>();
    Building building;
    Bytes sources;
    ByteWriter digest(sources);
    digest.u32(static_cast<std::uint32_t>(confidence_min));
    for (const auto& [name, text] : files) {
        digest.text(name);
        digest.text(hex(sha256(as_bytes(text))));
        auto file = FIELDWATCH_TRY(parse_indicators(name, text));
        for (const auto& indicator : file.indicators) {
            if (indicator.confidence >= confidence_min) out->add(indicator, building);
        }
        out->add_warnings(file.warnings, building);
        out->sources_.push_back({.name = name,
                                 .indicators = file.indicators.size(),
                                 .warnings = file.warnings.prefixes.size() + file.warnings.exact.size() +
                                             file.warnings.names.size() + file.warnings.substrings.size(),
                                 .skipped = file.skipped,
                                 .bad = std::move(file.bad)});
    }
    out->finish(std::move(building));
    out->digest_ = hex(sha256(sources));
    return out;
}

std::uint64_t IntelSnapshot::skipped() const {
    std::uint64_t out = 0;
    for (const auto& source : sources_)
        out += source.skipped;
    return out;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::hit(std::uint32_t index, std::string value,
                                                     Timestamp now) const {
    const auto& record = records_[index];
    if (record.valid_until != Record::kNever && record.valid_until < now.unix_seconds()) return std::nullopt;
    if (record.valid_from > now.unix_seconds()) return std::nullopt;
    return Hit{.category = texts_[record.category],
               .source = texts_[record.source],
               .value = std::move(value),
               .type = record.type,
               .confidence = record.confidence,
               .first_seen = time_of(record.first_seen),
               .last_seen = time_of(record.last_seen),
               .valid_from = time_of(record.valid_from),
               .valid_until = time_of(record.valid_until),
               .tlp = record.tlp};
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_ip(const IpAddress& address, Timestamp now) const {
    const auto named = [&](std::uint32_t index) {
        const auto length = records_[index].length;
        const bool whole = length == (address.is_v4 ? 32 : 128);
        return masked(address, length).text() + (whole ? "" : "/" + std::to_string(length));
    };
    auto index = address.is_v4 ? v4_.find(address.v4()) : v6_.find(address);
    for (; index != PrefixTable::kNone; index = records_[index].parent) {
        if (auto found = hit(index, named(index), now))
            return is_warned(address) ? std::nullopt : std::move(found);
    }
    return std::nullopt;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_address(std::string_view text, Timestamp now) const {
    const auto address = parse_ip(text);
    if (!address) return std::nullopt;
    return find_ip(address->unmapped(), now);  // an IPv4 peer on a socket of IPv6 is known as itself
}

bool IntelSnapshot::is_warned(const IpAddress& address) const {
    return (address.is_v4 ? warned_v4_.find(address.v4()) : warned_v6_.find(address)) != PrefixTable::kNone;
}

bool IntelSnapshot::is_warned_name(std::string_view name) const {
    if (warned_exact_.find(name) != NameTable::kNone) return true;
    for (auto rest = name; !warned_names_.empty() && !rest.empty();) {
        if (warned_names_.find(rest) != NameTable::kNone) return true;
        const auto dot = rest.find('.');
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return std::any_of(warned_parts_.begin(), warned_parts_.end(),
                       [&](const std::string& part) { return name.find(part) != name.npos; });
}

bool IntelSnapshot::is_warned_url(std::string_view url) const {
    const auto host = lower(host_of(url));
    if (const auto address = parse_ip(host)) return is_warned(*address);
    return is_warned_name(host) || warned_exact_.find(lower(url)) != NameTable::kNone;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_name(const NameTable& names, std::string_view key,
                                                           Timestamp now) const {
    for (auto index = names.find(key); index != NameTable::kNone; index = records_[index].parent) {
        if (auto found = hit(index, std::string(key), now)) return found;
    }
    return std::nullopt;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_domain(std::string_view name, Timestamp now) const {
    if (domains_.empty() || name.empty() || name.size() > 1'000) return std::nullopt;
    auto key = lower(is_ascii(name) ? std::string(name) : ascii_name(name).value_or(std::string(name)));
    if (key.ends_with('.')) key.pop_back();
    for (std::string_view rest = key; !rest.empty();) {
        if (auto found = find_name(domains_, rest, now))
            return is_warned_name(key) ? std::nullopt : std::move(found);
        const auto dot = rest.find('.');
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return std::nullopt;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_url(std::string_view url, Timestamp now) const {
    if (url.size() <= 4'096) {
        std::optional<Hit> found;
        if (!urls_.empty()) found = find_name(urls_, url_key(url), now);
        if (!found && !paths_.empty()) found = find_name(paths_, path_of(url), now);
        if (found) return is_warned_url(url) ? std::nullopt : std::move(found);
    }
    const auto host = host_of(url);
    if (auto found = find_address(host, now)) return found;
    return find_domain(host, now);
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_hash(std::string_view hex, Timestamp now) const {
    if (hashes_.empty() || (hex.size() != 64 && hex.size() != 40 && hex.size() != 32)) return std::nullopt;
    auto found = find_name(hashes_, hash_key(hex), now);
    if (found) found->value = lower(hex);
    return found && warned_exact_.find(found->value) != NameTable::kNone ? std::nullopt : std::move(found);
}

std::string to_json(const IntelSnapshot::Hit& hit) {
    std::string out;
    JsonWriter json(out);
    json.begin_object()
        .member("indicator", clean_text(hit.value, hit.value.size()))  // may be what a person typed
        .member("type", to_string(hit.type))
        .member("category", hit.category)
        .member("source", hit.source)
        .member("confidence", static_cast<std::int64_t>(hit.confidence));
    if (hit.first_seen) json.member("firstSeen", to_iso8601(*hit.first_seen, 0));
    if (hit.last_seen) json.member("lastSeen", to_iso8601(*hit.last_seen, 0));
    if (hit.valid_from) json.member("validFrom", to_iso8601(*hit.valid_from, 0));
    if (hit.valid_until) json.member("validUntil", to_iso8601(*hit.valid_until, 0));
    json.member_if("tlp", to_string(hit.tlp)).end_object();
    return out;
}

JsonWriter& write_indicator(JsonWriter& json, const IntelSnapshot::Hit& hit) {
    return json.member("Indicator", hit.value)
        .member("IndicatorCategory", hit.category)
        .member("IndicatorSource", hit.source)
        .member("IndicatorConfidence", static_cast<std::int64_t>(hit.confidence))
        .member_if("IndicatorTlp", to_string(hit.tlp));
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find(std::string_view given, Timestamp now) const {
    const auto value = refanged(given);  // as people copy it from reports
    if (auto found = find_hash(value, now)) return found;
    if (auto found = find_address(value, now)) return found;
    return find_url(value, now);  // with or without scheme and path; a bare name is its host
}

}  // namespace fieldwatch::detect
