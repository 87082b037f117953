#include "detect/content.hpp"

#include "base/hash.hpp"

namespace fieldwatch::detect {

std::string ContentSources::hash() const {
    Bytes all;
    ByteWriter out(all);
    for (const auto* files : {&rule_files, &word_lists, &indicator_files}) {
        out.u32(static_cast<std::uint32_t>(files->size()));
        for (const auto& [name, text] : *files) {
            out.text(name);
            out.text(text);
        }
    }
    out.text(settings_json);
    // Versions from before there were any keep the hash they have.
    for (const auto& [name, text] : advisory_files) {
        out.text(name);
        out.text(text);
    }
    return hex(sha256(all));
}

std::vector<SourceFile> source_files(const std::vector<std::pair<std::string, std::string>>& named_texts) {
    std::vector<SourceFile> out;
    out.reserve(named_texts.size());
    for (const auto& [name, text] : named_texts)
        out.push_back({name, text});
    return out;
}

Result<ContentPtr> compile(const ContentSources& sources, const ContentPtr& before) {
    auto out = std::make_shared<Content>();
    out->hash = sources.hash();
    out->settings = FIELDWATCH_TRY(parse_settings(sources.settings_json));
    out->intel = FIELDWATCH_TRY(
        IntelSnapshot::build(sources.indicator_files, static_cast<int>(out->settings.intel_confidence)));
    const bool same_advisories =
        before && before->advisories->hash() == AdvisoryTable::hash_of(sources.advisory_files);
    out->advisories =
        same_advisories ? before->advisories : FIELDWATCH_TRY(AdvisoryTable::build(sources.advisory_files));
    RuleOptions options;
    options.command.addresses = {.documentation_is_external = out->settings.test_mode,
                                 .local_suffixes = out->settings.local_suffixes};
    auto compiled =
        RuleSet::compile(source_files(sources.rule_files), source_files(sources.word_lists), options);
    // One broken rule must not take the others down with it; a set of which nothing is left is no rule set.
    if (!compiled.errors.empty() && compiled.rules->rules().empty()) {
        const auto& first = compiled.errors.front();
        return fail(
            Errc::InvalidArgument,
            first.file + ", line " + std::to_string(first.line) + ": " + first.why +
                (compiled.errors.size() > 1 ? " (and " + std::to_string(compiled.errors.size() - 1) + " more)"
                                            : ""));
    }
    out->rules = std::move(compiled.rules);
    out->rule_errors = std::move(compiled.errors);
    return out;
}

}  // namespace fieldwatch::detect
