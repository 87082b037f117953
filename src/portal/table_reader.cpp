#include "portal/table_reader.hpp"

#include <utility>

#include <fmt/format.h>

#include "portal/result_json.hpp"

namespace fieldwatch::portal {

std::string kql_datetime(Timestamp time) {
    return "datetime(" + to_iso8601(time) + ")";
}

namespace {

Result<workspace::QueryAnswer> answer_of(workspace::Workspace& workspace, std::string text,
                                         std::size_t rows_max) {
    workspace::QueryRequest request;
    request.text = std::move(text);
    request.timeout = std::chrono::seconds(10);
    request.rows_max = rows_max;
    auto answer = workspace.query(request);
    if (!answer) {
        const auto& error = answer.error();
        const auto code = error.kind == workspace::QueryError::Kind::Timeout ? Errc::Timeout : Errc::Internal;
        return fail(code,
                    fmt::format("asking the workspace: {} ({}:{})", error.message, error.line, error.column));
    }
    if (answer->tables.empty()) return fail(Errc::Internal, "the workspace answered without a table");
    return std::move(*answer);
}

}  // namespace

Result<workspace::ResultTable> ask(workspace::Workspace& workspace, std::string text, std::size_t rows_max) {
    return std::move(FIELDWATCH_TRY(answer_of(workspace, std::move(text), rows_max)).tables.front());
}

Result<workspace::ResultTable> ask_whole(workspace::Workspace& workspace, std::string text,
                                         std::size_t rows_max, std::string_view remedy) {
    auto answer = FIELDWATCH_TRY(answer_of(workspace, std::move(text), rows_max));
    if (answer.truncated)
        return fail(Errc::TooLarge, fmt::format("the answer has more than {} rows: {}", rows_max, remedy));
    return std::move(answer.tables.front());
}

const workspace::Value* Row::find(std::string_view column, workspace::ColumnType& type) const {
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
        if (table_.columns[i].name != column) continue;
        type = table_.columns[i].type;
        return &table_.rows[row_][i];
    }
    return nullptr;
}

std::string Row::text(std::string_view column) const {
    const auto value = json(column);
    if (value.is_null()) return {};
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::int64_t Row::number(std::string_view column) const {
    workspace::ColumnType type{};
    const auto* value = find(column, type);
    if (value == nullptr) return 0;
    if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
    if (const auto* real = std::get_if<double>(value)) return static_cast<std::int64_t>(*real);
    return 0;
}

bool Row::flag(std::string_view column) const {
    workspace::ColumnType type{};
    const auto* value = find(column, type);
    const auto* flag = value == nullptr ? nullptr : std::get_if<bool>(value);
    return flag != nullptr && *flag;
}

nlohmann::json Row::json(std::string_view column) const {
    workspace::ColumnType type{};
    const auto* value = find(column, type);
    if (value == nullptr) return nullptr;
    return nlohmann::json::parse(cell_json(*value, type), nullptr, false);
}

nlohmann::json Row::parsed_json(std::string_view column) const {
    const auto content = text(column);
    auto parsed = nlohmann::json::parse(content, nullptr, false);
    return parsed.is_discarded() ? nlohmann::json(nullptr) : parsed;
}

}  // namespace fieldwatch::portal
