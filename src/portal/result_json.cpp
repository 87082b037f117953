#include "portal/result_json.hpp"

#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "base/json_text.hpp"

namespace fieldwatch::portal {
namespace {

using workspace::ColumnType;

constexpr std::int64_t kTicksBeforeUnix = 621'355'968'000'000'000;  ///< 0001-01-01 to 1970-01-01

struct CellWriter {
    std::string& out;
    ColumnType type;

    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(std::int64_t value) const {
        if (type == ColumnType::DateTime) {
            append_json_string(out, to_iso8601(Timestamp{value - kTicksBeforeUnix}));
        } else if (type == ColumnType::TimeSpan) {
            append_json_string(out, timespan_text(value));
        } else {
            fmt::format_to(std::back_inserter(out), "{}", value);
        }
    }
    void operator()(double value) const {
        if (std::isnan(value))
            out += "\"NaN\"";
        else if (std::isinf(value))
            out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        else
            fmt::format_to(std::back_inserter(out), "{}", value);
    }
    void operator()(const std::string& value) const { append_json_string(out, value); }
};

void append_table(std::string& out, const workspace::ResultTable& table) {
    out += "{\"name\":";
    append_json_string(out, table.name);
    out += ",\"columns\":[";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (i > 0) out += ',';
        out += "{\"name\":";
        append_json_string(out, table.columns[i].name);
        fmt::format_to(std::back_inserter(out), ",\"type\":\"{}\"}}",
                       workspace::to_string(table.columns[i].type));
    }
    out += "],\"rows\":[";
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        if (row > 0) out += ',';
        out += '[';
        for (std::size_t i = 0; i < table.rows[row].size(); ++i) {
            if (i > 0) out += ',';
            std::visit(CellWriter{out, table.columns[i].type}, table.rows[row][i]);
        }
        out += ']';
    }
    out += "]}";
}

}  // namespace

std::string timespan_text(std::int64_t ticks) {
    const bool negative = ticks < 0;
    // Two's complement has one number more below zero than above it.
    const auto size =
        negative ? std::uint64_t{0} - static_cast<std::uint64_t>(ticks) : static_cast<std::uint64_t>(ticks);
    const auto days = size / 864'000'000'000u;
    const auto seconds = size / 10'000'000u % 86'400u;
    const auto fraction = size % 10'000'000u;
    std::string out = negative ? "-" : "";
    if (days > 0) out += fmt::format("{}.", days);
    out += fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (fraction > 0) out += fmt::format(".{:07}", fraction);
    return out;
}

std::string cell_json(const workspace::Value& value, ColumnType type) {
    std::string out;
    std::visit(CellWriter{out, type}, value);
    return out;
}

std::string answer_json(const workspace::QueryAnswer& answer, AnswerParts parts) {
    std::string out = "{\"tables\":[";
    std::size_t rows = 0;
    for (std::size_t i = 0; i < answer.tables.size(); ++i) {
        if (i > 0) out += ',';
        append_table(out, answer.tables[i]);
        rows += answer.tables[i].rows.size();
    }
    const auto table_bytes = out.size();
    out += ']';
    if (parts.render && !answer.render_json.empty()) out += ",\"render\":" + answer.render_json;
    if (parts.statistics) {
        fmt::format_to(
            std::back_inserter(out),
            R"(,"statistics":{{"query":{{"executionTime":{:.6f},"datasetStatistics":[{{"tableRowCount":{},"tableSize":{}}}]}}}})",
            static_cast<double>(answer.duration.count()) / 1e6, rows, table_bytes);
    }
    if (answer.truncated) {
        out +=
            R"(,"error":{"code":"PartialError","message":"There were some errors when processing your query.",)"
            R"("details":[{"code":"ResultSetTooLarge","message":"The result is over the limit of rows or bytes )"
            R"(and was cut; summarize, project fewer columns, or take fewer rows."}]})";
    }
    return out += '}';
}

}  // namespace fieldwatch::portal
