// fieldwatch intel feed: lists, TAXII collections and MISP feeds that the server pulls by itself.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/intel.hpp"
#include "app/cli/operations.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct FeedOptions {
    std::string name, url, format, every, ca, authorization_file, token_file, user, password_file;
    bool accept_shrink = false, paused = false;
};
using ChosenFeed = std::shared_ptr<FeedOptions>;

std::string feed_target(const std::string& name) {
    return "/api/v1/intel/feeds/" + percent_encode(name);
}

/// 30m, 6h, 1d, or an ISO 8601 duration as it stands.
std::string duration_of(const std::string& text) {
    if (text.size() < 2 || text.find_first_not_of("0123456789") != text.size() - 1) return text;
    const auto number = text.substr(0, text.size() - 1);
    switch (text.back()) {
        case 'm':
            return "PT" + number + "M";
        case 'h':
            return "PT" + number + "H";
        case 'd':
            return "P" + number + "D";
        default:
            return text;
    }
}

Result<std::string> authorization_of(const FeedOptions& options) {
    const int given = static_cast<int>(!options.authorization_file.empty()) +
                      static_cast<int>(!options.token_file.empty()) + static_cast<int>(!options.user.empty());
    if (given > 1)
        return fail(Errc::InvalidArgument,
                    "--authorization-file, --token-file and --user exclude each other");
    if (!options.authorization_file.empty()) return text_in(options.authorization_file);
    if (!options.token_file.empty()) return "Bearer " + FIELDWATCH_TRY(text_in(options.token_file));
    if (options.user.empty()) return std::string();
    if (options.password_file.empty()) return fail(Errc::InvalidArgument, "--user goes with --password-file");
    const auto both = options.user + ":" + FIELDWATCH_TRY(text_in(options.password_file));
    return "Basic " + base64(as_bytes(both));
}

void print_feed(const Session& session, const Json& feed) {
    if (session.format == "json") {
        std::puts(feed.dump(2).c_str());
        return;
    }
    TextTable table({"PROPERTY", "VALUE"});
    const auto add = [&](const Json& object) {
        for (const auto& [key, value] : object.items()) {
            if (value.is_null() || value == "" || key == "bad" || key == "status") continue;
            table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
        }
    };
    add(feed);
    add(feed["status"]);
    session.format == "csv" ? table.print_csv() : table.print();
    for (const auto& bad : feed["status"]["bad"])
        std::fprintf(stderr, "  line %s: %s\n", bad["line"].dump().c_str(),
                     printable(bad.value("why", "")).c_str());
}

Result<void> add_feed(const Session& session, const FeedOptions& options) {
    Json body{{"url", options.url}};
    if (!options.format.empty()) body["format"] = options.format;
    if (!options.every.empty()) body["every"] = duration_of(options.every);
    if (options.paused) body["enabled"] = false;
    if (!options.ca.empty()) body["ca"] = FIELDWATCH_TRY(text_in(options.ca)) + "\n";
    if (auto header = FIELDWATCH_TRY(authorization_of(options)); !header.empty())
        body["authorization"] = std::move(header);
    const auto answer = FIELDWATCH_TRY(call(session, "PUT", feed_target(options.name), &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
    } else {
        std::printf("%s: pulled every %s from %s\n", options.name.c_str(), text_of(answer, "every").c_str(),
                    printable(text_of(answer, "url")).c_str());
    }
    return {};
}

Result<void> list_feeds(const Session& session, const FeedOptions&) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/intel/feeds"));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table(
        {"NAME", "FORMAT", "EVERY", "STATE", "INDICATORS", "LEFT OUT", "LAST SUCCESS", "PROBLEM"});
    for (const auto& feed : answer["value"]) {
        const auto& status = feed["status"];
        const bool enabled = feed.value("enabled", true);
        table.add({text_of(feed, "name"), text_of(feed, "format"), text_of(feed, "every"),
                   enabled ? text_of(status, "state") : "paused", status["indicators"].dump(),
                   status["skipped"].dump(), short_time(status, "lastSuccess"),
                   printable(text_of(status, "problem"))});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> show_feed(const Session& session, const FeedOptions& options) {
    print_feed(session, FIELDWATCH_TRY(call(session, "GET", feed_target(options.name))));
    return {};
}

Result<void> run_feed(const Session& session, const FeedOptions& options) {
    const auto answer = FIELDWATCH_TRY(
        call(session, "POST",
             feed_target(options.name) + "/run" + (options.accept_shrink ? "?acceptShrink=true" : "")));
    print_feed(session, answer);
    const auto problem = text_of(answer["status"], "problem");
    if (!problem.empty()) return fail(Errc::Unavailable, printable(problem));
    return {};
}

Result<void> remove_feed(const Session& session, const FeedOptions& options) {
    static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", feed_target(options.name))));
    return {};
}

template <class Work>
CLI::App* feed_verb(CLI::App& parent, const char* name, const char* help, const ChosenFeed& options,
                    Session& session, Work work) {
    auto* const command = parent.add_subcommand(name, help);
    add_session_options(*command, session);
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
    return command;
}

void feed_name(CLI::App& command, const ChosenFeed& options) {
    command.add_option("NAME", options->name, "As `list` shows it")->required();
}

void add_feed_options(CLI::App& command, const ChosenFeed& options) {
    command.add_option("NAME", options->name, "Small letters, digits, dashes; one that is there is replaced")
        ->required();
    command.add_option("--url", options->url, "https://…; http:// goes to this machine only")->required();
    command.add_option("--as", options->format,
                       "file (default: any form that `intel import` takes), taxii, misp, bundle");
    command.add_option("--every", options->every,
                       "30m, 6h, 1d, or an ISO 8601 duration; 5m at least, 1h by default");
    command.add_option("--ca", options->ca, "Trust these authorities (PEM) instead of the system's");
    command.add_option("--authorization-file", options->authorization_file,
                       "The whole Authorization header is in this file; - reads standard input");
    command.add_option("--token-file", options->token_file, "A bearer token is in this file");
    command.add_option("--user", options->user, "Basic authentication, with --password-file");
    command.add_option("--password-file", options->password_file, "The password is in this file");
    command.add_flag("--paused", options->paused, "Keep it, but pull only by `run`");
    command.footer(
        "  fieldwatch intel feed add urlhaus --url https://feeds.example/urlhaus.csv --every 30m\n"
        "  fieldwatch intel feed add isac --as taxii --url https://taxii.example/api/collections/ID/ --user "
        "me "
        "--password-file pw\n"
        "  fieldwatch intel feed add circl --as misp --url https://misp.example/feed/ --every 6h\n"
        "Only what is new is asked for. A feed that loses more than half of its indicators at once is "
        "refused, and the\n"
        "old ones stay in force. What it is asked with is kept on the server and shown by no command.");
}

}  // namespace

void add_intel_feeds(CLI::App& intel, Session& session) {
    auto* const feed =
        intel.add_subcommand("feed", "Lists, TAXII collections and MISP feeds that the server pulls");
    feed->require_subcommand(1);
    const auto options = std::make_shared<FeedOptions>();
    add_feed_options(*feed_verb(*feed, "add", "Pull a feed from now on", options, session, add_feed),
                     options);
    feed_verb(*feed, "list", "All feeds and how they fare", options, session, list_feeds);
    feed_name(*feed_verb(*feed, "show", "One feed: last run, counts, bad lines", options, session, show_feed),
              options);
    auto* const now =
        feed_verb(*feed, "run", "Pull a feed now, and say what came of it", options, session, run_feed);
    feed_name(*now, options);
    now->add_flag("--accept-shrink", options->accept_shrink,
                  "Take it though it lost more than half of its indicators");
    feed_name(
        *feed_verb(*feed, "remove", "The feed goes, with its indicators", options, session, remove_feed),
        options);
}

}  // namespace fieldwatch::app
