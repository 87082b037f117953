// fieldwatch user and token: who may use the server.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/operations.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct UserOptions {
    std::string name, role, expires;
    std::vector<std::string> hubs;
    bool enable = false;
};

/// A line that the terminal does not show.
class Hidden {
  public:
    Hidden() {
        tcgetattr(STDIN_FILENO, &before_);
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ~Hidden() {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        std::fputc('\n', stderr);
    }
    Hidden(const Hidden&) = delete;
    Hidden& operator=(const Hidden&) = delete;

  private:
    termios before_{};
};

std::string line_of_input() {
    std::string line;
    std::getline(std::cin, line);
    return line;
}

/// Asked for twice on a terminal, else the first line of standard input. Never an argument: those are seen by
/// everybody on the machine.
Result<std::string> new_password() {
    if (isatty(STDIN_FILENO) == 0) return line_of_input();
    std::array<std::string, 2> answers;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        std::fputs(i == 0 ? "Password: " : "Once more: ", stderr);
        const Hidden hidden;
        answers[i] = line_of_input();
    }
    if (answers[0] != answers[1]) return fail(Errc::InvalidArgument, "the two are not the same");
    return answers[0];
}

/// One answer of a person: hidden on a terminal, else the next line of standard input.
std::string asked(const char* what) {
    if (isatty(STDIN_FILENO) == 0) return line_of_input();
    std::fprintf(stderr, "%s: ", what);
    const Hidden hidden;
    return line_of_input();
}

void print_json_or(const Session& session, const Json& answer, const std::string& sentence) {
    std::puts(session.format == "json" ? answer.dump(2).c_str() : sentence.c_str());
}

void print_list(const Session& session, const Json& answer,
                const std::vector<std::pair<const char*, const char*>>& columns) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    std::vector<std::string> headings;
    for (const auto& [heading, member] : columns)
        headings.emplace_back(heading);
    TextTable table(headings);
    for (const auto& one : answer["value"]) {
        std::vector<std::string> cells;
        for (const auto& [heading, member] : columns) {
            const auto value = one.value(member, Json());
            std::string cell = value.is_string() ? printable(value.get<std::string>())
                               : value.is_null() ? ""
                                                 : value.dump();
            if (value.is_array()) {
                cell = value.empty() ? "all" : "";
                for (const auto& part : value)
                    cell += (cell.empty() ? "" : ",") + printable(part.get<std::string>());
            }
            cells.push_back(std::move(cell));
        }
        table.add(std::move(cells));
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

std::string target_of(const char* kind, const std::string& name) {
    return fmt::format("/api/v1/{}/{}", kind, percent_encode(name));
}

Result<void> change(const Session& session, const UserOptions& options, const Json& body) {
    const auto user = FIELDWATCH_TRY(call(session, "PATCH", target_of("users", options.name), &body));
    print_json_or(session, user,
                  fmt::format("{}: {}, {}; sessions of before have ended", options.name,
                              user.value("role", ""), user.value("enabled", false) ? "enabled" : "disabled"));
    return {};
}

Result<void> add_one(const Session& session, const UserOptions& options) {
    const auto password = FIELDWATCH_TRY(new_password());
    const Json body{{"role", options.role}, {"password", password}};
    const auto user = FIELDWATCH_TRY(call(session, "PUT", target_of("users", options.name), &body));
    print_json_or(session, user, fmt::format("{} may sign in as {}", options.name, options.role));
    return {};
}

Result<void> create_token(const Session& session, const UserOptions& options) {
    Json body{{"role", options.role}};
    if (!options.hubs.empty()) body["hubs"] = options.hubs;
    if (!options.expires.empty()) {
        std::uint32_t days = 0;
        const auto [end, error] =
            std::from_chars(options.expires.data(), options.expires.data() + options.expires.size(), days);
        const bool in_days =
            error == std::errc{} && *end == 'd' && end + 1 == options.expires.data() + options.expires.size();
        body["expires"] = in_days ? to_iso8601(system_clock().now() + Ticks(std::chrono::hours(24 * days)))
                                  : options.expires;
    }
    const auto token = FIELDWATCH_TRY(call(session, "PUT", target_of("tokens", options.name), &body));
    print_json_or(session, token, token.value("token", ""));
    if (session.format != "json") std::fputs("This is the only time that it is shown.\n", stderr);
    return {};
}

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Signs in as a person, with what proves it beside the token of the profile.
Result<Headers> sign_in(const Session& session, const Json& who) {
    const auto reply = FIELDWATCH_TRY(answered(session, "POST", "/api/v1/session", who.dump(), {}));
    Headers out;
    for (const auto& [name, value] : reply.headers) {
        if (name == "set-cookie") out.emplace_back("cookie", value.substr(0, value.find(';')));
    }
    const auto body = Json::parse(reply.body, nullptr, false);
    if (out.empty() || !body.is_object()) return fail(Errc::Malformed, "the server opened no session");
    out.emplace_back("x-fieldwatch-csrf", body.value("csrf", ""));
    return out;
}

Result<Json> as_person(const Session& session, const char* target, const Json& body, const Headers& headers) {
    const auto reply = FIELDWATCH_TRY(answered(session, "POST", target, body.dump(), headers));
    auto json = Json::parse(reply.body, nullptr, false);
    if (!json.is_object()) return fail(Errc::Malformed, "the server's answer is not JSON");
    return json;
}

/// For the person whose it is to be: the secret is shown here and nowhere else.
Result<void> add_second_factor(const Session& given, const UserOptions& options) {
    auto session = given;
    session.token.clear();  // the person's own session, not the profile's token
    const auto password = asked("Password");
    const auto headers = FIELDWATCH_TRY(sign_in(session, {{"user", options.name}, {"password", password}}));
    const auto begun = FIELDWATCH_TRY(
        as_person(session, "/api/v1/session/second-factor", {{"password", password}}, headers));
    std::fprintf(stderr, "For the authenticator: %s\n%s\n", begun.value("secret", "").c_str(),
                 begun.value("uri", "").c_str());
    const auto confirmed = FIELDWATCH_TRY(as_person(session, "/api/v1/session/second-factor/confirm",
                                                    {{"code", asked("Code that it shows")}}, headers));
    if (session.format == "json") {
        std::puts(confirmed.dump(2).c_str());
        return {};
    }
    std::fputs("From now on a code is asked for. Each of these stands for one, once; keep them:\n", stderr);
    for (const auto& code : confirmed.value("recoveryCodes", Json::array()))
        std::puts(code.get<std::string>().c_str());
    return {};
}

using Options = std::shared_ptr<UserOptions>;

/// A subcommand about one name.
CLI::App* one(CLI::App& parent, const char* verb, const char* help, const Options& options,
              Session& session) {
    auto* const command = parent.add_subcommand(verb, help);
    command->add_option("NAME", options->name, "As `list` shows it")->required();
    add_session_options(*command, session);
    return command;
}

void add_role(CLI::App& command, const Options& options) {
    command
        .add_option("--role", options->role,
                    "reader, analyst, operator or administrator: each may what those before it may")
        ->required()
        ->check(CLI::IsMember({"reader", "analyst", "operator", "administrator"}));
}

template <class Work>
void on(CLI::App* command, const Options& options, Session& session, Work work) {
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
}

Result<void> remove_one(const Session& session, const char* kind, const std::string& name) {
    static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", target_of(kind, name))));
    return {};
}

}  // namespace

void add_user(CLI::App& app, Session& session) {
    auto* const user = app.add_subcommand("user", "People who may sign in on the page");
    user->require_subcommand(1);
    const auto options = std::make_shared<UserOptions>();
    auto* const add =
        one(*user, "add", "A new one; the password is asked for, or the first line of standard input",
            options, session);
    add_role(*add, options);
    on(add, options, session, add_one);

    auto* const list = user->add_subcommand("list", "All of them");
    add_session_options(*list, session);
    on(list, options, session, [](const Session& s, const UserOptions&) -> Result<void> {
        print_list(
            s, FIELDWATCH_TRY(call(s, "GET", "/api/v1/users")),
            {{"NAME", "name"}, {"ROLE", "role"}, {"ENABLED", "enabled"}, {"PASSWORD OF", "passwordChanged"}});
        return {};
    });
    on(one(*user, "passwd", "Another password", options, session), options, session,
       [](const Session& s, const UserOptions& o) -> Result<void> {
           const auto password = FIELDWATCH_TRY(new_password());
           return change(s, o, {{"password", password}});
       });
    auto* const role = one(*user, "role", "Another role", options, session);
    add_role(*role, options);
    on(role, options, session,
       [](const Session& s, const UserOptions& o) { return change(s, o, {{"role", o.role}}); });
    on(one(*user, "disable", "No signing in until enabled again", options, session), options, session,
       [](const Session& s, const UserOptions& o) { return change(s, o, {{"enabled", false}}); });
    on(one(*user, "enable", "Signing in again", options, session), options, session,
       [](const Session& s, const UserOptions& o) { return change(s, o, {{"enabled", true}}); });
    on(one(*user, "second-factor", "Codes of an authenticator besides one's own password", options, session),
       options, session, add_second_factor);
    on(one(*user, "reset-second-factor", "No codes any more: the telephone is lost", options, session),
       options, session, [](const Session& s, const UserOptions& o) -> Result<void> {
           static_cast<void>(
               FIELDWATCH_TRY(call(s, "DELETE", target_of("users", o.name) + "/second-factor")));
           return {};
       });
    add_sign_in_provider(*user, session);
    on(one(*user, "delete", "For good, with every session", options, session), options, session,
       [](const Session& s, const UserOptions& o) { return remove_one(s, "users", o.name); });
}

void add_token(CLI::App& app, Session& session) {
    auto* const token = app.add_subcommand("token", "Tokens of programs");
    token->require_subcommand(1);
    const auto options = std::make_shared<UserOptions>();
    auto* const create = one(*token, "create", "A new one, printed once", options, session);
    create
        ->add_option(
            "--role", options->role,
            "forwarder: hands in records of a hub, and may nothing else; reader, analyst, operator or "
            "administrator: each may what those before it may")
        ->required()
        ->check(CLI::IsMember({"forwarder", "reader", "analyst", "operator", "administrator"}));
    create->add_option("--expires", options->expires, "A time like 2027-01-31T00:00:00Z, or 90d");
    create->add_option("--for-hub", options->hubs,
                       "Only for this hub; several may be given. Without it, for all and the server");
    on(create, options, session, create_token);

    auto* const list = token->add_subcommand("list", "All of them, without their secrets");
    add_session_options(*list, session);
    on(list, options, session, [](const Session& s, const UserOptions&) -> Result<void> {
        print_list(s, FIELDWATCH_TRY(call(s, "GET", "/api/v1/tokens")),
                   {{"NAME", "name"}, {"ROLE", "role"}, {"HUBS", "hubs"}, {"EXPIRES", "expires"}});
        return {};
    });
    on(one(*token, "revoke", "It is worth nothing from now on", options, session), options, session,
       [](const Session& s, const UserOptions& o) { return remove_one(s, "tokens", o.name); });
}

}  // namespace fieldwatch::app
