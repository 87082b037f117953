// The commands that keep a server: backup, purge, where findings go, who may use it.
#pragma once

#include "app/cli/command.hpp"

namespace fieldwatch::app {

/// As call_text, with an answer that is no JSON either.
Result<std::string> call_bytes(const Session& session, std::string_view method, const std::string& target,
                               std::string_view body);

void add_backup(CLI::App& app, Session& session);  ///< and restore
void add_purge(CLI::App& app, Session& session);
void add_export(CLI::App& app, Session& session);
void add_user(CLI::App& app, Session& session);
void add_token(CLI::App& app, Session& session);

}  // namespace fieldwatch::app
