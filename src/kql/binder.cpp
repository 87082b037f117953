#include "kql/binder.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace fieldwatch::kql {
namespace {

std::shared_ptr<Plan> make_plan(PlanKind kind, std::vector<PlanPtr> inputs = {}) {
    auto plan = std::make_shared<Plan>();
    plan->kind = kind;
    plan->inputs = std::move(inputs);
    return plan;
}

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

}  // namespace

Parsed<> Binder::add_node(Span span) {
    if (++nodes_ > options_.limits.plan_nodes_max)
        return limit_error(span,
                           fmt::format("the query has more than {} operators once let tables are expanded",
                                       options_.limits.plan_nodes_max));
    return {};
}

Parsed<BoundQuery> Binder::bind(const Statement& statement) {
    statement_ = &statement;
    // Each let is bound once where it stands, so that an unused one is checked too.
    for (; lets_visible_ < statement.lets.size(); ++lets_visible_) {
        const auto& let = statement.lets[lets_visible_];
        if (let.tabular) {
            FIELDWATCH_TRY(pipeline(*let.tabular));
        } else if (!FIELDWATCH_TRY(tabular(*let.scalar))) {
            FIELDWATCH_TRY(expression(*let.scalar, {}));
        }
    }
    nodes_ = 0;
    tables_.clear();
    render_ = {};
    auto relation = FIELDWATCH_TRY(pipeline(statement.query));
    BoundQuery query{.plan = relation.plan, .order = std::move(relation.order), .render = render_};
    for (auto& field : relation.fields) {
        if (field.hidden) continue;
        query.columns.push_back({field.name, field.value->type});
        query.values.push_back(std::move(field.value));
    }
    if (query.columns.empty()) return semantic_error(statement.query.span, "the result has no column");
    query.typed_paths = typed_paths_;
    return query;
}

Parsed<Relation> Binder::pipeline(const Pipeline& pipeline) {
    if (++depth_ > options_.limits.depth_max) return limit_error(pipeline.span, "tables nest too deeply");
    auto relation = FIELDWATCH_TRY(pipeline.head ? head(*pipeline.head) : source(*pipeline.source));
    for (const auto& op : pipeline.operators) {
        FIELDWATCH_TRY(add_node(op.span));
        FIELDWATCH_TRY(apply(relation, op));
        for (const auto& field : relation.fields) {
            if (field.value->weight > 400) {
                seal(relation);
                break;
            }
        }
    }
    --depth_;
    return relation;
}

Parsed<Relation> Binder::source(const Node& node) {
    FIELDWATCH_TRY(add_node(node.span));
    if (node.kind == NodeKind::Query) return pipeline(*node.pipeline);
    if (node.kind == NodeKind::Call && node.text == "materialize" && node.args.size() == 1)
        return source(*node.args[0]);
    if (node.kind == NodeKind::Call && node.text == "table" && node.args.size() == 1 &&
        node.args[0]->kind == NodeKind::Literal) {
        if (const auto* table = catalog_.find(node.args[0]->token.text)) return scan(*table);
        return semantic_error(node.span,
                              fmt::format("unknown table '{}'", node.args[0]->token.text.substr(0, 100)));
    }
    if (node.kind == NodeKind::Name) return table(node);
    return semantic_error(node.span, "a table is expected here");
}

Parsed<Relation> Binder::table(const Node& node) {
    for (auto i = lets_visible_; i-- > 0;) {
        const auto& let = statement_->lets[i];
        if (let.name != node.text) continue;
        const auto visible = lets_visible_;
        lets_visible_ = i;
        auto result = let.tabular ? pipeline(*let.tabular) : source(*let.scalar);
        lets_visible_ = visible;
        if (!result && !let.tabular)
            return semantic_error(
                node.span, fmt::format("'{}' is a single value, but a table is expected here", node.text));
        return result;
    }
    if (const auto* table = catalog_.find(node.text)) return scan(*table);
    std::vector<std::string> known;
    for (const auto& table : catalog_.tables)
        known.push_back(table.name);
    for (std::size_t i = 0; i < lets_visible_; ++i)
        known.push_back(statement_->lets[i].name);
    return semantic_error(node.span,
                          fmt::format("unknown table '{}'{}", node.text, did_you_mean(node.text, known)));
}

/// The table that a node names, or nothing when it is a single value.
Parsed<std::optional<Relation>> Binder::tabular(const Node& node) {
    if (node.kind == NodeKind::Query) return FIELDWATCH_TRY(pipeline(*node.pipeline));
    if (node.kind == NodeKind::Call && node.text == "materialize") return FIELDWATCH_TRY(source(node));
    if (node.kind != NodeKind::Name) return std::optional<Relation>{};
    for (auto i = lets_visible_; i-- > 0;) {
        const auto& let = statement_->lets[i];
        if (let.name != node.text) continue;
        if (let.tabular) return FIELDWATCH_TRY(table(node));
        const auto visible = lets_visible_;
        lets_visible_ = i;
        auto result = tabular(*let.scalar);
        lets_visible_ = visible;
        return result;
    }
    if (catalog_.find(node.text)) return FIELDWATCH_TRY(table(node));
    return std::optional<Relation>{};
}

Parsed<Relation> Binder::scan(const CatalogTable& table) {
    tables_.insert(table.name);
    auto plan = make_plan(PlanKind::Scan);
    plan->table = &table;
    Relation relation;
    ExprPtr time;
    std::map<std::string, std::uint32_t> ids;
    for (const auto& column : table.columns) {
        const auto id = new_id();
        plan->scan_ids.push_back(id);
        ids[column.name] = id;
        relation.fields.push_back({column.name, column_ref(id, column.type), column.hidden});
        if (column.name == table.time_column) time = relation.fields.back().value;
    }
    for (const auto& path : table.paths) {
        const auto id = new_id();
        plan->path_ids.push_back(id);
        if (ids.contains(path.column)) typed_paths_[ids[path.column]].emplace_back(path.path, id);
    }
    relation.plan = std::move(plan);
    if (time && options_.from)
        filter(relation,
               call(ColumnType::Bool, "({0} >= {1})",
                    {time, constant(ColumnType::DateTime, options_.from->ticks + kUnixEpochTicks)}));
    if (time && options_.to)
        filter(relation, call(ColumnType::Bool, "({0} < {1})",
                              {time, constant(ColumnType::DateTime, options_.to->ticks + kUnixEpochTicks)}));
    return relation;
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
    const auto value = FIELDWATCH_TRY(expression(node, {}));
    const auto number = integer_value(value);
    if (!number || !is_integral(value->type))
        return semantic_error(node.span, fmt::format("{} needs a constant whole number", what));
    if (*number < 0)
        return semantic_error(node.span, fmt::format("{} needs a number that is not negative", what));
    return std::min(*number, max);
}

Parsed<Relation> Binder::head(const Operator& op) {
    FIELDWATCH_TRY(add_node(op.span));
    if (op.name == "print") return print(op);
    if (op.name == "range") return range(op);
    if (op.name == "datatable") return datatable(op);
    if (op.name == "search") return search_tables(op);
    std::vector<Relation> inputs;
    std::vector<std::string> names;
    for (const auto& input : op.inputs) {
        names.push_back(input.source->kind == NodeKind::Name ? input.source->text
                                                             : fmt::format("union_arg{}", inputs.size()));
        inputs.push_back(FIELDWATCH_TRY(source(*input.source)));
    }
    return union_of(std::move(inputs), std::move(names), op);
}

Parsed<Relation> Binder::print(const Operator& op) {
    auto plan = make_plan(PlanKind::Values);
    plan->rows.emplace_back();
    Relation relation;
    relation.plan = std::move(plan);
    int position = 0;
    for (const auto& item : op.items) {
        auto value = FIELDWATCH_TRY(expression(*item.value, {}));
        add_field(relation.fields, item.names.empty() ? fmt::format("print_{}", position) : item.names[0],
                  std::move(value));
        ++position;
    }
    return relation;
}

Parsed<Relation> Binder::range(const Operator& op) {
    auto from = FIELDWATCH_TRY(expression(*op.from, {}));
    auto to = FIELDWATCH_TRY(expression(*op.to, {}));
    auto step = FIELDWATCH_TRY(expression(*op.step, {}));
    const auto type = from->type;
    if (type == ColumnType::DateTime || type == ColumnType::TimeSpan) {
        if (to->type != type || step->type != ColumnType::TimeSpan)
            return semantic_error(op.span,
                                  "range over times needs an end of the same type and a timespan as step");
    } else if (is_integral(type) && is_integral(to->type) && is_integral(step->type)) {
    } else if (is_number(type) && is_number(to->type) && is_number(step->type)) {
        return unsupported(op.span,
                           "range over real numbers is not supported; range over whole numbers and divide");
    } else {
        return semantic_error(op.span, fmt::format("range does not go from {} to {} by {}", to_string(type),
                                                   to_string(to->type), to_string(step->type)));
    }
    auto plan = make_plan(PlanKind::Range);
    const auto id = new_id();
    plan->scan_ids.push_back(id);
    const auto result = is_integral(type) ? ColumnType::Long : type;
    plan->types.push_back(result);
    plan->exprs = {from, to, step};
    Relation relation;
    relation.plan = std::move(plan);
    relation.fields.push_back({op.items[0].names[0], column_ref(id, result)});
    const bool down = integer_value(step).value_or(1) < 0;
    relation.order.push_back({relation.fields[0].value, down, true});
    return relation;
}

Parsed<Relation> Binder::datatable(const Operator& op) {
    auto plan = make_plan(PlanKind::Values);
    Relation relation;
    for (const auto& column : op.by) {
        const auto type = *type_by_name(column.type);
        if (type == ColumnType::Decimal)
            return unsupported(column.span, "the type decimal is not supported; use real or long");
        plan->scan_ids.push_back(new_id());
        plan->types.push_back(type);
        add_field(relation.fields, column.names[0], column_ref(plan->scan_ids.back(), type));
    }
    for (std::size_t i = 0; i < op.items.size(); ++i) {
        if (i % op.by.size() == 0) plan->rows.emplace_back();
        const auto type = plan->types[i % op.by.size()];
        const auto value = FIELDWATCH_TRY(expression(*op.items[i].value, {}));
        auto stored = value->type == ColumnType::String && type != ColumnType::String ? convert(value, type)
                      : type == ColumnType::Dynamic                                   ? to_dynamic(value)
                                                                                      : widen(value, type);
        if (!stored)
            return semantic_error(op.items[i].span, fmt::format("column '{}' is {}, but this value is {}",
                                                                op.by[i % op.by.size()].names[0],
                                                                to_string(type), to_string(value->type)));
        plan->rows.back().push_back(std::move(stored));
    }
    relation.plan = std::move(plan);
    return relation;
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
    if (n == "distinct") return distinct(relation, op);
    if (n == "join") return join(relation, op);
    if (n == "mv-expand") return mv_expand(relation, op);
    if (n == "make-series") return make_series(relation, op);
    if (n == "parse") return parse(relation, op);
    if (n == "search") return search(relation, op);
    if (n == "project-rename") return rename(relation, op);
    if (n.starts_with("project-")) return project_names(relation, op);
    if (n == "union") {
        std::vector<Relation> inputs{std::move(relation)};
        std::vector<std::string> names{"union_arg0"};
        for (const auto& input : op.inputs) {
            names.push_back(input.source->kind == NodeKind::Name ? input.source->text
                                                                 : fmt::format("union_arg{}", inputs.size()));
            inputs.push_back(FIELDWATCH_TRY(source(*input.source)));
        }
        relation = FIELDWATCH_TRY(union_of(std::move(inputs), std::move(names), op));
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
    filter(relation, FIELDWATCH_TRY(boolean(condition, {.relation = &relation})));
    return {};
}

Parsed<> Binder::project(Relation& relation, const Operator& op) {
    std::vector<Field> fields;
    bool windows = false;
    int unnamed = 0;
    for (const auto& item : op.items) {
        if (item.tuple)
            return unsupported(item.span, "several names for one expression are supported in extend only");
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
    // All expressions see the columns as they were before.
    auto result = relation;
    bool windows = false;
    int unnamed = 0;
    for (const auto& item : op.items) {
        if (item.value->kind == NodeKind::Call && item.value->text == "series_fit_line") {
            FIELDWATCH_TRY(fit_line(result, item));
            continue;
        }
        if (item.tuple) return unsupported(item.span, "only series_fit_line gives several columns");
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

Parsed<> Binder::project_names(Relation& relation, const Operator& op) {
    std::vector<bool> chosen(relation.fields.size());
    std::vector<Field> picked;
    for (const auto& item : op.items) {
        const auto& pattern = item.names[0];
        bool any = false;
        std::vector<Field> found;
        for (std::size_t i = 0; i < relation.fields.size(); ++i) {
            if (!matches(relation.fields[i].name, pattern)) continue;
            any = true;
            if (!chosen[i]) found.push_back(relation.fields[i]);
            chosen[i] = true;
        }
        if (item.order == "asc") std::ranges::sort(found, {}, &Field::name);
        if (item.order == "desc") std::ranges::sort(found, std::ranges::greater{}, &Field::name);
        std::ranges::move(found, std::back_inserter(picked));
        if (!any && pattern.find('*') == std::string::npos)
            return semantic_error(item.span, fmt::format("unknown column '{}'{}", pattern,
                                                         did_you_mean(pattern, visible_names(&relation))));
    }
    std::vector<Field> rest, kept;
    for (std::size_t i = 0; i < relation.fields.size(); ++i)
        (chosen[i] ? kept : rest).push_back(relation.fields[i]);
    if (op.name == "project-away") {
        relation.fields = std::move(rest);
    } else if (op.name == "project-keep") {
        relation.fields = std::move(kept);
    } else {
        relation.fields = std::move(picked);
        std::ranges::move(rest, std::back_inserter(relation.fields));
    }
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
    relation = {std::move(plan), std::move(fields), {}};
    return {};
}

Parsed<> Binder::take(Relation& relation, const Operator& op) {
    auto plan = make_plan(PlanKind::Limit, {relation.plan});
    plan->count = FIELDWATCH_TRY(constant_count(*op.count, op.name, 1'000'000'000));
    plan->order = relation.order;
    relation.plan = std::move(plan);
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
    auto value = std::make_shared<Expr>(*call(ColumnType::Long, "count(*)", {}));
    value->aggregate = true;
    plan->columns.push_back({id, value});
    relation = {std::move(plan), {{"Count", column_ref(id, ColumnType::Long)}}, {}};
    return {};
}

}  // namespace fieldwatch::kql
