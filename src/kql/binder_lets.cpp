// What let gives a name to: values, tables and functions of both. All are put in place where they are used.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

/// A function's calls each bind its body anew; functions of functions could otherwise double at each step.
constexpr std::size_t kCallsMax = 2000;

bool is_function(const Environment& environment) {
    return environment.let && environment.let->function;
}

/// A table's function that needs no argument: its name alone stands for its call.
bool is_view(const Environment& environment) {
    return is_function(environment) && environment.let->tabular &&
           std::ranges::all_of(environment.let->parameters,
                               [](const LetParameter& parameter) { return parameter.fallback != nullptr; });
}

/// The argument for a parameter: `name = value` anywhere, or the one at its place.
const Node* argument_of(const Node& call, std::string_view name, std::size_t at) {
    for (const auto& arg : call.args) {
        if (arg->kind == NodeKind::Assign && arg->text == name) return arg->args[0].get();
    }
    return at < call.args.size() && call.args[at]->kind != NodeKind::Assign ? call.args[at].get() : nullptr;
}

}  // namespace

void Binder::define(Environment environment) {
    environment.outer = visible_;
    environments_.push_back(std::move(environment));
    visible_ = &environments_.back();
}

/// Each is bound once where it stands, so that an unused one is checked too; a function, whose parameters
/// have no value yet, when it is called.
Parsed<> Binder::define_all(const std::vector<Let>& lets) {
    for (const auto& let : lets) {
        if (let.function) {
        } else if (let.tabular) {
            FIELDWATCH_TRY(pipeline(*let.tabular));
        } else if (!FIELDWATCH_TRY(tabular(*let.scalar))) {
            FIELDWATCH_TRY(expression(*let.scalar, {}));
        }
        define({.name = let.name, .let = &let});
    }
    return {};
}

const Environment* Binder::defined(std::string_view name) const {
    for (const auto* at = visible_; at; at = at->outer) {
        if (at->name == name) return at;
    }
    return nullptr;
}

Parsed<Relation> Binder::table(const Node& node) {
    if (const auto* found = defined(node.text)) {
        if (found->table) return *found->table;
        if (is_view(*found)) {
            Node call;
            call.kind = NodeKind::Call;
            call.text = node.text;
            call.span = node.span;
            return table_valued(*found, call, nullptr);
        }
        if (is_function(*found))
            return semantic_error(node.span,
                                  fmt::format("'{0}' is a function: call it, as {0}(…)", node.text));
        if (found->let) {
            auto result = outside(*found, [&] {
                return found->let->tabular ? pipeline(*found->let->tabular) : source(*found->let->scalar);
            });
            if (result || found->let->tabular) return result;
        }
        return semantic_error(node.span,
                              fmt::format("'{}' is a single value, but a table is expected here", node.text));
    }
    if (const auto* table = catalog_.find(node.text)) return scan(*table);
    std::vector<std::string> known = visible_names(nullptr);
    for (const auto& table : catalog_.tables)
        known.push_back(table.name);
    return semantic_error(node.span,
                          fmt::format("unknown table '{}'{}", node.text, did_you_mean(node.text, known)));
}

/// The table that a node names, or nothing when it is a single value.
Parsed<std::optional<Relation>> Binder::tabular(const Node& node) {
    if (node.kind == NodeKind::Query) return FIELDWATCH_TRY(pipeline(*node.pipeline));
    if (node.kind == NodeKind::Call) {
        const auto* found = defined(node.text);
        const bool table_function = found && is_function(*found) && found->let->tabular;
        if (table_function || node.text == "materialize") return FIELDWATCH_TRY(source(node));
    }
    if (node.kind != NodeKind::Name) return std::optional<Relation>{};
    if (const auto* found = defined(node.text)) {
        if (found->value || (is_function(*found) && !is_view(*found))) return std::optional<Relation>{};
        if (is_view(*found)) return FIELDWATCH_TRY(table(node));
        if (found->table || found->let->tabular) return FIELDWATCH_TRY(table(node));
        return outside(*found, [&] { return tabular(*found->let->scalar); });
    }
    if (catalog_.find(node.text)) return FIELDWATCH_TRY(table(node));
    return std::optional<Relation>{};
}

/// Gives the parameters of `function` their values, seen from the call, and makes them and the body's lets
/// all that is visible besides what stood before the function. `piped` is the first parameter of `invoke`.
Parsed<> Binder::enter(const Environment& environment, const Node& node, const Scope& scope,
                       const Relation* piped) {
    const auto& function = *environment.let;
    if (++calls_ > kCallsMax)
        return limit_error(node.span,
                           fmt::format("more than {} calls of let functions in one query", kCallsMax));
    const auto count = node.args.size() + (piped ? 1 : 0);
    std::size_t required = 0;
    for (const auto& parameter : function.parameters)
        required += parameter.fallback ? 0 : 1;
    if (count < required || count > function.parameters.size())
        return semantic_error(node.span, fmt::format("{} takes {} argument{}, not {}", function.name,
                                                     function.parameters.size(),
                                                     function.parameters.size() == 1 ? "" : "s", count));
    std::vector<Environment> bound;
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
        const auto& parameter = function.parameters[i];
        Environment given{.name = parameter.name};
        const auto at = piped ? i - 1 : i;  // wraps for the piped one, which is handled first
        if (parameter.type.empty()) {
            given.table = piped && i == 0 ? *piped : FIELDWATCH_TRY(source(*node.args[at]));
            given.table->order.clear();
            seal(*given.table);
        } else {
            if (piped && i == 0)
                return semantic_error(node.span,
                                      fmt::format("{} does not begin with a table", function.name));
            const auto* given_here = argument_of(node, parameter.name, at);
            if (!given_here && !parameter.fallback)
                return semantic_error(node.span, fmt::format("{} needs '{}'", function.name, parameter.name));
            const auto& argument = given_here ? *given_here : *parameter.fallback;
            const auto value = FIELDWATCH_TRY(expression(argument, given_here ? scope : Scope{}));
            given.value = widen(value, *type_by_name(parameter.type));
            if (!given.value)
                return semantic_error(argument.span,
                                      fmt::format("{}'s parameter '{}' is {}, but this is {}", function.name,
                                                  parameter.name, parameter.type, to_string(value->type)));
        }
        bound.push_back(std::move(given));
    }
    visible_ = environment.outer;
    for (auto& given : bound)
        define(std::move(given));
    return define_all(function.lets);
}

Parsed<ExprPtr> Binder::scalar_function(const Environment& function, const Node& node, const Scope& scope) {
    const auto& let = *function.let;
    if (let.tabular)
        return semantic_error(
            node.span, fmt::format("'{}' gives a table, but a single value is expected here", node.text));
    const auto* visible = visible_;
    FIELDWATCH_TRY(enter(function, node, scope, nullptr));
    auto result = expression(*let.scalar, {});
    visible_ = visible;
    return result;
}

Parsed<Relation> Binder::table_valued(const Environment& function, const Node& node, const Relation* piped) {
    const auto& let = *function.let;
    const auto* visible = visible_;
    FIELDWATCH_TRY(enter(function, node, {}, piped));
    auto result = let.tabular ? pipeline(*let.tabular) : source(*let.scalar);
    visible_ = visible;
    return result;
}

Parsed<> Binder::invoke(Relation& relation, const Operator& op) {
    const auto* function = op.on->kind == NodeKind::Call ? defined(op.on->text) : nullptr;
    if (!function || !is_function(*function))
        return semantic_error(op.on->span, "invoke takes a call of a function that let defined");
    relation = FIELDWATCH_TRY(table_valued(*function, *op.on, &relation));
    return {};
}

}  // namespace fieldwatch::kql
