// Threat intelligence: an immutable snapshot of indicators, swapped whole. Most events miss, so the miss path
// is the one that is made quick. Warning-lists are asked before a hit counts. spec/alerts.md section 6,
// spec/detection.md section 2.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/intel/prefix_table.hpp"

namespace fieldwatch::detect {

enum class IndicatorType : std::uint8_t { Ipv4, Ipv6, Cidr, Domain, Url, Sha256 };
std::string_view to_string(IndicatorType type);

struct Indicator {
    IndicatorType type = IndicatorType::Ipv4;
    std::string value;  ///< normalised: lower case but for a URL's path
    std::string category, source;
    int confidence = 50;
    std::optional<Timestamp> valid_until;
};

struct IndicatorFile {
    std::vector<Indicator> indicators;
    std::vector<std::string> warning_prefixes, warning_names;  ///< of a MISP warning-list
    std::uint64_t skipped = 0;                                 ///< lines of forms that we do not match on
};
/// Reads, told apart by content: CSV with a header line or header comment, lists of one value a line (netset,
/// domain list, hosts file, hash list, `address<tab>count`), JSON Lines of indicators, a MISP warning-list.
/// Errors: Malformed, with file and line.
Result<IndicatorFile> parse_indicators(std::string_view name, std::string_view text);

/// Shared by all shards.
class IntelSnapshot {
  public:
    struct Hit {
        std::string_view category, source;
        std::string value;
        IndicatorType type = IndicatorType::Ipv4;
        int confidence = 0;
    };

    static Result<std::shared_ptr<const IntelSnapshot>> build(
        const std::vector<std::pair<std::string, std::string>>& files, int confidence_min);

    /// `now` is log time: an indicator that has expired by then is not there.
    std::optional<Hit> find_address(std::string_view address, Timestamp now) const;
    std::optional<Hit> find_domain(std::string_view name, Timestamp now) const;  ///< parents match too
    std::optional<Hit> find_url(std::string_view url, Timestamp now) const;      ///< the URL, else its host
    std::optional<Hit> find_sha256(std::string_view hex, Timestamp now) const;

    std::size_t size() const { return records_.size(); }
    std::uint64_t skipped() const { return skipped_; }
    const PrefixTable& addresses() const { return v4_; }

  private:
    /// 24 bytes an indicator; texts that repeat are kept once.
    struct Record {
        std::int64_t valid_until = INT64_MAX;
        std::uint32_t category = 0, source = 0, parent = PrefixTable::kNone;
        IndicatorType type = IndicatorType::Ipv4;
        std::uint8_t confidence = 0, length = 0;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return hash64(as_bytes(text)); }
    };
    using Names = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

    std::optional<Hit> hit(std::uint32_t record, std::string value, Timestamp now) const;
    std::optional<Hit> find_name(const Names& names, std::string_view key, Timestamp now) const;
    bool is_warned(const IpAddress& address) const;
    bool is_warned(std::string_view name) const;
    std::uint32_t intern(std::string_view text);
    void add(const Indicator& indicator, std::vector<PrefixTable::Entry>& v4);

    std::vector<Record> records_;
    std::vector<std::string> texts_;
    Names text_index_;
    PrefixTable v4_, warned_v4_;
    std::vector<std::pair<std::uint8_t, Names>> v6_;  ///< by prefix length, longest first; keys are 16 bytes
    std::vector<IpPrefix> warned_v6_;
    Names domains_, urls_, hashes_;
    Names warned_names_;
    std::uint64_t skipped_ = 0;
};

}  // namespace fieldwatch::detect
