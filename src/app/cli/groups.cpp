// fieldwatch groups: security groups and their rules, as documents.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kDocumentBytesMax = 512u << 10;

struct GroupOptions {
    std::string name, file = "-";
};

std::string target(const Session& session, std::string_view name) {
    return name.empty() ? fmt::format("/api/v1/hubs/{}/groups", session.hub)
                        : fmt::format("/api/v1/hubs/{}/groups/{}", session.hub, name);
}

Result<std::string> read_document(const std::string& file) {
    if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    return std::string(as_text(FIELDWATCH_TRY(read_file(posix_file_system(), file, kDocumentBytesMax))));
}

std::string range_of(const Json& rule) {
    if (rule.contains("minThreshold")) {
        auto out = fmt::format("{} to {}", rule["minThreshold"].dump(), rule["maxThreshold"].dump());
        if (rule.contains("timeWindowSize")) out += " in " + rule.value("timeWindowSize", "");
        return out;
    }
    std::string out;
    for (const auto* const key : {"allowlistValues", "denylistValues"}) {
        if (!rule.contains(key)) continue;
        for (const auto& value : rule[key])
            out += (out.empty() ? "" : ", ") + printable(value.get<std::string>());
    }
    return out;
}

/// The rules that are on; a group of which none is shows so in one row.
void add_rows(const Json& group, TextTable& table) {
    bool any = false;
    for (const auto& [list, rules] : group["properties"].items()) {
        for (const auto& rule : rules) {
            if (!rule.value("isEnabled", false)) continue;
            table.add({group.value("name", ""), rule.value("ruleType", ""), range_of(rule)});
            any = true;
        }
    }
    if (!any) table.add({group.value("name", ""), "(none)", ""});
}

void print(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    TextTable table({"GROUP", "RULE", "ALLOWED"});
    if (answer.contains("value")) {
        for (const auto& group : answer["value"])
            add_rows(group, table);
    } else {
        add_rows(answer, table);
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

}  // namespace

void add_groups(CLI::App& app, Session& session) {
    auto* const groups = app.add_subcommand("groups", "Security groups: your own rules for sets of devices");
    groups->require_subcommand(1);
    const auto options = std::make_shared<GroupOptions>();

    auto* const get =
        groups->add_subcommand("get", "Show a hub's groups, or one of them, with the rules that are on");
    get->add_option("NAME", options->name, "A group; all of the hub when left out");
    add_session_options(*get, session);
    add_hub_option(*get, session);
    get->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            print(session, FIELDWATCH_TRY(call(session, "GET", target(session, options->name))));
            return {};
        });
    });

    auto* const set = groups->add_subcommand("set", "Replace a group's rules; it is made if there is none");
    set->add_option("NAME", options->name, "1 to 128 letters, digits, - _ and .")->required();
    set->add_option("FILE", options->file, "The rules as JSON; - or nothing reads standard input");
    add_session_options(*set, session);
    add_hub_option(*set, session);
    set->footer(
        "A document is like\n"
        "  "
        "{\"properties\":{\"timeWindowRules\":[{\"ruleType\":\"MqttD2CMessagesNotInAllowedRange\","
        "\"isEnabled\":true,\n"
        "    \"minThreshold\":4,\"maxThreshold\":40,\"timeWindowSize\":\"PT10M\"}]}}\n"
        "which `groups get NAME --format json` prints; rule types that it leaves out are off. A device joins "
        "a group by its\n"
        "twin's tag SecurityGroup. The change acts within seconds.");
    set->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto text = FIELDWATCH_TRY(read_document(options->file));
            const auto body = Json::parse(text, nullptr, /*allow_exceptions=*/false);
            if (!body.is_object()) return fail(Errc::Malformed, options->file + ": not a JSON object");
            print(session, FIELDWATCH_TRY(call(session, "PUT", target(session, options->name), &body)));
            return {};
        });
    });

    auto* const remove = groups->add_subcommand("delete", "Delete a group; its devices fall back to default");
    remove->add_option("NAME", options->name, "The group")->required();
    add_session_options(*remove, session);
    add_hub_option(*remove, session);
    remove->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", target(session, options->name))));
            return {};
        });
    });
}

}  // namespace fieldwatch::app
