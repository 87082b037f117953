// Text to Query, by recursive descent with a bound on depth.
#include <algorithm>
#include <charconv>

#include "hub/query/query.hpp"

namespace fieldwatch::hub::query {

namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kItemsMax = 256;

enum class Kind : std::uint8_t { End, Name, Quoted, Text, Number, Symbol };
struct Token {
    Kind kind = Kind::End;
    std::string text;  ///< Symbol and Name: as written; Quoted ([[x]]) and Text: what is inside
    double number = 0;
    std::size_t at = 0;
};

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Result<std::vector<Token>> run() {
        std::vector<Token> out;
        for (;;) {
            out.push_back(FIELDWATCH_TRY(next()));
            if (out.back().kind == Kind::End) return out;
        }
    }

  private:
    Result<Token> next() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
            ++at_;
        Token token{.at = at_};
        if (at_ >= text_.size()) return token;
        const char c = text_[at_];
        if (text_.substr(at_).starts_with("[[")) return quoted_name(token);
        if (is_name_start(c)) return name(token);
        if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])))
            return number(token);
        if (c == '\'' || c == '"') return text(token, c);
        token.kind = Kind::Symbol;
        for (const auto* symbol : {"!=", "<>", "<=", ">=", "||", "="}) {
            if (text_.substr(at_).starts_with(symbol)) return symbol_of(token, symbol);
        }
        if (std::string_view("<>+-*/%(),.[]{}").find(c) == std::string_view::npos)
            return fail(Errc::Malformed, "unexpected character at " + std::to_string(at_));
        return symbol_of(token, std::string_view(&c, 1));
    }
    Token symbol_of(Token token, std::string_view symbol) {
        token.text = symbol;
        at_ += symbol.size();
        return token;
    }
    Result<Token> quoted_name(Token token) {
        const auto end = text_.find("]]", at_ + 2);
        if (end == std::string_view::npos) return fail(Errc::Malformed, "[[ without ]]");
        token.kind = Kind::Quoted;
        token.text = text_.substr(at_ + 2, end - at_ - 2);
        at_ = end + 2;
        return token;
    }
    Result<Token> name(Token token) {
        const auto start = at_;
        while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '-'))
            ++at_;
        // A minus belongs to a name only between its characters (`my-tag`), not at its end.
        while (text_[at_ - 1] == '-')
            --at_;
        token.kind = Kind::Name;
        token.text = text_.substr(start, at_ - start);
        return token;
    }
    Result<Token> number(Token token) {
        token.kind = Kind::Number;
        const auto rest = text_.substr(at_);
        if (rest.starts_with("0x") || rest.starts_with("0X")) {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(rest.data() + 2, rest.data() + rest.size(), value, 16);
            if (error != std::errc{}) return fail(Errc::Malformed, "0x without hexadecimal digits");
            token.number = static_cast<double>(value);
            at_ += static_cast<std::size_t>(end - rest.data());
            return token;
        }
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), token.number);
        if (error != std::errc{}) return fail(Errc::Malformed, "a number that is none");
        at_ += static_cast<std::size_t>(end - rest.data());
        return token;
    }
    Result<Token> text(Token token, char quote) {
        token.kind = Kind::Text;
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == quote) {
                if (at_ + 1 >= text_.size() || text_[at_ + 1] != quote) {
                    ++at_;
                    return token;
                }
                ++at_;  // doubled: the quote itself
            } else if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
            }
            token.text += text_[at_];
        }
        return fail(Errc::Malformed, "a text without its end");
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

class Parser {
  public:
    explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    Result<Query> query() {
        Query out;
        FIELDWATCH_TRY(expect_word("SELECT"));
        if (take_word("TOP")) {
            if (here().kind != Kind::Number || here().number < 1 || here().number > 1e9)
                return wrong("a count");
            out.top = static_cast<std::size_t>(next().number);
        }
        if (take("*")) {
            out.all = true;
        } else {
            do {
                out.items.push_back(FIELDWATCH_TRY(item()));
                if (out.items.size() > kItemsMax)
                    return fail(Errc::TooLarge, "at most 256 items are selected");
            } while (take(","));
        }
        FIELDWATCH_TRY(expect_word("FROM"));
        FIELDWATCH_TRY(source(out));
        if (take_word("WHERE")) out.where = FIELDWATCH_TRY(expression());
        if (take_word("GROUP")) {
            FIELDWATCH_TRY(expect_word("BY"));
            do
                out.group_by.push_back(strip(FIELDWATCH_TRY(path())));
            while (take(","));
        }
        if (here().kind != Kind::End) return wrong("the end");
        return out;
    }

    Result<Expression> condition() {
        auto out = FIELDWATCH_TRY(expression());
        if (here().kind != Kind::End) return wrong("the end");
        return out;
    }

  private:
    const Token& here() const { return tokens_[at_]; }
    const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    bool is(std::string_view symbol) const { return here().kind == Kind::Symbol && here().text == symbol; }
    bool take(std::string_view symbol) {
        if (!is(symbol)) return false;
        ++at_;
        return true;
    }
    bool is_word(std::string_view word) const {
        return here().kind == Kind::Name && upper(here().text) == word;
    }
    bool take_word(std::string_view word) {
        if (!is_word(word)) return false;
        ++at_;
        return true;
    }
    std::unexpected<Error> wrong(std::string_view wanted) const {
        return fail(Errc::Malformed,
                    "at " + std::to_string(here().at) + ": expected " + std::string(wanted) +
                        (here().kind == Kind::End ? ", not the end" : ", not '" + here().text + "'"));
    }
    Result<void> expect(std::string_view symbol) {
        if (!take(symbol)) return wrong("'" + std::string(symbol) + "'");
        return {};
    }
    Result<void> expect_word(std::string_view word) {
        if (!take_word(word)) return wrong(word);
        return {};
    }

    Result<void> source(Query& out) {
        FIELDWATCH_TRY(expect_word("DEVICES"));
        if (!take(".")) {
            alias_ = {};
        } else if (take_word("MODULES")) {
            out.source = Source::Modules;
        } else if (take_word("JOBS")) {
            out.source = Source::Jobs;
        } else {
            return wrong("modules or jobs");
        }
        if (here().kind == Kind::Name && !is_word("WHERE") && !is_word("GROUP")) {
            if (take_word("AS") && here().kind != Kind::Name) return wrong("a name");
            alias_ = next().text;
        }
        for (auto& one : out.items)
            one.value = without_alias(std::move(one.value));
        return {};
    }

    Result<Item> item() {
        Item out;
        static constexpr std::pair<std::string_view, Aggregate> kAggregates[] = {{"COUNT", Aggregate::Count},
                                                                                 {"AVG", Aggregate::Average},
                                                                                 {"SUM", Aggregate::Sum},
                                                                                 {"MIN", Aggregate::Minimum},
                                                                                 {"MAX", Aggregate::Maximum}};
        for (const auto& [word, aggregate] : kAggregates) {
            if (!is_word(word) || tokens_[at_ + 1].kind != Kind::Symbol || tokens_[at_ + 1].text != "(")
                continue;
            out.name = here().text;
            at_ += 2;
            out.aggregate = aggregate;
            if (aggregate == Aggregate::Count) {
                static_cast<void>(take("*"));
            } else {
                out.value = {.op = Op::Member,
                             .constant = {},
                             .path = FIELDWATCH_TRY(path()),
                             .function = {},
                             .operands = {}};
                out.name += "_" + out.value.path.back();
            }
            FIELDWATCH_TRY(expect(")"));
            break;
        }
        if (out.aggregate == Aggregate::None) {
            out.value = FIELDWATCH_TRY(expression());
            out.name = out.value.op == Op::Member ? out.value.path.back() : "$1";
        }
        if (take_word("AS")) {
            if (here().kind != Kind::Name && here().kind != Kind::Quoted) return wrong("a name");
            out.name = next().text;
        }
        return out;
    }

    Result<Path> path() {
        Path out;
        do {
            if (here().kind != Kind::Name && here().kind != Kind::Quoted) return wrong("a name");
            out.push_back(next().text);
            if (out.size() > kDepthMax) return fail(Errc::TooLarge, "a path of over 64 names");
        } while (take("."));
        return out;
    }
    /// `devices.deviceId` and `d.deviceId` (FROM devices d) are `deviceId`.
    Path strip(Path path) const {
        if (path.size() > 1 && (path[0] == "devices" || (!alias_.empty() && path[0] == alias_)))
            path.erase(path.begin());
        if (path.size() > 1 && (path[0] == "modules" || path[0] == "jobs")) path.erase(path.begin());
        return path;
    }
    Expression without_alias(Expression expression) const {
        expression.path = strip(std::move(expression.path));
        for (auto& operand : expression.operands)
            operand = without_alias(std::move(operand));
        return expression;
    }

    Result<Expression> expression() {
        if (++depth_ > kDepthMax) return fail(Errc::TooLarge, "an expression of over 64 levels");
        auto out = either();
        --depth_;
        return out;
    }
    static Expression combine(Op op, std::vector<Expression> operands) {
        return {.op = op, .constant = {}, .path = {}, .function = {}, .operands = std::move(operands)};
    }
    template <class Next>
    Result<Expression> chain(std::string_view word, Op op, Next next_level) {
        std::vector<Expression> operands;
        do
            operands.push_back(FIELDWATCH_TRY((this->*next_level)()));
        while (take_word(word));
        if (operands.size() == 1) return std::move(operands.front());
        return combine(op, std::move(operands));
    }
    Result<Expression> either() { return chain("OR", Op::Or, &Parser::both); }
    Result<Expression> both() { return chain("AND", Op::And, &Parser::negated); }
    Result<Expression> negated() {
        if (!take_word("NOT")) return comparison();
        if (++depth_ > kDepthMax) return fail(Errc::TooLarge, "an expression of over 64 levels");
        auto out = negated();
        --depth_;
        if (!out) return out;
        return combine(Op::Not, {std::move(*out)});
    }
    Result<Expression> comparison() {
        auto left = FIELDWATCH_TRY(sum());
        static constexpr std::pair<std::string_view, Op> kOperators[] = {
            {"=", Op::Equal},      {"!=", Op::NotEqual}, {"<>", Op::NotEqual},    {"<", Op::Less},
            {"<=", Op::LessEqual}, {">", Op::Greater},   {">=", Op::GreaterEqual}};
        for (const auto& [symbol, op] : kOperators) {
            if (take(symbol)) return combine(op, {std::move(left), FIELDWATCH_TRY(sum())});
        }
        const bool in = is_word("IN");
        if (!in && !is_word("NIN")) return left;
        ++at_;
        std::vector<Expression> operands{std::move(left)};
        const bool round = take("(");
        if (!round) FIELDWATCH_TRY(expect("["));
        if (!is(round ? ")" : "]")) {
            do {
                operands.push_back(FIELDWATCH_TRY(sum()));
                if (operands.size() > kItemsMax) return fail(Errc::TooLarge, "a list of over 256 values");
            } while (take(","));
        }
        FIELDWATCH_TRY(expect(round ? ")" : "]"));
        return combine(in ? Op::In : Op::NotIn, std::move(operands));
    }
    Result<Expression> sum() {
        auto out = FIELDWATCH_TRY(product());
        // Left to right, so the tree grows: bounded like nesting.
        for (std::size_t count = 0; is("+") || is("-"); ++count) {
            if (count > kDepthMax) return fail(Errc::TooLarge, "a sum of over 64 parts");
            const auto op = next().text == "+" ? Op::Add : Op::Subtract;
            out = combine(op, {std::move(out), FIELDWATCH_TRY(product())});
        }
        return out;
    }
    Result<Expression> product() {
        auto out = FIELDWATCH_TRY(unary());
        for (std::size_t count = 0; is("*") || is("/") || is("%"); ++count) {
            if (count > kDepthMax) return fail(Errc::TooLarge, "a product of over 64 parts");
            const auto symbol = next().text;
            const auto op = symbol == "*" ? Op::Multiply : symbol == "/" ? Op::Divide : Op::Modulo;
            out = combine(op, {std::move(out), FIELDWATCH_TRY(unary())});
        }
        return out;
    }
    Result<Expression> unary() {
        if (!take("-")) return primary();
        if (++depth_ > kDepthMax) return fail(Errc::TooLarge, "an expression of over 64 levels");
        auto out = unary();
        --depth_;
        if (!out) return out;
        return combine(Op::Negate, {std::move(*out)});
    }
    static Expression constant(Json value) {
        return {.op = Op::Constant, .constant = std::move(value), .path = {}, .function = {}, .operands = {}};
    }
    Result<Expression> primary() {
        if (take("(")) {
            auto out = FIELDWATCH_TRY(expression());
            FIELDWATCH_TRY(expect(")"));
            return out;
        }
        if (here().kind == Kind::Text) return constant(next().text);
        if (here().kind == Kind::Number) {
            const auto value = next().number;
            const bool whole =
                value == static_cast<double>(static_cast<std::int64_t>(value < 9e15 ? value : 0));
            return constant(whole && value < 9e15 ? Json(static_cast<std::int64_t>(value)) : Json(value));
        }
        if (here().kind == Kind::Name) {
            const auto word = upper(here().text);
            const bool more = tokens_[at_ + 1].kind == Kind::Symbol;
            if (more && tokens_[at_ + 1].text == "(") return call(word);
            if (!more || tokens_[at_ + 1].text != ".") {
                if (take_word("TRUE")) return constant(true);
                if (take_word("FALSE")) return constant(false);
                if (take_word("NULL")) return constant(nullptr);
                if (take_word("UNDEFINED")) return Expression{};
            }
        }
        return Expression{.op = Op::Member,
                          .constant = {},
                          .path = strip(FIELDWATCH_TRY(path())),
                          .function = {},
                          .operands = {}};
    }
    Result<Expression> call(const std::string& word) {
        const auto shape = function_shape(word);
        if (!shape) return wrong("a function that there is");
        at_ += 2;
        Expression out{.op = Op::Call, .constant = {}, .path = {}, .function = word, .operands = {}};
        if (!is(")")) {
            do
                out.operands.push_back(FIELDWATCH_TRY(expression()));
            while (take(",") && out.operands.size() <= shape->arguments_max);
        }
        if (out.operands.size() < shape->arguments_min || out.operands.size() > shape->arguments_max)
            return wrong("another number of arguments of " + word);
        FIELDWATCH_TRY(expect(")"));
        return out;
    }

    const std::vector<Token> tokens_;
    std::size_t at_ = 0, depth_ = 0;
    std::string alias_;
};

Result<Parser> parser_of(std::string_view text) {
    if (text.size() > kQueryBytesMax) return fail(Errc::TooLarge, "a query has at most 16384 bytes");
    return Parser(FIELDWATCH_TRY(Lexer(text).run()));
}

}  // namespace

Result<Query> parse_query(std::string_view text) {
    auto parser = FIELDWATCH_TRY(parser_of(text));
    auto out = FIELDWATCH_TRY(parser.query());
    const bool grouped = !out.group_by.empty();
    if (out.aggregates()) {
        for (const auto& item : out.items) {
            const bool key =
                item.aggregate == Aggregate::None && item.value.op == Op::Member &&
                std::find(out.group_by.begin(), out.group_by.end(), item.value.path) != out.group_by.end();
            if (item.aggregate == Aggregate::None && !key)
                return fail(Errc::Malformed, item.name + " is neither grouped by nor aggregated");
        }
    } else if (grouped) {
        return fail(Errc::Malformed, "GROUP BY needs an aggregate");
    }
    return out;
}

Result<Expression> parse_condition(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return Expression{.op = Op::Constant, .constant = true, .path = {}, .function = {}, .operands = {}};
    auto parser = FIELDWATCH_TRY(parser_of(text));
    return parser.condition();
}

}  // namespace fieldwatch::hub::query
