// A rule folder as the API takes it, and the commands that give it to a server.
#pragma once

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/command.hpp"
#include "base/result.hpp"

namespace fieldwatch::app {

struct RuleSetOptions {
    std::string directory;
    bool only = false;  ///< in the place of the pack, not over it
};
/// `files`, `words` and `only`. Errors: NotFound for a folder without rules; Malformed naming a file that is
/// not UTF-8.
Result<nlohmann::json> read_rule_set(const RuleSetOptions& options);

/// An ISO 8601 time as it stands, or the time that a duration before now (P1D, PT5M) comes to.
Result<std::string> absolute_time(std::string_view text);

/// Gives a set to the server. Where that refuses rules, all that it refused them for goes to standard error.
Result<nlohmann::json> post_rule_set(const Session& session, const std::string& target,
                                     const nlohmann::json& body);

/// Adds --rules (required) and --only.
void add_rule_set_options(CLI::App& command, RuleSetOptions& options);

void add_running_rules(CLI::App& rules, Session& session);  ///< list, apply, versions, rollback
void add_rule_backtest(CLI::App& rules, Session& session);
void add_scheduled_rules(CLI::App& rules, Session& session);
void add_why(CLI::App& alerts, Session& session);

}  // namespace fieldwatch::app
