// What feeds call the same things: columns of CSV and members of JSON objects, and what they say of an
// indicator. Internal to intel.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detect/intel/indicator.hpp"

namespace fieldwatch::detect {

enum class IndicatorField : std::uint8_t {
    Other,
    Value,
    Type,  ///< what kind of value: ioc_type
    Malware,
    Threat,
    Tags,
    Confidence,
    Source,
    ValidFrom,
    ValidUntil,
    FirstSeen,
    LastSeen,
    Tlp,
    ForDetection  ///< MISP's to_ids
};

/// By name, in any spelling: `First Seen (UTC)`, `first_seen_utc`, `"dst-ip"`.
IndicatorField field_of(std::string_view name);

/// Collects one line or object.
class IndicatorDescription {
  public:
    /// `file_name` is the source of what names none itself.
    explicit IndicatorDescription(std::string_view file_name) { about_.source = clean_text_of(file_name); }

    /// Takes a field; empty ones and `None`, `n/a`, `-` say nothing. A sentence when it is wrong: then the
    /// whole line is.
    std::optional<std::string> take(IndicatorField field, std::string_view text);

    /// Appends what was described; false when no value was one. What is not meant for detection, or of a kind
    /// that is not matched, is counted as skipped, and true.
    bool append_to(IndicatorFile& out) const;

  private:
    static std::string clean_text_of(std::string_view text);

    Indicator about_;
    std::vector<std::string> values_;
    std::string threat_, tags_;
    bool is_wanted_ = true;
};

}  // namespace fieldwatch::detect
