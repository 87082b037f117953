#include "kql/binder.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace fieldwatch::kql {

namespace {

std::vector<const Node*> values_of(const std::vector<Item>& items) {
    std::vector<const Node*> nodes;
    for (const auto& item : items)
        nodes.push_back(item.value.get());
    return nodes;
}

/// `* has "term"`, perhaps below and, or, not().
bool names_any_column(const Node& node) {
    if (node.kind == NodeKind::Binary && node.args[0]->kind == NodeKind::Star) return true;
    const bool logic = (node.kind == NodeKind::Binary && (node.text == "and" || node.text == "or")) ||
                       (node.kind == NodeKind::Call && node.text == "not");
    return logic && std::ranges::any_of(node.args, [](const NodePtr& arg) { return names_any_column(*arg); });
}

}  // namespace

bool matches(std::string_view name, std::string_view pattern) {
    const auto star = pattern.find('*');
    if (star == std::string_view::npos) return name == pattern;
    if (!name.starts_with(pattern.substr(0, star))) return false;
    const auto rest = pattern.substr(star + 1);
    for (auto at = star; at <= name.size(); ++at) {
        if (matches(name.substr(at), rest)) return true;
    }
    return false;
}

Parsed<> Binder::add_node(Span span) {
    if (++nodes_ > options_.limits.plan_nodes_max)
        return limit_error(span,
                           fmt::format("the query has more than {} operators once let tables are expanded",
                                       options_.limits.plan_nodes_max));
    return {};
}

Parsed<BoundQuery> Binder::bind(const Statement& statement) {
    settings_ = &statement.settings;
    FIELDWATCH_TRY(define_all(statement.lets));
    nodes_ = 0;
    tables_.clear();
    render_ = {};
    results_.clear();
    if (!statement.query.operators.empty()) last_ = &statement.query.operators.back();
    auto bound = pipeline(statement.query);
    if (!bound && discovery_) return std::move(*discovery_);
    auto relation = FIELDWATCH_TRY(std::move(bound));
    if (results_.empty()) return finished(std::move(relation), "", statement.query.span);
    auto query = std::move(results_.front());
    query.more.assign(std::move_iterator(results_.begin() + 1), std::move_iterator(results_.end()));
    return query;
}

Parsed<Relation> Binder::pipeline(const Pipeline& pipeline) {
    if (++depth_ > options_.limits.depth_max) return limit_error(pipeline.span, "tables nest too deeply");
    auto relation = FIELDWATCH_TRY(pipeline.head ? head(*pipeline.head) : source(*pipeline.source));
    settle(relation);
    for (const auto& op : pipeline.operators)
        FIELDWATCH_TRY(stage(relation, op));
    --depth_;
    return relation;
}

Parsed<> Binder::stage(Relation& relation, const Operator& op) {
    FIELDWATCH_TRY(add_node(op.span));
    FIELDWATCH_TRY(apply(relation, op));
    settle(relation);
    return {};
}

/// A column is one value, however often it is asked for, and is written once where it is large.
void Binder::settle(Relation& relation) {
    const auto settles = [](const Field& field) { return field.value->weight > 400 || field.value->random; };
    if (std::ranges::any_of(relation.fields, settles)) seal(relation);
}

void Binder::filter(Relation& relation, ExprPtr condition) {
    auto plan = make_plan(PlanKind::Filter, {relation.plan});
    plan->exprs.push_back(std::move(condition));
    relation.plan = std::move(plan);
}

void Binder::seal(Relation& relation) {
    auto plan = make_plan(PlanKind::Project, {relation.plan});
    const auto column = [&](const ExprPtr& value) {
        const auto id = new_id();
        plan->columns.push_back({id, value});
        return column_ref(id, value->type);
    };
    for (auto& field : relation.fields)
        field.value = column(field.value);
    for (auto& key : relation.order)
        key.key = column(key.key);
    for (auto& key : relation.partition.keys)
        key = column(key);
    for (auto& field : relation.partition.carried)
        field.value = column(field.value);
    relation.plan = std::move(plan);
}

void Binder::set_field(Relation& relation, std::string name, ExprPtr value) {
    for (auto& field : relation.fields) {
        if (field.name == name) {
            field.value = std::move(value);
            field.hidden = false;
            return;
        }
    }
    relation.fields.push_back({std::move(name), std::move(value)});
}

/// A name that is taken gets the first free number behind it.
void Binder::add_field(std::vector<Field>& fields, std::string name, ExprPtr value) {
    const auto taken = [&](const std::string& candidate) {
        return std::ranges::any_of(fields, [&](const Field& f) { return f.name == candidate; });
    };
    if (taken(name)) {
        int number = 1;
        while (taken(fmt::format("{}{}", name, number)))
            ++number;
        name += std::to_string(number);
    }
    fields.push_back({std::move(name), std::move(value)});
}

Parsed<std::int64_t> Binder::constant_count(const Node& node, std::string_view what, std::int64_t max) {
    if (node.kind == NodeKind::Name && !defined(node.text))
        return semantic_error(
            node.span, fmt::format("{} needs a constant whole number, and '{}' is none", what, node.text));
    const auto value = FIELDWATCH_TRY(expression(node, {}));
    const auto number = integer_value(value);
    if (!number || !is_integral(value->type))
        return semantic_error(node.span, fmt::format("{} needs a constant whole number", what));
    if (*number < 0)
        return semantic_error(node.span, fmt::format("{} needs a number that is not negative", what));
    return std::min(*number, max);
}

Parsed<> Binder::apply(Relation& relation, const Operator& op) {
    const auto& n = op.name;
    if (n == "where") return where(relation, *op.on);
    if (n == "project") return project(relation, op);
    if (n == "extend" || n == "serialize") return extend(relation, op);
    if (n == "summarize") return summarize(relation, op);
    if (n == "take") return take(relation, op);
    if (n == "sort") return sort(relation, op.items);
    if (n == "top") return top(relation, op);
    if (n == "count") return count(relation);
    if (n == "top-hitters") return top_hitters(relation, op);
    if (n == "consume") {
        filter(relation, constant(ColumnType::Bool, false));
        return {};
    }
    if (n == "distinct") return distinct(relation, op);
    if (n == "sample") return sample(relation, *op.count, n);
    if (n == "sample-distinct") return sample_distinct(relation, op);
    if (n == "getschema") return get_schema(relation);
    if (n == "join" || n == "lookup") return join(relation, op);
    if (n == "mv-expand") return mv_expand(relation, op);
    if (n == "mv-apply") return mv_apply(relation, op);
    if (n == "partition") return partition(relation, op);
    if (n == "top-nested") return top_nested(relation, op);
    if (n == "evaluate") return evaluate(relation, op);
    if (n == "parse-kv") return parse_pairs(relation, op);
    if (n == "make-series") return make_series(relation, op);
    if (n == "reduce") return reduce(relation, op);
    if (n == "make-graph") return match_graph(relation, op);
    if (n == "parse" || n == "parse-where") return parse(relation, op);
    if (n == "search") return search(relation, op);
    if (n == "project-rename") return rename(relation, op);
    if (n.starts_with("project-")) return project_names(relation, op);
    if (n == "invoke") return invoke(relation, op);
    if (n == "facet") return facet(relation, op);
    if (n == "fork") return fork(relation, op);
    if (n == "scan") return scan_rows(relation, op);
    if (n == "union") {
        std::vector<Relation> inputs{std::move(relation)};
        std::vector<std::string> names{"union_arg0"};
        for (const auto& input : op.inputs)
            FIELDWATCH_TRY(union_input(input, op, inputs, names));
        relation = FIELDWATCH_TRY(union_of(std::move(inputs), std::move(names), op));
        return {};
    }
    if (n == "as") {
        seal(relation);
        define({.name = op.items[0].names[0], .table = relation});
        return {};
    }
    if (n == "render") {
        render_ = {.visualization = op.parameters[0].second,
                   .properties = {op.parameters.begin() + 1, op.parameters.end()}};
        return {};
    }
    return unsupported(op.span, fmt::format("the operator '{}' is not supported", n));
}

Parsed<> Binder::where(Relation& relation, const Node& condition) {
    FIELDWATCH_TRY(number_restarts(relation, {&condition}));
    if (names_any_column(condition)) {  // * has "term"
        filter(relation, FIELDWATCH_TRY(search_condition(relation, condition, "has")));
        return {};
    }
    auto value = FIELDWATCH_TRY(boolean(condition, {.relation = &relation, .windows = true}));
    if (value->window) {  // over all rows, before the filter
        relation.fields.push_back({"$condition", std::move(value), true});
        seal(relation);
        value = relation.fields.back().value;
        relation.fields.pop_back();
    }
    filter(relation, std::move(value));
    return {};
}

/// The most frequent values, or those with the greatest sums; exact here.
Parsed<> Binder::top_hitters(Relation& relation, const Operator& op) {
    const auto& item = op.items[0];
    const auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
    auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
    if (name.empty()) name = "Column1";
    auto result_name = fmt::format("approximate_count_{}", name);
    auto hits = call(ColumnType::Long, "count(*)", {});
    if (op.on) {
        auto weight = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
        if (!is_number(weight->type)) return semantic_error(op.on->span, "top-hitters adds up numbers");
        hits = weight->type == ColumnType::Real
                   ? aggregate_call(ColumnType::Real, "sum({0})", {weight})
                   : aggregate_call(ColumnType::Long, "TRY_CAST(sum({0}) AS BIGINT)", {weight});
        result_name = fmt::format("approximate_sum_{}", default_name(*op.on));
    }
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    const auto key = new_id(), sum = new_id();
    plan->keys.push_back({key, value});
    plan->columns.push_back({sum, hits});
    const auto order = column_ref(sum, hits->type);
    relation = {std::move(plan), {{name, column_ref(key, value->type)}, {result_name, order}}, {{order}}};
    return take(relation, op);
}

Parsed<> Binder::project(Relation& relation, const Operator& op) {
    FIELDWATCH_TRY(number_restarts(relation, values_of(op.items)));
    const auto bags = FIELDWATCH_TRY(spread_bags(relation, op.items));
    std::vector<Field> fields;
    bool windows = false;
    int unnamed = 0;
    for (const auto& item : op.items) {
        if (const auto bag = bags.find(&item); bag != bags.end()) {
            for (auto& field : spread_columns(item, bag->second))
                add_field(fields, std::move(field.name), std::move(field.value));
            continue;
        }
        if (item.tuple)
            return unsupported(item.span, "only series_fit_line and series_stats give several columns");
        if (item.value->kind == NodeKind::Star) {
            for (const auto& field : relation.fields) {
                if (!field.hidden) add_field(fields, field.name, field.value);
            }
            continue;
        }
        auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation, .windows = true}));
        windows |= value->window;
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", ++unnamed);
        if (!item.names.empty() &&
            std::ranges::any_of(fields, [&](const Field& f) { return f.name == name; }))
            return semantic_error(item.span, fmt::format("the column '{}' is named twice", name));
        add_field(fields, std::move(name), std::move(value));
    }
    relation.fields = std::move(fields);
    if (windows) seal(relation);
    return {};
}

Parsed<> Binder::extend(Relation& relation, const Operator& op) {
    FIELDWATCH_TRY(number_restarts(relation, values_of(op.items)));
    const auto bags = FIELDWATCH_TRY(spread_bags(relation, op.items));
    // All expressions see the columns as they were before.
    auto result = relation;
    bool windows = false;
    int unnamed = 0;
    for (const auto& item : op.items) {
        if (const auto bag = bags.find(&item); bag != bags.end()) {
            for (auto& field : spread_columns(item, bag->second))
                set_field(result, std::move(field.name), std::move(field.value));
            continue;
        }
        if (item.tuple)
            return unsupported(item.span, "only series_fit_line and series_stats give several columns");
        auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation, .windows = true}));
        windows |= value->window;
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", ++unnamed);
        set_field(result, std::move(name), std::move(value));
    }
    relation = std::move(result);
    if (windows) seal(relation);
    return {};
}

Parsed<> Binder::rename(Relation& relation, const Operator& op) {
    for (const auto& item : op.items) {
        if (item.names.empty() || item.value->kind != NodeKind::Name)
            return syntax_error(item.span, "project-rename takes NewName = OldName");
        const auto old = std::ranges::find(relation.fields, item.value->text, &Field::name);
        if (old == relation.fields.end())
            return semantic_error(item.value->span,
                                  fmt::format("unknown column '{}'{}", item.value->text,
                                              did_you_mean(item.value->text, visible_names(&relation))));
        if (old->name != item.names[0] &&
            std::ranges::find(relation.fields, item.names[0], &Field::name) != relation.fields.end())
            return semantic_error(item.span, fmt::format("the column '{}' is there already", item.names[0]));
        old->name = item.names[0];
        old->hidden = false;
    }
    return {};
}

Parsed<> Binder::distinct(Relation& relation, const Operator& op) {
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    std::vector<Field> fields;
    const auto add = [&](const std::string& name, const ExprPtr& value) {
        const auto id = new_id();
        plan->keys.push_back({id, value});
        add_field(fields, name, column_ref(id, value->type));
    };
    for (const auto& item : op.items) {
        if (item.value->kind == NodeKind::Star) {
            for (const auto& field : relation.fields) {
                if (!field.hidden) add(field.name, field.value);
            }
            continue;
        }
        const auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", fields.size() + 1);
        add(name, value);
    }
    auto partition = through_aggregate(relation.partition, *plan);
    relation = {std::move(plan), std::move(fields), {}, std::move(partition)};
    return {};
}

Parsed<> Binder::take(Relation& relation, const Operator& op) {
    const auto count = FIELDWATCH_TRY(constant_count(*op.count, op.name, 1'000'000'000));
    if (!relation.partition.keys.empty()) {
        take_of_each(relation, count);
        return {};
    }
    auto plan = make_plan(PlanKind::Limit, {relation.plan});
    plan->count = count;
    plan->order = relation.order;
    relation.plan = std::move(plan);
    return {};
}

/// Rows in no order of ours: which ones come is chance.
Parsed<> Binder::sample(Relation& relation, const Node& count, std::string_view what) {
    auto plan = make_plan(PlanKind::Limit, {relation.plan});
    plan->count = FIELDWATCH_TRY(constant_count(count, what, 1'000'000'000));
    plan->order = {{call(ColumnType::Real, "random()", {}, {.random = true})}};
    relation.plan = std::move(plan);
    relation.order.clear();
    return {};
}

Parsed<> Binder::sample_distinct(Relation& relation, const Operator& op) {
    const auto value = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
    auto name = default_name(*op.on);
    if (name.empty()) name = "Column1";
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    const auto id = new_id();
    plan->keys.push_back({id, value});
    relation = {std::move(plan), {{name, column_ref(id, value->type)}}, {}};
    return sample(relation, *op.count, op.name);
}

Parsed<> Binder::get_schema(Relation& relation) {
    auto plan = make_plan(PlanKind::Values);
    static const std::map<ColumnType, std::string_view> kDataTypes{
        {ColumnType::Bool, "System.SByte"},        {ColumnType::Int, "System.Int32"},
        {ColumnType::Long, "System.Int64"},        {ColumnType::Real, "System.Double"},
        {ColumnType::String, "System.String"},     {ColumnType::Guid, "System.Guid"},
        {ColumnType::DateTime, "System.DateTime"}, {ColumnType::TimeSpan, "System.TimeSpan"},
        {ColumnType::Dynamic, "System.Object"},    {ColumnType::Decimal, "System.Data.SqlTypes.SqlDecimal"}};
    Relation result;
    const auto column = [&](std::string name, ColumnType type) {
        plan->scan_ids.push_back(new_id());
        plan->types.push_back(type);
        result.fields.push_back({std::move(name), column_ref(plan->scan_ids.back(), type)});
    };
    column("ColumnName", ColumnType::String);
    column("ColumnOrdinal", ColumnType::Long);
    column("DataType", ColumnType::String);
    column("ColumnType", ColumnType::String);
    std::int64_t ordinal = 0;
    for (const auto& field : relation.fields) {
        if (field.hidden) continue;
        const auto known = kDataTypes.find(field.value->type);
        plan->rows.push_back({text_constant(field.name), long_constant(ordinal++),
                              text_constant(std::string(known == kDataTypes.end() ? "" : known->second)),
                              text_constant(std::string(to_string(field.value->type)))});
    }
    result.order.push_back({result.fields[1].value, false, true});
    result.plan = std::move(plan);
    relation = std::move(result);
    return {};
}

Parsed<> Binder::sort(Relation& relation, const std::vector<Item>& items) {
    std::vector<SortKey> order;
    for (const auto& item : items) {
        const auto key = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
        if (key->type == ColumnType::Dynamic)
            return semantic_error(
                item.span,
                "rows are not ordered by a dynamic value; convert it first, with tostring(…) or tolong(…)");
        const bool descending = item.order != "asc";
        order.push_back({key, descending, item.nulls.empty() ? !descending : item.nulls == "first"});
    }
    relation.order = std::move(order);
    return {};
}

Parsed<> Binder::top(Relation& relation, const Operator& op) {
    FIELDWATCH_TRY(sort(relation, op.items));
    return take(relation, op);
}

Parsed<> Binder::count(Relation& relation) {
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    const auto id = new_id();
    plan->columns.push_back({id, aggregate_call(ColumnType::Long, "count(*)", {})});
    auto partition = through_aggregate(relation.partition, *plan);
    relation = {plan, {{"Count", column_ref(id, ColumnType::Long)}}, {}, std::move(partition)};
    if (!relation.partition.keys.empty()) add_empty_groups(relation, plan);
    return {};
}

}  // namespace fieldwatch::kql
