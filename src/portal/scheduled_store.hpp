// Scheduled rules, written: for their own routes, and for what keeps one of its own. Internal to portal.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "portal/context.hpp"
#include "portal/scheduled_rules.hpp"

namespace fieldwatch::portal {

/// Errors: Unavailable.
Result<ScheduledRules*> scheduler_of(const Context& context);

struct StoredRule {
    registry::Document document;
    ScheduledTrial trial;  ///< what it would have raised in its newest window
};
/// Tries the rule, and keeps it as its newest version. Errors: what its query says when it does not run;
/// Exhausted; Conflict where `match` is no longer the version; Unavailable.
Result<StoredRule> store_scheduled_rule(const Context& context, const registry::Hub& hub,
                                        const detect::ScheduledRule& rule,
                                        std::optional<std::uint64_t> match);
/// Errors: NotFound, Unavailable.
Result<void> drop_scheduled_rule(const Context& context, const model::HubName& hub, std::string_view id);

}  // namespace fieldwatch::portal
