#include "detect/rules/sigma.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

#include "detect/rules/detection.hpp"
#include "detect/rules/metadata.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;  // the largest public rule is 60 KiB

void read_rule(const YAML::Node& document, const WordLists& words, SigmaRule& rule) {
    if (auto read = read_metadata(document, rule.meta); !read) refuse(document, read.error().message);
    if (!document["detection"]) refuse(document, "a rule needs a detection");
    rule.condition = read_detection(document["detection"], words, {}, rule.predicates);
    for (const auto& predicate : rule.predicates) {
        if (!predicate.field.empty()) rule.meta.fields.push_back(predicate.field);
        for (const auto& pattern : predicate.any_of) {
            if (is_reference(pattern.kind)) rule.meta.fields.push_back(pattern.text);
        }
    }
    std::ranges::sort(rule.meta.fields);
    const auto repeated = std::ranges::unique(rule.meta.fields);
    rule.meta.fields.erase(repeated.begin(), repeated.end());
}

/// Whether all that an expression asks for is that something does not hold.
bool only_excludes(const Expression& expression) {
    using enum Expression::Kind;
    if (expression.kind == Not) return true;
    return (expression.kind == And || expression.kind == Or) &&
           std::ranges::all_of(expression.children, only_excludes);
}

/// Sigma filters, specification 2.1. A condition says what is left out; where all of it is `not`, it says
/// what stays.
SigmaFilter read_filter(const YAML::Node& document, const std::string& file, const WordLists& words) {
    SigmaFilter out;
    out.file = file;
    out.line = line_of(document);
    const auto filter = document["filter"];
    if (!filter.IsMap()) refuse(filter, "filter must be a map of rules, searches and a condition");
    if (document["title"]) out.title = document["title"].as<std::string>();
    if (out.title.empty()) refuse(document, "a filter needs a title");
    const auto source = document["logsource"];
    if (!source || !source.IsMap()) refuse(document, "a filter needs a logsource");
    for (const auto& [key, into] : {std::pair{"product", &out.product}, std::pair{"category", &out.category},
                                    std::pair{"service", &out.service}}) {
        if (source[key]) *into = source[key].as<std::string>();
    }
    const auto rules = filter["rules"];
    if (!rules) refuse(filter, "a filter needs 'rules': the ids or names that it is for, or any");
    if (rules.IsScalar()) {
        out.rules.push_back(rules.as<std::string>());
    } else {
        for (const auto& rule : rules)
            out.rules.push_back(rule.as<std::string>());
    }
    static constexpr std::array<std::string_view, 1> kBeside{"rules"};
    auto condition = read_detection(filter, words, kBeside, out.predicates);
    if (condition.kind == Expression::Kind::Not) {
        auto inner = std::move(condition.children[0]);
        condition = std::move(inner);
    } else if (only_excludes(condition)) {
        Expression left_out{.kind = Expression::Kind::Not, .children = {}};
        left_out.children.push_back(std::move(condition));
        condition = std::move(left_out);
    }
    out.suppressed = std::move(condition);
    return out;
}

/// What `action: global` says goes into every rule behind it; a rule's own words win.
YAML::Node merged(const YAML::Node& base, const YAML::Node& over) {
    if (!base.IsMap() || !over.IsMap()) return over;
    auto out = YAML::Clone(base);
    for (const auto& entry : over) {
        const auto key = entry.first.as<std::string>();
        const auto known = out[key];
        out[key] = known ? merged(known, entry.second) : entry.second;
    }
    return out;
}

/// The documents of one file, in order: actions of multi-document files change what follows.
class FileReader {
  public:
    FileReader(const std::string& file, const WordLists& words, SigmaDocuments& out,
               std::vector<RuleError>& errors)
        : file_(file), words_(words), out_(out), errors_(errors) {}

    void document(const YAML::Node& written) {
        std::string name;
        try {
            read(written, name);
        } catch (const RuleProblem& problem) {
            errors_.push_back({file_, problem.line, name, problem.why});
        } catch (const YAML::Exception& problem) {
            errors_.push_back({file_, std::max(1, problem.mark.line + 1), name, problem.msg});
        }
    }

  private:
    void read(const YAML::Node& written, std::string& name) {
        if (!written.IsMap()) refuse(written, "a rule must be a map");
        auto node = written;  // the same map: what is assigned to one is in both
        const bool has_id = written["id"].IsDefined();
        const int line = line_of(written);
        if (const auto action = written["action"]) {
            const auto what = action.as<std::string>();
            node.remove("action");
            if (what == "global") {
                global_ = node;
                return;
            }
            if (what == "reset") {
                global_ = YAML::Node();
            } else if (what == "repeat") {
                node = merged(last_, node);
            } else {
                refuse(action, "action '" + what + "' is none of global, reset, repeat");
            }
        }
        if (global_.IsMap()) node = merged(global_, node);
        last_ = node;
        // An id that actions hand on names one rule for several log sources: for us it is one of each.
        if (node["id"] && node["id"].IsScalar()) {
            const auto times = ++ids_[node["id"].Scalar()];
            if (times > 1 && !has_id) {
                YAML::Node named;  // not a clone: that has no lines for what is wrong in it
                for (const auto& entry : node)
                    if (entry.first.Scalar() != "id") named[entry.first.Scalar()] = entry.second;
                named["id"] = node["id"].Scalar() + "#" + std::to_string(times);
                node = named;
            }
        }
        for (const char* key : {"title", "id"}) {
            if (node[key] && node[key].IsScalar()) name = node[key].as<std::string>();
        }
        if (node["correlation"]) {
            out_.correlations.push_back(read_correlation(node, file_));
            out_.correlations.back().meta.line = line;
        } else if (node["filter"]) {
            out_.filters.push_back(read_filter(node, file_, words_));
            out_.filters.back().line = line;
        } else {
            SigmaRule rule;
            rule.meta.file = file_;
            rule.meta.line = line;
            read_rule(node, words_, rule);
            out_.rules.push_back(std::move(rule));
        }
    }

    const std::string& file_;
    const WordLists& words_;
    SigmaDocuments& out_;
    std::vector<RuleError>& errors_;
    YAML::Node global_, last_;
    std::map<std::string, int, std::less<>> ids_;  ///< how many documents have had it
};

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

/// `rules/words/miners.txt` is the list `miners`.
std::string list_name(std::string_view file) {
    file = file.substr(file.rfind('/') + 1);
    return std::string(file.substr(0, file.rfind('.')));
}

}  // namespace

void parse_sigma(const SourceFile& file, const WordLists& words, SigmaDocuments& out,
                 std::vector<RuleError>& errors) {
    if (file.text.size() > kFileBytesMax) {
        errors.push_back({file.name, 1, {}, "the file is larger than 1 MiB"});
        return;
    }
    try {
        check_documents(file.text);
        FileReader reader(file.name, words, out, errors);
        for (const auto& document : YAML::LoadAll(file.text)) {
            if (!document.IsNull()) reader.document(document);
        }
    } catch (const RuleProblem& problem) {
        errors.push_back({file.name, problem.line, {}, problem.why});
    } catch (const YAML::Exception& problem) {
        errors.push_back({file.name, problem.mark.line + 1, {}, problem.msg});
    }
}

SigmaDocuments parse_sigma_files(std::span<const SourceFile> rules, std::span<const SourceFile> word_lists,
                                 std::vector<RuleError>& errors) {
    WordLists words;
    for (const auto& list : word_lists)
        words[list_name(list.name)] = parse_word_list(list.text);
    SigmaDocuments out;
    for (const auto& file : rules)
        parse_sigma(file, words, out, errors);
    return out;
}

}  // namespace fieldwatch::detect
