#include "app/cli/query_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/time.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;
using workspace::ColumnType;

constexpr std::int64_t kTicksBeforeUnix = 621'355'968'000'000'000;  ///< 0001-01-01 to 1970-01-01

std::string timespan_text(std::int64_t ticks) {
    const bool negative = ticks < 0;
    const auto size = negative ? 0 - static_cast<std::uint64_t>(ticks) : static_cast<std::uint64_t>(ticks);
    const auto days = size / 864'000'000'000u;
    const auto fraction = size % 10'000'000u;
    const auto seconds = size / 10'000'000u % 86'400u;
    std::string out = negative ? "-" : "";
    if (days > 0) out += fmt::format("{}.", days);
    out += fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (fraction > 0) out += fmt::format(".{:07}", fraction);
    return out;
}

Json cell(const workspace::Value& value, ColumnType type) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (type == ColumnType::DateTime) return to_iso8601(Timestamp{*number - kTicksBeforeUnix});
        if (type == ColumnType::TimeSpan) return timespan_text(*number);
        return *number;
    }
    if (const auto* real = std::get_if<double>(&value)) {
        if (std::isnan(*real)) return "NaN";
        if (std::isinf(*real)) return *real > 0 ? "Infinity" : "-Infinity";
        return *real;
    }
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return nullptr;
}

}  // namespace

Json to_json(const workspace::QueryAnswer& answer) {
    Json tables = Json::array();
    for (const auto& table : answer.tables) {
        Json columns = Json::array();
        for (const auto& column : table.columns) {
            columns.push_back({{"name", column.name}, {"type", std::string(to_string(column.type))}});
        }
        Json rows = Json::array();
        for (const auto& row : table.rows) {
            Json cells = Json::array();
            for (std::size_t i = 0; i < row.size(); ++i)
                cells.push_back(cell(row[i], table.columns[i].type));
            rows.push_back(std::move(cells));
        }
        tables.push_back({{"name", table.name}, {"columns", std::move(columns)}, {"rows", std::move(rows)}});
    }
    return {{"tables", std::move(tables)}};
}

std::string describe(const workspace::QueryError& error, std::string_view query) {
    if (error.line == 0) return fmt::format("fieldwatch: {}\n", error.message);
    std::string_view line = query;
    for (std::uint32_t i = 1; i < error.line; ++i) {
        const auto end = line.find('\n');
        line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
    }
    line = line.substr(0, line.find('\n'));
    const std::string mark(std::max<std::uint32_t>(1, error.length), '^');
    return fmt::format("fieldwatch: {} (line {}, column {})\n  {}\n  {:>{}}\n", error.message, error.line,
                       error.column, line, mark, error.column + mark.size() - 1);
}

}  // namespace fieldwatch::app
