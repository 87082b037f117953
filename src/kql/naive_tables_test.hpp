// Tables and tabular operators written down a second time, row by row, for the property test: what each
// operator does to a table that is in memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kql/naive_values_test.hpp"

namespace fieldwatch::kql::naive {

struct Column {
    std::string name;
    Type type = Type::Long;
};
struct Table {
    std::vector<Column> columns;
    std::vector<Row> rows;
};

/// An expression as a query writes it, and what it is for a row.
struct Expression {
    Type type = Type::Long;
    std::string text;
    std::function<Value(const Row&)> value;
};
struct Named {
    std::string name;
    Expression value;
};
/// An aggregate, and what it is for the rows of a group.
struct Aggregate {
    std::string name;
    Type type = Type::Long;
    std::string text;
    std::function<Value(const std::vector<Row>&)> value;
};
struct Key {
    std::size_t column = 0;
    bool descending = true, nulls_first = false;
};

Table filtered(const Table& table, const Expression& condition);
Table extended(const Table& table, const std::vector<Named>& values);
Table projected(const Table& table, const std::vector<Named>& values);
Table summarized(const Table& table, const std::vector<Aggregate>& aggregates, const std::vector<Named>& by);
Table sorted(Table table, const std::vector<Key>& keys);
/// On one column of each; kinds by their names in the language.
Table joined(const Table& left, std::size_t left_key, const Table& right, std::size_t right_key,
             const std::string& kind);
/// A row for each part of the text in `column` between commas, which is what the column holds then.
Table expanded(const Table& table, std::size_t column);
/// By name and type; a column that one lacks is null there.
Table united(const Table& first, const Table& second);

/// The aggregate functions over one expression, or two.
std::vector<Aggregate> aggregates_of(const Expression& value, const Expression& condition);

/// `datatable(…)[…]`
std::string datatable(const Table& table);
/// Header with types, then a row a line, as the test's engine prints it.
std::string printed(const Table& table);

}  // namespace fieldwatch::kql::naive
