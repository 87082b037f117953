#include "detect/intel/intel.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::string_view bytes_of(const IpAddress& address) {
    return {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()};
}

IpAddress masked(IpAddress address, unsigned length) {
    for (unsigned bit = length; bit < (address.is_v4 ? 32u : 128u); ++bit)
        address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    return address;
}

/// Scheme gone, host in lower case: `http://Evil.example/A` is `evil.example/A`.
std::string url_key(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != url.npos) url = url.substr(scheme + 3);
    const auto slash = url.find('/');
    auto out = lower(url.substr(0, slash));
    if (slash != url.npos) out.append(url.substr(slash));
    while (out.ends_with('/'))
        out.pop_back();
    return out;
}

std::string_view host_of(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != url.npos) url = url.substr(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    if (const auto at = url.rfind('@'); at != url.npos) url = url.substr(at + 1);
    if (url.starts_with('[')) return url.substr(1, url.find(']') == url.npos ? url.npos : url.find(']') - 1);
    return url.substr(0, url.find(':'));
}

}  // namespace

std::string_view to_string(IndicatorType type) {
    constexpr std::string_view kNames[] = {"ipv4", "ipv6", "cidr", "domain", "url", "sha256"};
    return kNames[std::to_underlying(type)];
}

std::uint32_t IntelSnapshot::intern(std::string_view text) {
    if (const auto found = text_index_.find(text); found != text_index_.end()) return found->second;
    const auto index = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    text_index_.emplace(text, index);
    return index;
}

void IntelSnapshot::add(const Indicator& indicator, std::vector<PrefixTable::Entry>& v4) {
    const auto index = static_cast<std::uint32_t>(records_.size());
    Record record{.valid_until = indicator.valid_until ? indicator.valid_until->ticks : INT64_MAX,
                  .category = intern(indicator.category),
                  .source = intern(indicator.source),
                  .type = indicator.type,
                  .confidence = static_cast<std::uint8_t>(indicator.confidence)};
    switch (indicator.type) {
        case IndicatorType::Ipv4:
        case IndicatorType::Ipv6:
        case IndicatorType::Cidr: {
            const auto prefix = fieldwatch::parse_prefix(indicator.value);
            if (!prefix) return;  // the reader has checked it
            record.length = prefix->length;
            if (prefix->address.is_v4) {
                v4.push_back({prefix->address.v4(), prefix->length, index});
            } else {
                auto at = std::find_if(v6_.begin(), v6_.end(),
                                       [&](const auto& entry) { return entry.first <= prefix->length; });
                if (at == v6_.end() || at->first != prefix->length)
                    at = v6_.insert(at, {prefix->length, Names{}});
                at->second.insert_or_assign(std::string(bytes_of(prefix->address)), index);
            }
            break;
        }
        case IndicatorType::Domain:
            domains_.insert_or_assign(lower(indicator.value), index);
            break;
        case IndicatorType::Url:
            urls_.insert_or_assign(url_key(indicator.value), index);
            break;
        case IndicatorType::Sha256:
            hashes_.insert_or_assign(lower(indicator.value), index);
            break;
    }
    records_.push_back(record);
}

Result<std::shared_ptr<const IntelSnapshot>> IntelSnapshot::build(
    const std::vector<std::pair<std::string, std::string>>& files, int confidence_min) {
    auto out = std::make_shared<IntelSnapshot>();
    std::vector<PrefixTable::Entry> v4, warned;
    for (const auto& [name, text] : files) {
        const auto file = FIELDWATCH_TRY(parse_indicators(name, text));
        out->skipped_ += file.skipped;
        for (const auto& indicator : file.indicators) {
            if (indicator.confidence >= confidence_min) out->add(indicator, v4);
        }
        for (const auto& value : file.warning_prefixes) {
            const auto prefix = fieldwatch::parse_prefix(value);
            if (!prefix) continue;
            if (prefix->address.is_v4) {
                warned.push_back({prefix->address.v4(), prefix->length, 0});
            } else {
                out->warned_v6_.push_back(*prefix);
            }
        }
        for (const auto& value : file.warning_names)
            out->warned_names_.emplace(lower(value), 0);
    }
    std::vector<std::uint32_t> parents;
    // Values are record indexes, which count other types too: the table needs dense ones to give parents.
    std::vector<std::uint32_t> record_of(v4.size());
    for (std::uint32_t i = 0; i < v4.size(); ++i) {
        record_of[i] = v4[i].value;
        v4[i].value = i;
    }
    {
        PrefixTable dense(v4, &parents);
    }
    for (std::uint32_t i = 0; i < v4.size(); ++i) {
        if (parents[i] != PrefixTable::kNone) out->records_[record_of[i]].parent = record_of[parents[i]];
        v4[i].value = record_of[i];
    }
    out->v4_ = PrefixTable(std::move(v4));
    out->warned_v4_ = PrefixTable(std::move(warned));
    return out;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::hit(std::uint32_t index, std::string value,
                                                     Timestamp now) const {
    const auto& record = records_[index];
    if (record.valid_until < now.ticks) return std::nullopt;
    return Hit{.category = texts_[record.category],
               .source = texts_[record.source],
               .value = std::move(value),
               .type = record.type,
               .confidence = record.confidence};
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_address(std::string_view text, Timestamp now) const {
    const auto address = parse_ip(text);
    if (!address) return std::nullopt;
    const auto named = [&](std::uint32_t index) {
        const auto length = records_[index].length;
        const auto whole = length == (address->is_v4 ? 32 : 128);
        return masked(*address, length).text() + (whole ? "" : "/" + std::to_string(length));
    };
    if (address->is_v4) {
        for (auto index = v4_.find(address->v4()); index != PrefixTable::kNone;
             index = records_[index].parent) {
            if (auto found = hit(index, named(index), now))
                return is_warned(*address) ? std::nullopt : std::move(found);
        }
        return std::nullopt;
    }
    for (const auto& [length, prefixes] : v6_) {
        const auto found = prefixes.find(bytes_of(masked(*address, length)));
        if (found == prefixes.end()) continue;
        if (auto out = hit(found->second, named(found->second), now))
            return is_warned(*address) ? std::nullopt : std::move(out);
    }
    return std::nullopt;
}

bool IntelSnapshot::is_warned(const IpAddress& address) const {
    if (address.is_v4) return warned_v4_.find(address.v4()) != PrefixTable::kNone;
    return std::any_of(warned_v6_.begin(), warned_v6_.end(), [&](const IpPrefix& prefix) {
        return masked(address, prefix.length) == prefix.address;
    });
}

bool IntelSnapshot::is_warned(std::string_view name) const {
    for (auto rest = name; !warned_names_.empty() && !rest.empty();) {
        if (warned_names_.contains(rest)) return true;
        const auto dot = rest.find('.');
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return false;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_name(const Names& names, std::string_view key,
                                                           Timestamp now) const {
    const auto found = names.find(key);
    return found == names.end() ? std::nullopt : hit(found->second, std::string(key), now);
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_domain(std::string_view name, Timestamp now) const {
    if (domains_.empty() || name.empty() || name.size() > 253) return std::nullopt;
    auto key = lower(name);
    if (key.ends_with('.')) key.pop_back();
    for (std::string_view rest = key; !rest.empty();) {
        if (auto found = find_name(domains_, rest, now))
            return is_warned(std::string_view(key)) ? std::nullopt : std::move(found);
        const auto dot = rest.find('.');
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return std::nullopt;
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_url(std::string_view url, Timestamp now) const {
    if (!urls_.empty() && url.size() <= 4'096) {
        if (auto found = find_name(urls_, url_key(url), now))
            return is_warned(lower(host_of(url))) ? std::nullopt : std::move(found);
    }
    const auto host = host_of(url);
    if (auto found = find_address(host, now)) return found;
    return find_domain(host, now);
}

std::optional<IntelSnapshot::Hit> IntelSnapshot::find_sha256(std::string_view hex, Timestamp now) const {
    if (hashes_.empty() || hex.size() != 64) return std::nullopt;
    return find_name(hashes_, lower(hex), now);
}

}  // namespace fieldwatch::detect
