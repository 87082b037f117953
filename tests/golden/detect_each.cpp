// Runs many pieces of recorded input through the offline pipeline, each as a log of its own: what
// `fieldwatch detect` does, with the rules compiled once. usage: detect_each RULES FOLDER: writes
// NAME.findings beside each NAME.jsonl that it reads in FOLDER.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/file_system.hpp"
#include "detect/content.hpp"
#include "detect/rules/pack.hpp"
#include "pipeline/offline.hpp"

namespace {

namespace fs = std::filesystem;
using namespace fieldwatch;

std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The rule set depends on one setting, the test mode: compiled once with and once without it.
struct Compiled {
    detect::ContentPtr plain, test_mode;
};

Result<void> run(const Compiled& compiled, const fs::path& input) {
    auto beside = input;
    std::string settings = "{}";
    if (fs::exists(beside.replace_extension(".settings.json"))) settings = text_of(beside);
    std::vector<std::pair<std::string, std::string>> indicators;
    beside = input;
    if (fs::exists(beside.replace_extension(".intel.csv"))) indicators = {{"intel.csv", text_of(beside)}};
    std::vector<std::pair<std::string, std::string>> advisories;
    for (const auto* const form : {"osv", "debian", "csaf", "kev"}) {
        beside = input;
        if (fs::exists(beside.replace_extension(std::string(".") + form + ".json")))
            advisories.emplace_back(form, text_of(beside));
    }
    auto parsed = FIELDWATCH_TRY(detect::parse_settings(settings));
    auto content =
        std::make_shared<detect::Content>(parsed.test_mode ? *compiled.test_mode : *compiled.plain);
    content->intel =
        FIELDWATCH_TRY(detect::IntelSnapshot::build(indicators, static_cast<int>(parsed.intel_confidence)));
    content->advisories = FIELDWATCH_TRY(detect::AdvisoryTable::build(advisories));
    content->settings = std::move(parsed);
    std::ifstream file(input, std::ios::binary);
    beside = input;
    std::ofstream out(beside.replace_extension(".findings"), std::ios::binary);
    const std::array<std::istream*, 1> streams{&file};
    FIELDWATCH_TRY(pipeline::run_offline(streams, std::move(content), {},
                                         [&](std::string_view line) { out << line << '\n'; }));
    return {};
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return 2;
    auto pack = detect::load_rule_pack(posix_file_system(), arguments[1]);
    if (!pack) return 1;
    detect::ContentSources sources;
    for (auto& file : pack->rules)
        sources.rule_files.emplace_back(std::move(file.name), std::move(file.text));
    for (auto& file : pack->words)
        sources.word_lists.emplace_back(std::move(file.name), std::move(file.text));
    auto plain = detect::compile(sources);
    sources.settings_json = R"({"testMode":true})";
    auto test_mode = detect::compile(sources);
    if (!plain || !test_mode) return 1;
    const Compiled compiled{*plain, *test_mode};
    for (const auto& entry : fs::directory_iterator(arguments[2])) {
        if (entry.path().extension() != ".jsonl") continue;
        if (const auto done = run(compiled, entry.path()); !done) {
            std::fprintf(stderr, "%s: %s\n", entry.path().c_str(), done.error().message.c_str());
            return 1;
        }
    }
    return 0;
}
