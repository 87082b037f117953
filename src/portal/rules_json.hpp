// Sets of rules out of bodies, and what is said of rules as JSON: docs/api.md, "Rules". Internal to portal.
#pragma once

#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/rules.hpp"

namespace fieldwatch::portal {

/// Errors: Unavailable where this server keeps no rules.
Result<Rules*> rules_of(const Context& context);

/// `files`, `words` and `only` of a body. Errors: InvalidArgument naming the file; TooLarge.
Result<RuleSetText> read_rule_set(const Json& body);
/// A whole number of a body; nullopt when it is absent. Errors: InvalidArgument.
Result<std::optional<std::uint64_t>> read_number(const Json& body, std::string_view name);
/// A time of a body or parameter. Errors: InvalidArgument, naming it.
Result<Timestamp> read_time(std::string_view name, std::string_view text);

/// `{"error":{"code":"RulesRefused","message","details":[Failure]}}`, 400.
net::HttpResponse rules_refused(const std::vector<detect::SampleFailure>& failures);

std::vector<detect::SampleFailure> failures_of(const std::vector<detect::RuleError>& errors);
Json failures_json(const std::vector<detect::SampleFailure>& failures);
Json diff_json(const detect::RuleDiff& diff);
/// Its clauses, as a list.
Json clauses_json(const detect::Explanation& explanation);
/// The time, or null for none.
Json time_json(Timestamp time);

}  // namespace fieldwatch::portal
