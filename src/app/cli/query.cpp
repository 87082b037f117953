// fieldwatch query: KQL against a hub's workspace, or, with --memory, against nothing but the engine itself.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/query_text.hpp"
#include "base/clock.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct QueryOptions {
    std::string text;
    std::string timespan;
    bool memory = false;
};

std::string cell_text(const Json& cell) {
    if (cell.is_null()) return "";
    if (cell.is_string()) return printable(cell.get<std::string>());
    return cell.dump();
}

void print_table(const Json& table, const std::string& format) {
    std::vector<std::string> headings;
    for (const auto& column : table["columns"])
        headings.push_back(column.value("name", ""));
    TextTable text(headings);
    for (const auto& row : table["rows"]) {
        std::vector<std::string> cells;
        for (const auto& cell : row)
            cells.push_back(cell_text(cell));
        text.add(std::move(cells));
    }
    if (format == "csv") {
        text.print_csv();
        return;
    }
    text.print();
    if (on_terminal()) std::printf("\n%zu %s\n", text.size(), text.size() == 1 ? "row" : "rows");
}

void print_answer(const Json& answer, const std::string& format) {
    if (format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    for (const auto& table : answer["tables"])
        print_table(table, format);
    if (answer.contains("error")) {
        std::fprintf(stderr, "fieldwatch: %s\n",
                     answer["error"].value("message", "the result is not whole").c_str());
    }
}

Result<void> query_server(const Session& session, const QueryOptions& options) {
    const auto hub = FIELDWATCH_TRY(call(session, "GET", "/api/v1/hubs/" + session.hub));
    Json request{{"query", options.text}};
    if (!options.timespan.empty()) request["timespan"] = options.timespan;
    const auto answer = FIELDWATCH_TRY(
        call(session, "POST", fmt::format("/v1/workspaces/{}/query", hub.value("workspace", "")), &request));
    print_answer(answer, session.format);
    return {};
}

int query_memory(const Session& session, const QueryOptions& options) {
    const auto answer = workspace::query_in_memory({.text = options.text}, system_clock());
    if (!answer) {
        std::fputs(describe(answer.error(), options.text).c_str(), stderr);
        return kUsedWrongly;
    }
    print_answer(to_json(*answer), session.format);
    return kDone;
}

}  // namespace

void add_query(CLI::App& app, Session& session) {
    auto options = std::make_shared<QueryOptions>();
    auto* const command = app.add_subcommand("query", "Ask the workspace a question in KQL");
    command->add_option("KQL", options->text, "The query, or - to read it from standard input")->required();
    command->add_option("--timespan", options->timespan,
                        "Also filter on TimeGenerated: an ISO 8601 duration (P1D) or start/end");
    command->add_flag("--memory", options->memory,
                      "No server: datatable, print and range work, tables do not exist");
    add_session_options(*command, session);
    add_hub_option(*command, session);
    command->footer(
        "Examples:\n"
        "  fieldwatch query 'SecurityAlert | where TimeGenerated > ago(1d) | summarize count() by "
        "AlertType'\n"
        "  fieldwatch query --memory 'print 1+1'\n"
        "  fieldwatch query --format csv 'SecurityIoTRawEvent | take 10' > events.csv");
    command->callback([options, &session] {
        if (options->text == "-") {
            options->text.clear();
            char chunk[4096];
            while (const auto got = std::fread(chunk, 1, sizeof(chunk), stdin))
                options->text.append(chunk, got);
        }
        if (options->memory) {
            session.exit_status = query_memory(session, *options);
        } else {
            run(session, [&] { return query_server(session, *options); });
        }
    });
}

}  // namespace fieldwatch::app
