// What an interpreter is given: a script, code on the command line, or code down the pipe.
#include <algorithm>

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
    return option.size() == 2 && letters.find(option[1]) != std::string_view::npos;
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
        if (word.starts_with("--")) {
            if (word == "--eval" || word == "--print" || word == "--run") segment.add(Fact::RunsCode);
            continue;
        }
        const std::string_view code = shell                                            ? "c"
                                      : segment.interpreter == Interpreter::Php        ? "r"
                                      : segment.interpreter == Interpreter::Python     ? "cm"
                                      : segment.interpreter == Interpreter::PowerShell ? ""
                                                                                       : "eEp";
        if (takes_word(segment.interpreter, word)) {
            ++i;
            continue;
        }
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
    const bool text_in_temp = shell && in_temporary_directory(segment.script) &&
                              (segment.script.ends_with(".txt") || segment.script.ends_with(".log"));
    const bool foreign = family != Interpreter::None && family != segment.interpreter;
    if (text_in_temp || foreign) segment.add(Fact::ScriptMismatch);
}

}  // namespace fieldwatch::detect
