#include "detect/rules/detection.hpp"

#include <algorithm>
#include <set>

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kValuesMax = 50'000;  // per rule, word lists included; stops alias bombs
constexpr int kDepthMax = 8;

class DetectionParser {
  public:
    DetectionParser(std::vector<Predicate>& predicates, const WordLists& words)
        : predicates_(predicates), words_(words) {}

    Expression run(const YAML::Node& detection, std::span<const std::string_view> beside) {
        if (!detection.IsMap()) refuse(detection, "detection must be a map of searches and a condition");
        std::map<std::string, Expression, std::less<>> searches;
        for (const auto& entry : detection) {
            const auto name = entry.first.as<std::string>();
            if (name == "condition" || std::ranges::find(beside, name) != beside.end()) continue;
            // The condition says which correlation the rule should be, where it can.
            if (name == "timeframe" && aggregates(detection["condition"])) continue;
            if (name == "timeframe")
                refuse(entry.first,
                       "timeframe left Sigma with version 2; write a correlation rule of type event_count "
                       "with a "
                       "timespan");
            searches.emplace(name, search(entry.second, 0)).first->second.search = name;
        }
        const auto condition = detection["condition"];
        if (!condition)
            refuse(detection, "detection has no condition; write 'condition: " + example(searches) + "'");
        if (!condition.IsSequence()) return parsed(condition, searches);
        Expression out{.kind = Expression::Kind::Or, .children = {}};
        for (const auto& one : condition)
            out.children.push_back(parsed(one, searches));
        if (out.children.empty()) refuse(condition, "condition is empty");
        return out;
    }

  private:
    using Searches = std::map<std::string, Expression, std::less<>>;

    static bool aggregates(const YAML::Node& condition) {
        return condition && condition.IsScalar() && condition.Scalar().find('|') != std::string::npos;
    }

    static std::string example(const Searches& searches) {
        return searches.size() == 1 ? searches.begin()->first : "all of them";
    }

    static Expression parsed(const YAML::Node& node, const Searches& searches) {
        if (!node.IsScalar()) refuse(node, "a condition is a text such as 'selection and not filter'");
        auto expression = parse_condition(node.as<std::string>(), searches);
        if (!expression) refuse(node, expression.error().message);
        return std::move(*expression);
    }

    static Modifiers keyword_match() {
        Modifiers m;
        m.match.open_start = m.match.open_end = true;
        return m;
    }

    Expression search(const YAML::Node& node, int depth) {
        if (depth > kDepthMax) refuse(node, "search nested deeper than 8");
        if (node.IsMap()) {
            Expression out{.kind = Expression::Kind::And, .children = {}};
            Merged merged{.out = out.children};
            merge(node, depth, merged);
            if (out.children.empty()) refuse(node, "search is empty");
            return out;
        }
        if (!node.IsSequence()) return item_of("", "", keyword_match(), node);
        if (node.size() == 0) refuse(node, "search is empty");
        const bool scalars = std::ranges::all_of(node, [](const auto& one) { return !one.IsMap(); });
        if (scalars) return item_of("", "", keyword_match(), node);
        Expression out{.kind = Expression::Kind::Or, .children = {}};
        for (const auto& one : node)
            out.children.push_back(search(one, depth + 1));
        return out;
    }

    struct Merged {
        std::vector<Expression>& out;
        std::set<std::string> taken = {};
        std::size_t maps = 0;
    };
    static constexpr std::size_t kMergedMax = 64;

    /// The fields of a map, then those of the maps that its `<<` names (YAML 1.1, "merge key"): what a map
    /// says itself goes before what it merges, and of several maps the earlier before the later.
    void merge(const YAML::Node& map, int depth, Merged& merged) {
        if (depth > kDepthMax) refuse(map, "search nested deeper than 8");
        if (++merged.maps > kMergedMax) refuse(map, "'<<' brings more than 64 maps together");
        std::vector<std::string> own;
        std::vector<YAML::Node> named;
        for (const auto& entry : map) {
            if (entry.first.IsScalar() && entry.first.Scalar() == "<<") {
                const auto& what = entry.second;
                if (!what.IsMap() && !what.IsSequence())
                    refuse(entry.first, "'<<' takes a map, or a list of maps");
                if (what.IsMap()) named.push_back(what);
                for (const auto& one : what.IsSequence() ? what : YAML::Node()) {
                    if (!one.IsMap()) refuse(one, "'<<' takes a map, or a list of maps");
                    named.push_back(one);
                }
                continue;
            }
            own.push_back(entry.first.as<std::string>());
            if (!merged.taken.contains(own.back())) merged.out.push_back(item(entry.first, entry.second));
        }
        merged.taken.insert(own.begin(), own.end());
        for (const auto& one : named)
            merge(one, depth + 1, merged);
    }

    Expression item(const YAML::Node& key, const YAML::Node& value) {
        const auto text = key.as<std::string>();
        const auto bar = std::min(text.find('|'), text.size());
        const auto field = text.substr(0, bar);
        auto modifiers = read_modifiers(key, std::string_view(text).substr(bar));
        if (field.empty() && !modifiers.regex) modifiers.match.open_start = modifiers.match.open_end = true;
        return item_of(field, text, modifiers, value);
    }

    static constexpr std::size_t kWrittenMax = 4;  // values that an explanation repeats

    /// `Image|endswith: /sh, /bash, … (9 values)`.
    static std::string shown(std::string_view key, std::span<const std::string> written, std::size_t count) {
        constexpr std::size_t kValueBytesMax = 120;
        std::string out(key.empty() ? "any field" : key);
        for (std::size_t i = 0; i < written.size(); ++i) {
            out += i == 0 ? ": " : ", ";
            out +=
                written[i].size() > kValueBytesMax ? written[i].substr(0, kValueBytesMax) + "…" : written[i];
        }
        if (count > written.size()) out += ", … (" + std::to_string(count) + " values)";
        return out;
    }

    Expression item_of(const std::string& field, const std::string& key, const Modifiers& modifiers,
                       const YAML::Node& value) {
        std::vector<std::vector<Pattern>> values;  // per value: its alternatives
        std::vector<std::string> written;          // the first values, as they stand there
        const auto add = [&](const YAML::Node& one) {
            auto alternatives = read_value(one, modifiers, words_);
            values_ += alternatives.size();
            if (values_ > kValuesMax) refuse(one, "more than 50,000 values in one rule");
            values.push_back(std::move(alternatives));
            if (values.size() <= kWrittenMax) written.push_back(one.IsScalar() ? one.Scalar() : "…");
        };
        if (value.IsSequence()) {
            for (const auto& one : value)
                add(one);
            if (values.empty()) refuse(value, "the list of values is empty");
        } else {
            add(value);
        }
        Expression out;
        if (modifiers.all) {
            out.kind = Expression::Kind::And;
            for (std::size_t i = 0; i < values.size(); ++i) {
                out.children.push_back(leaf(field, std::move(values[i])));
                out.children.back().written =
                    shown(key, i < written.size() ? std::span(&written[i], 1) : std::span<std::string>(), 1);
            }
        } else {
            std::vector<Pattern> any;
            for (auto& alternatives : values) {
                any.insert(any.end(), std::make_move_iterator(alternatives.begin()),
                           std::make_move_iterator(alternatives.end()));
            }
            out = leaf(field, std::move(any));
            out.written = shown(key, written, values.size());
        }
        if (!modifiers.negated) return out;
        Expression negated{.kind = Expression::Kind::Not, .children = {}};
        negated.children.push_back(std::move(out));
        return negated;
    }

    Expression leaf(const std::string& field, std::vector<Pattern> any_of) {
        std::ranges::sort(any_of);
        const auto repeated = std::ranges::unique(any_of);
        any_of.erase(repeated.begin(), repeated.end());
        predicates_.push_back({field, std::move(any_of)});
        return {.kind = Expression::Kind::Leaf,
                .predicate = static_cast<std::uint32_t>(predicates_.size() - 1),
                .children = {}};
    }

    std::vector<Predicate>& predicates_;
    const WordLists& words_;
    std::size_t values_ = 0;
};

}  // namespace

int line_of(const YAML::Node& node) {
    return node.Mark().line + 1;
}

void refuse(const YAML::Node& node, std::string why) {
    throw RuleProblem{line_of(node), std::move(why)};
}

Expression read_detection(const YAML::Node& detection, const WordLists& words,
                          std::span<const std::string_view> beside, std::vector<Predicate>& predicates) {
    return DetectionParser(predicates, words).run(detection, beside);
}

}  // namespace fieldwatch::detect
