#include "detect/content.hpp"

#include "base/hash.hpp"

namespace fieldwatch::detect {

namespace {

void put(ByteWriter& out, const std::vector<std::pair<std::string, std::string>>& files) {
    out.u32(static_cast<std::uint32_t>(files.size()));
    for (const auto& [name, text] : files) {
        out.text(name);
        out.text(text);
    }
}

/// Of everything that compiled rules are made of.
std::string rules_hash(const ContentSources& sources, const RuleOptions& options) {
    Bytes all;
    ByteWriter out(all);
    put(out, sources.rule_files);
    put(out, sources.word_lists);
    const auto& addresses = options.command.addresses;
    out.u32(addresses.documentation_is_external ? 1 : 0);
    for (const auto& suffix : addresses.local_suffixes)
        out.text(suffix);
    return hex(sha256(all));
}

/// The rules of `before` where they are the same: settings and indicators change far more often, and what was
/// compiled of expressions stays.
void compile_rules(Content& out, const ContentSources& sources, const ContentPtr& before) {
    RuleOptions options;
    options.command.addresses = {.documentation_is_external = out.settings.test_mode,
                                 .local_suffixes = out.settings.local_suffixes};
    out.rules_hash = rules_hash(sources, options);
    if (before && before->rules_hash == out.rules_hash) {
        out.rules = before->rules;
        out.rule_errors = before->rule_errors;
        return;
    }
    auto compiled =
        RuleSet::compile(source_files(sources.rule_files), source_files(sources.word_lists), options);
    out.rules = std::move(compiled.rules);
    out.rule_errors = std::move(compiled.errors);
}

}  // namespace

std::string ContentSources::hash() const {
    Bytes all;
    ByteWriter out(all);
    for (const auto* files : {&rule_files, &word_lists, &indicator_files})
        put(out, *files);
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
    compile_rules(*out, sources, before);
    // One broken rule must not take the others down with it; a set of which nothing is left is no rule set.
    if (const auto& errors = out->rule_errors; !errors.empty() && out->rules->rules().empty()) {
        const auto& first = errors.front();
        return fail(Errc::InvalidArgument,
                    first.file + ", line " + std::to_string(first.line) + ": " + first.why +
                        (errors.size() > 1 ? " (and " + std::to_string(errors.size() - 1) + " more)" : ""));
    }
    return out;
}

}  // namespace fieldwatch::detect
