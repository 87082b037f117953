// Random queries over random tables: what the compiler's SQL answers is what a plain interpreter answers that
// shares nothing with it. FIELDWATCH_SEED=n runs other ones, and names the one query to repeat.
#include <algorithm>
#include <cstdlib>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kql/engine_test.hpp"
#include "kql/naive_tables_test.hpp"

namespace fieldwatch::kql::naive {
namespace {

using enum Type;

struct Query {
    std::string text;
    Table answer;
    bool ordered = false;
};

/// One query for each seed.
class Generator {
  public:
    explicit Generator(std::uint64_t seed) : state_(mixed(seed)) {}

    Query query() {
        Query query{.answer = table(8)};
        query.text = datatable(query.answer);
        for (auto stages = 1 + below(5); stages > 0; --stages)
            stage(query);
        return query;
    }

  private:
    /// splitmix64; a seed is mixed too, because neighbours would walk through the same numbers.
    static std::uint64_t mixed(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t end) {
        return static_cast<std::size_t>(mixed(state_ += 0x9E3779B97F4A7C15u) % end);
    }
    template <class List>
    const auto& one_of(const List& list) {
        return list[below(std::size(list))];
    }

    Value value(Type type) {
        static const std::string kTexts[] = {
            "",   "a",   "A", "ab",   "Ab",  "aB",  "b",      "ab,c",  "a b c", "é",  "É a",  "1",   "12",
            "-7", " 7 ", "%", "x_ab", "a-b", "b,,", "ab.c,b", "B c d", "abc",   "1é", "a\"b", "[1]", "null"};
        constexpr std::int64_t kHour = 36'000'000'000, kStart = 639'309'024'000'000'000;
        constexpr std::int64_t kSpans[] = {
            0, 1, -1, kHour, -kHour * 3 / 2, 48 * kHour, 36 * 24 * kHour + 12'345};
        if (type != String && below(6) == 0) return {};
        switch (type) {
            case Bool:
                return below(2) == 0;
            case Long:
                if (below(30) == 0) return INT64_MAX;
                return static_cast<std::int64_t>(below(9)) - 4;
            case Real:
                return (static_cast<double>(below(33)) - 16) / 4;
            case String:
                return one_of(kTexts);
            case Datetime:
                return kStart + kHour / 4 * static_cast<std::int64_t>(below(400) * below(60)) +
                       static_cast<std::int64_t>(below(3));
            case Timespan:
                return one_of(kSpans);
        }
        return {};
    }

    Table table(std::size_t rows_max) {
        Table table{.columns = {{"c0", Long}, {"c1", String}}, .rows = {}};
        for (auto more = below(4); more > 0; --more)
            table.columns.push_back({fmt::format("c{}", table.columns.size()), one_of(kTypes)});
        for (auto rows = below(rows_max + 1); rows > 0; --rows) {
            auto& row = table.rows.emplace_back();
            for (const auto& column : table.columns)
                row.push_back(value(column.type));
        }
        return table;
    }

    Expression column(const Table& table, std::size_t at) {
        return {table.columns[at].type, table.columns[at].name, [at](const Row& row) { return row[at]; }};
    }
    Expression leaf(const Table& table, Type type) {
        std::vector<std::size_t> fitting;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            if (table.columns[i].type == type) fitting.push_back(i);
        }
        if (!fitting.empty() && below(4) != 0) return column(table, one_of(fitting));
        const auto constant = value(type);
        return {type, literal(constant, type), [constant](const Row&) { return constant; }};
    }
    Expression expression(const Table& table, Type type, std::size_t depth) {
        if (depth == 0 || below(5) == 0) return leaf(table, type);
        if (type == Bool && below(12) == 0) return known(table, depth);
        std::vector<const Function*> fitting;
        for (const auto& function : functions()) {
            if (function.result == type) fitting.push_back(&function);
        }
        const auto& function = *one_of(fitting);
        std::vector<Expression> args;
        for (const auto arg : function.args)
            args.push_back(expression(table, arg, depth - 1));
        std::string text;
        for (std::size_t i = 0; i < function.text.size(); ++i) {
            if (function.text[i] == '{')
                text += args[static_cast<std::size_t>(function.text[i + 1] - '0')].text, i += 2;
            else
                text += function.text[i];
        }
        return {type, text, [&function, args](const Row& row) {
                    Row values;
                    for (const auto& arg : args)
                        values.push_back(arg.value(row));
                    if (!function.sees_null && std::ranges::any_of(values, is_null))
                        return null_of(function.result);
                    return function.value(values);
                }};
    }

    /// Whether a text is one of another table's, which a function over lists is told by toscalar().
    Expression known(const Table& table, std::size_t depth) {
        const auto other = this->table(4);
        const auto wanted = expression(table, String, depth - 1);
        std::set<Value> texts;
        for (const auto& row : other.rows)
            texts.insert(row[1]);
        return {Bool,
                fmt::format("set_has_element(toscalar({} | summarize make_set(c1)), {})", datatable(other),
                            wanted.text),
                [texts, wanted](const Row& row) { return Value(texts.contains(wanted.value(row))); }};
    }

    std::vector<Named> named(const Table& table, std::size_t count, std::string_view prefix) {
        std::vector<Named> out;
        for (std::size_t i = 0; i < count; ++i)
            out.push_back({fmt::format("{}{}", prefix, i), expression(table, one_of(kTypes), 2)});
        return out;
    }
    static std::string list(const std::vector<Named>& values) {
        std::string out;
        for (const auto& [name, value] : values)
            out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", name, value.text);
        return out;
    }

    void stage(Query& query) {
        switch (below(11)) {
            case 0:
            case 1: {
                const auto condition = expression(query.answer, Bool, 3);
                query.text += " | where " + condition.text;
                query.answer = filtered(query.answer, condition);
                break;
            }
            case 2: {
                const auto values = named(query.answer, 1 + below(2), below(2) == 0 ? "c" : "e");
                query.text += " | extend " + list(values);
                query.answer = extended(query.answer, values);
                break;
            }
            case 3: {
                auto values = named(query.answer, 1 + below(2), "p");
                for (std::size_t i = 0; i < query.answer.columns.size(); ++i) {
                    if (below(3) != 0)
                        values.push_back({query.answer.columns[i].name, column(query.answer, i)});
                }
                std::set<std::string> names;
                std::erase_if(values, [&](const Named& one) { return !names.insert(one.name).second; });
                query.text += " | project " + list(values);
                query.answer = projected(query.answer, values);
                break;
            }
            case 4:
            case 5:
                summarize(query);
                break;
            case 6: {
                const auto at = below(query.answer.columns.size());
                query.text += " | distinct " + query.answer.columns[at].name;
                query.answer =
                    summarized(query.answer, {}, {{query.answer.columns[at].name, column(query.answer, at)}});
                query.ordered = false;
                break;
            }
            case 7:
                sort(query);
                break;
            case 8:
                join(query);
                break;
            case 9: {
                const auto other = table(4);
                if (clash(query.answer, other)) break;
                query.text += " | union (" + datatable(other) + ")";
                query.answer = united(query.answer, other);
                query.ordered = false;
                break;
            }
            default:
                expand(query);
        }
    }

    void summarize(Query& query) {
        std::vector<Aggregate> aggregates;
        std::string text;
        for (auto count = 1 + below(3); count > 0; --count) {
            const auto all =
                aggregates_of(expression(query.answer, one_of(kTypes), 1), expression(query.answer, Bool, 2));
            auto& aggregate = aggregates.emplace_back(one_of(all));
            aggregate.name += std::to_string(count);
            text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", aggregate.name, aggregate.text);
        }
        const auto by = named(query.answer, below(3), "k");
        query.text += " | summarize " + text + (by.empty() ? "" : " by " + list(by));
        query.answer = summarized(query.answer, aggregates, by);
        query.ordered = false;
    }

    /// By all columns, so that rows that tie are the same.
    void sort(Query& query) {
        std::vector<Key> keys;
        std::string text;
        for (std::size_t i = 0; i < query.answer.columns.size(); ++i) {
            const bool descending = below(2) == 0, given = below(3) == 0, first = below(2) == 0;
            keys.push_back({i, descending, given ? first : !descending});
            text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", query.answer.columns[i].name,
                                descending ? (below(2) == 0 ? " desc" : "") : " asc",
                                !given  ? ""
                                : first ? " nulls first"
                                        : " nulls last");
        }
        query.answer = sorted(std::move(query.answer), keys);
        query.ordered = true;
        const auto count = below(5);
        if (below(2) == 0) {
            query.text += fmt::format(" | top {} by {}", count, text);
        } else {
            query.text += fmt::format(" | sort by {}", text);
            if (below(2) == 0) return below(2) == 0 ? neighbours(query) : sessions(query);
            query.text += fmt::format(" | take {}", count);
        }
        query.answer.rows.resize(std::min(query.answer.rows.size(), count));
    }

    void neighbours(Query& query) {
        const auto at = below(query.answer.columns.size());
        const auto& [name, type] = query.answer.columns[at];
        query.text +=
            fmt::format(" | extend before = prev({0}), after = next({0}, 2), place = row_number()", name);
        auto out = query.answer;
        for (const auto& added : {Column{"before", type}, Column{"after", type}, Column{"place", Long}}) {
            std::erase_if(out.columns, [&](const Column& c) { return c.name == added.name; });
            out.columns.push_back(added);
        }
        if (out.columns.size() != query.answer.columns.size() + 3) {  // were there already: leave it
            query.text.resize(query.text.rfind(" | extend"));
            return;
        }
        for (std::size_t i = 0; i < out.rows.size(); ++i) {
            const auto& rows = query.answer.rows;
            out.rows[i].push_back(i > 0 ? rows[i - 1][at] : null_of(type));
            out.rows[i].push_back(i + 2 < rows.size() ? rows[i + 2][at] : null_of(type));
            out.rows[i].push_back(static_cast<std::int64_t>(i + 1));
        }
        query.answer = std::move(out);
    }

    /// A session ends after 36 hours, after 10 without a row, before a null, and where it is told to.
    void sessions(Query& query) {
        const auto& columns = query.answer.columns;
        const auto at =
            static_cast<std::size_t>(std::ranges::find(columns, Datetime, &Column::type) - columns.begin());
        if (at == columns.size() || std::ranges::find(columns, "begin", &Column::name) != columns.end())
            return;
        constexpr std::int64_t kHour = 36'000'000'000;
        const auto restart = expression(query.answer, Bool, 2);
        query.text += fmt::format(" | extend begin = row_window_session({}, 36h, 10h, {})", columns[at].name,
                                  restart.text);
        Value first, before;
        for (auto& row : query.answer.rows) {
            const auto value = row[at];
            const auto anew = restart.value(row);
            const auto whole = [](const Value& ticks) { return std::get<std::int64_t>(ticks); };
            if (is_null(value) || is_null(before) || (!is_null(anew) && std::get<bool>(anew)) ||
                whole(value) >= whole(first) + 36 * kHour || whole(value) >= whole(before) + 10 * kHour)
                first = value;
            before = value;
            row.push_back(first);
        }
        query.answer.columns.push_back({"begin", Datetime});
    }

    void join(Query& query) {
        constexpr std::string_view kKinds[] = {"inner",    "leftouter", "rightouter", "fullouter",
                                               "leftsemi", "leftanti",  "rightsemi",  "rightanti"};
        const auto other = table(6);
        const auto& left = query.answer.columns;
        const auto l = below(left.size());
        const auto r = static_cast<std::size_t>(
            std::ranges::find(other.columns, left[l].type, &Column::type) - other.columns.begin());
        if (r == other.columns.size()) return;
        const std::string kind(one_of(kKinds));
        const auto& a = left[l].name;
        const auto& b = other.columns[r].name;
        query.text += fmt::format(" | join kind={} ({}) on {}", kind, datatable(other),
                                  a == b ? a : fmt::format("$left.{} == $right.{}", a, b));
        query.answer = joined(query.answer, l, other, r, kind);
        query.ordered = false;
    }

    void expand(Query& query) {
        const auto at = static_cast<std::size_t>(
            std::ranges::find(query.answer.columns, String, &Column::type) - query.answer.columns.begin());
        if (at == query.answer.columns.size()) return;
        const auto name = query.answer.columns[at].name;
        query.text += fmt::format(" | mv-expand {0} = split({0}, ',') to typeof(string)", name);
        query.answer = expanded(query.answer, at);
        query.ordered = false;
    }

    static bool clash(const Table& a, const Table& b) {
        return std::ranges::any_of(a.columns, [&](const Column& one) {
            const auto at = std::ranges::find(b.columns, one.name, &Column::name);
            return at != b.columns.end() && at->type != one.type;
        });
    }

    std::uint64_t state_;
};

/// Lines behind the header, in one order where the query gives none, and zero without a sign.
std::string comparable(std::string text, bool ordered) {
    for (std::size_t at = 0; (at = text.find("-0", at)) != std::string::npos; ++at) {
        const auto before = at == 0 ? '\n' : text[at - 1], after = text[at + 2];
        if ((before == '\t' || before == '\n') && (after == '\t' || after == '\n')) text.erase(at, 1);
    }
    if (ordered) return text;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        lines.push_back(text.substr(at, end + 1 - at));
        at = end + 1;
    }
    std::sort(lines.begin() + 1, lines.end());
    std::string out;
    for (const auto& line : lines)
        out += line;
    return out;
}

TEST(Property, QueriesAnswerAsThePlainInterpreterDoes) {
    const auto* given = std::getenv("FIELDWATCH_SEED");
    const std::uint64_t first = given ? std::strtoull(given, nullptr, 10) : 1;
    const auto* wanted = std::getenv("FIELDWATCH_COUNT");
    const std::uint64_t count = wanted ? std::strtoull(wanted, nullptr, 10) : 300;
    Engine engine;
    std::size_t rows = 0, failed = 0;
    for (auto seed = first; seed < first + count && failed < 5; ++seed) {
        const auto query = Generator(seed).query();
        const auto compiled = compile(query.text, {}, {});
        ASSERT_TRUE(compiled) << seed << ": " << query.text << "\n" << compiled.error().message;
        const auto actual = comparable(engine.run(*compiled), query.ordered);
        const auto expected = comparable(printed(query.answer), query.ordered);
        EXPECT_EQ(actual, expected) << "seed " << seed << ": " << query.text;
        failed += actual != expected;
        rows += query.answer.rows.size();
    }
    EXPECT_TRUE(rows > count / 2) << "hardly any query has a row in its answer";
}

}  // namespace
}  // namespace fieldwatch::kql::naive
