// The condition language of Sigma 2.1: names, not, and, or, parentheses, `1 of`, `all of`, `N of`, `them`.
#include <algorithm>
#include <array>
#include <charconv>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

using Searches = std::map<std::string, Expression, std::less<>>;

bool same_word(std::string_view word, std::string_view keyword) {
    return std::ranges::equal(word, keyword, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    });
}

/// `*` in a name stands for any text.
bool name_matches(std::string_view pattern, std::string_view name) {
    if (pattern.empty()) return name.empty();
    if (pattern.front() == '*') {
        return name_matches(pattern.substr(1), name) ||
               (!name.empty() && name_matches(pattern, name.substr(1)));
    }
    return !name.empty() && pattern.front() == name.front() &&
           name_matches(pattern.substr(1), name.substr(1));
}

class ConditionParser {
  public:
    ConditionParser(std::string_view text, const Searches& searches) : rest_(text), searches_(searches) {
        advance();
    }

    Result<Expression> run() {
        auto expression = FIELDWATCH_TRY(any());
        if (token_ == "|") return fail(Errc::Unsupported, aggregation());
        if (!token_.empty())
            return fail(Errc::Malformed,
                        "condition: nothing may follow, but '" + std::string(token_) + "' does");
        return expression;
    }

  private:
    static constexpr int kDepthMax = 64;

    /// What stands behind '|' in rules of Sigma's first version, and the correlation that says the same.
    std::string aggregation() {
        advance();
        const auto name = token_;
        advance();
        advance();
        static constexpr std::array<std::array<std::string_view, 2>, 6> kForms{{{"near", "temporal"},
                                                                                {"sum", "value_sum"},
                                                                                {"avg", "value_avg"},
                                                                                {"count", "event_count"},
                                                                                {"min", "value_percentile"},
                                                                                {"max", "value_percentile"}}};
        for (const auto& [form, type] : kForms) {
            if (!same_word(name, form)) continue;
            const bool of_field = same_word(name, "count") && !token_.empty() && token_ != ")";
            return "condition: '| " + std::string(form) +
                   "' left Sigma with version 2; write a correlation of type " +
                   (of_field ? "value_count" : std::string(type));
        }
        return "condition: aggregation by '|' left Sigma with version 2; write a correlation";
    }

    void advance() {
        const auto first = rest_.find_first_not_of(" \t\r\n");
        if (first == std::string_view::npos) {
            token_ = rest_ = {};
            return;
        }
        rest_ = rest_.substr(first);
        const auto length = rest_[0] == '(' || rest_[0] == ')' || rest_[0] == '|'
                                ? 1
                                : std::min(rest_.find_first_of(" \t\r\n()|"), rest_.size());
        token_ = rest_.substr(0, length);
        rest_ = rest_.substr(length);
    }
    bool take(std::string_view keyword) {
        if (!same_word(token_, keyword)) return false;
        advance();
        return true;
    }

    Result<Expression> any() {
        Expression out{.kind = Expression::Kind::Or, .children = {}};
        do {
            out.children.push_back(FIELDWATCH_TRY(all()));
        } while (take("or"));
        return out.children.size() == 1 ? Result<Expression>(std::move(out.children[0])) : std::move(out);
    }
    Result<Expression> all() {
        Expression out{.kind = Expression::Kind::And, .children = {}};
        do {
            out.children.push_back(FIELDWATCH_TRY(negated()));
        } while (take("and"));
        return out.children.size() == 1 ? Result<Expression>(std::move(out.children[0])) : std::move(out);
    }
    Result<Expression> negated() {
        if (++depth_ > kDepthMax) return fail(Errc::TooLarge, "condition: nested deeper than 64");
        if (take("not")) {
            Expression out{.kind = Expression::Kind::Not, .children = {}};
            out.children.push_back(FIELDWATCH_TRY(negated()));
            --depth_;
            return out;
        }
        auto out = FIELDWATCH_TRY(single());
        --depth_;
        return out;
    }
    Result<Expression> single() {
        if (take("(")) {
            auto inside = FIELDWATCH_TRY(any());
            if (!take(")")) return fail(Errc::Malformed, "condition: a parenthesis is not closed");
            return inside;
        }
        if (token_.empty()) return fail(Errc::Malformed, "condition: ends where a search name should stand");
        const auto word = token_;
        advance();
        if (same_word(token_, "of")) return quantified(word);
        const auto found = searches_.find(word);
        if (found == searches_.end())
            return fail(Errc::NotFound,
                        "condition: no search is named '" + std::string(word) + "'" + meant(word));
        return found->second;
    }
    Result<Expression> quantified(std::string_view quantity) {
        advance();  // "of"
        if (token_.empty()) return fail(Errc::Malformed, "condition: 'of' needs a name");
        const auto pattern = token_;
        advance();
        const bool them = same_word(pattern, "them");
        Expression out{.kind = Expression::Kind::Or, .children = {}};
        for (const auto& [name, search] : searches_) {
            if (them ? !name.starts_with('_') : name_matches(pattern, name)) out.children.push_back(search);
        }
        if (out.children.empty())
            return fail(Errc::NotFound, "condition: no search matches '" + std::string(pattern) + "'");
        if (same_word(quantity, "all")) {
            out.kind = Expression::Kind::And;
        } else if (!same_word(quantity, "any") && quantity != "1") {
            std::size_t count = 0;
            const auto [end, error] =
                std::from_chars(quantity.data(), quantity.data() + quantity.size(), count);
            if (error != std::errc{} || end != quantity.data() + quantity.size() || count == 0)
                return fail(Errc::Malformed,
                            "condition: '" + std::string(quantity) + " of' is not understood");
            if (count > out.children.size())
                return fail(Errc::Malformed, "condition: only " + std::to_string(out.children.size()) +
                                                 " searches match '" + std::string(pattern) + "'");
            out.kind = Expression::Kind::AtLeast;
            out.least = static_cast<std::uint32_t>(count);
        }
        return out;
    }
    std::string meant(std::string_view word) const {
        std::vector<std::string_view> names;
        for (const auto& [name, search] : searches_)
            names.push_back(name);
        return names.empty() ? "" : "; did you mean '" + nearest(word, names) + "'?";
    }

    std::string_view rest_, token_;
    const Searches& searches_;
    int depth_ = 0;
};

}  // namespace

Result<Expression> parse_condition(std::string_view text, const Searches& searches) {
    constexpr std::size_t kBytesMax = 4'096;
    if (text.size() > kBytesMax) return fail(Errc::TooLarge, "condition: longer than 4,096 bytes");
    return ConditionParser(text, searches).run();
}

}  // namespace fieldwatch::detect
