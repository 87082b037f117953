// Runs tests/golden/kql/*.kql: queries with their exact answers or errors, executed on an in-memory DuckDB. A
// case is lines of KQL, a line "---", and what came out; a line "===" ends it. FIELDWATCH_REGENERATE=1 writes
// what comes out now back into the files, for review as a difference.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kql/engine_test.hpp"

namespace fieldwatch::kql {
namespace {

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
    auto out = (compiled->name.empty() ? "" : "table " + compiled->name + "\n") + engine.run(*compiled);
    for (const auto& more : compiled->more)
        out += "table " + more.name + "\n" + engine.run(more);
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
    std::ifstream file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/golden/kql/tables.sql");
    engine.execute(std::string{std::istreambuf_iterator<char>(file), {}});
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
