// make-graph and graph-match: a pattern of nodes and edges is a chain of joins of the edges with themselves,
// one for each length that a repeated edge may have.
#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::size_t kShapesMax = 100;  // combinations of lengths
constexpr std::size_t kHopsMax = 20;     // edges of one

/// The parts that `and` joins, outermost.
void add_conjuncts(const Node& node, std::vector<const Node*>& out) {
    if (node.kind == NodeKind::Binary && node.text == "and") {
        for (const auto& arg : node.args)
            add_conjuncts(*arg, out);
    } else {
        out.push_back(&node);
    }
}

bool reads(const Node& node, std::string_view variable) {
    if (node.kind == NodeKind::Member && node.args[0]->kind == NodeKind::Name &&
        node.args[0]->text == variable)
        return true;
    return std::ranges::any_of(node.args, [&](const NodePtr& arg) { return reads(*arg, variable); });
}

ExprPtr differs(const ExprPtr& a, const ExprPtr& b) {
    return call(Bool, "({0} <> {1})", {a, b});
}

}  // namespace

/// The edges, as a pattern goes along them: fields are the node it comes from, the one it goes to, the edge's
/// number, then what the edge has.
Relation Binder::hops_of(const Graph& graph, Step::Direction direction) {
    using enum Step::Direction;
    auto there = graph.edges;
    if (direction == Left) std::swap(there.fields[0], there.fields[1]);
    if (direction != Any) return there;
    auto both = make_plan(PlanKind::Union);
    auto back = make_plan(PlanKind::Filter, {there.plan});  // an edge to itself is one way
    back->exprs.push_back(differs(there.fields[0].value, there.fields[1].value));
    both->inputs = {there.plan, back};
    both->rows.resize(2);
    Relation result;
    for (std::size_t i = 0; i < there.fields.size(); ++i) {
        both->scan_ids.push_back(new_id());
        both->rows[0].push_back(there.fields[i].value);
        both->rows[1].push_back(there.fields[i == 0 ? 1 : i == 1 ? 0 : i].value);
        result.fields.push_back(
            {there.fields[i].name, column_ref(both->scan_ids.back(), there.fields[i].value->type)});
    }
    result.plan = std::move(both);
    return result;
}

/// The edges and nodes, with keys of one type; rows without a source or a target are no edges.
Parsed<Binder::Graph> Binder::graph_of(Relation& relation, const Operator& op) {
    Graph graph;
    std::vector<ExprPtr> keys;
    std::vector<Span> spans;
    for (std::size_t i = 0; i < 2; ++i) {
        Node column;
        column.kind = NodeKind::Name;
        column.span = op.by[i].span;
        column.text = op.by[i].names[0];
        keys.push_back(FIELDWATCH_TRY(name(column, {.relation = &relation})));
        spans.push_back(column.span);
    }
    std::optional<Relation> nodes;
    if (!op.inputs.empty()) {
        nodes = FIELDWATCH_TRY(pipeline(op.inputs[0]));
        nodes->order.clear();
        Node column;
        column.kind = NodeKind::Name;
        column.span = op.by[2].span;
        column.text = op.by[2].names[0];
        keys.push_back(FIELDWATCH_TRY(name(column, {.relation = &*nodes})));
        spans.push_back(column.span);
        graph.node_id = column.text;
    } else {
        graph.node_id = op.parameter("with_node_id");
    }
    std::vector<ExprPtr*> pointers;
    for (auto& key : keys) {
        if (key->type == Dynamic) key = to_string_expr(key);
        pointers.push_back(&key);
    }
    FIELDWATCH_TRY(common_type(pointers, spans, "make-graph"));
    auto number = std::make_shared<Expr>(*call(Long, "row_number() OVER ()", {}));
    number->window = true;
    graph.edges = {.plan = relation.plan};
    graph.edges.fields = {{"", keys[0]}, {"", keys[1]}, {"", ExprPtr(number)}};
    for (const auto& field : relation.fields) {
        if (!field.hidden) graph.edges.fields.push_back(field);
    }
    seal(graph.edges);
    for (std::size_t i = 0; i < 2; ++i)
        filter(graph.edges, call(Bool, keys[0]->type == String ? "({0} <> '')" : "({0} IS NOT NULL)",
                                 {graph.edges.fields[i].value}));
    graph.edges.plan = make_plan(PlanKind::Shared, {graph.edges.plan});
    if (!nodes) return graph;
    nodes->fields.insert(nodes->fields.begin(), {"", keys[2]});
    seal(*nodes);
    auto distinct = make_plan(PlanKind::DistinctOn, {nodes->plan});
    distinct->exprs.push_back(nodes->fields[0].value);
    nodes->plan = make_plan(PlanKind::Shared, {distinct});
    graph.nodes = std::move(nodes);
    return graph;
}

/// All matches whose repeated edges have these lengths: fields are `variable.property`. What is asked of a
/// repeated edge is asked of each of its edges.
Parsed<Relation> Binder::matches_of(const Graph& graph, const Operator& op,
                                    const std::vector<std::size_t>& lengths) {
    const auto cycles = op.parameter("cycles");
    Relation found;
    std::vector<ExprPtr> passed, numbers;        // nodes and edges so far
    std::map<std::string, std::size_t> node_at;  // named nodes, in `passed`
    std::vector<std::vector<std::vector<Field>>> of_step(op.steps.size());
    for (std::size_t i = 1; i < op.steps.size(); ++i) {
        for (std::size_t k = 0; k < lengths[i]; ++k) {
            auto hop = hops_of(graph, op.steps[i].direction);
            seal(hop);
            const auto& from = hop.fields[0].value;
            const auto& to = hop.fields[1].value;
            std::vector<ExprPtr> conditions;
            const bool begins = passed.empty();
            if (begins) {
                passed.push_back(from);
                found.plan = hop.plan;
                if (!op.steps[0].node.empty()) node_at[op.steps[0].node] = 0;
            } else {
                for (const auto& other : numbers)
                    if (cycles != "all") conditions.push_back(differs(other, hop.fields[2].value));
            }
            if (cycles == "none") {
                for (const auto& other : passed)
                    conditions.push_back(differs(other, to));
            }
            const auto& node = op.steps[i].node;
            const auto known = node_at.find(node);
            if (k + 1 == lengths[i] && !node.empty() && known != node_at.end())
                conditions.push_back(call(Bool, "({0} = {1})", {passed[known->second], to}));
            if (!begins) {
                auto joined = make_plan(PlanKind::Join, {found.plan, hop.plan});
                joined->exprs = {passed.back(), from};
                found.plan = std::move(joined);
            }
            for (auto& condition : conditions)
                filter(found, std::move(condition));
            passed.push_back(to);
            numbers.push_back(hop.fields[2].value);
            if (k + 1 == lengths[i] && !node.empty()) node_at.try_emplace(node, passed.size() - 1);
            of_step[i].emplace_back(hop.fields.begin() + 3, hop.fields.end());
        }
    }
    for (const auto& [node, at] : node_at) {
        if (!graph.node_id.empty()) found.fields.push_back({node + "." + graph.node_id, passed[at], true});
        if (!graph.nodes) continue;
        auto properties = *graph.nodes;
        seal(properties);
        auto joined = make_plan(PlanKind::Join, {found.plan, properties.plan});
        joined->join = JoinKind::LeftOuter;
        joined->exprs = {passed[at], properties.fields[0].value};
        found.plan = std::move(joined);
        for (const auto& field : std::span(properties.fields).subspan(1)) {
            if (field.hidden || field.name == graph.node_id) continue;
            found.fields.push_back(
                {node + "." + field.name,
                 field.value->type == String ? call(String, "coalesce({0}, '')", {field.value}) : field.value,
                 true});
        }
    }
    return with_edges(std::move(found), op, of_step);
}

/// Adds what the edges have, asks the condition of all, and gives a repeated edge's properties as arrays.
Parsed<Relation> Binder::with_edges(Relation found, const Operator& op,
                                    const std::vector<std::vector<std::vector<Field>>>& of_step) {
    std::vector<std::pair<const Step*, const std::vector<std::vector<Field>>*>> repeated;
    for (std::size_t i = 1; i < op.steps.size(); ++i) {
        const auto& step = op.steps[i];
        if (step.edge.empty()) continue;
        if (step.repeats) {
            repeated.emplace_back(&step, &of_step[i]);
            continue;
        }
        for (const auto& field : of_step[i][0])
            found.fields.push_back({step.edge + "." + field.name, field.value, true});
    }
    std::vector<const Node*> conditions;
    if (op.on) add_conjuncts(*op.on, conditions);
    for (const auto* condition : conditions) {
        std::vector<const std::pair<const Step*, const std::vector<std::vector<Field>>*>*> read;
        for (const auto& one : repeated) {
            if (reads(*condition, one.first->edge)) read.push_back(&one);
        }
        if (read.size() > 1)
            return unsupported(condition->span,
                               "a condition reads one edge that repeats, and others beside it");
        for (std::size_t i = 0; i < (read.empty() ? 1 : read[0]->second->size()); ++i) {
            auto scope = found;
            if (!read.empty()) {
                for (const auto& field : (*read[0]->second)[i])
                    scope.fields.push_back({read[0]->first->edge + "." + field.name, field.value, true});
            }
            filter(found, FIELDWATCH_TRY(boolean(*condition, {.relation = &scope})));
        }
    }
    for (const auto& [step, edges] : repeated) {
        for (std::size_t f = 0; f < (*edges)[0].size(); ++f) {
            std::vector<ExprPtr> values;
            std::string sql;
            for (const auto& edge : *edges) {
                sql += fmt::format("{}coalesce({{{}}}, 'null')", sql.empty() ? "'[' || " : " || ',' || ",
                                   values.size());
                values.push_back(to_dynamic(edge[f].value));
            }
            found.fields.push_back({step->edge + "." + (*edges)[0][f].name,
                                    call(Dynamic, "(" + sql + " || ']')", values), true});
        }
    }
    return found;
}

/// make-graph Source --> Target [with Nodes on Id] | graph-match pattern [where …] project …
Parsed<> Binder::match_graph(Relation& relation, const Operator& op) {
    for (const auto& [key, value] : op.parameters) {
        if (key != "cycles" && key != "with_node_id" && !key.starts_with("hint."))
            return semantic_error(op.place(key), fmt::format("unknown parameter '{}'", key));
    }
    const auto cycles = op.parameter("cycles");
    if (!cycles.empty() && cycles != "all" && cycles != "none" && cycles != "unique_edges")
        return semantic_error(op.place("cycles"), "cycles is all, none or unique_edges");
    std::set<std::string> nodes, edges;
    std::size_t shapes = 1, hops = 0;
    for (const auto& step : op.steps) {
        nodes.insert(step.node);
        if (!step.edge.empty() && !edges.insert(step.edge).second)
            return semantic_error(step.span, fmt::format("the edge '{}' is there already", step.edge));
        if (&step == &op.steps.front()) continue;
        shapes *= step.high - step.low + 1;
        hops += step.high;
        if (shapes > kShapesMax || hops > kHopsMax)
            return limit_error(step.span,
                               fmt::format("the edges of a pattern repeat in at most {} ways and {} edges",
                                           kShapesMax, kHopsMax));
    }
    for (const auto& step : op.steps) {
        if (!step.edge.empty() && nodes.contains(step.edge))
            return semantic_error(step.span, fmt::format("'{}' is a node already", step.edge));
    }
    relation.order.clear();
    const auto graph = FIELDWATCH_TRY(graph_of(relation, op));
    std::vector<std::size_t> lengths;
    for (const auto& step : op.steps)
        lengths.push_back(step.low);
    auto all = make_plan(PlanKind::Union);
    Relation result;
    const auto outer = std::exchange(graph_names_, edges);
    graph_names_.insert(nodes.begin(), nodes.end());
    graph_names_.erase("");
    for (std::size_t shape = 0; shape < shapes; ++shape) {
        FIELDWATCH_TRY(add_node(op.span));
        auto found = FIELDWATCH_TRY(matches_of(graph, op, lengths));
        FIELDWATCH_TRY(project(found, op));
        if (shape == 0) {
            for (const auto& field : found.fields) {
                all->scan_ids.push_back(new_id());
                result.fields.push_back({field.name, column_ref(all->scan_ids.back(), field.value->type)});
            }
        }
        all->inputs.push_back(found.plan);
        auto& row = all->rows.emplace_back();
        for (const auto& field : found.fields)
            row.push_back(field.value);
        for (std::size_t i = 1; i < lengths.size(); ++i) {  // the next lengths
            if (++lengths[i] <= op.steps[i].high) break;
            lengths[i] = op.steps[i].low;
        }
    }
    graph_names_ = outer;
    result.plan = std::move(all);
    relation = std::move(result);
    return {};
}

}  // namespace fieldwatch::kql
