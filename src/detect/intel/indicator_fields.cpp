#include "detect/intel/indicator_fields.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kValuesMax = 64;  ///< of one line or object

struct FieldNames {
    IndicatorField field;
    std::vector<std::string_view> names;
};

const std::vector<FieldNames>& field_names() {
    using enum IndicatorField;
    static const std::vector<FieldNames> kNames{
        {Value, {"value",       "indicator",   "indicator_value",
                 "observable",  "ioc_value",   "ioc",
                 "ip",          "ip_address",  "ipaddress",
                 "ip_addr",     "address",     "ipv4",
                 "ipv6",        "ip_range",    "dst_ip",
                 "dstip",       "dest_ip",     "destination_ip",
                 "src_ip",      "srcip",       "source_ip",
                 "cidr",        "network",     "netblock",
                 "subnet",      "prefix",      "domain",
                 "domain_name", "host",        "hostname",
                 "host_name",   "fqdn",        "url",
                 "uri",         "sha256_hash", "sha256",
                 "sha_256",     "sha1_hash",   "sha1",
                 "sha_1",       "md5_hash",    "md5",
                 "hash",        "file_hash",   "hash_value",
                 "filehash"}},
        {Type, {"type", "ioc_type", "indicator_type", "value_type"}},
        {Malware,
         {"category", "malware", "malware_printable", "malware_family", "family", "signature",
          "listingreason", "listing_reason"}},
        {Threat, {"threat_type", "threat", "description"}},
        {Tags, {"tags", "tag", "labels"}},
        {Confidence, {"confidence", "confidence_level", "score", "confidence_score", "abuseconfidencescore"}},
        {Source, {"source", "reporter", "feed", "provider"}},
        {ValidFrom, {"validfrom", "valid_from", "active_from"}},
        {ValidUntil,
         {"validuntil", "valid_until", "valid_to", "expiry", "expires", "expires_at", "expiration",
          "expiration_date", "expiry_date", "expiration_datetime"}},
        {FirstSeen,
         {"first_seen", "firstseen", "first_seen_utc", "dateadded", "date_added", "listingdate",
          "listing_date", "date", "added", "created", "first_reported"}},
        {LastSeen,
         {"last_seen", "lastseen", "last_seen_utc", "last_online", "lastreportedat", "last_reported_at",
          "last_updated", "modified"}},
        {Tlp, {"tlp", "tlp_level", "tlp_marking"}},
        {ForDetection, {"to_ids"}}};
    return kNames;
}

/// Kinds of values that would be taken for others: a file's name for a domain, a fingerprint for a hash.
bool is_unmatched_type(std::string_view type) {
    static constexpr std::array<std::string_view, 15> kParts{
        "mail",    "mutex",  "regkey", "registry",     "user-agent", "useragent", "user_agent", "yara",
        "imphash", "pehash", "ja3",    "authentihash", "tlsh",       "ssdeep",    "fingerprint"};
    if (type == "filename" || type == "file_name" || type == "file-name" || type == "cve") return true;
    return std::any_of(kParts.begin(), kParts.end(),
                       [&](std::string_view part) { return type.find(part) != type.npos; });
}

bool says_nothing(std::string_view text) {
    return text.empty() || text == "None" || text == "none" || text == "n/a" || text == "N/A" ||
           text == "-" || text == "null" || text == "NULL";
}

/// The host of a URL stands in a column of its own too: often a harmless server that was broken into.
bool is_host_of_another(const std::string& value, const std::vector<std::string>& values) {
    return std::any_of(values.begin(), values.end(), [&](const std::string& other) {
        return other.find("://" + value) != other.npos || other.find("@" + value) != other.npos;
    });
}

}  // namespace

IndicatorField field_of(std::string_view name) {
    auto key = lower(trimmed(name, " \t\r\n\"'#"));
    std::replace_if(key.begin(), key.end(), [](char c) { return c == ' ' || c == '-' || c == '.'; }, '_');
    std::erase_if(key, [](char c) { return c == '(' || c == ')'; });
    for (const auto& [field, names] : field_names()) {
        if (std::find(names.begin(), names.end(), key) != names.end()) return field;
    }
    return IndicatorField::Other;
}

std::string IndicatorDescription::clean_text_of(std::string_view text) {
    return clean_text(text);
}

std::optional<std::string> IndicatorDescription::take(IndicatorField field, std::string_view given) {
    const auto text = trimmed(given);
    if (says_nothing(text)) return std::nullopt;
    switch (field) {
        case IndicatorField::Value:
            if (values_.size() < kValuesMax) values_.emplace_back(text);
            break;
        case IndicatorField::Type:
            is_wanted_ = is_wanted_ && !is_unmatched_type(lower(text));
            break;
        case IndicatorField::Malware:
            if (about_.category.empty()) about_.category = clean_text(text);
            break;
        case IndicatorField::Threat:
            threat_ = clean_text(text);
            break;
        case IndicatorField::Tags:
            tags_ = clean_text(text);
            break;
        case IndicatorField::Confidence: {
            const auto confidence = parse_confidence(text);
            if (!confidence) return "the confidence must be a number from 0 to 100";
            about_.confidence = *confidence;
            break;
        }
        case IndicatorField::Source:
            about_.source = clean_text(text);
            break;
        case IndicatorField::ValidUntil:
            about_.valid_until = parse_indicator_time(text);
            if (!about_.valid_until) return "the expiry is not an ISO 8601 time";
            break;
        case IndicatorField::ValidFrom:
            about_.valid_from = parse_indicator_time(text);
            if (!about_.valid_from)
                return "the beginning must be an ISO 8601 time or a number of Unix seconds";
            if (!about_.first_seen) about_.first_seen = about_.valid_from;
            break;
        case IndicatorField::FirstSeen:
            if (!about_.first_seen) about_.first_seen = parse_indicator_time(text);
            break;
        case IndicatorField::LastSeen:
            if (!about_.last_seen) about_.last_seen = parse_indicator_time(text);
            break;
        case IndicatorField::Tlp:
            about_.tlp = tlp_from(text);
            break;
        case IndicatorField::ForDetection:
            is_wanted_ = is_wanted_ && text != "0" && lower(text) != "false" && lower(text) != "no";
            break;
        case IndicatorField::Other:
            break;
    }
    return std::nullopt;
}

bool IndicatorDescription::append_to(IndicatorFile& out) const {
    if (!is_wanted_) {
        ++out.skipped;
        return true;
    }
    auto about = about_;
    if (about.category.empty()) about.category = threat_.empty() ? tags_ : threat_;
    bool any = false;
    for (const auto& value : values_) {
        if (!is_host_of_another(value, values_)) any = append_indicators(value, about, out) || any;
    }
    return any;
}

}  // namespace fieldwatch::detect
