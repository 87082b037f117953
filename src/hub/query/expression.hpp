// Expressions of the hub's query language, over JSON: conditions of queries and of routes alike.
// Source: spec/iot-hub-protocols.md section 7.5.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fieldwatch::hub::query {

using Json = nlohmann::json;
/// nullopt is `undefined`: a member that is not there, or a computation that makes no sense.
using Value = std::optional<Json>;
using Path = std::vector<std::string>;
/// What a path stands for in the row or message at hand.
using Resolve = std::function<Value(const Path&)>;

enum class Op : std::uint8_t {
    Constant,
    Undefined,
    Member,
    Not,
    Negate,
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    In,
    NotIn,
    Call,
};

struct Expression {
    Op op = Op::Undefined;
    Json constant;
    Path path;
    std::string function;  ///< upper case
    std::vector<Expression> operands;
};

/// Never fails: what makes no sense is undefined. Depth is the parser's bound.
Value evaluate(const Expression& expression, const Resolve& resolve);
/// Whether a condition holds: only for boolean true.
bool holds(const Expression& condition, const Resolve& resolve);
/// Upper-case names and how many arguments each takes.
struct FunctionShape {
    std::size_t arguments_min, arguments_max;
};
std::optional<FunctionShape> function_shape(std::string_view name);

/// Walks members of a JSON object.
Value at(const Json& root, const Path& path);

}  // namespace fieldwatch::hub::query
