// What an interpreter is given: a script, code on the command line, or code down the pipe.
#include <algorithm>
#include <array>
#include <string>

#include "detect/command/command.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

/// Options of interpreters whose next word is neither script nor code.
bool takes_word(Interpreter family, std::string_view option) {
    using enum Interpreter;
    const std::string_view letters = family == Python  ? "WX"
                                     : family == Shell ? "oO"
                                     : family == Ruby  ? "ICEr"
                                     : family == Php   ? "dcz"
                                     : family == Node  ? "r"
                                     : family == Perl  ? "I"
                                     : family == Lua   ? "l"
                                                       : "";
    if (family == Node && (option == "--require" || option == "--import" || option == "--loader"))
        return true;
    return option.size() == 2 && letters.find(option[1]) != std::string_view::npos;
}

enum class PowerShellOption : std::uint8_t { Flag, Value, Code, File };

/// PowerShell takes any beginning of an option's name, in any case.
PowerShellOption powershell_option(std::string_view word) {
    std::string lower(word.substr(1, 20));
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto begins = [&](std::string_view name) { return name.starts_with(lower); };
    if (begins("file")) return PowerShellOption::File;
    static constexpr std::array<std::string_view, 10> kValues{
        "executionpolicy", "ep",           "version",           "windowstyle",      "inputformat",
        "outputformat",    "settingsfile", "configurationname", "workingdirectory", "wd"};
    // -e, -ec, -enc … and -c, -command come first in its own order.
    if (begins("encodedcommand") || lower == "ec" || begins("command")) return PowerShellOption::Code;
    return std::ranges::any_of(kValues, begins) ? PowerShellOption::Value : PowerShellOption::Flag;
}

bool is_plain_text(std::string_view path) {
    static constexpr std::array<std::string_view, 4> kExtensions{".txt", ".TXT", ".log", ".LOG"};
    return std::ranges::any_of(kExtensions, [&](auto extension) { return path.ends_with(extension); });
}

}  // namespace

/// Finds the script argument; the rest follows from it.
void CommandLine::describe_interpreter(Segment& segment) {
    const auto words = argv(segment);
    const auto outer = wrappers(segment);
    const bool from_pipe = std::ranges::find(outer, std::string_view("xargs")) != outer.end();
    segment.interpreter = interpreter_of(segment.name);
    const bool sources = segment.name == "." || segment.name == "source";
    if (sources) segment.interpreter = Interpreter::Shell;
    if (segment.interpreter == Interpreter::None) return;
    segment.add(Fact::Interpreter);
    const bool shell = segment.interpreter == Interpreter::Shell;
    if (shell && !sources) segment.add(Fact::Shell);
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto word = words[i];
        if (word == "-" || (shell && word == "-s")) break;
        if (!is_option(word)) {
            segment.script = normalise(word, working_directory_);
            break;
        }
        if (segment.interpreter == Interpreter::PowerShell) {
            const auto option = powershell_option(word);
            if (option == PowerShellOption::Code) {
                segment.add(Fact::RunsCode);
                break;
            }
            if (option == PowerShellOption::Value) ++i;
            continue;
        }
        if (takes_word(segment.interpreter, word)) {
            ++i;
            continue;
        }
        if (word.starts_with("--")) {
            if (word == "--eval" || word == "--print" || word == "--run") segment.add(Fact::RunsCode);
            continue;
        }
        const std::string_view code = shell                                        ? "c"
                                      : segment.interpreter == Interpreter::Php    ? "r"
                                      : segment.interpreter == Interpreter::Python ? "cm"
                                                                                   : "eEp";
        // -e CODE, -ne CODE and -eCODE; a shell's option letters come in any order.
        const bool runs_code = shell ? word.find('c') != std::string_view::npos
                                     : code.find(word.back()) != std::string_view::npos ||
                                           (word.size() > 2 && code.find(word[1]) != std::string_view::npos);
        // `xargs sh -c`: the code comes down the pipe.
        if (runs_code && shell && i + 1 == words.size() && from_pipe) break;
        if (runs_code) {
            segment.add(Fact::RunsCode);
            break;
        }
    }
    if (segment.script.empty() && !segment.has(Fact::RunsCode)) {
        for (const auto& redirect : redirects(segment)) {
            if (redirect.operation == "<") segment.script = normalise(redirect.target, working_directory_);
        }
        const bool only_asks = words.size() == 2 && (words[1] == "--version" || words[1] == "--help");
        if (segment.script.empty() && !only_asks) segment.add(Fact::ReadsCode);
    }
    if (segment.script.empty()) return;
    const auto family = interpreter_of_extension(basename_of(segment.script));
    const bool text_in_temp =
        shell && in_temporary_directory(segment.script) && is_plain_text(segment.script);
    const bool foreign = family != Interpreter::None && family != segment.interpreter;
    if (text_in_temp || foreign) segment.add(Fact::ScriptMismatch);
}

}  // namespace fieldwatch::detect
