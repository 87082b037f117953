#include "app/cli/hub_retention.hpp"

#include <charconv>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fieldwatch::app {

namespace {

using RetentionJson = nlohmann::json;

struct RetentionOptions {
    std::vector<std::string> days;  ///< TABLE=DAYS
    bool dry_run = false, yes = false;
};

/// `TABLE=DAYS`, or `TABLE=usual`.
Result<RetentionJson> days_of(const std::vector<std::string>& texts) {
    RetentionJson out = RetentionJson::object();
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        const auto value = equals == std::string::npos ? std::string() : text.substr(equals + 1);
        unsigned days = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), days);
        const bool number = !value.empty() && error == std::errc() && end == value.data() + value.size();
        if (!number && value != "usual")
            return fail(
                Errc::InvalidArgument,
                "--days is TABLE=DAYS, like SecurityAlert=365, or TABLE=usual for what the server was "
                "started with");
        out[text.substr(0, equals)] = number ? RetentionJson(days) : RetentionJson(nullptr);
    }
    return out;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1'024 && unit + 1 < std::size(kUnits); ++unit)
        value /= 1'024;
    return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

void print_retention(const Session& session, const RetentionJson& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    TextTable table({"TABLE", "DAYS", "USUALLY", "ROWS", "SEALED", "OLDEST"});
    for (const auto& one : answer["tables"]) {
        table.add({text_of(one, "table"), one["days"].dump(), one["usualDays"].dump(), one["rows"].dump(),
                   bytes_text(one.value("bytes", std::uint64_t{0})),
                   one["oldest"].is_null() ? std::string() : short_time(one, "oldest")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "table")
        std::printf("\nworkspace %s: %s on disk\n", printable(text_of(answer, "workspace")).c_str(),
                    bytes_text(answer.value("bytes", std::uint64_t{0})).c_str());
}

void print_expiring(const Session& session, const RetentionJson& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    TextTable table({"TABLE", "DAYS", "DELETES", "FROM BEFORE", "FREES"});
    for (const auto& one : answer["tables"])
        table.add({text_of(one, "table"), one["days"].dump(), one["rows"].dump() + " rows",
                   short_time(one, "before"), bytes_text(one.value("bytes", std::uint64_t{0}))});
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> retention(const Session& session, const std::string& hub, const RetentionOptions& options) {
    const auto target = fmt::format("/api/v1/hubs/{}/retention", percent_encode(hub));
    if (options.days.empty()) {
        print_retention(session, FIELDWATCH_TRY(call(session, "GET", target)));
        return {};
    }
    RetentionJson body{{"days", FIELDWATCH_TRY(days_of(options.days))}};
    if (options.dry_run) {
        print_expiring(session, FIELDWATCH_TRY(call(session, "POST", target + "/preview", &body)));
        return {};
    }
    body["delete"] = options.yes;
    print_retention(session, FIELDWATCH_TRY(call(session, "PUT", target, &body)));
    return {};
}

}  // namespace

void add_hub_retention(CLI::App& command, const std::string& hub, Session& session) {
    const auto options = std::make_shared<RetentionOptions>();
    command
        .add_option(
            "--days", options->days,
            "Keep the rows of a table for so many days, 1 to 3650: SecurityAlert=365; TABLE=usual: as "
            "the server was started")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_flag("--dry-run", options->dry_run, "Only say what the change would delete");
    command.add_flag("--yes", options->yes, "Delete what is older; without it such a change is refused");
    command.footer(
        "Without --days: what each table of the hub's workspace takes, and how long it is kept.\n"
        "Examples:\n"
        "  fieldwatch hub retention plant\n"
        "  fieldwatch hub retention plant --days SecurityIoTRawEvent=14 --dry-run\n"
        "  fieldwatch hub retention plant --days SecurityIoTRawEvent=14 --yes\n"
        "Rows that are too old are gone for queries at once; files follow within a minute, each when its "
        "last "
        "row is too old.");
    command.callback(
        [options, &hub, &session] { run(session, [&] { return retention(session, hub, *options); }); });
}

}  // namespace fieldwatch::app
