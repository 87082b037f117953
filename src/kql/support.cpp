// docs/kql-support.md, made from the same tables that the binder reads, so that it cannot say what is not so.
#include <map>
#include <string>

#include <fmt/format.h>

#include "kql/ast.hpp"
#include "kql/functions.hpp"
#include "kql/kql.hpp"

namespace fieldwatch::kql {
namespace {

std::string signature(const FunctionRow& row) {
    static const std::map<char, std::string_view> kTypes{
        {'b', "bool"},         {'i', "int"},     {'l', "long"}, {'r', "real"},
        {'d', "decimal"},      {'s', "string"},  {'g', "guid"}, {'t', "datetime"},
        {'n', "timespan"},     {'j', "dynamic"}, {'a', "any"},  {'k', "constant string"},
        {'c', "constant long"}};
    std::string out;
    bool optional = false;
    for (const char letter : row.args) {
        if (letter == '?') {
            optional = true;
            continue;
        }
        const auto type = kTypes.at(letter);
        out += fmt::format("{}{}", out.empty() ? "" : ", ",
                           optional ? fmt::format("[{}]", type) : std::string(type));
    }
    return fmt::format("`{}({})` → {}", row.name, out, kTypes.at(row.result));
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text)
        out += c == '|' ? "\\|" : std::string(1, c);
    return out;
}

}  // namespace

std::string support_markdown() {
    std::string out =
        "# What of KQL we support\n\nGenerated from the compiler's own tables (`FIELDWATCH_REGENERATE=1` "
        "with kql_test). Anything not listed is refused "
        "by name, with line and column; nothing is approximated. The rules behind it: "
        "[formats/kql-semantics.md](formats/kql-semantics.md).\n\n## Operators\n\n";
    for (const auto name : operator_names())
        out += fmt::format("`{}` ", name);
    out +=
        "\n\nA query begins with a table, a `let` table, `print`, `range`, `datatable`, `union`, `search` or "
        "`find`; "
        "before it may stand `set`, of which only bin_auto() reads anything, and `declare query_parameters` "
        "with defaults. "
        "Join kinds: innerunique (default), inner, leftouter, "
        "rightouter, fullouter, leftsemi, leftanti, rightsemi, rightanti. Plugins of evaluate: ";
    for (const auto name : plugin_names())
        out += fmt::format("`{}` ", name);
    out += "\n\nRefused by name: ";
    for (const auto name : refused_operator_names())
        out += fmt::format("`{}` ", name);
    out += "\n\nFunctions refused by name: ";
    for (const auto name : refused_function_names())
        out += fmt::format("`{}` ", name);
    out +=
        "\n\n## Comparison\n\n`== != < <= > >= =~ !~ contains has hasprefix hassuffix startswith endswith` "
        "(with `!` and `_cs`) `matches regex in !in in~ !in~ has_any has_all between !between and or "
        "not()`\n";
    out +=
        "\n## Aggregates (summarize, make-series)\n\n| Aggregate | Nulls, empty input, overflow "
        "|\n|---|---|\n";
    for (const auto& row : aggregate_rows())
        out += fmt::format("| `{}` | {} |\n", cell(row.signature), cell(row.note));
    out +=
        "\n## Functions with rules of their own\n\n| Function | Nulls, empty input, overflow |\n|---|---|\n";
    for (const auto& row : special_rows())
        out += fmt::format("| `{}` | {} |\n", cell(row.signature), cell(row.note));
    out +=
        "\n## Functions\n\nA null argument gives null (for strings '') unless said otherwise.\n\n| Function "
        "| Nulls, empty input, overflow |\n|---|---|\n";
    for (const auto& row : function_rows())
        out += fmt::format("| {} | {} |\n", cell(signature(row)), cell(row.note));
    return out;
}

}  // namespace fieldwatch::kql
