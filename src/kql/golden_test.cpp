// Runs tests/golden/kql/*.kql: queries with their exact answers or errors, executed on an in-memory DuckDB. A
// case is lines of KQL, a line "---", and what came out; a line "===" ends it. FIELDWATCH_REGENERATE=1 writes
// what comes out now back into the files, for review as a difference.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <duckdb.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kql/kql.hpp"

namespace fieldwatch::kql {
namespace {

/// One database for all cases, with the tables that they read.
class Engine {
  public:
    Engine() {
        duckdb_open(nullptr, &database_);
        duckdb_connect(database_, &connection_);
        execute("SET threads = 1");
        std::ifstream file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/golden/kql/tables.sql");
        execute(std::string{std::istreambuf_iterator<char>(file), {}});
    }
    ~Engine() {
        duckdb_disconnect(&connection_);
        duckdb_close(&database_);
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    void execute(const std::string& sql) {
        duckdb_result result;
        if (duckdb_query(connection_, sql.c_str(), &result) != DuckDBSuccess)
            ADD_FAILURE() << duckdb_result_error(&result);
        duckdb_destroy_result(&result);
    }

    /// Header with types, then a row a line; or the engine's error, which a golden file must never hold.
    std::string run(const CompiledQuery& query) {
        duckdb_prepared_statement statement = nullptr;
        std::string out;
        if (duckdb_prepare(connection_, query.sql.c_str(), &statement) != DuckDBSuccess) {
            out = fmt::format("ENGINE {}\n{}\n", duckdb_prepare_error(statement), query.sql);
            duckdb_destroy_prepare(&statement);
            return out;
        }
        for (std::size_t i = 0; i < query.parameters.size(); ++i) {
            const auto& text = std::get<std::string>(query.parameters[i]);
            duckdb_bind_varchar_length(statement, i + 1, text.data(), text.size());
        }
        duckdb_result result;
        if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess) {
            out = fmt::format("ENGINE {}\n{}\n", duckdb_result_error(&result), query.sql);
        } else {
            for (const auto& column : query.columns)
                out += fmt::format("{}{}:{}", out.empty() ? "" : "\t", column.name, to_string(column.type));
            out += '\n';
            for (idx_t row = 0; row < duckdb_row_count(&result); ++row) {
                for (idx_t column = 0; column < query.columns.size(); ++column)
                    out += (column ? "\t" : "") + cell(result, column, row, query.columns[column].type);
                out += '\n';
            }
        }
        duckdb_destroy_result(&result);
        duckdb_destroy_prepare(&statement);
        return out;
    }

  private:
    static std::string cell(duckdb_result& result, idx_t column, idx_t row, ColumnType type) {
        if (duckdb_value_is_null(&result, column, row))
            return type == ColumnType::String ? "NULL STRING" : "null";
        if (type == ColumnType::DateTime)
            return to_iso8601({duckdb_value_int64(&result, column, row) - kUnixEpochTicks});
        if (type == ColumnType::Real)
            return fmt::format("{:.10g}", duckdb_value_double(&result, column, row));
        char* text = duckdb_value_varchar(&result, column, row);
        std::string out = text;
        duckdb_free(text);
        if (type == ColumnType::TimeSpan) out += " ticks";
        return out;
    }

    duckdb_database database_ = nullptr;
    duckdb_connection connection_ = nullptr;
};

ColumnType column_type(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ColumnType::Dynamic); ++i) {
        if (to_string(static_cast<ColumnType>(i)) == name) return static_cast<ColumnType>(i);
    }
    return ColumnType::String;
}

/// tests/golden/kql/catalog.txt: "table NAME", then "column type sql" lines.
Catalog read_catalog() {
    Catalog catalog;
    std::ifstream file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/golden/kql/catalog.txt");
    for (std::string word; file >> word;) {
        std::string first, second, third;
        if (word == "table") {
            file >> first;
            catalog.tables.push_back({.name = first, .source_sql = first});
        } else if (word == "path") {
            file >> first >> second >> third;
            catalog.tables.back().paths.push_back({first, second, third});
        } else {
            file >> first >> second;
            catalog.tables.back().columns.push_back(
                {.name = word, .type = column_type(first), .sql = second, .nullable = false});
        }
    }
    return catalog;
}

std::string answer(Engine& engine, const Catalog& catalog, const std::string& text) {
    // 2026-11-22T12:00:00Z
    Options options{.now = Timestamp::from_unix_seconds(1'795'348'800)};
    auto compiled = compile(text, catalog, options);
    while (compiled && compiled->discovery) {
        std::istringstream rows(engine.run(*compiled));
        std::string line;
        std::getline(rows, line);
        EXPECT_EQ(line, "name:string\ttypes:string") << text;
        auto& found = options.discovered.emplace_back();
        while (std::getline(rows, line))
            found.push_back({line.substr(0, line.find('\t')), line.substr(line.find('\t') + 1)});
        compiled = compile(text, catalog, options);
    }
    if (!compiled) {
        constexpr std::string_view kKinds[] = {"Syntax", "Semantic", "Unsupported", "Limit"};
        const auto& e = compiled.error();
        return fmt::format("{} {}:{}+{} {}\n", kKinds[static_cast<std::size_t>(e.kind)], e.line, e.column,
                           e.length, e.message);
    }
    auto out = engine.run(*compiled);
    if (!compiled->render.visualization.empty()) {
        out += "render " + compiled->render.visualization;
        for (const auto& [key, value] : compiled->render.properties)
            out += fmt::format(" {}={}", key, value);
        out += '\n';
    }
    return out;
}

TEST(Golden, EveryQueryAnswersAsItsFileSays) {
    Engine engine;
    const auto catalog = read_catalog();
    const bool regenerate = std::getenv("FIELDWATCH_REGENERATE") != nullptr;
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/golden/kql")) {
        if (entry.path().extension() != ".kql") continue;
        std::ifstream file(entry.path());
        std::string query, expected, rewritten, line;
        bool in_answer = false;
        const auto finish = [&] {
            if (query.empty()) return;
            const auto actual = answer(engine, catalog, query);
            EXPECT_EQ(actual.find("ENGINE "), std::string::npos) << query << actual;
            EXPECT_EQ(actual.find("NULL STRING"), std::string::npos) << query << actual;
            if (!regenerate) {
                EXPECT_EQ(actual, expected) << entry.path() << "\n" << query;
            }
            rewritten += query + "---\n" + actual + "===\n";
            query.clear(), expected.clear(), in_answer = false;
            ++count;
        };
        while (std::getline(file, line)) {
            if (line == "---")
                in_answer = true;
            else if (line == "===")
                finish();
            else
                (in_answer ? expected : query) += line + "\n";
        }
        finish();
        if (regenerate) std::ofstream(entry.path()) << rewritten;
    }
    EXPECT_GT(count, 100u);
    std::printf("%zu queries\n", count);
}

}  // namespace
}  // namespace fieldwatch::kql
