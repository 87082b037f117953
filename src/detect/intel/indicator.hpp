// Indicators of compromise as they come in files: STIX, MISP, CSV, lists of one value a line.
// spec/detection.md section 2; docs/formats/indicators.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::detect {

enum class IndicatorType : std::uint8_t { Ipv4, Ipv6, Cidr, Domain, Url, Sha256, Sha1, Md5, UrlPath };
inline constexpr std::size_t kIndicatorTypes = 9;
std::string_view to_string(IndicatorType type);

/// Traffic light protocol 2.0: how far an indicator may be passed on.
enum class Tlp : std::uint8_t { None, Clear, Green, Amber, AmberStrict, Red };
std::string_view to_string(Tlp tlp);  ///< "TLP:GREEN"; empty for None
/// "tlp:amber+strict", "TLP:WHITE" (the older name of clear), "green".
Tlp tlp_from(std::string_view text);

inline constexpr int kDefaultConfidence = 50;

struct Indicator {
    IndicatorType type = IndicatorType::Ipv4;
    std::string value;  ///< as given, without what hides it from mail filters (hxxp, [.])
    std::string category, source;
    int confidence = kDefaultConfidence;  ///< 0 to 100
    std::optional<Timestamp> first_seen, last_seen;
    std::optional<Timestamp> valid_from, valid_until;  ///< in force only between; absent = no such end
    Tlp tlp = Tlp::None;
};

/// A MISP warning-list, by how its values are compared.
struct WarningValues {
    std::vector<std::string> prefixes;    ///< addresses and CIDR ranges
    std::vector<std::string> exact;       ///< names, URLs and hashes that are equal
    std::vector<std::string> names;       ///< host names, and everything under them
    std::vector<std::string> substrings;  ///< parts of names and URLs
    bool empty() const { return prefixes.empty() && exact.empty() && names.empty() && substrings.empty(); }
};

struct BadLine {
    std::size_t line = 0;  ///< from 1; 0 where the file has no lines that mean anything
    std::string why;
};

struct IndicatorFile {
    static constexpr std::size_t kBadMax = 100;  ///< listed; the others are counted

    std::vector<Indicator> indicators;
    WarningValues warnings;
    std::uint64_t skipped = 0;  ///< values of forms that we do not match on, and lines that are wrong
    std::vector<BadLine> bad;

    void refuse(std::size_t line, std::string why) {
        ++skipped;
        if (bad.size() < kBadMax) bad.push_back({line, std::move(why)});
    }
};

/// Told apart by content. What is wrong in a line leaves that line out and is listed.
/// Errors: Malformed for a document that is none of the forms; TooLarge.
Result<IndicatorFile> parse_indicators(std::string_view name, std::string_view text);

}  // namespace fieldwatch::detect
