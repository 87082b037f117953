#include "portal/rules_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwatch::portal {
namespace {

/// A relative path inside a rule folder.
bool is_file_name(std::string_view name, bool words) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.' || c == '/' || c == ' ';
    };
    if (name.empty() || name.size() > 256 || name.front() == '/' || name.front() == '.' ||
        name.find("/.") != std::string_view::npos || !std::ranges::all_of(name, good))
        return false;
    return words ? name.starts_with("words/") && name.ends_with(".txt")
                 : name.ends_with(".yml") || name.ends_with(".yaml");
}

Result<std::vector<detect::SourceFile>> read_files(const Json& body, const char* member, bool words) {
    std::vector<detect::SourceFile> out;
    const auto list = body.find(member);
    if (list == body.end()) return out;
    if (!list->is_array())
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a list of {{\"name\",\"text\"}}; it is {}", member,
                                list->type_name()));
    if (list->size() > RuleSetText::kFilesMax) return fail(Errc::TooLarge, "more than 20,000 files");
    for (const auto& entry : *list) {
        detect::SourceFile file;
        if (!entry.is_object())
            return fail(Errc::InvalidArgument, fmt::format("an entry of \"{}\" is no object", member));
        FIELDWATCH_TRY(read_member(entry, "name", file.name));
        FIELDWATCH_TRY(read_member(entry, "text", file.text));
        if (!is_file_name(file.name, words))
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" is no name for a file of {}: a relative path of letters, digits, "
                                    "blanks, - _ . and /, {}",
                                    file.name, member,
                                    words ? "that begins with words/ and ends with .txt"
                                          : "that ends with .yml or .yaml"));
        if (file.text.size() > RuleSetText::kFileBytesMax)
            return fail(Errc::TooLarge, fmt::format("{} is larger than 1 MiB", file.name));
        out.push_back(std::move(file));
    }
    std::ranges::stable_sort(out, {}, &detect::SourceFile::name);
    const auto twice = std::ranges::adjacent_find(out, {}, &detect::SourceFile::name);
    if (twice != out.end())
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" is there twice", twice->name));
    return out;
}

Json names_json(const std::vector<detect::RuleChange>& changes) {
    Json out = Json::array();
    for (const auto& change : changes)
        out.push_back({{"id", change.id}, {"title", change.title}});
    return out;
}

}  // namespace

Result<Rules*> rules_of(const Context& context) {
    if (context.parts.rules == nullptr) return fail(Errc::Unavailable, "this server keeps no rules");
    return context.parts.rules;
}

Result<RuleSetText> read_rule_set(const Json& body) {
    RuleSetText out;
    out.pack.rules = FIELDWATCH_TRY(read_files(body, "files", false));
    out.pack.words = FIELDWATCH_TRY(read_files(body, "words", true));
    FIELDWATCH_TRY(read_member(body, "only", out.only));
    return out;
}

Result<std::optional<std::uint64_t>> read_number(const Json& body, std::string_view name) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) return std::nullopt;
    if (!found->is_number_unsigned())
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a whole number from 0 on; it is {}", name, found->dump()));
    return found->get<std::uint64_t>();
}

Result<Timestamp> read_time(std::string_view name, std::string_view text) {
    const auto time = parse_iso8601(text);
    if (!time)
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" must be an ISO 8601 time such as "
                                                       "2026-11-22T21:04:52Z; it is \"{}\"",
                                                       name, text));
    return time->time;
}

net::HttpResponse rules_refused(const std::vector<detect::SampleFailure>& failures) {
    const auto& first = failures.front();
    const auto more =
        failures.size() > 1 ? fmt::format(" (and {} more)", failures.size() - 1) : std::string();
    return json_reply(400, {{"error",
                             {{"code", "RulesRefused"},
                              {"message", fmt::format("the rules in force stay: {}, line {}: {}{}",
                                                      first.file, first.line, first.why, more)},
                              {"details", failures_json(failures)}}}});
}

std::vector<detect::SampleFailure> failures_of(const std::vector<detect::RuleError>& errors) {
    std::vector<detect::SampleFailure> out;
    for (const auto& error : errors)
        out.push_back({error.file, error.line, error.rule, error.why});
    return out;
}

Json failures_json(const std::vector<detect::SampleFailure>& failures) {
    Json out = Json::array();
    for (const auto& failure : failures)
        out.push_back(
            {{"file", failure.file}, {"line", failure.line}, {"rule", failure.rule}, {"why", failure.why}});
    return out;
}

Json diff_json(const detect::RuleDiff& diff) {
    Json changed = Json::array();
    for (const auto& change : diff.changed)
        changed.push_back(
            {{"id", change.id}, {"title", change.title}, {"before", change.before}, {"after", change.after}});
    return {{"added", names_json(diff.added)},
            {"removed", names_json(diff.removed)},
            {"changed", std::move(changed)}};
}

Json clauses_json(const detect::Explanation& explanation) {
    Json clauses = Json::array();
    for (const auto& clause : explanation.clauses) {
        Json values = Json::object();
        if (!clause.field.empty()) values[clause.field] = clause.values;
        clauses.push_back({{"search", clause.search},
                           {"clause", clause.text},
                           {"held", clause.held},
                           {"decides", clause.decides},
                           {"values", std::move(values)}});
    }
    return clauses;
}

Json time_json(Timestamp time) {
    return time.ticks == 0 ? Json(nullptr) : Json(to_iso8601(time));
}

}  // namespace fieldwatch::portal
