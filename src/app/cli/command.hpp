// What every subcommand shares: where the server is, how results are written, how errors end the process.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::app {

/// Exit status of design section 6: 0 done, 1 failed, 2 used wrongly.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsedWrongly = 2;

/// The options that stand before or behind every subcommand that reads a server, and what the profile says.
struct Session {
    std::string server;  ///< http://127.0.0.1:7780
    std::string token;
    std::string hub;               ///< --hub, else the profile's
    std::string format = "table";  ///< table, json or csv
    int exit_status = kDone;       ///< what the chosen subcommand's callback leaves
};

/// Adds --server, --token, --format to a subcommand.
void add_session_options(CLI::App& command, Session& session);
void add_hub_option(CLI::App& command, Session& session);

/// Fills what was not given from $FIELDWATCH_PROFILE, ~/.config/fieldwatch/profile.json. Errors: NotFound
/// with what to do.
Result<void> complete(Session& session);

/// The whole profile, where it is this session's server's. Errors: NotFound with what to do, Malformed.
Result<nlohmann::json> profile_of(const Session& session);

/// One request to the server; the JSON of a 2xx answer (null for 204). Errors carry the server's own
/// sentence.
Result<nlohmann::json> call(const Session& session, std::string_view method, const std::string& target,
                            const nlohmann::json* body = nullptr);

/// The same with a body that is no JSON.
Result<nlohmann::json> call_text(const Session& session, std::string_view method, const std::string& target,
                                 std::string_view body);

/// The same with headers in both directions: a 2xx answer, whole.
Result<net::HttpReply> answered(const Session& session, std::string_view method, const std::string& target,
                                std::string_view body,
                                std::vector<std::pair<std::string, std::string>> headers);

/// Every page of a list that goes on behind the header x-ms-continuation, as one array.
Result<nlohmann::json> call_pages(const Session& session, std::string_view method, const std::string& target,
                                  const nlohmann::json& body);

/// Prints `fieldwatch: SENTENCE` on standard error and gives the exit status that fits the error.
int report(const Error& error);

/// Runs a subcommand's work: completes the session, then `work`; leaves the exit status in the session.
template <class Work>
void run(Session& session, Work work) {
    if (const auto ready = complete(session); !ready) {
        session.exit_status = report(ready.error());
        return;
    }
    const Result<void> done = work();
    session.exit_status = done ? kDone : report(done.error());
}

/// Rows under headings, as wide as their content; cut to the terminal's width when there is one.
class TextTable {
  public:
    explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    void print() const;
    void print_csv() const;
    std::size_t size() const { return rows_.size(); }

  private:
    std::vector<std::string> headings_;
    std::vector<std::vector<std::string>> rows_;
};

/// Control characters of device-supplied text made visible: a terminal is not for devices to command.
std::string printable(std::string_view text);
/// One line of output: what comes first, whole, and after it the text, cut with an ellipsis where a
/// terminal's line ends.
std::string to_end_of_line(std::string first, std::string_view text);
/// A member as a cell of a table: "" when it is absent or null, other than text as its JSON.
std::string text_of(const nlohmann::json& object, const char* key);
/// `2026-11-22 21:04:52` of a member that is an ISO 8601 time; "never" when there is none.
std::string short_time(const nlohmann::json& object, const char* key);
bool on_terminal();
std::string coloured_severity(std::string_view severity);

void add_serve(CLI::App& app, Session& session);
void add_hub(CLI::App& app, Session& session);
void add_device(CLI::App& app, Session& session);
void add_alerts(CLI::App& app, Session& session);
void add_recommendations(CLI::App& app, Session& session);
void add_query(CLI::App& app, Session& session);
void add_detect(CLI::App& app, Session& session);
void add_rules(CLI::App& app, Session& session);
void add_risk(CLI::App& app, Session& session);
void add_profile(CLI::App& app, Session& session);
void add_expectations(CLI::App& app, Session& session);
void add_intel(CLI::App& app, Session& session);
void add_vulnerabilities(CLI::App& app, Session& session);
void add_groups(CLI::App& app, Session& session);
void add_replay(CLI::App& app, Session& session);
void add_simulate(CLI::App& app, Session& session);
void add_enrollment(CLI::App& app, Session& session);
void add_doctor(CLI::App& app, Session& session);

}  // namespace fieldwatch::app
