#include "hub/query/expression.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace fieldwatch::hub::query {

namespace {

constexpr std::size_t kTextBytesMax = 64u << 10;  // what CONCAT may make

Value number(double value) {
    if (!std::isfinite(value)) return std::nullopt;
    // Whole numbers stay whole, so that they compare and print as they were.
    if (value == std::floor(value) && std::abs(value) < 9e15) return Json(static_cast<std::int64_t>(value));
    return Json(value);
}

Value arithmetic(Op op, const Value& left, const Value& right) {
    if (!left || !right || !left->is_number() || !right->is_number()) return std::nullopt;
    const auto a = left->get<double>();
    const auto b = right->get<double>();
    switch (op) {
        case Op::Add:
            return number(a + b);
        case Op::Subtract:
            return number(a - b);
        case Op::Multiply:
            return number(a * b);
        case Op::Divide:
            return number(a / b);
        default:
            return number(std::fmod(a, b));
    }
}

bool same_type(const Json& left, const Json& right) {
    return (left.is_number() && right.is_number()) || left.type() == right.type();
}

/// Values of different types are neither equal nor ordered; only scalars have an order.
bool compare(Op op, const Value& left, const Value& right) {
    if (!left || !right) return op == Op::NotEqual && left.has_value() != right.has_value();
    if (!same_type(*left, *right)) return op == Op::NotEqual;
    switch (op) {
        case Op::Equal:
            return *left == *right;
        case Op::NotEqual:
            return *left != *right;
        default:
            break;
    }
    if (!left->is_number() && !left->is_string() && !left->is_boolean()) return false;
    switch (op) {
        case Op::Less:
            return *left < *right;
        case Op::LessEqual:
            return *left <= *right;
        case Op::Greater:
            return *left > *right;
        default:
            return *left >= *right;
    }
}

using Arguments = std::vector<Value>;

std::optional<std::string> text(const Value& value) {
    if (!value || !value->is_string()) return std::nullopt;
    return value->get<std::string>();
}
std::optional<double> real(const Value& value) {
    if (!value || !value->is_number()) return std::nullopt;
    return value->get<double>();
}

std::string with_case(std::string text, bool upper) {
    std::transform(text.begin(), text.end(), text.begin(), [&](char c) {
        if (upper) return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return text;
}

Value as_number(const Value& value) {
    if (value && value->is_number()) return value;
    const auto digits = text(value);
    if (!digits) return std::nullopt;
    double parsed = 0;
    const auto* const end = digits->data() + digits->size();
    const auto [stop, error] = std::from_chars(digits->data(), end, parsed);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number(parsed);
}

Value substring(const Arguments& arguments) {
    const auto from = text(arguments[0]);
    const auto start = real(arguments[1]);
    const auto length = arguments.size() > 2 ? real(arguments[2]) : std::optional(double(kTextBytesMax));
    if (!from || !start || !length || *start < 0 || *length < 0) return std::nullopt;
    if (*start >= static_cast<double>(from->size())) return Json("");
    return Json(from->substr(static_cast<std::size_t>(*start),
                             static_cast<std::size_t>(std::min(*length, double(kTextBytesMax)))));
}

Value concat(const Arguments& arguments) {
    std::string out;
    for (const auto& argument : arguments) {
        const auto part = text(argument);
        if (!part || out.size() + part->size() > kTextBytesMax) return std::nullopt;
        out += *part;
    }
    return Json(std::move(out));
}

template <class Test>
auto text_test(Test test) {
    return [test](const Arguments& arguments) -> Value {
        const auto whole = text(arguments[0]);
        const auto part = text(arguments[1]);
        if (!whole || !part) return std::nullopt;
        return Json(test(*whole, *part));
    };
}

template <class Test>
auto type_test(Test test) {
    return [test](const Arguments& arguments) -> Value { return Json(arguments[0] && test(*arguments[0])); };
}

template <class Function>
auto real_function(Function function) {
    return [function](const Arguments& arguments) -> Value {
        const auto value = real(arguments[0]);
        return value ? number(function(*value)) : std::nullopt;
    };
}

struct Function {
    FunctionShape shape;
    std::function<Value(const Arguments&)> call;
};

std::map<std::string, Function, std::less<>> make_type_functions() {
    return {
        {"IS_DEFINED", {{1, 1}, [](const Arguments& a) -> Value { return Json(a[0].has_value()); }}},
        {"IS_NULL", {{1, 1}, type_test([](const Json& v) { return v.is_null(); })}},
        {"IS_BOOL", {{1, 1}, type_test([](const Json& v) { return v.is_boolean(); })}},
        {"IS_NUMBER", {{1, 1}, type_test([](const Json& v) { return v.is_number(); })}},
        {"IS_STRING", {{1, 1}, type_test([](const Json& v) { return v.is_string(); })}},
        {"IS_ARRAY", {{1, 1}, type_test([](const Json& v) { return v.is_array(); })}},
        {"IS_OBJECT", {{1, 1}, type_test([](const Json& v) { return v.is_object(); })}},
        {"IS_PRIMITIVE", {{1, 1}, type_test([](const Json& v) { return v.is_primitive(); })}},
        {"AS_NUMBER", {{1, 1}, [](const Arguments& a) { return as_number(a[0]); }}},
    };
}

std::map<std::string, Function, std::less<>> make_text_functions() {
    return {
        {"STARTS_WITH", {{2, 2}, text_test([](const auto& a, const auto& b) { return a.starts_with(b); })}},
        {"STARTSWITH", {{2, 2}, text_test([](const auto& a, const auto& b) { return a.starts_with(b); })}},
        {"ENDS_WITH", {{2, 2}, text_test([](const auto& a, const auto& b) { return a.ends_with(b); })}},
        {"ENDSWITH", {{2, 2}, text_test([](const auto& a, const auto& b) { return a.ends_with(b); })}},
        {"CONTAINS",
         {{2, 2}, text_test([](const auto& a, const auto& b) { return a.find(b) != std::string::npos; })}},
        {"INDEX_OF", {{2, 2}, text_test([](const auto& a, const auto& b) {
                          const auto found = a.find(b);
                          return found == std::string::npos ? std::int64_t{-1}
                                                            : static_cast<std::int64_t>(found);
                      })}},
        {"LENGTH",
         {{1, 1},
          [](const Arguments& a) -> Value {
              const auto value = text(a[0]);
              return value ? Value(Json(value->size())) : std::nullopt;
          }}},
        {"LOWER",
         {{1, 1},
          [](const Arguments& a) -> Value {
              const auto value = text(a[0]);
              return value ? Value(Json(with_case(*value, false))) : std::nullopt;
          }}},
        {"UPPER",
         {{1, 1},
          [](const Arguments& a) -> Value {
              const auto value = text(a[0]);
              return value ? Value(Json(with_case(*value, true))) : std::nullopt;
          }}},
        {"SUBSTRING", {{2, 3}, substring}},
        {"CONCAT", {{1, 16}, concat}},
    };
}

std::map<std::string, Function, std::less<>> make_number_functions() {
    return {
        {"ABS", {{1, 1}, real_function([](double v) { return std::abs(v); })}},
        {"EXP", {{1, 1}, real_function([](double v) { return std::exp(v); })}},
        {"SQUARE", {{1, 1}, real_function([](double v) { return v * v; })}},
        {"CEILING", {{1, 1}, real_function([](double v) { return std::ceil(v); })}},
        {"FLOOR", {{1, 1}, real_function([](double v) { return std::floor(v); })}},
        {"SIGN", {{1, 1}, real_function([](double v) { return v > 0   ? 1.0
                                                              : v < 0 ? -1.0
                                                                      : 0.0; })}},
        {"SQRT", {{1, 1}, real_function([](double v) { return std::sqrt(v); })}},
        {"POWER",
         {{2, 2},
          [](const Arguments& a) -> Value {
              const auto base = real(a[0]);
              const auto exponent = real(a[1]);
              return base && exponent ? number(std::pow(*base, *exponent)) : std::nullopt;
          }}},
    };
}

const std::map<std::string, Function, std::less<>>& functions() {
    static const auto kFunctions = [] {
        auto all = make_type_functions();
        all.merge(make_text_functions());
        all.merge(make_number_functions());
        return all;
    }();
    return kFunctions;
}

bool is_among(const Value& value, const std::vector<Expression>& operands, const Resolve& resolve) {
    return std::any_of(operands.begin() + 1, operands.end(), [&](const Expression& one) {
        return compare(Op::Equal, value, evaluate(one, resolve));
    });
}

}  // namespace

std::optional<FunctionShape> function_shape(std::string_view name) {
    const auto found = functions().find(name);
    return found == functions().end() ? std::nullopt : std::optional(found->second.shape);
}

Value at(const Json& root, const Path& path) {
    const Json* here = &root;
    for (const auto& name : path) {
        if (!here->is_object()) return std::nullopt;
        const auto found = here->find(name);
        if (found == here->end()) return std::nullopt;
        here = &*found;
    }
    return *here;
}

bool holds(const Expression& condition, const Resolve& resolve) {
    const auto value = evaluate(condition, resolve);
    return value && value->is_boolean() && value->get<bool>();
}

Value evaluate(const Expression& expression, const Resolve& resolve) {
    const auto& operands = expression.operands;
    const auto value_of = [&](std::size_t index) { return evaluate(operands[index], resolve); };
    switch (expression.op) {
        case Op::Constant:
            return expression.constant;
        case Op::Undefined:
            return std::nullopt;
        case Op::Member:
            return resolve(expression.path);
        case Op::Not: {
            const auto value = value_of(0);
            return value && value->is_boolean() ? Value(Json(!value->get<bool>())) : std::nullopt;
        }
        case Op::Negate:
            return arithmetic(Op::Subtract, Json(0), value_of(0));
        case Op::And:
            return Json(std::all_of(operands.begin(), operands.end(),
                                    [&](const Expression& one) { return holds(one, resolve); }));
        case Op::Or:
            return Json(std::any_of(operands.begin(), operands.end(),
                                    [&](const Expression& one) { return holds(one, resolve); }));
        case Op::Equal:
        case Op::NotEqual:
        case Op::Less:
        case Op::LessEqual:
        case Op::Greater:
        case Op::GreaterEqual:
            return Json(compare(expression.op, value_of(0), value_of(1)));
        case Op::Add:
        case Op::Subtract:
        case Op::Multiply:
        case Op::Divide:
        case Op::Modulo:
            return arithmetic(expression.op, value_of(0), value_of(1));
        case Op::In:
            return Json(is_among(value_of(0), operands, resolve));
        case Op::NotIn:
            return Json(!is_among(value_of(0), operands, resolve));
        case Op::Call: {
            Arguments arguments;
            for (const auto& operand : operands)
                arguments.push_back(evaluate(operand, resolve));
            return functions().find(expression.function)->second.call(arguments);
        }
    }
    return std::nullopt;
}

}  // namespace fieldwatch::hub::query
