#include "app/cli/rule_set.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "detect/rules/pack.hpp"

namespace fieldwatch::app {

namespace {
constexpr std::string_view kRefused = "the rules in force stay";  ///< how the server's sentence begins
}

Result<nlohmann::json> read_rule_set(const RuleSetOptions& options) {
    const auto pack = FIELDWATCH_TRY(detect::load_rule_pack(posix_file_system(), options.directory));
    if (pack.rules.empty() && pack.words.empty())
        return fail(Errc::NotFound,
                    fmt::format("there is no rule (.yml, .yaml) below {}", options.directory));
    nlohmann::json out{{"only", options.only}};
    for (const auto& [member, files] : {std::pair{"files", &pack.rules}, std::pair{"words", &pack.words}}) {
        auto list = nlohmann::json::array();
        for (const auto& file : *files) {
            if (!is_utf8(file.text) || !is_utf8(file.name))
                return fail(Errc::Malformed, fmt::format("{} is not UTF-8", file.name));
            list.push_back({{"name", file.name}, {"text", file.text}});
        }
        out[member] = std::move(list);
    }
    return out;
}

Result<std::string> absolute_time(std::string_view text) {
    if (text.starts_with('P'))
        return to_iso8601(system_clock().now() - FIELDWATCH_TRY(parse_iso8601_duration(text)));
    if (parse_iso8601(text)) return std::string(text);
    return fail(
        Errc::InvalidArgument,
        fmt::format("'{}' is neither an ISO 8601 time such as 2026-11-22T21:04:52Z nor a duration before "
                    "now such as P1D or PT5M",
                    text));
}

Result<nlohmann::json> post_rule_set(const Session& session, const std::string& target,
                                     const nlohmann::json& body) {
    auto answer = call(session, "POST", target, &body);
    const bool refused = !answer && answer.error().message.starts_with(kRefused);
    if (!refused) return answer;
    const nlohmann::json set{
        {"files", body.at("files")}, {"words", body.at("words")}, {"only", body.at("only")}};
    if (const auto report = call(session, "POST", "/api/v1/rules/check", &set)) {
        for (const auto& one : report->at("failures"))
            std::fprintf(stderr, "%s:%d: %s: %s\n", printable(one.value("file", "")).c_str(),
                         one.value("line", 0), printable(one.value("rule", "")).c_str(),
                         printable(one.value("why", "")).c_str());
    }
    return fail(Errc::Unsupported, answer.error().message);  // not used wrongly: a rule is wrong
}

void add_rule_set_options(CLI::App& command, RuleSetOptions& options) {
    command.add_option("--rules", options.directory, "The folder of rule files")->required();
    command.add_flag("--only", options.only,
                     "These rules in the place of the pack; default: over it, a file of the same path taking "
                     "the place of the pack's");
}

}  // namespace fieldwatch::app
