// Threat intelligence: an immutable snapshot of indicators, swapped whole. Most events miss, so the miss path
// is the one that is made quick. Warning-lists are asked before a hit counts. spec/alerts.md section 6,
// spec/detection.md section 2.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/intel/indicator.hpp"
#include "detect/intel/name_table.hpp"
#include "detect/intel/prefix6_table.hpp"
#include "detect/intel/prefix_table.hpp"

namespace fieldwatch::detect {

/// Shared by all shards.
class IntelSnapshot {
  public:
    struct Hit {
        std::string_view category, source;
        std::string value;
        IndicatorType type = IndicatorType::Ipv4;
        int confidence = 0;
        std::optional<Timestamp> first_seen, last_seen, valid_from, valid_until;  ///< whole seconds
        Tlp tlp = Tlp::None;
    };
    /// A file that was read, and what of it was left out.
    struct Source {
        std::string name;
        std::size_t indicators = 0, warnings = 0;
        std::uint64_t skipped = 0;
        std::vector<BadLine> bad;
    };

    /// `files`: (name, text). Below `confidence_min` an indicator is left out. Errors: a file that is none.
    static Result<std::shared_ptr<const IntelSnapshot>> build(
        const std::vector<std::pair<std::string, std::string>>& files, int confidence_min);

    /// `now` is log time: an indicator that has expired by then, or is not yet valid, is not there.
    std::optional<Hit> find_address(std::string_view address, Timestamp now) const;
    std::optional<Hit> find_domain(std::string_view name, Timestamp now) const;  ///< parents match too
    std::optional<Hit> find_url(std::string_view url,
                                Timestamp now) const;  ///< the URL, its path, else its host
    std::optional<Hit> find_hash(std::string_view hex, Timestamp now) const;  ///< MD5, SHA-1, SHA-256
    std::optional<Hit> find_sha256(std::string_view hex, Timestamp now) const { return find_hash(hex, now); }
    /// Whatever the text is.
    std::optional<Hit> find(std::string_view value, Timestamp now) const;

    std::size_t size() const { return records_.size(); }
    /// Names the files it was made of and the least confidence: equal ones find the same.
    const std::string& digest() const { return digest_; }
    bool has_hashes() const { return !hashes_.empty(); }
    bool has_names() const { return !domains_.empty() || !urls_.empty() || !paths_.empty(); }
    const std::array<std::size_t, kIndicatorTypes>& by_type() const { return by_type_; }
    const std::vector<Source>& sources() const { return sources_; }
    std::uint64_t skipped() const;
    const PrefixTable& addresses() const { return v4_; }

  private:
    /// 32 bytes an indicator; texts that repeat are kept once. Times are Unix seconds.
    struct Record {
        static constexpr std::uint32_t kNever = 0xFFFFFFFF;
        std::uint32_t valid_from = 0, valid_until = kNever, first_seen = 0, last_seen = 0;
        std::uint32_t category = 0, source = 0;
        /// Who is asked when this one is not in force: another of the same value, else the prefix around.
        std::uint32_t parent = PrefixTable::kNone;
        IndicatorType type = IndicatorType::Ipv4;
        Tlp tlp = Tlp::None;
        std::uint8_t confidence = 0, length = 0;
    };
    struct Building;

    void add(const Indicator& indicator, Building& building);
    void add_name(NameTable& table, std::string_view key, std::uint32_t record);
    void add_warnings(const WarningValues& warnings, Building& building);
    void finish(Building building);
    std::uint32_t intern(std::string_view text);
    bool is_better(std::uint32_t record, std::uint32_t than) const;
    bool outlasts(std::uint32_t record, std::uint32_t other) const;
    void chain_equals(std::vector<std::uint32_t> equals);

    std::optional<Hit> hit(std::uint32_t record, std::string value, Timestamp now) const;
    std::optional<Hit> find_name(const NameTable& names, std::string_view key, Timestamp now) const;
    std::optional<Hit> find_ip(const IpAddress& address, Timestamp now) const;
    bool is_warned(const IpAddress& address) const;
    bool is_warned_name(std::string_view name) const;
    bool is_warned_url(std::string_view url) const;

    std::vector<Record> records_;
    std::vector<std::string> texts_;
    std::map<std::string, std::uint32_t, std::less<>> text_index_;
    PrefixTable v4_, warned_v4_;
    Prefix6Table v6_, warned_v6_;
    NameTable domains_, urls_, paths_, hashes_;  ///< hashes by their bytes
    NameTable warned_names_, warned_exact_;
    std::vector<std::string> warned_parts_;
    std::array<std::size_t, kIndicatorTypes> by_type_{};
    std::vector<Source> sources_;
    std::string digest_;
    bool has_beginnings_ = false;  ///< an indicator is valid from some time on only
};

/// A hit as an object: `indicator`, `type`, `category`, `source`, `confidence`, times, `tlp`.
std::string to_json(const IntelSnapshot::Hit& hit);

/// What an alert says of the indicator, as members of its extended properties (spec/alerts.md section 2.3).
JsonWriter& write_indicator(JsonWriter& json, const IntelSnapshot::Hit& hit);

}  // namespace fieldwatch::detect
