// Gives names their meaning and expressions their types: syntax tree in, logical plan out. One query, one
// thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kql/ast.hpp"
#include "kql/expr.hpp"
#include "kql/plan.hpp"

namespace fieldwatch::kql {

/// A column as the query sees it: its value over the columns of Relation::plan. extend and project only
/// change this list, so that a filter reaches the scan and parse_json(…) meets the column it reads.
struct Field {
    std::string name;
    ExprPtr value;
    bool hidden = false;
};
/// Groups of rows that a sub-query works on apart (mv-apply, partition).
struct Partition {
    std::vector<ExprPtr> keys;   ///< columns that tell groups apart; none outside such a sub-query
    std::vector<Field> carried;  ///< columns of the outer row, which every row of the result keeps
    PlanPtr base;                ///< all groups there are, with their keys and what is carried
    std::vector<ExprPtr> base_keys{};
    std::vector<Field> base_carried{};
};
struct Relation {
    PlanPtr plan;
    std::vector<Field> fields;
    std::vector<SortKey> order;  ///< of the last sort, while it still means something
    Partition partition{};
};

inline std::shared_ptr<Plan> make_plan(PlanKind kind, std::vector<PlanPtr> inputs = {}) {
    auto plan = std::make_shared<Plan>();
    plan->kind = kind;
    plan->inputs = std::move(inputs);
    return plan;
}

/// What a name of a let, or of a function's parameter, stands for; innermost first. A function's body sees
/// what stood before the function, its parameters and its own lets, so no name reaches itself.
struct Environment {
    std::string name;
    const Let* let = nullptr;       ///< bound where it is used
    ExprPtr value;                  ///< a parameter's value
    std::optional<Relation> table;  ///< or its table
    const Environment* outer = nullptr;
};

/// Whether `*` in `pattern` can stand for what `name` has there.
bool matches(std::string_view name, std::string_view pattern);

class Binder {
  public:
    Binder(const Catalog& catalog, const Options& options) : catalog_(catalog), options_(options) {}
    Parsed<BoundQuery> bind(const Statement& statement);
    const std::set<std::string>& tables() const { return tables_; }

  private:
    struct Scope {
        const Relation* relation = nullptr;
        const Relation* right = nullptr;  ///< of a join, for $right
        bool aggregates = false;
        bool windows = false;
    };

    // tabular: binder.cpp, binder_sources.cpp, binder_join.cpp, binder_series.cpp
    Parsed<Relation> pipeline(const Pipeline& pipeline);
    Parsed<> stage(Relation& relation, const Operator& op);
    void settle(Relation& relation);
    Parsed<Relation> source(const Node& node);
    Parsed<Relation> table(const Node& node);
    Parsed<Relation> scan(const CatalogTable& table);
    Parsed<Relation> head(const Operator& op);
    Parsed<Relation> print(const Operator& op);
    Parsed<Relation> range(const Operator& op);
    Parsed<Relation> datatable(const Operator& op);
    Parsed<Relation> union_of(std::vector<Relation> inputs, std::vector<std::string> names,
                              const Operator& op);
    Parsed<Relation> search_tables(const Operator& op);
    Parsed<Relation> find_tables(const Operator& op);
    Parsed<BoundQuery> finished(Relation relation, std::string name, Span span) const;
    Parsed<> facet(Relation& relation, const Operator& op);
    Parsed<> fork(Relation& relation, const Operator& op);
    class ScanWriter;
    Parsed<> scan_rows(Relation& relation, const Operator& op);
    Parsed<> add_result(Relation relation, std::string name, Span span);
    Parsed<> apply(Relation& relation, const Operator& op);
    Parsed<> where(Relation& relation, const Node& condition);
    Parsed<> project(Relation& relation, const Operator& op);
    Parsed<> extend(Relation& relation, const Operator& op);
    Parsed<> project_names(Relation& relation, const Operator& op);
    Parsed<> rename(Relation& relation, const Operator& op);
    Parsed<> distinct(Relation& relation, const Operator& op);
    Parsed<> take(Relation& relation, const Operator& op);
    Parsed<> sort(Relation& relation, const std::vector<Item>& items);
    Parsed<> top(Relation& relation, const Operator& op);
    Parsed<> count(Relation& relation);
    Parsed<> join(Relation& relation, const Operator& op);
    Parsed<> sample(Relation& relation, const Node& count, std::string_view what);
    Parsed<> sample_distinct(Relation& relation, const Operator& op);
    Parsed<> get_schema(Relation& relation);
    Parsed<> union_input(const Pipeline& input, const Operator& op, std::vector<Relation>& inputs,
                         std::vector<std::string>& names);
    Parsed<std::vector<ExprPtr>> settled(Relation& relation, const std::vector<Item>& items);
    Parsed<> mv_expand(Relation& relation, const Operator& op);
    Parsed<> parse(Relation& relation, const Operator& op);
    Parsed<> search(Relation& relation, const Operator& op);
    Parsed<ExprPtr> search_condition(const Relation& relation, const Node& node, std::string_view has);
    Parsed<ExprPtr> found_anywhere(const Relation& relation, std::string op, std::string_view term,
                                   Span span);
    Parsed<> top_hitters(Relation& relation, const Operator& op);
    Parsed<> summarize(Relation& relation, const Operator& op);
    Parsed<> make_series(Relation& relation, const Operator& op);
    ExprPtr bound_of(const Relation& relation, const ExprPtr& on, const ExprPtr& step, bool end);
    Parsed<std::map<const Item*, ExprPtr>> spread_bags(Relation& relation, const std::vector<Item>& items);
    std::vector<Field> spread_columns(const Item& item, const ExprPtr& bag) const;
    Parsed<ExprPtr> decompose(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> computed_series(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> outliers(const Node& node, std::vector<ExprPtr> args);
    Parsed<> begin_sessions(Relation& relation, const std::vector<const Node*>& expressions);
    Parsed<> begin_session(Relation& relation, const Node& node);
    Parsed<> number_restarts(Relation& relation, const std::vector<const Node*>& items);
    Parsed<std::vector<PlanColumn>> group_keys(const Relation& relation, const std::vector<Item>& by,
                                               std::vector<Field>& fields);

    // sub-queries for each group of rows: binder_nested.cpp
    Partition through_aggregate(const Partition& partition, Plan& plan);
    void add_empty_groups(Relation& relation, const PlanPtr& aggregate);
    static ExprPtr with_columns(const ExprPtr& value, const std::map<std::uint32_t, ExprPtr>& replaced);
    void take_of_each(Relation& relation, std::int64_t count);
    Parsed<> run_inside(Relation& relation, const Pipeline& sub_query);
    Parsed<> mv_apply(Relation& relation, const Operator& op);
    Parsed<> partition(Relation& relation, const Operator& op);
    Parsed<> top_nested(Relation& relation, const Operator& op);
    /// Rows of top-nested's result for what was not chosen; a cell that is nullptr is null.
    struct Others {
        PlanPtr plan;
        std::vector<ExprPtr> cells;
    };
    std::vector<ExprPtr> grouped_by(const std::vector<Field>& chosen, Plan& plan);
    Parsed<Others> others_of(const Relation& rest, const std::vector<Field>& chosen, const Operator& op,
                             std::size_t level);
    Parsed<> add_others(Relation& relation, const std::vector<Others>& others, const Operator& op);

    // plugins and parse-kv: binder_plugins.cpp, binder_lookups.cpp
    Parsed<> parse_pairs(Relation& relation, const Operator& op);
    Parsed<> evaluate(Relation& relation, const Operator& op);
    Parsed<> bag_unpack(Relation& relation, const Operator& op);
    Parsed<> pivot(Relation& relation, const Operator& op);
    Parsed<> narrow(Relation& relation, const Operator& op);
    Parsed<> address_lookup(Relation& relation, const Operator& op);
    Parsed<> dcount_intersect(Relation& relation, const Operator& op);
    Parsed<std::vector<DiscoveredColumn>> discover(Relation relation, const Operator& op);

    // plugins that look for what rows share: binder_patterns.cpp, binder_differences.cpp
    struct Patterns {
        PlanPtr plan;  ///< each combination of the columns' values once
        std::vector<Field> columns;
        std::vector<ExprPtr> counts, totals;  ///< for each set of rows: of that combination, of all
        std::vector<ExprPtr> wildcards{};     ///< for each column
    };
    Parsed<> basket(Relation& relation, const Operator& op);
    Parsed<> autocluster(Relation& relation, const Operator& op);
    Parsed<> diffpatterns(Relation& relation, const Operator& op);
    static const Node* given(const Node& node, std::size_t at);
    static ExprPtr names_column(const ExprPtr& choice, std::size_t column);
    Parsed<double> share_argument(const Node& node, std::size_t at, double low, double otherwise,
                                  std::string_view what);
    Parsed<std::int64_t> most_values(const Node& node, std::size_t at, std::int64_t otherwise);
    Parsed<Patterns> pattern_rows(const Relation& relation, const Node& node,
                                  const std::vector<ExprPtr>& sets, std::size_t weight_at,
                                  std::string_view left_out);
    Parsed<> read_wildcards(Patterns& patterns, const Node& node, std::size_t at);
    void leave_frequent_values(Patterns& patterns, double threshold);
    Relation all_patterns(const Patterns& patterns, std::int64_t most, bool longest);
    Relation parts_of_seeds(const Patterns& patterns, std::int64_t seeds_max);
    Relation as_segments(const Patterns& patterns, PlanPtr plan, const ExprPtr& choice,
                         const std::vector<ExprPtr>& values, std::vector<Field> measures, ExprPtr by);
    PlanPtr most_different(const Patterns& patterns, Relation& found);

    // make-graph and graph-match: binder_graph.cpp
    struct Graph {
        Relation edges;                 ///< fields: source, target, number, then its columns
        std::optional<Relation> nodes;  ///< fields: id, then its columns
        std::string node_id;            ///< the property that has a node's id, or ""
    };
    Parsed<> match_graph(Relation& relation, const Operator& op);
    Parsed<Graph> graph_of(Relation& relation, const Operator& op);
    Relation hops_of(const Graph& graph, Step::Direction direction);
    Parsed<Relation> matches_of(const Graph& graph, const Operator& op,
                                const std::vector<std::size_t>& lengths);
    Parsed<Relation> with_edges(Relation found, const Operator& op,
                                const std::vector<std::vector<std::vector<Field>>>& of_step);

    // reduce: binder_reduce.cpp
    Parsed<> reduce(Relation& relation, const Operator& op);
    Relation distinct_texts(const Relation& relation, const ExprPtr& text);
    Relation words_of(const Relation& texts, const std::string& between);
    void add_word_patterns(Relation& texts, const ExprPtr& total, const std::vector<double>& levels,
                           const std::string& between, const std::string& taken_in);
    void choose_word_pattern(Relation& texts, const ExprPtr& total, double threshold);

    Parsed<> add_node(Span span);
    void filter(Relation& relation, ExprPtr condition);
    /// Makes every field a plain column of a new projection: what joins and unions need, and what keeps
    /// expressions small.
    void seal(Relation& relation);
    std::uint32_t new_id() { return next_id_++; }
    void set_field(Relation& relation, std::string name, ExprPtr value);
    static void add_field(std::vector<Field>& fields, std::string name, ExprPtr value);
    Parsed<std::int64_t> constant_count(const Node& node, std::string_view what, std::int64_t max);

    // names given by let: binder_lets.cpp
    void define(Environment environment);
    Parsed<> define_all(const std::vector<Let>& lets);
    const Environment* defined(std::string_view name) const;
    /// What `bind` returns where only the names before `environment` are visible.
    template <class Bind>
    auto outside(const Environment& environment, Bind bind) {
        const auto* visible = std::exchange(visible_, environment.outer);
        auto result = bind();
        visible_ = visible;
        return result;
    }
    Parsed<> enter(const Environment& function, const Node& node, const Scope& scope, const Relation* piped);
    Parsed<ExprPtr> scalar_function(const Environment& function, const Node& node, const Scope& scope);
    Parsed<Relation> table_valued(const Environment& function, const Node& node, const Relation* piped);
    Parsed<> invoke(Relation& relation, const Operator& op);

    // scalar: binder_expressions.cpp, binder_operators.cpp, binder_functions.cpp,
    // binder_special_functions.cpp, binder_time.cpp, binder_aggregates.cpp
    Parsed<ExprPtr> expression(const Node& node, const Scope& scope);
    Parsed<ExprPtr> unchecked(const Node& node, const Scope& scope);
    Parsed<ExprPtr> boolean(const Node& node, const Scope& scope);
    Parsed<ExprPtr> literal(const Node& node);
    Parsed<ExprPtr> name(const Node& node, const Scope& scope);
    Parsed<ExprPtr> member(const Node& node, const Scope& scope);
    Parsed<ExprPtr> index(const Node& node, const Scope& scope);
    Parsed<ExprPtr> binary(const Node& node, const Scope& scope);
    Parsed<ExprPtr> logical(const Node& node, const Scope& scope);
    Parsed<ExprPtr> compare(std::string_view op, ExprPtr left, ExprPtr right, Span span);
    Parsed<ExprPtr> arithmetic(std::string_view op, const ExprPtr& left, const ExprPtr& right, Span span);
    Parsed<ExprPtr> text_operator(std::string op, const ExprPtr& left, const ExprPtr& right, Span span);
    Parsed<ExprPtr> has_term(const ExprPtr& text, const ExprPtr& term, std::string_view form, bool sensitive);
    Parsed<ExprPtr> between(const Node& node, const Scope& scope);
    Parsed<ExprPtr> in(const Node& node, const Scope& scope);
    Parsed<ExprPtr> subquery_member(const Node& node, const ExprPtr& value, Relation table, bool negative,
                                    bool fold);
    static ExprPtr in_array(const ExprPtr& value, const ExprPtr& array, bool fold);
    Parsed<ExprPtr> has_elements(const Node& node, const ExprPtr& text, const ExprPtr& array);
    Parsed<ExprPtr> first_column(const Node& node, const Relation& table);
    Parsed<ExprPtr> function(const Node& node, const Scope& scope);
    Parsed<ExprPtr> table_function(const Node& node, std::vector<ExprPtr> args);
    Parsed<std::optional<ExprPtr>> special_function(const Node& node, const Scope& scope);
    // binder_variadic.cpp
    Parsed<std::optional<ExprPtr>> variadic(const Node& node, const Scope& scope);
    Parsed<ExprPtr> call_of(const Node& node, std::string_view name, std::vector<ExprPtr> args);
    Parsed<ExprPtr> pack_array(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> range_of(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> sorted_arrays(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> zip(const Node& node, const Scope& scope);
    Parsed<ExprPtr> any_element(const Node& node, std::string_view one, const ExprPtr& text,
                                const ExprPtr& array);
    Parsed<ExprPtr> any_address(const Node& node, const Scope& scope);
    Parsed<ExprPtr> extract_all(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> conditional(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> bin(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> bin_by_setting(const Node& node, const Scope& scope);
    Parsed<ExprPtr> setting(std::string_view name);
    Parsed<ExprPtr> datetime_function(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> format_time(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> json_path(const Node& node, const Scope& scope);
    Parsed<ExprPtr> window(const Node& node, const Scope& scope, std::vector<ExprPtr> args);
    Parsed<ExprPtr> in_ranges(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> bag(const Node& node, std::vector<std::pair<ExprPtr, ExprPtr>> entries);
    Parsed<ExprPtr> aggregate(const Node& node, const Scope& scope);
    Parsed<std::vector<ExprPtr>> percentiles(const Node& node, const Scope& scope);
    Parsed<> arg_best(const Relation& relation, const Item& item, const std::vector<Item>& by, Plan& plan,
                      std::vector<Field>& fields);
    Parsed<ExprPtr> sketch(const Node& node, std::vector<ExprPtr> args);
    Parsed<ExprPtr> percentile_of_sketch(const Node& node, const Scope& scope);
    Parsed<ExprPtr> rank_in_sketch(const Node& node, const Scope& scope);
    static ExprPtr any_of(const ExprPtr& value);
    Parsed<ExprPtr> collect(const Node& node, std::string_view name, std::vector<ExprPtr> args,
                            const Scope& scope);
    Parsed<std::vector<ExprPtr>> arguments(const Node& node, const Scope& scope);
    Parsed<> common_type(std::vector<ExprPtr*> values, const std::vector<Span>& spans, std::string_view what);
    Parsed<> check_regex(const ExprPtr& pattern, Span span);
    Parsed<std::optional<Relation>> tabular(const Node& node);

    std::string default_name(const Node& node) const;
    std::vector<std::string> visible_names(const Relation* relation) const;
    static bool is_aggregate(std::string_view name);

    const Catalog& catalog_;
    const Options& options_;
    std::deque<Environment> environments_;
    const Environment* visible_ = nullptr;
    std::size_t calls_ = 0;
    std::size_t discoveries_ = 0;
    std::optional<BoundQuery> discovery_;  ///< what has to be asked before binding can go on
    /// Window calls that start anew, and the number of the start; sessions, and what each begins with.
    std::map<const Node*, ExprPtr> restarts_;
    std::set<std::string> tables_;
    TypedPaths typed_paths_;
    std::uint32_t next_id_ = 0;
    std::size_t nodes_ = 0;
    std::size_t depth_ = 0;
    const std::vector<Setting>* settings_ = nullptr;
    std::set<std::string> graph_names_;  ///< of nodes and edges, in graph-match: fields are `name.property`
    const Operator* last_ = nullptr;     ///< of the statement: the only one that may give several tables
    std::vector<BoundQuery> results_;    ///< what it gave
    const std::map<std::string, Relation>* scan_steps_ = nullptr;  ///< in a step of scan: what each remembers
    Render render_;
};

}  // namespace fieldwatch::kql
