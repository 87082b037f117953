#include "kql/naive_tables_test.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

namespace fieldwatch::kql::naive {
namespace {

using enum Type;

/// The name, or with the first free number behind it where it is taken.
std::string free_name(const std::vector<Column>& columns, const std::string& name) {
    const auto taken = [&](const std::string& wanted) {
        return std::ranges::any_of(columns, [&](const Column& c) { return c.name == wanted; });
    };
    if (!taken(name)) return name;
    int number = 1;
    while (taken(name + std::to_string(number)))
        ++number;
    return name + std::to_string(number);
}

Row nulls_of(const std::vector<Column>& columns) {
    Row row;
    for (const auto& column : columns)
        row.push_back(null_of(column.type));
    return row;
}

Row both(Row left, const Row& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

/// What of `expression` is not null.
Row values(const std::vector<Row>& rows, const Expression& expression) {
    Row out;
    for (const auto& row : rows) {
        if (auto value = expression.value(row); !is_null(value)) out.push_back(std::move(value));
    }
    return out;
}

/// Holds every whole number of 64 bits.
long double number(const Value& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<long double>(*whole);
    return std::get<double>(value);
}

Value sum(const Row& all, Type type) {
    if (type == Real) {
        double total = 0;
        for (const auto& value : all)
            total += std::get<double>(value);
        return total;
    }
    __int128 total = 0;
    for (const auto& value : all)
        total += std::get<std::int64_t>(value);
    if (total > INT64_MAX || total < INT64_MIN) return {};
    return static_cast<std::int64_t>(total);
}

Value average(const Row& all) {
    if (all.empty()) return std::nan("");
    long double total = 0;
    for (const auto& value : all)
        total += number(value);
    return static_cast<double>(total / static_cast<long double>(all.size()));
}

Value best(const Row& all, Type type, int wanted) {
    if (all.empty()) return null_of(type);
    auto found = all.front();
    for (const auto& value : all) {
        if (compare(value, found) == wanted) found = value;
    }
    return found;
}

Value percentile(Row all, std::size_t percent) {
    if (all.empty()) return {};
    std::ranges::sort(all);
    const auto rank = (percent * all.size() + 99) / 100;
    return all[std::max<std::size_t>(rank, 1) - 1];
}

std::int64_t distinct(const Row& all) {
    return static_cast<std::int64_t>(std::set<Value>(all.begin(), all.end()).size());
}

}  // namespace

Table filtered(const Table& table, const Expression& condition) {
    Table out{.columns = table.columns, .rows = {}};
    for (const auto& row : table.rows) {
        if (condition.value(row) == Value(true)) out.rows.push_back(row);
    }
    return out;
}

Table extended(const Table& table, const std::vector<Named>& values) {
    auto out = table;
    for (const auto& [name, value] : values) {
        const auto at = static_cast<std::size_t>(std::ranges::find(out.columns, name, &Column::name) -
                                                 out.columns.begin());
        if (at == out.columns.size()) out.columns.emplace_back();
        out.columns[at] = {name, value.type};
        for (std::size_t i = 0; i < out.rows.size(); ++i) {
            out.rows[i].resize(out.columns.size());
            out.rows[i][at] = value.value(table.rows[i]);
        }
    }
    return out;
}

Table projected(const Table& table, const std::vector<Named>& values) {
    Table out;
    for (const auto& [name, value] : values)
        out.columns.push_back({name, value.type});
    for (const auto& row : table.rows) {
        auto& made = out.rows.emplace_back();
        for (const auto& each : values)
            made.push_back(each.value.value(row));
    }
    return out;
}

Table summarized(const Table& table, const std::vector<Aggregate>& aggregates, const std::vector<Named>& by) {
    Table out;
    for (const auto& key : by)
        out.columns.push_back({key.name, key.value.type});
    for (const auto& aggregate : aggregates)
        out.columns.push_back({aggregate.name, aggregate.type});
    std::map<Row, std::vector<Row>> groups;
    if (by.empty()) groups[{}] = table.rows;
    for (const auto& row : table.rows) {
        if (by.empty()) break;
        Row key;
        for (const auto& each : by)
            key.push_back(each.value.value(row));
        groups[key].push_back(row);
    }
    for (const auto& [key, rows] : groups) {
        auto& made = out.rows.emplace_back(key);
        for (const auto& aggregate : aggregates)
            made.push_back(aggregate.value(rows));
    }
    return out;
}

Table sorted(Table table, const std::vector<Key>& keys) {
    std::ranges::stable_sort(table.rows, [&](const Row& a, const Row& b) {
        for (const auto& key : keys) {
            const auto& x = a[key.column];
            const auto& y = b[key.column];
            if (x == y) continue;
            if (is_null(x) || is_null(y)) return is_null(x) == key.nulls_first;
            return (compare(x, y) < 0) != key.descending;
        }
        return false;
    });
    return table;
}

Table joined(const Table& left, std::size_t left_key, const Table& right, std::size_t right_key,
             const std::string& kind) {
    const auto meet = [&](const Row& a, const Row& b) {
        return !is_null(a[left_key]) && a[left_key] == b[right_key];
    };
    Table out;
    if (kind.ends_with("semi") || kind.ends_with("anti")) {
        const bool is_right = kind.starts_with("right");
        const auto& own = is_right ? right : left;
        out.columns = own.columns;
        for (const auto& row : own.rows) {
            const bool found = std::ranges::any_of((is_right ? left : right).rows, [&](const Row& other) {
                return is_right ? meet(other, row) : meet(row, other);
            });
            if (found == kind.ends_with("semi")) out.rows.push_back(row);
        }
        return out;
    }
    out.columns = left.columns;
    for (const auto& column : right.columns)
        out.columns.push_back({free_name(out.columns, column.name), column.type});
    std::vector<bool> met(right.rows.size());
    for (const auto& row : left.rows) {
        bool any = false;
        for (std::size_t i = 0; i < right.rows.size(); ++i) {
            if (!meet(row, right.rows[i])) continue;
            any = met[i] = true;
            out.rows.push_back(both(row, right.rows[i]));
        }
        if (!any && (kind == "leftouter" || kind == "fullouter"))
            out.rows.push_back(both(row, nulls_of(right.columns)));
    }
    for (std::size_t i = 0; i < right.rows.size(); ++i) {
        if (!met[i] && (kind == "rightouter" || kind == "fullouter"))
            out.rows.push_back(both(nulls_of(left.columns), right.rows[i]));
    }
    return out;
}

Table expanded(const Table& table, std::size_t column) {
    Table out{.columns = table.columns, .rows = {}};
    for (const auto& row : table.rows) {
        const auto& whole = std::get<std::string>(row[column]);
        for (std::size_t at = 0; at <= whole.size();) {
            const auto end = std::min(whole.find(',', at), whole.size());
            out.rows.push_back(row);
            out.rows.back()[column] = whole.substr(at, end - at);
            at = end + 1;
        }
    }
    return out;
}

Table united(const Table& first, const Table& second) {
    Table out{.columns = first.columns, .rows = {}};
    for (const auto& column : second.columns) {
        if (std::ranges::find(out.columns, column.name, &Column::name) == out.columns.end())
            out.columns.push_back(column);
    }
    for (const auto* table : {&first, &second}) {
        for (const auto& row : table->rows) {
            auto& made = out.rows.emplace_back(nulls_of(out.columns));
            for (std::size_t i = 0; i < row.size(); ++i) {
                const auto at = std::ranges::find(out.columns, table->columns[i].name, &Column::name);
                made[static_cast<std::size_t>(at - out.columns.begin())] = row[i];
            }
        }
    }
    return out;
}

std::vector<Aggregate> aggregates_of(const Expression& value, const Expression& condition) {
    const auto type = value.type;
    const auto named = [&](std::string_view text) {
        return fmt::format(fmt::runtime(text), value.text, condition.text);
    };
    const auto held = [condition](const std::vector<Row>& rows) {
        std::vector<Row> out;
        std::ranges::copy_if(rows, std::back_inserter(out),
                             [&](const Row& row) { return condition.value(row) == Value(true); });
        return out;
    };
    const auto count = [](std::size_t size) { return Value(static_cast<std::int64_t>(size)); };
    std::vector<Aggregate> out{
        {"n", Long, "count()", [=](const auto& rows) { return count(rows.size()); }},
        {"held", Long, named("countif({1})"), [=](const auto& rows) { return count(held(rows).size()); }},
        {"kinds", Long, named("dcount({0})"),
         [=](const auto& rows) -> Value { return distinct(values(rows, value)); }},
        {"kinds_held", Long, named("dcountif({0}, {1})"),
         [=](const auto& rows) -> Value { return distinct(values(held(rows), value)); }},
        {"set", Long, named("array_length(make_set({0}))"),
         [=](const auto& rows) -> Value { return distinct(values(rows, value)); }},
        {"list", Long, named("array_length(make_list_if({0}, {1}))"),
         [=](const auto& rows) { return count(values(held(rows), value).size()); }},
    };
    if (type == Bool) return out;
    out.push_back({"least", type, named("min({0})"),
                   [=](const auto& rows) { return best(values(rows, value), type, -1); }});
    out.push_back({"most", type, named("max({0})"),
                   [=](const auto& rows) { return best(values(rows, value), type, 1); }});
    out.push_back({"most_held", type, named("maxif({0}, {1})"),
                   [=](const auto& rows) { return best(values(held(rows), value), type, 1); }});
    if (type == String) return out;
    for (const std::size_t percent : {5, 50, 60, 80, 95}) {
        out.push_back({fmt::format("p{}", percent), type,
                       fmt::format("percentile({}, {})", value.text, percent),
                       [=](const auto& rows) { return percentile(values(rows, value), percent); }});
    }
    if (type == Datetime) return out;
    out.push_back(
        {"total", type, named("sum({0})"), [=](const auto& rows) { return sum(values(rows, value), type); }});
    out.push_back({"total_held", type, named("sumif({0}, {1})"),
                   [=](const auto& rows) { return sum(values(held(rows), value), type); }});
    if (type == Timespan) return out;
    out.push_back(
        {"mean", Real, named("avg({0})"), [=](const auto& rows) { return average(values(rows, value)); }});
    return out;
}

std::string datatable(const Table& table) {
    std::string head, body;
    for (const auto& column : table.columns)
        head += fmt::format("{}{}:{}", head.empty() ? "" : ", ", column.name, type_name(column.type));
    for (const auto& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            body += (body.empty() ? "" : ", ") + literal(row[i], table.columns[i].type);
    }
    return fmt::format("datatable({})[{}]", head, body);
}

std::string printed(const Table& table) {
    std::string out;
    for (const auto& column : table.columns)
        out += fmt::format("{}{}:{}", out.empty() ? "" : "\t", column.name, type_name(column.type));
    for (const auto& row : table.rows) {
        out += '\n';
        for (std::size_t i = 0; i < row.size(); ++i)
            out += (i ? "\t" : "") + printed(row[i], table.columns[i].type);
    }
    return out + '\n';
}

}  // namespace fieldwatch::kql::naive
