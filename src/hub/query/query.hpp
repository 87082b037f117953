// `SELECT … FROM devices WHERE … GROUP BY …`: parsed once, run over one row after another.
// Source: spec/iot-hub-protocols.md section 7.5.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "hub/query/expression.hpp"

namespace fieldwatch::hub::query {

enum class Source : std::uint8_t { Devices, Modules, Jobs };
enum class Aggregate : std::uint8_t { None, Count, Average, Sum, Minimum, Maximum };

struct Item {
    Aggregate aggregate = Aggregate::None;
    Expression value;
    std::string name;  ///< alias, or the path's last part, or the function's spelling
};

struct Query {
    bool all = false;  ///< SELECT *
    std::optional<std::size_t> top;
    std::vector<Item> items;
    Source source = Source::Devices;
    std::optional<Expression> where;
    std::vector<Path> group_by;

    bool aggregates() const;
};

inline constexpr std::size_t kQueryBytesMax = 16u << 10;

/// Errors: Malformed with the place; TooLarge.
Result<Query> parse_query(std::string_view text);
/// A condition alone, as a route has one; "" and "true" hold always. Errors: as above.
Result<Expression> parse_condition(std::string_view text);

/// Whether the row is in, and what it looks like in the result (not for queries that aggregate).
bool selects(const Query& query, const Json& row);
Json project(const Query& query, const Json& row);

/// Groups of an aggregating query. Bound: groups_max; a further one is refused.
class Aggregation {
  public:
    explicit Aggregation(const Query& query, std::size_t groups_max = 10'000)
        : query_(query), groups_max_(groups_max) {}
    Result<void> add(const Json& row);
    std::vector<Json> rows() const;

  private:
    struct Cell {
        std::size_t count = 0;
        double sum = 0;
        Value minimum, maximum, first;
    };
    const Query& query_;
    const std::size_t groups_max_;
    std::map<std::string, std::vector<Cell>> groups_;
};

}  // namespace fieldwatch::hub::query
