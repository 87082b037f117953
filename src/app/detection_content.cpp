#include "app/detection_content.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/advisory_folder.hpp"
#include "app/embedded.hpp"
#include "base/file_system.hpp"
#include "detect/custom/security_group.hpp"
#include "detect/rules/pack.hpp"
#include "portal/portal.hpp"

namespace fieldwatch::app {

namespace {
using Json = nlohmann::json;

constexpr std::uint64_t kIndicatorFileBytesMax = 256u << 20;  ///< the largest public lists have some ten MiB
}  // namespace

Result<detect::RulePack> base_rules(const std::string& rules_directory) {
    detect::RulePack pack;
    if (!rules_directory.empty())
        pack = FIELDWATCH_TRY(detect::load_rule_pack(posix_file_system(), rules_directory));
    for (const auto& file : embedded_rules()) {
        const bool is_words = file.name.ends_with(".txt");
        auto& into = is_words ? pack.words : pack.rules;
        // Word lists that a folder lacks are ours: its rules may name %miners% and the like.
        const bool wanted = rules_directory.empty() || is_words;
        const bool given = std::ranges::find(into, file.name, &detect::SourceFile::name) != into.end();
        if (wanted && !given) into.push_back({std::string(file.name), std::string(file.content)});
    }
    return pack;
}

detect::ContentSources rule_sources(detect::RulePack pack) {
    detect::ContentSources sources;
    for (auto& file : pack.rules)
        sources.rule_files.emplace_back(std::move(file.name), std::move(file.text));
    for (auto& file : pack.words)
        sources.word_lists.emplace_back(std::move(file.name), std::move(file.text));
    return sources;
}

namespace {

/// The tuning document with the groups of every hub: docs/formats/security-groups.md.
Result<std::string> settings_document(registry::Registry& registry) {
    const auto text = FIELDWATCH_TRY(registry.setting(portal::kDetectionSettings)).value_or("{}");
    auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object())
        return fail(Errc::Corrupt,
                    "the setting " + std::string(portal::kDetectionSettings) + " is no JSON object");
    const bool extensions = document.value("custom.extensions", false);
    auto groups = Json::array();
    for (const auto& hub : FIELDWATCH_TRY(registry.hubs())) {
        for (const auto& stored : FIELDWATCH_TRY(registry.documents(
                 hub.name, "security-group", {.count_max = detect::GroupSet::kGroupsMax}))) {
            auto group = Json::parse(stored.json, nullptr, /*allow_exceptions=*/false);
            group["hub"] = hub.name.value;
            // Rules of the extensions are kept for the day on which those are switched on again.
            for (const auto* const list : {"denylistRules", "thresholdRules"}) {
                if (!extensions) group["properties"].erase(list);
            }
            groups.push_back(std::move(group));
        }
    }
    if (!groups.empty()) document["securityGroups"] = std::move(groups);
    return document.dump();
}

}  // namespace

Result<detect::ContentSources> detection_content(const ServerConfig& config, registry::Registry& registry,
                                                 detect::RulePack rules) {
    auto sources = rule_sources(std::move(rules));
    auto& files = posix_file_system();
    const auto folder = config.data_directory + "/intel";
    const auto names = files.list(folder);
    if (!names && names.error().code != Errc::NotFound) return std::unexpected(names.error());
    for (const auto& name : names.value_or(std::vector<std::string>{})) {
        const auto bytes = FIELDWATCH_TRY(read_file(files, folder + "/" + name, kIndicatorFileBytesMax));
        sources.indicator_files.emplace_back(name, as_text(bytes));
    }
    sources.advisory_files =
        FIELDWATCH_TRY(read_advisory_folder(files, config.data_directory + "/advisories"));
    sources.settings_json = FIELDWATCH_TRY(settings_document(registry));
    return sources;
}

}  // namespace fieldwatch::app
