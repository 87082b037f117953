#include "detect/rules/metadata.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kTextBytesMax = 8'192;
constexpr std::size_t kListMax = 256;

std::string text_of(const YAML::Node& parent, const char* key) {
    const auto node = parent[key];
    if (!node || !node.IsScalar()) return {};
    auto text = node.as<std::string>().substr(0, kTextBytesMax);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return text;
}

/// A list, or one text for a list of one.
std::vector<std::string> list_of(const YAML::Node& parent, const char* key) {
    std::vector<std::string> out;
    const auto node = parent[key];
    if (!node) return out;
    if (node.IsScalar()) {
        out.push_back(node.as<std::string>());
    } else if (node.IsSequence()) {
        for (const auto& one : node) {
            if (out.size() >= kListMax) break;
            if (one.IsScalar()) out.push_back(one.as<std::string>());
        }
    }
    return out;
}

Result<model::Severity> severity_of(std::string level) {
    for (char& c : level)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (level == "critical" || level == "high") return model::Severity::High;
    if (level == "medium") return model::Severity::Medium;
    if (level == "low" || level.empty()) return model::Severity::Low;
    if (level == "informational") return model::Severity::Informational;
    return fail(Errc::InvalidArgument,
                "level '" + level + "' is none of informational, low, medium, high, critical");
}

Result<Discriminator> discriminator_of(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Discriminator>, 7> kNames{{
        {"command", Discriminator::Command},
        {"remote-address", Discriminator::RemoteAddress},
        {"login", Discriminator::Login},
        {"authentication", Discriminator::Authentication},
        {"correlation", Discriminator::Correlation},
        {"file", Discriminator::File},
        {"event", Discriminator::Event},
    }};
    for (const auto& [name, value] : kNames) {
        if (name == text) return value;
    }
    return fail(Errc::InvalidArgument, "discriminator '" + std::string(text) + "' is not known");
}

Discriminator default_discriminator(std::string_view category) {
    if (category == "process_creation") return Discriminator::Command;
    if (category == "network_connection") return Discriminator::RemoteAddress;
    if (category == "file_event") return Discriminator::File;
    if (category == "login") return Discriminator::Login;
    if (category == "operation") return Discriminator::Authentication;
    if (category == "control_plane") return Discriminator::Correlation;
    return Discriminator::Event;
}

/// ATT&CK tactic tags as the kill-chain words of spec/alerts.md 2.1.
std::string_view intent_of_tactic(std::string_view tactic) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kTactics{{
        {"reconnaissance", "PreAttack"},
        {"resource-development", "PreAttack"},
        {"initial-access", "InitialAccess"},
        {"execution", "Execution"},
        {"persistence", "Persistence"},
        {"privilege-escalation", "PrivilegeEscalation"},
        {"defense-evasion", "DefenseEvasion"},
        {"credential-access", "CredentialAccess"},
        {"discovery", "Discovery"},
        {"lateral-movement", "LateralMovement"},
        {"collection", "Collection"},
        {"exfiltration", "Exfiltration"},
        {"command-and-control", "CommandAndControl"},
        {"impact", "Impact"},
    }};
    for (const auto& [name, intent] : kTactics) {
        if (name == tactic) return intent;
    }
    return {};
}

void read_tags(const YAML::Node& document, RuleMeta& meta) {
    for (const auto& tag : list_of(document, "tags")) {
        constexpr std::string_view kAttack = "attack.";
        if (!tag.starts_with(kAttack)) continue;
        auto name = tag.substr(kAttack.size());
        std::ranges::replace(name, '_', '-');  // as tactics were written until 2024
        if (name.size() > 4 && (name[0] == 't' || name[0] == 'T') && name[1] >= '0' && name[1] <= '9') {
            meta.techniques.push_back("T" + name.substr(1));
            continue;
        }
        const auto intent = intent_of_tactic(name);
        if (intent.empty() || meta.intent.find(intent) != std::string::npos) continue;
        if (!meta.intent.empty()) meta.intent += ',';
        meta.intent += intent;
    }
    if (meta.intent.empty()) meta.intent = "Unknown";
}

/// R1 and R2 of spec/alerts.md section 7; other texts stand as written.
std::string remediation_text(const std::string& text) {
    if (text == "R1") {
        return "Ask the user who ran the command whether it was legitimate and is expected on this device. "
               "If not, "
               "escalate to the information security team.";
    }
    if (text == "R2") {
        return "Confirm with the owner of the device that this is expected. Otherwise escalate to the "
               "information "
               "security team.";
    }
    return text;
}

constexpr std::int64_t kStepTimesMax = 4'096;
constexpr std::int64_t kStepSecondsMax = 90 * 86'400;

Result<std::int64_t> step_number(const std::string& key, const YAML::Node& node, std::int64_t most) {
    std::int64_t value = 0;
    if (!node.IsScalar() || !YAML::convert<std::int64_t>::decode(node, value) || value < 0 || value > most)
        return fail(Errc::Malformed,
                    "samples: '" + key + "' takes a number of at most " + std::to_string(most));
    return value;
}

/// A list of events: `at`, `times`, `every`, `device` and `rule` say when, how often, whose and of what log
/// source they are, the rest are fields.
Result<std::vector<SampleStep>> read_steps(const YAML::Node& list) {
    std::vector<SampleStep> out;
    for (const auto& one : list) {
        if (!one.IsMap()) return fail(Errc::Malformed, "an event of a sample is a map of fields");
        SampleStep step;
        step.device = "d";
        for (const auto& field : one) {
            const auto key = field.first.as<std::string>();
            if (key == "at") {
                step.at_s = FIELDWATCH_TRY(step_number(key, field.second, kStepSecondsMax));
            } else if (key == "every") {
                step.every_s = FIELDWATCH_TRY(step_number(key, field.second, kStepSecondsMax));
            } else if (key == "times") {
                step.times = FIELDWATCH_TRY(step_number(key, field.second, kStepTimesMax));
            } else if (key == "device") {
                step.device = field.second.as<std::string>();
            } else if (key == "rule") {
                step.rule = field.second.as<std::string>();
            } else {
                step.fields.emplace_back(key, field.second.as<std::string>());
            }
        }
        out.push_back(std::move(step));
        if (out.size() > kListMax) return fail(Errc::TooLarge, "a sample has at most 256 steps");
    }
    return out;
}

Result<void> read_samples(const YAML::Node& samples, const std::string& category, RuleMeta& meta) {
    if (!samples.IsMap()) return fail(Errc::Malformed, "samples must have 'fires' and 'silent'");
    for (const bool positive : {true, false}) {
        const auto list = samples[positive ? "fires" : "silent"];
        if (!list) continue;
        if (!list.IsSequence()) return fail(Errc::Malformed, "samples must be lists");
        for (const auto& one : list) {
            Sample sample{.positive = positive, .fields = {}, .steps = {}};
            if (one.IsSequence()) {
                sample.steps = FIELDWATCH_TRY(read_steps(one));
            } else if (one.IsScalar()) {
                if (category != "process_creation")
                    return fail(Errc::Malformed,
                                "only process_creation rules may give command lines as samples");
                sample.fields.emplace_back("CommandLine", one.as<std::string>());
            } else if (one.IsMap()) {
                for (const auto& field : one)
                    sample.fields.emplace_back(field.first.as<std::string>(), field.second.as<std::string>());
            } else {
                return fail(Errc::Malformed,
                            "a sample is a command line, a map of fields or a list of events");
            }
            meta.samples.push_back(std::move(sample));
        }
    }
    return {};
}

Result<void> read_own_section(const YAML::Node& own, RuleMeta& meta) {
    static constexpr std::array<std::string_view, 14> kKeys{
        "alert_type", "display_name", "description",   "component",   "intent",  "techniques", "remediation",
        "absorbs",    "extended",     "discriminator", "suppression", "samples", "scope",      "generate"};
    if (!own.IsMap()) return fail(Errc::Malformed, "fieldwatch: must be a map");
    for (const auto& entry : own) {
        const auto key = entry.first.as<std::string>();
        if (std::ranges::find(kKeys, key) == kKeys.end())
            return fail(Errc::InvalidArgument, "fieldwatch: has no key '" + key + "'");
    }
    if (auto text = text_of(own, "alert_type"); !text.empty()) meta.alert_type = text;
    if (auto text = text_of(own, "display_name"); !text.empty()) meta.display_name = text;
    if (auto text = text_of(own, "description"); !text.empty()) meta.description = text;
    if (auto text = text_of(own, "component"); !text.empty()) meta.component = text;
    if (auto intent = list_of(own, "intent"); !intent.empty()) {
        meta.intent.clear();
        for (const auto& word : intent)
            meta.intent += (meta.intent.empty() ? "" : ",") + word;
    }
    if (auto techniques = list_of(own, "techniques"); !techniques.empty()) meta.techniques = techniques;
    if (auto steps = list_of(own, "remediation"); !steps.empty()) meta.remediation = steps;
    meta.absorbs = list_of(own, "absorbs");
    meta.extended = list_of(own, "extended");
    if (auto text = text_of(own, "discriminator"); !text.empty())
        meta.discriminator = FIELDWATCH_TRY(discriminator_of(text));
    if (auto text = text_of(own, "suppression"); !text.empty()) {
        const auto window = FIELDWATCH_TRY(parse_iso8601_duration(text));
        meta.suppression_s = window.count() / 10'000'000;
    }
    if (const auto generate = own["generate"]) {
        if (!YAML::convert<bool>::decode(generate, meta.always_generated))
            return fail(Errc::InvalidArgument, "generate is true or false");
    }
    if (own["scope"]) {
        const auto scope = text_of(own, "scope");
        if (scope != "device" && scope != "fleet")
            return fail(Errc::InvalidArgument, "scope '" + scope + "' is neither device nor fleet");
        meta.fleet = scope == "fleet";
    }
    if (own["samples"]) return read_samples(own["samples"], meta.category, meta);
    return {};
}

}  // namespace

namespace {

Result<void> read_header(const YAML::Node& document, RuleMeta& meta) {
    meta.origin.id = text_of(document, "id");
    meta.origin.title = text_of(document, "title");
    meta.name = text_of(document, "name");
    // In a file of a correlation only the outermost need have one (correlation rules, version 2.0.2).
    if (meta.origin.title.empty()) meta.origin.title = meta.name;
    if (meta.origin.title.empty()) return fail(Errc::Malformed, "a rule needs a title");
    if (meta.origin.id.empty()) meta.origin.id = meta.name.empty() ? meta.origin.title : meta.name;
    meta.origin.author = text_of(document, "author");
    meta.origin.license = text_of(document, "license");
    // Sigma's own repository states the licence once, for all rules.
    if (meta.origin.license.empty()) meta.origin.license = "DRL-1.1";
    meta.origin.references = list_of(document, "references");
    meta.status = text_of(document, "status");
    meta.description = text_of(document, "description");
    meta.display_name = meta.origin.title;
    meta.alert_type = "Sigma_" + meta.origin.id;
    meta.remediation = {"R1"};
    meta.component = "Agent";
    meta.severity = FIELDWATCH_TRY(severity_of(text_of(document, "level")));
    read_tags(document, meta);
    return {};
}

Result<void> read_own(const YAML::Node& document, RuleMeta& meta) {
    if (const auto own = document["fieldwatch"]) FIELDWATCH_TRY(read_own_section(own, meta));
    for (auto& step : meta.remediation)
        step = remediation_text(step);
    return {};
}

}  // namespace

Result<void> read_metadata(const YAML::Node& document, RuleMeta& meta) {
    FIELDWATCH_TRY(read_header(document, meta));
    const auto logsource = document["logsource"];
    if (!logsource || !logsource.IsMap()) return fail(Errc::Malformed, "a rule needs a logsource");
    meta.product = text_of(logsource, "product");
    meta.category = text_of(logsource, "category");
    meta.service = text_of(logsource, "service");
    meta.component = meta.product == "iothub" ? "IoT Hub" : "Agent";
    meta.discriminator = default_discriminator(meta.category);
    FIELDWATCH_TRY(read_own(document, meta));
    if (std::ranges::any_of(meta.samples, [](const auto& sample) { return !sample.steps.empty(); }))
        return fail(Errc::Malformed, "a sample that is a list of events is a correlation's");
    if (meta.fleet)
        return fail(Errc::InvalidArgument,
                    "scope: fleet is a correlation's; a rule looks at one event of one device");
    return {};
}

Result<void> read_correlation_metadata(const YAML::Node& document, RuleMeta& meta) {
    FIELDWATCH_TRY(read_header(document, meta));
    meta.discriminator = Discriminator::Event;
    FIELDWATCH_TRY(read_own(document, meta));
    if (std::ranges::any_of(meta.samples, [](const auto& sample) { return sample.steps.empty(); }))
        return fail(Errc::Malformed, "a sample of a correlation is a list of events");
    return {};
}

}  // namespace fieldwatch::detect
