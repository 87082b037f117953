// fieldwatch rules list, apply, versions, rollback: the rules that a server runs.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "app/detection_content.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct RunningOptions {
    RuleSetOptions set;
    std::string note, version;
    bool force = false;
};

std::string text(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return "";
    return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

Result<void> list_folder(const std::string& directory, const std::string& format) {
    const auto pack = FIELDWATCH_TRY(base_rules(directory));
    const auto compiled = detect::RuleSet::compile(pack.rules, pack.words);
    for (const auto& error : compiled.errors)
        std::fprintf(stderr, "%s:%d: %s\n", error.file.c_str(), error.line, error.why.c_str());
    if (format == "json") {
        std::fputs(detect::list_rules_json(*compiled.rules).c_str(), stdout);
        return {};
    }
    TextTable table({"SEVERITY", "ALERT", "RULE", "FILE"});
    for (const auto& rule : compiled.rules->rules()) {
        table.add({coloured_severity(model::to_string(rule.severity)), rule.alert_type, rule.origin.title,
                   rule.file});
    }
    format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> list_running(const Session& session) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/rules"));
    if (session.format == "json") {  // a line a rule, as of a folder
        for (const auto& rule : answer["value"]) {
            auto line = rule;
            line["alert_type"] = rule["alertType"];
            std::puts(line.dump().c_str());
        }
        return {};
    }
    TextTable table({"SEVERITY", "ALERT", "HITS", "ALERTS", "REPEATS", "COST ns", "FROM", "RULE", "FILE"});
    for (const auto& rule : answer["value"]) {
        const auto& counts = rule["counts"];
        table.add({coloured_severity(text(rule, "severity")), text(rule, "alertType"), text(counts, "hits"),
                   text(counts, "alerts"), text(counts, "repeats"), text(counts, "costNs"),
                   text(rule, "from"), text(rule, "title"), text(rule, "file")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    for (const auto& error : answer["errors"])
        std::fprintf(stderr, "left out: %s:%s: %s\n", text(error, "file").c_str(),
                     text(error, "line").c_str(), text(error, "why").c_str());
    if (session.format == "table")
        std::fprintf(stderr, "version %s, counted since %s\n", text(answer, "version").c_str(),
                     text(answer, "countedSince").substr(0, 19).c_str());
    return {};
}

void print_changes(const Json& answer) {
    for (const auto& [member, sign] :
         {std::pair{"added", '+'}, std::pair{"changed", '~'}, std::pair{"removed", '-'}}) {
        for (const auto& rule : answer[member])
            std::printf("  %c %s (%s)\n", sign, text(rule, "title").c_str(), text(rule, "id").c_str());
    }
}

void print_applied_rules(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    std::printf("version %s is in force: %s rules; %zu added, %zu changed, %zu removed%s\n",
                text(answer, "version").c_str(), text(answer, "rules").c_str(), answer["added"].size(),
                answer["changed"].size(), answer["removed"].size(),
                answer.value("unchanged", false) ? " (it was in force already)" : "");
    print_changes(answer);
}

Result<void> apply(const Session& session, const RunningOptions& options) {
    auto body = FIELDWATCH_TRY(read_rule_set(options.set));
    body["note"] = options.note;
    body["force"] = options.force;
    print_applied_rules(session, FIELDWATCH_TRY(post_rule_set(session, "/api/v1/rules/apply", body)));
    return {};
}

Result<void> roll_back(const Session& session, const RunningOptions& options) {
    const auto body = Json::object();
    print_applied_rules(session, FIELDWATCH_TRY(call(session, "POST",
                                                     fmt::format("/api/v1/rules/versions/{}/rollback",
                                                                 percent_encode(options.version)),
                                                     &body)));
    return {};
}

Result<void> versions(const Session& session) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/rules/versions"));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table({"VERSION", "APPLIED", "BY", "FILES", "IN FORCE", "NOTE"});
    for (const auto& version : answer["value"]) {
        auto note = text(version, "note");
        if (version.contains("rolledBackTo"))
            note = fmt::format("back to version {}", version["rolledBackTo"].dump());
        if (version.value("only", false)) note += " (without the pack)";
        table.add({text(version, "version"), text(version, "applied").substr(0, 19), text(version, "by"),
                   text(version, "files"), version.value("running", false) ? "yes" : "", note});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

}  // namespace

void add_running_rules(CLI::App& rules, Session& session) {
    const auto options = std::make_shared<RunningOptions>();
    auto* const list = rules.add_subcommand(
        "list",
        "The running rules, what they did and cost; with --rules those of a folder, without a server");
    list->add_option("--rules", options->set.directory, "A folder of rule files, instead of a server's");
    add_session_options(*list, session);
    list->callback([options, &session] {
        const bool named = !session.server.empty();
        const auto work = [&]() -> Result<void> {
            if (!options->set.directory.empty()) return list_folder(options->set.directory, session.format);
            const auto known = complete(session);
            auto done = known ? list_running(session) : Result<void>(std::unexpected(known.error()));
            const bool nobody = !done && (!known || done.error().code == Errc::Unavailable);
            if (named || !nobody) return done;
            std::fputs("no server answers: these are the rules inside the binary\n", stderr);
            return list_folder("", session.format);
        };
        const auto done = work();
        session.exit_status = done ? kDone : report(done.error());
    });

    auto* const applying = rules.add_subcommand(
        "apply", "Put a folder of rules in force on the running server; all of them, or nothing changes");
    add_rule_set_options(*applying, options->set);
    applying->add_option("--note", options->note, "Why, for `rules versions`");
    applying->add_flag("--force", options->force, "Although samples beside the rules fail");
    add_session_options(*applying, session);
    applying->callback([options, &session] { run(session, [&] { return apply(session, *options); }); });

    auto* const all = rules.add_subcommand("versions", "The sets that were applied, newest first");
    add_session_options(*all, session);
    all->callback([&session] { run(session, [&] { return versions(session); }); });

    auto* const back = rules.add_subcommand("rollback", "Put an earlier set in force again");
    back->add_option("VERSION", options->version, "As `rules versions` numbers it; 0 is the pack alone")
        ->required();
    add_session_options(*back, session);
    back->callback([options, &session] { run(session, [&] { return roll_back(session, *options); }); });
}

}  // namespace fieldwatch::app
