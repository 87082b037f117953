// Kusto's scalar values written down a second time, as plainly as the documentation says them, for the
// property test: no parser, no plan, no SQL, and nothing of the compiler's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fieldwatch::kql::naive {

enum class Type : std::uint8_t { Bool, Long, Real, String, Datetime, Timespan };
constexpr Type kTypes[] = {Type::Bool, Type::Long, Type::Real, Type::String, Type::Datetime, Type::Timespan};

/// monostate is null, which a string never is; datetimes and timespans are whole ticks of 100 ns.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;
using Row = std::vector<Value>;

inline bool is_null(const Value& value) {
    return std::holds_alternative<std::monostate>(value);
}
inline Value null_of(Type type) {
    return type == Type::String ? Value(std::string()) : Value();
}
std::string_view type_name(Type type);

/// The value as a query writes it.
std::string literal(const Value& value, Type type);
/// The value as the test's engine prints it.
std::string printed(const Value& value, Type type);
/// As tostring() gives it.
std::string text_of(const Value& value, Type type);

/// -1, 0 or 1 of two values of one type that are not null.
int compare(const Value& a, const Value& b);

/// A scalar function or operator: `text` with {0}, {1} … is how a query calls it.
struct Function {
    Type result;
    std::vector<Type> args;
    std::string_view text;
    Value (*value)(const Row& args);
    bool sees_null = false;  ///< otherwise a null argument gives null
};
std::span<const Function> functions();

}  // namespace fieldwatch::kql::naive
