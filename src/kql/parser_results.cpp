// Operators that look through several tables or give several, and scan: find, facet, fork.
#include <fmt/format.h>

#include "kql/parser.hpp"

namespace fieldwatch::kql {

/// `[withsource=Name] [in (Table, …) where] predicate [project-smart | project Column[: type], … [,
/// pack_all()]]`
Parsed<> Parser::find(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    if (take_word("in")) {
        FIELDWATCH_TRY(expect("(", "after in"));
        FIELDWATCH_TRY(table_list(op));
        FIELDWATCH_TRY(expect(")", "after the tables"));
        FIELDWATCH_TRY(expect_word("where", "before find's condition"));
    } else {
        take_word("where");
    }
    op.on = FIELDWATCH_TRY(search_predicate());
    if (!is_word("project")) return {};
    const auto span = peek().span;
    const auto form = FIELDWATCH_TRY(operator_name());
    if (form == "project-smart") return {};
    if (form != "project")
        return syntax_error(span, fmt::format("find ends with project or project-smart, not '{}'", form));
    op.has_by = true;
    do {
        Item item;
        item.span = peek().span;
        auto word = FIELDWATCH_TRY(name("a column"));
        if (is("(") && (word == "pack_all" || word == "pack")) {
            ++at_;
            take("*");
            FIELDWATCH_TRY(expect(")", fmt::format("after {}", word)));
            item.order = "pack";
        } else if (take(":")) {
            item.type = FIELDWATCH_TRY(type_name());
        }
        item.names.push_back(std::move(word));
        item.span = since(item.span);
        op.by.push_back(std::move(item));
        if (op.by.size() > 1000) return limit_error(peek().span, "more than 1000 columns");
    } while (take(","));
    return {};
}

/// `[with_match_id=Name] [declare (Column: type [= default], …)] with (step Name [output=all|none]: condition
/// [=> Column = value, …]; …)`: the steps in `items`, the output as their order; what is declared in `by`,
/// and the values with the names of step and column.
Parsed<> Parser::scan(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    for (const auto& [key, value] : op.parameters) {
        if (key != "with_match_id")
            return syntax_error(op.span, fmt::format("scan has no parameter '{}'", key));
    }
    if (take_word("declare")) {
        FIELDWATCH_TRY(expect("(", "after declare"));
        do {
            Item column;
            column.span = peek().span;
            column.names.push_back(FIELDWATCH_TRY(name("a column name")));
            FIELDWATCH_TRY(expect(":", "after the column's name"));
            column.type = FIELDWATCH_TRY(type_name());
            if (take("=")) column.fallback = FIELDWATCH_TRY(unary());
            op.by.push_back(std::move(column));
            if (op.by.size() > 50) return limit_error(peek().span, "more than 50 columns in one scan");
        } while (take(","));
        FIELDWATCH_TRY(expect(")", "after the columns"));
    }
    FIELDWATCH_TRY(expect_word("with", "before scan's steps"));
    FIELDWATCH_TRY(expect("(", "after with"));
    while (!take(")")) {
        FIELDWATCH_TRY(expect_word("step", "before a step's name"));
        Item step;
        step.span = peek().span;
        step.names.push_back(FIELDWATCH_TRY(name("a step's name")));
        if (is_word("output") && is("=", 1)) {
            at_ += 2;
            const auto span = peek().span;
            step.order = FIELDWATCH_TRY(name("all or none"));
            if (step.order == "last")
                return unsupported(span, "output=last is not supported; all and none are");
            if (step.order != "all" && step.order != "none")
                return syntax_error(span, fmt::format("expected all or none, found '{}'", step.order));
        }
        FIELDWATCH_TRY(expect(":", "after the step's name"));
        step.value = FIELDWATCH_TRY(expression());
        if (take("=>")) {
            do {
                Item value;
                value.span = peek().span;
                value.names = {step.names[0], FIELDWATCH_TRY(name("a declared column"))};
                FIELDWATCH_TRY(expect("=", "after the column"));
                value.value = FIELDWATCH_TRY(expression());
                op.by.push_back(std::move(value));
            } while (take(","));
        }
        op.items.push_back(std::move(step));
        if (op.items.size() > 8) return limit_error(peek().span, "more than 8 steps in one scan");
        if (!take(";") && !is(")")) return expect(";", "after the step");
    }
    if (op.items.empty()) return syntax_error(peek().span, "scan needs a step");
    return {};
}

/// `by Column, … [with (operator | …)]`
Parsed<> Parser::facet(Operator& op) {
    FIELDWATCH_TRY(expect_word("by", "after facet"));
    FIELDWATCH_TRY(items(op.by, false));
    if (take_word("with")) op.inputs.push_back(FIELDWATCH_TRY(sub_query("after with")));
    return {};
}

/// `[name =] (operator | …) …`
Parsed<> Parser::fork(Operator& op) {
    do {
        Item branch;
        branch.span = peek().span;
        if (is_name() && is("=", 1)) {
            branch.names.push_back(peek().text);
            at_ += 2;
        }
        op.items.push_back(std::move(branch));
        op.inputs.push_back(FIELDWATCH_TRY(sub_query("before fork's sub-query")));
        if (op.inputs.size() > 20) return limit_error(peek().span, "more than 20 sub-queries in one fork");
        take(",");
    } while (is("(") || (is_name() && is("=", 1)));
    return {};
}

}  // namespace fieldwatch::kql
