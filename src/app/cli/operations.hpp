// The commands that keep a server: backup, purge, where findings go, who may use it.
#pragma once

#include "app/cli/command.hpp"

namespace fieldwatch::app {

/// As call_text, with an answer that is no JSON either.
Result<std::string> call_bytes(const Session& session, std::string_view method, const std::string& target,
                               std::string_view body);

/// A file's text without the blanks around it; `-` = standard input. Never an argument: those are seen by
/// everybody on the machine.
Result<std::string> text_in(const std::string& path);

void add_backup(CLI::App& app, Session& session);  ///< and restore
void add_keys(CLI::App& app, Session& session);
void add_purge(CLI::App& app, Session& session);
void add_export(CLI::App& app, Session& session);
void add_user(CLI::App& app, Session& session);
void add_update(CLI::App& app, Session& session);             ///< of the agent
void add_sign_in_provider(CLI::App& user, Session& session);  ///< below `user`
void add_token(CLI::App& app, Session& session);

}  // namespace fieldwatch::app
