#include "detect/rules/sigma.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

#include "base/bytes.hpp"
#include "detect/rules/metadata.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;  // the largest public rule is 60 KiB
constexpr std::size_t kValuesMax = 50'000;      // per rule, word lists included; stops alias bombs
constexpr std::size_t kPatternBytesMax = 4'096;
constexpr int kDepthMax = 8;

int line_of(const YAML::Node& node) {
    return node.Mark().line + 1;
}

/// What is wrong and where; thrown only inside this file, where yaml-cpp throws too.
struct RuleProblem {
    int line;
    std::string why;
};
[[noreturn]] void refuse(const YAML::Node& node, std::string why) {
    throw RuleProblem{line_of(node), std::move(why)};
}

struct Modifiers {
    StringMatch match;
    bool all = false, regex = false, cidr = false, exists = false, windash = false, expand = false;
    bool base64 = false, base64_offset = false, negated = false;
    bool insensitive = false, multiline = false, dot_all = false;
    PatternKind compare = PatternKind::Exact;
};

class DetectionParser {
  public:
    DetectionParser(SigmaRule& rule, const WordLists& words) : rule_(rule), words_(words) {}

    void run(const YAML::Node& detection) {
        if (!detection.IsMap()) refuse(detection, "detection must be a map of searches and a condition");
        std::map<std::string, Expression, std::less<>> searches;
        for (const auto& entry : detection) {
            const auto name = entry.first.as<std::string>();
            if (name == "condition") continue;
            if (name == "timeframe")
                refuse(entry.first, "timeframe left Sigma with version 2; write a correlation");
            searches.emplace(name, search(entry.second, 0));
        }
        const auto condition = detection["condition"];
        if (!condition) refuse(detection, "detection has no condition");
        if (!condition.IsSequence()) {
            rule_.condition = parsed(condition, searches);
            return;
        }
        rule_.condition.kind = Expression::Kind::Or;
        for (const auto& one : condition)
            rule_.condition.children.push_back(parsed(one, searches));
        if (rule_.condition.children.empty()) refuse(condition, "condition is empty");
    }

  private:
    static Expression parsed(const YAML::Node& node,
                             const std::map<std::string, Expression, std::less<>>& searches) {
        auto expression = parse_condition(node.as<std::string>(), searches);
        if (!expression) refuse(node, expression.error().message);
        return std::move(*expression);
    }

    Expression search(const YAML::Node& node, int depth) {
        if (depth > kDepthMax) refuse(node, "search nested deeper than 8");
        if (node.IsMap()) {
            Expression out{.kind = Expression::Kind::And, .children = {}};
            for (const auto& entry : node)
                out.children.push_back(item(entry.first, entry.second));
            if (out.children.empty()) refuse(node, "search is empty");
            return out;
        }
        if (!node.IsSequence())
            return item_of("", Modifiers{.match = {.open_start = true, .open_end = true}}, node);
        if (node.size() == 0) refuse(node, "search is empty");
        const bool maps = node[0].IsMap();
        if (!maps) return item_of("", Modifiers{.match = {.open_start = true, .open_end = true}}, node);
        Expression out{.kind = Expression::Kind::Or, .children = {}};
        for (const auto& one : node)
            out.children.push_back(search(one, depth + 1));
        return out;
    }

    Expression item(const YAML::Node& key, const YAML::Node& value) {
        const auto text = key.as<std::string>();
        const auto bar = std::min(text.find('|'), text.size());
        const auto field = text.substr(0, bar);
        auto modifiers = read_modifiers(key, std::string_view(text).substr(bar));
        if (field.empty() && !modifiers.regex) modifiers.match.open_start = modifiers.match.open_end = true;
        return item_of(field, modifiers, value);
    }

    static Modifiers read_modifiers(const YAML::Node& key, std::string_view text) {
        Modifiers m;
        while (!text.empty()) {
            text.remove_prefix(1);
            const auto name = text.substr(0, std::min(text.find('|'), text.size()));
            text = text.substr(name.size());
            if (name == "contains")
                m.match.open_start = m.match.open_end = true;
            else if (name == "startswith")
                m.match.open_end = true;
            else if (name == "endswith")
                m.match.open_start = true;
            else if (name == "all")
                m.all = true;
            else if (name == "re")
                m.regex = true;
            else if (name == "i")
                m.insensitive = true;
            else if (name == "m")
                m.multiline = true;
            else if (name == "s")
                m.dot_all = true;
            else if (name == "cased")
                m.match.cased = true;
            else if (name == "word")
                m.match.word = true;
            else if (name == "cidr")
                m.cidr = true;
            else if (name == "exists")
                m.exists = true;
            else if (name == "windash")
                m.windash = true;
            else if (name == "expand")
                m.expand = true;
            else if (name == "base64")
                m.base64 = true;
            else if (name == "base64offset")
                m.base64 = m.base64_offset = true;
            else if (name == "neq")
                m.negated = true;
            else if (name == "lt")
                m.compare = PatternKind::Less;
            else if (name == "lte")
                m.compare = PatternKind::LessOrEqual;
            else if (name == "gt")
                m.compare = PatternKind::Greater;
            else if (name == "gte")
                m.compare = PatternKind::GreaterOrEqual;
            else
                refuse(key, "modifier '" + std::string(name) + "' is not supported");
        }
        return m;
    }

    Expression item_of(const std::string& field, const Modifiers& modifiers, const YAML::Node& value) {
        std::vector<std::vector<Pattern>> values;  // per value: its alternatives
        const auto add = [&](const YAML::Node& one) {
            auto alternatives = patterns(one, modifiers);
            values_ += alternatives.size();
            if (values_ > kValuesMax) refuse(one, "more than 50,000 values in one rule");
            values.push_back(std::move(alternatives));
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
            for (auto& alternatives : values)
                out.children.push_back(leaf(field, std::move(alternatives)));
        } else {
            std::vector<Pattern> any;
            for (auto& alternatives : values) {
                any.insert(any.end(), std::make_move_iterator(alternatives.begin()),
                           std::make_move_iterator(alternatives.end()));
            }
            out = leaf(field, std::move(any));
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
        rule_.predicates.push_back({field, std::move(any_of)});
        return {.kind = Expression::Kind::Leaf,
                .predicate = static_cast<std::uint32_t>(rule_.predicates.size() - 1),
                .children = {}};
    }

    std::vector<Pattern> patterns(const YAML::Node& node, const Modifiers& m) {
        if (node.IsNull()) return {{.kind = PatternKind::Absent, .text = {}}};
        if (!node.IsScalar()) refuse(node, "a value must be a string, a number, a boolean or null");
        const auto text = node.as<std::string>();
        if (text.size() > kPatternBytesMax) refuse(node, "a value is longer than 4,096 bytes");
        if (m.exists) {
            const bool wanted = node.as<bool>();
            return {{.kind = wanted ? PatternKind::Present : PatternKind::Absent, .text = {}}};
        }
        if (m.cidr) {
            if (!parse_prefix(text)) refuse(node, "'" + text + "' is not an address range");
            return {{.kind = PatternKind::Cidr, .text = text, .literal_bytes = 4}};
        }
        if (m.compare != PatternKind::Exact) {
            if (!node.as<double>(0) && text.find_first_of("0123456789") == std::string::npos)
                refuse(node, "'" + text + "' is not a number");
            return {{.kind = m.compare, .text = text, .literal_bytes = 1}};
        }
        std::vector<Pattern> out;
        for (const auto& one : expanded(node, text, m)) {
            if (m.regex) {
                out.push_back({.kind = PatternKind::Regex,
                               .text = one,
                               .cased = !m.insensitive,
                               .multiline = m.multiline,
                               .dot_all = m.dot_all,
                               .literal_bytes = 3});
            } else {
                out.push_back(string_pattern(one, m.match));
            }
        }
        return out;
    }

    /// What one written value stands for: word lists, dash variants, base64 forms.
    std::vector<std::string> expanded(const YAML::Node& node, const std::string& text, const Modifiers& m) {
        std::vector<std::string> out{text};
        if (m.expand && text.size() > 2 && text.front() == '%' && text.back() == '%') {
            const auto found = words_.find(std::string_view(text).substr(1, text.size() - 2));
            if (found == words_.end()) refuse(node, "no word list is named " + text);
            out = found->second;
            if (out.empty()) refuse(node, "word list " + text + " is empty");
        }
        if (m.windash) {
            const auto given = out;
            for (const auto& one : given) {
                const auto dash = one.find('-');
                if (dash == std::string::npos || (dash > 0 && one[dash - 1] != ' ')) continue;
                for (const std::string_view other : {"/", "\u2013", "\u2014", "\u2015"})
                    out.push_back(std::string(one).replace(dash, 1, other));
            }
        }
        if (m.base64) {
            std::vector<std::string> encoded;
            for (const auto& one : out)
                encode(one, m.base64_offset, encoded);
            out = std::move(encoded);
        }
        return out;
    }

    /// The base64 characters that depend on `text` alone, for each place it may start at within three bytes.
    static void encode(const std::string& text, bool offsets, std::vector<std::string>& out) {
        if (!offsets) {
            out.push_back(base64(as_bytes(text)));
            return;
        }
        for (std::size_t shift = 0; shift < 3; ++shift) {
            auto encoded = base64(as_bytes(std::string(shift, ' ') + text));
            static constexpr std::size_t kSkip[] = {0, 2, 3};
            static constexpr std::size_t kDrop[] = {0, 3, 2};
            const auto drop = kDrop[(text.size() + shift) % 3];
            if (encoded.size() <= kSkip[shift] + drop) continue;
            out.push_back(encoded.substr(kSkip[shift], encoded.size() - kSkip[shift] - drop));
        }
    }

    SigmaRule& rule_;
    const WordLists& words_;
    std::size_t values_ = 0;
};

void parse_document(const YAML::Node& document, const std::string& file, const WordLists& words,
                    SigmaRule& rule) {
    rule.meta.file = file;
    rule.meta.line = line_of(document);
    if (!document.IsMap()) refuse(document, "a rule must be a map");
    if (document["correlation"]) refuse(document["correlation"], "correlation rules are not supported yet");
    if (document["filter"]) refuse(document["filter"], "filter rules are not supported yet");
    if (document["action"]) refuse(document["action"], "'action' left Sigma with version 2");
    if (auto read = read_metadata(document, rule.meta); !read) refuse(document, read.error().message);
    if (!document["detection"]) refuse(document, "a rule needs a detection");
    DetectionParser(rule, words).run(document["detection"]);
    for (const auto& predicate : rule.predicates) {
        if (!predicate.field.empty()) rule.meta.fields.push_back(predicate.field);
    }
    std::ranges::sort(rule.meta.fields);
    const auto repeated = std::ranges::unique(rule.meta.fields);
    rule.meta.fields.erase(repeated.begin(), repeated.end());
}

/// Sees that every document of a file begins behind the one before. Where a text begins like a document's
/// inside, with a comma say, the library reads an empty document without end and never moves on.
class Progress final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark& mark) override {
        if (last_ && mark.pos <= *last_) throw RuleProblem{mark.line + 1, "no YAML document begins here"};
        last_ = mark.pos;
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}

  private:
    std::optional<int> last_;
};

void check_documents(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Progress progress;
    while (parser.HandleNextDocument(progress)) {
    }
}

}  // namespace

void parse_sigma(const SourceFile& file, const WordLists& words, std::vector<SigmaRule>& rules,
                 std::vector<RuleError>& errors) {
    const auto name_of = [](const SigmaRule& rule) {
        return rule.meta.origin.id.empty() ? rule.meta.origin.title : rule.meta.origin.id;
    };
    if (file.text.size() > kFileBytesMax) {
        errors.push_back({file.name, 1, {}, "the file is larger than 1 MiB"});
        return;
    }
    SigmaRule rule;
    try {
        check_documents(file.text);
        for (const auto& document : YAML::LoadAll(file.text)) {
            if (document.IsNull()) continue;
            rule = {};
            try {
                parse_document(document, file.name, words, rule);
                rules.push_back(std::move(rule));
            } catch (const RuleProblem& problem) {
                errors.push_back({file.name, problem.line, name_of(rule), problem.why});
            } catch (const YAML::Exception& problem) {
                errors.push_back({file.name, problem.mark.line + 1, name_of(rule), problem.msg});
            }
        }
    } catch (const RuleProblem& problem) {
        errors.push_back({file.name, problem.line, {}, problem.why});
    } catch (const YAML::Exception& problem) {
        errors.push_back({file.name, problem.mark.line + 1, {}, problem.msg});
    }
}

}  // namespace fieldwatch::detect
