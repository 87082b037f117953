#include "detect/rules/rule_diff.hpp"

#include <algorithm>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

std::string_view rule_text(std::string_view file, int line) {
    for (int at = 1; at < line; ++at) {
        const auto end = file.find('\n');
        if (end == std::string_view::npos) return {};
        file.remove_prefix(end + 1);
    }
    const auto next = file.find("\n---");
    return next == std::string_view::npos ? file : file.substr(0, next + 1);
}

std::vector<RuleText> rule_texts(const RulePack& pack) {
    std::vector<RuleError> errors;
    const auto documents = parse_sigma_files(pack.rules, pack.words, errors);
    std::vector<RuleText> out;
    const auto add = [&](const RuleMeta& meta) {
        const auto file = std::ranges::find(pack.rules, meta.file, &SourceFile::name);
        out.push_back({.id = meta.origin.id,
                       .title = meta.origin.title,
                       .file = meta.file,
                       .line = meta.line,
                       .text = std::string(rule_text(file->text, meta.line))});
    };
    for (const auto& rule : documents.rules)
        add(rule.meta);
    for (const auto& correlation : documents.correlations)
        add(correlation.meta);
    std::ranges::stable_sort(out, {}, &RuleText::id);
    const auto repeated = std::ranges::unique(out, {}, &RuleText::id);
    out.erase(repeated.begin(), repeated.end());
    return out;
}

RuleDiff diff_rules(const std::vector<RuleText>& before, const std::vector<RuleText>& after) {
    RuleDiff out;
    auto old = before.begin();
    for (const auto& rule : after) {
        for (; old != before.end() && old->id < rule.id; ++old)
            out.removed.push_back({old->id, old->title, old->text, {}});
        if (old == before.end() || old->id != rule.id) {
            out.added.push_back({rule.id, rule.title, {}, rule.text});
            continue;
        }
        if (old->text != rule.text) out.changed.push_back({rule.id, rule.title, old->text, rule.text});
        ++old;
    }
    for (; old != before.end(); ++old)
        out.removed.push_back({old->id, old->title, old->text, {}});
    return out;
}

}  // namespace fieldwatch::detect
