// A query that runs by itself: what is asked how often over which time, and what its rows say of whom.
// docs/formats/scheduled-rules.md, docs/decisions/0085-scheduled-queries.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// What a column of the result can name. `device` decides whose alert it is.
inline constexpr std::array<std::string_view, 8> kQueryEntities{"device", "process", "file", "user",
                                                                "ip",     "domain",  "url",  "hash"};

struct ScheduledRule {
    std::string id;  ///< is_scheduled_rule_id()
    std::string name, description, query;
    model::Severity severity = model::Severity::Medium;
    std::string intent;          ///< kill-chain words joined by commas; may be empty
    Ticks period{0};             ///< PT1M to P1D; windows end at its multiples since 1970-01-01
    Ticks window{0};             ///< from the period to P14D
    Ticks suppression{0};        ///< to P14D: the same entities raise nothing more for so long
    Ticks lateness{0};           ///< to P1D: a window is asked again until it ended so long ago
    std::int64_t threshold = 0;  ///< more rows than this about the same entities are an alert
    std::vector<std::pair<std::string, std::string>>
        entities;  ///< kind, column; in the order of kQueryEntities
    bool enabled = true;
    std::string author;  ///< who wrote this version

    friend bool operator==(const ScheduledRule&, const ScheduledRule&) = default;
};

bool is_scheduled_rule_id(std::string_view id);  ///< 1 to 64 of A-Za-z0-9-_

/// The document of REST and of the registry. Errors: InvalidArgument naming the member and what is allowed.
Result<ScheduledRule> parse_scheduled_rule(std::string_view id, std::string_view json);
/// Every member, as parse_scheduled_rule reads it.
std::string scheduled_rule_json(const ScheduledRule& rule);

}  // namespace fieldwatch::detect
