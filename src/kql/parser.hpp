// Recursive descent over the tokens; expressions here, operators in parser_operators.cpp.
#pragma once

#include <algorithm>

#include "kql/ast.hpp"

namespace fieldwatch::kql {

class Parser {
  public:
    Parser(const std::vector<Token>& tokens, const Limits& limits) : tokens_(tokens), limits_(limits) {}

    Parsed<Statement> statement();

  private:
    struct Depth {
        explicit Depth(std::size_t& depth) : depth_(depth) { ++depth_; }
        ~Depth() { --depth_; }
        std::size_t& depth_;
    };

    const Token& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    bool is(std::string_view symbol, std::size_t ahead = 0) const {
        return peek(ahead).kind == TokenKind::Symbol && peek(ahead).text == symbol;
    }
    bool is_word(std::string_view word, std::size_t ahead = 0) const {
        return peek(ahead).kind == TokenKind::Name && peek(ahead).text == word;
    }
    bool take(std::string_view symbol) { return is(symbol) && (++at_, true); }
    bool take_word(std::string_view word) { return is_word(word) && (++at_, true); }
    Parsed<> expect(std::string_view symbol, std::string_view where);
    Parsed<> expect_word(std::string_view word, std::string_view where);
    Parsed<std::string> name(std::string_view what);
    bool is_name() const { return peek().kind == TokenKind::Name || peek().kind == TokenKind::QuotedName; }
    std::string found() const;
    Span since(Span start) const { return start + tokens_[at_ == 0 ? 0 : at_ - 1].span; }
    Parsed<> check_depth() const;

    // expressions, loosest first
    Parsed<NodePtr> expression();
    Parsed<NodePtr> logical_and();
    Parsed<NodePtr> comparison();
    Parsed<NodePtr> additive();
    Parsed<NodePtr> multiplicative();
    Parsed<NodePtr> unary();
    Parsed<NodePtr> postfix();
    Parsed<NodePtr> primary();
    Parsed<std::vector<NodePtr>> arguments();
    Parsed<NodePtr> binary(NodePtr left, std::string op, NodePtr right) const;
    Parsed<std::string> type_name();

    // tabular
    Parsed<Let> let();
    Parsed<> let_value(Let& let);
    Parsed<> let_function(Let& let);
    Parsed<std::vector<Let>> lets();
    bool at_let_function() const;
    Parsed<Pipeline> pipeline();
    Parsed<> stages(Pipeline& pipeline);
    bool at_tabular_head() const;
    Parsed<Operator> head();
    Parsed<Operator> stage();
    Parsed<std::string> operator_name();
    Parsed<> body(Operator& op);
    Parsed<> items(std::vector<Item>& items, bool ordered);
    Parsed<Item> item();
    Parsed<> order(Item& item);
    Parsed<> parameters(Operator& op);
    Parsed<bool> parameter(Operator& op);
    Parsed<> parameters_are_hints(Operator& op);
    Parsed<Pipeline> input();
    Parsed<> summarize(Operator& op);
    Parsed<> top(Operator& op);
    Parsed<> top_hitters(Operator& op);
    Parsed<> search(Operator& op);
    Parsed<NodePtr> search_predicate();
    Parsed<> find(Operator& op);
    Parsed<> facet(Operator& op);
    Parsed<> fork(Operator& op);
    Parsed<> scan(Operator& op);
    Parsed<std::vector<Setting>> settings();
    Parsed<std::vector<Let>> query_parameters();
    Parsed<> join(Operator& op);
    Parsed<> join_keys(Operator& op);
    Parsed<NodePtr> table_pattern();
    Parsed<> union_inputs(Operator& op);
    Parsed<> table_list(Operator& op);
    Parsed<Pipeline> sub_query(std::string_view where);
    Parsed<> expanded(std::vector<Item>& items);
    Parsed<> mv_expand(Operator& op);
    Parsed<> mv_apply(Operator& op);
    Parsed<> partition(Operator& op);
    Parsed<> top_nested(Operator& op);
    Parsed<> evaluate(Operator& op);
    Parsed<> reduce(Operator& op);
    Parsed<> make_graph(Operator& op);
    Parsed<> graph_match(Operator& op);
    Parsed<std::string> graph_node();
    Parsed<Step> graph_edge();
    Parsed<> graph_range(Step& step);
    Parsed<> parse_pairs(Operator& op);
    Parsed<> make_series(Operator& op);
    Parsed<> parse_pieces(Operator& op);
    Parsed<> render(Operator& op);
    Parsed<> datatable(Operator& op);
    std::string missing() const;

    const std::vector<Token>& tokens_;
    const Limits& limits_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool searching_ = false;  ///< in a search's predicate `column : "term"` is `has`
};

}  // namespace fieldwatch::kql
