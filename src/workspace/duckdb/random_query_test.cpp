// Queries nobody would write, over the real tables: whatever the language accepts, the engine must run. The
// generator knows types, so that most queries are accepted; values are those at the edges of their types.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <iostream>

#include "base/random.hpp"
#include "kql/functions.hpp"
#include "workspace/duckdb/test_workspace.hpp"

namespace fieldwatch::workspace {
namespace {

using Texts = std::vector<std::string_view>;

class QueryMaker {
  public:
    explicit QueryMaker(std::uint64_t seed) : random_(seed) {}

    std::string query() {
        columns_ = {{"DeviceId", 's'}, {"EventDetails", 's'}, {"TimeGenerated", 't'}, {"TimeStamp", 't'},
                    {"IsEmpty", 'b'},  {"RawEventName", 's'}, {"_BilledSize", 'r'},   {"TenantId", 's'}};
        std::string text = "SecurityIoTRawEvent";
        for (auto operators = 1 + random_.below(4); operators > 0; --operators)
            text += " | " + stage();
        return text;
    }

  private:
    struct Column {
        std::string name;
        char type;
    };

    template <class List>
    auto one_of(const List& list) {
        return *(std::begin(list) + static_cast<std::ptrdiff_t>(random_.below(std::size(list))));
    }
    char any_type() { return one_of(std::string_view("bilrsgtnj")); }

    std::string stage() {
        switch (random_.below(10)) {
            case 0:
            case 1:
                return "where " + expression('b', 3);
            case 2:
            case 3:
            case 4: {
                const Column column{fmt::format("X{}", ++names_), any_type()};
                auto text = fmt::format("extend {} = {}", column.name, expression(column.type, 3));
                columns_.push_back(column);
                return text;
            }
            case 5:
            case 6:
                return summarize();
            case 7:
                return fmt::format("sort by {} {} | take 20",
                                   expression(one_of(std::string_view("lrstn")), 2),
                                   one_of(Texts{"asc", "desc", "asc nulls first"}));
            case 8:
                return fmt::format("mv-expand E{} = {}", ++names_, expression('j', 2));
            default: {
                const auto name = one_of(columns_).name;
                return fmt::format("join kind={} ({} | take 3) on {}",
                                   one_of(Texts{"inner", "leftouter", "leftanti", "innerunique"}),
                                   "SecurityIoTRawEvent", name == "TenantId" ? name : "DeviceId");
            }
        }
    }

    std::string summarize() {
        const Column value{fmt::format("A{}", ++names_), 'x'}, key{fmt::format("K{}", names_), any_type()};
        std::string aggregate;
        char type = 'j';
        switch (random_.below(6)) {
            case 0:
                aggregate = fmt::format("sum({})", expression(type = one_of(std::string_view("lrn")), 2));
                break;
            case 1:
                type = one_of(std::string_view("lrtn"));
                aggregate =
                    fmt::format("{}({})", one_of(Texts{"min", "max", "take_any"}), expression(type, 2));
                break;
            case 2:
                aggregate = fmt::format("dcount({})", expression(any_type(), 2));
                type = 'l';
                break;
            case 3:
                aggregate =
                    fmt::format("{}({})", one_of(Texts{"make_set", "make_list"}), expression(any_type(), 2));
                break;
            case 4:
                aggregate =
                    fmt::format("{}({})", one_of(Texts{"avg", "stdev", "variance"}), expression('r', 2));
                type = 'r';
                break;
            default:
                aggregate = fmt::format("countif({})", expression('b', 2));
                type = 'l';
        }
        auto text = fmt::format("summarize {} = {} by {} = {}, DeviceId", value.name, aggregate, key.name,
                                expression(key.type, 2));
        columns_ = {{value.name, type}, {"DeviceId", 's'}};
        if (key.type != 'j') columns_.push_back(key);
        return text;
    }

    std::string literal(char type) {
        switch (type) {
            case 'b':
                return std::string(one_of(Texts{"true", "false", "bool(null)"}));
            case 'i':
                return std::string(
                    one_of(Texts{"int(0)", "int(-1)", "int(2147483647)", "int(-2147483648)", "int(null)"}));
            case 'l':
                return std::string(one_of(
                    Texts{"0", "1", "-1", "7", "9223372036854775807", "-9223372036854775807", "long(null)"}));
            case 'c':
                return std::string(one_of(Texts{"0", "1", "3", "-2"}));
            case 'r':
                return std::string(one_of(Texts{"0.0", "-1.5", "1e308", "1e-308", "real(nan)", "real(+inf)",
                                                "real(-inf)", "real(null)"}));
            case 's':
                return std::string(one_of(Texts{"''", "'a'", "'äö€'", "'127.0.0.1'", "'{\"a\":[1]}'",
                                                "'%41%zz'", "'2026-02-30'", "'99999999999999999999'",
                                                "'-1.5e400'", "'\\\\'", "'1.00:00:00'", "'$.a'", "'['"}));
            case 'k':
                return std::string(one_of(Texts{"'a'", "'^(.)(.*)$'", "'[0-9]+'", "''", "'\\\\\\\\'"}));
            case 'g':
                return std::string(one_of(Texts{"guid(6d9f2f3c-0000-4000-8000-000000000001)", "guid(null)"}));
            case 't':
                return std::string(
                    one_of(Texts{"now()", "ago(1d)", "datetime(0001-01-01)", "datetime(null)",
                                 "datetime(9999-12-31 23:59:59.9999999)", "datetime(1969-12-31)"}));
            case 'n':
                return std::string(one_of(Texts{"0s", "1d", "1tick", "-1h", "10675199d", "timespan(null)"}));
            default:
                return std::string(one_of(Texts{"dynamic([1,\"a\",null])", "dynamic({\"a\":{\"b\":1}})",
                                                "parse_json(EventDetails)", "dynamic(null)", "dynamic(\"x\")",
                                                "parse_json('{\"a\":[1,2.5,\"z\"]}')"}));
        }
    }

    std::string leaf(char type) {
        std::vector<std::string> fitting;
        for (const auto& column : columns_) {
            if (column.type == type) fitting.push_back(column.name);
        }
        if (fitting.empty() || type == 'k' || type == 'c' || random_.below(3) == 0) return literal(type);
        return one_of(fitting);
    }

    std::string expression(char type, unsigned depth) {
        if (depth == 0 || type == 'k' || type == 'c' || random_.below(4) == 0) return leaf(type);
        if (random_.below(2) == 0) return operation(type, depth - 1);
        std::vector<const kql::FunctionRow*> fitting;
        for (const auto& row : kql::function_rows()) {
            if (row.result == type) fitting.push_back(&row);
        }
        if (fitting.empty()) return operation(type, depth - 1);
        const auto& row = *one_of(fitting);
        std::string arguments;
        for (const char letter : row.args) {
            if (letter == '?') {
                if (random_.below(2) == 0) break;
                continue;
            }
            arguments += (arguments.empty() ? "" : ", ") + expression(letter, depth - 1);
        }
        return fmt::format("{}({})", row.name, arguments);
    }

    /// What no row of the table says: operators, conversions, conditionals.
    std::string operation(char type, unsigned depth) {
        const auto of = [&](char other) { return expression(other, depth); };
        if (random_.below(4) == 0) return fmt::format("iff({}, {}, {})", of('b'), of(type), of(type));
        switch (type) {
            case 'b': {
                const char side = one_of(std::string_view("lrstng"));
                if (random_.below(3) == 0)
                    return fmt::format(
                        "({} {} {})", of('s'),
                        one_of(Texts{"has", "contains", "startswith", "=~", "!has", "endswith_cs"}), of('s'));
                if (random_.below(3) == 0)
                    return fmt::format("({} {} {})", of('b'), one_of(Texts{"and", "or"}), of('b'));
                return fmt::format("({} {} {})", of(side),
                                   one_of(side == 'g' ? Texts{"==", "!="} : Texts{"==", "!=", "<", ">="}),
                                   of(side));
            }
            case 'i':
                return fmt::format("toint({})", of(one_of(std::string_view("blrsj"))));
            case 'l':
                if (random_.below(2) == 0)
                    return fmt::format("tolong({})", of(one_of(std::string_view("blrsj"))));
                return fmt::format("({} {} {})", of('l'), one_of(Texts{"+", "-", "*", "/", "%"}), of('l'));
            case 'r':
                if (random_.below(2) == 0)
                    return fmt::format("todouble({})", of(one_of(std::string_view("blrsj"))));
                return fmt::format("({} {} {})", of('r'), one_of(Texts{"+", "-", "*", "/", "%"}), of('r'));
            case 's':
                return fmt::format("{}({})", one_of(Texts{"tostring", "strcat"}), of(any_type()));
            case 'g':
                return fmt::format("toguid({})", of('s'));
            case 't':
                if (random_.below(3) == 0)
                    return fmt::format("todatetime({})", of(one_of(std::string_view("sjl"))));
                if (random_.below(2) == 0) return fmt::format("bin({}, {})", of('t'), of('n'));
                return fmt::format("({} {} {})", of('t'), one_of(Texts{"+", "-"}), of('n'));
            case 'n':
                if (random_.below(3) == 0) return fmt::format("totimespan({})", of('s'));
                return random_.below(2) == 0 ? fmt::format("({} - {})", of('t'), of('t'))
                                             : fmt::format("({} * {})", of('n'), of('l'));
            default:
                if (random_.below(2) == 0) return fmt::format("parse_json({})", of('s'));
                return fmt::format("pack_array({}, {})", of(any_type()), of(any_type()));
        }
    }

    SeededRandom random_;
    std::vector<Column> columns_;
    int names_ = 0;
};

/// FIELDWATCH_RANDOM_QUERIES=N runs more of them than a quick test can.
std::uint64_t query_count() {
    const char* wanted = std::getenv("FIELDWATCH_RANDOM_QUERIES");
    return wanted == nullptr ? 120 : std::strtoull(wanted, nullptr, 10);
}

TEST(RandomQueryTest, WhatTheLanguageAcceptsTheEngineRuns) {
    const testing::Directory directory;
    ManualClock clock(testing::kStart);
    Metrics metrics;
    const auto workspace = open(testing::options_in(directory.path()), clock, metrics).value();
    Commit commit{.partition = 0, .next_offset = 5};
    for (std::uint64_t offset = 0; offset < 5; ++offset) {
        commit.raw_events.push_back(testing::raw_event(0, offset, clock.now()));
        if (offset == 3) commit.raw_events.back().details_json = "{}";
        if (offset == 4) commit.raw_events.back().details_json = R"({"a":[],"Executable":null})";
    }
    ASSERT_TRUE(workspace->commit(std::move(commit)));
    std::uint64_t ran = 0;
    for (std::uint64_t seed = 1; seed <= query_count(); ++seed) {
        const auto text = QueryMaker(seed).query();
        const auto answer = workspace->query({.text = text, .timeout = std::chrono::seconds(20)});
        ran += answer.has_value();
        if (answer) continue;
        EXPECT_NE(answer.error().kind, QueryError::Kind::Internal) << text << "\n" << answer.error().message;
        EXPECT_NE(answer.error().kind, QueryError::Kind::Timeout) << text;
    }
    std::cout << ran << " of " << query_count() << " queries ran, the others were refused\n";
    EXPECT_GT(ran, query_count() / 3) << "the generator makes too few queries that the language accepts";
}

}  // namespace
}  // namespace fieldwatch::workspace
