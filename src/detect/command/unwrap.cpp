// Seeing through wrappers: sudo, env, nohup, busybox and their like are stripped, `sh -c X` gives X.
#include <algorithm>
#include <array>

#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::array kWrappers{
    OuterCommand{"sudo", "ugpCDhRUTrt"},
    OuterCommand{"doas", "uC"},
    OuterCommand{"env", "uCS"},
    OuterCommand{"nice", "n"},
    OuterCommand{"ionice", "cnp"},
    OuterCommand{"time", "of"},
    OuterCommand{"timeout", "kst", 1},
    OuterCommand{"setsid", ""},
    OuterCommand{"stdbuf", "ioe"},
    OuterCommand{"exec", "a"},
    OuterCommand{"command", ""},
    OuterCommand{"builtin", ""},
    OuterCommand{"busybox", ""},
    OuterCommand{"toybox", ""},
    OuterCommand{"nohup", ""},
    OuterCommand{"chroot", "", 1},
    OuterCommand{"xargs", "nIPLdsEa"},
    OuterCommand{"taskset", "", 1},
    OuterCommand{"chrt", "", 1},
    OuterCommand{"unbuffer", ""},
    OuterCommand{"linux32", ""},
    OuterCommand{"linux64", ""},
    OuterCommand{"xtables-nft-multi", ""},
    OuterCommand{"xtables-legacy-multi", ""},
};

constexpr std::array<std::string_view, 33> kLongWithValue{"--user",        "--group",
                                                          "--prompt",      "--chdir",
                                                          "--unset",       "--adjustment",
                                                          "--signal",      "--class",
                                                          "--output",      "--classdata",
                                                          "--max-args",    "--format",
                                                          "--kill-after",  "--host",
                                                          "--max-procs",   "--delimiter",
                                                          "--arg-file",    "--interval",
                                                          "--unit",        "--property",
                                                          "--setenv",      "--slice",
                                                          "--on-calendar", "--on-active",
                                                          "--on-boot",     "--working-directory",
                                                          "--target",      "--reuid",
                                                          "--regid",       "--library-path",
                                                          "--limit",       "--exe",
                                                          "--timeout"};

constexpr std::array<std::string_view, 14> kKeywords{"if", "then", "else", "elif", "do", "while", "until",
                                                     "{",  "!",    "time", "fi",   "}",  "done",  "coproc"};

/// Length of NAME in NAME=value or NAME+=value; 0 if the word is no assignment.
std::size_t assignment_name(std::string_view word) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0) return 0;
    const auto name = word.substr(0, equals);
    const auto ok = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (name.front() >= '0' && name.front() <= '9') return 0;
    return std::ranges::all_of(name, ok) ? name.size() : 0;
}

}  // namespace

std::size_t behind_options(std::span<const LexedWord> words, std::size_t at,
                           std::string_view short_with_value) {
    for (; at < words.size(); ++at) {
        const auto word = words[at].value;
        if (word == "--") return at + 1;
        if (!is_option(word)) break;
        if (word.starts_with("--")) {
            if (std::ranges::find(kLongWithValue, word) != kLongWithValue.end()) ++at;
        } else if (word.find_first_of(short_with_value, 1) == word.size() - 1) {
            ++at;  // else the value is the rest of the word: -p22, -oBatchMode=yes
        }
    }
    return at;
}

/// Agents join argv by blanks: of `sh -c "X | Y; Z"` the quotes are lost, and X alone would look like the
/// shell's. Everything behind -c was one word, and is made one again. A `--` first was a word of its own: its
/// text stays.
std::string_view CommandLine::mended(std::string_view text) {
    constexpr std::size_t kQuotesMax = 1'000;  // each takes room
    bool shell = false;
    std::size_t at = 0;
    for (bool found = false; !found;) {
        at = std::min(text.find_first_not_of(" \t", at), text.size());
        const auto word = text.substr(at, text.find_first_of(" \t", at) - at);
        at += word.size();
        if (word.empty() || word.find_first_of("\"'`$;|&<>()\\\n") != std::string_view::npos) return text;
        const bool option = is_option(word);
        found = shell && option && !word.starts_with("--") && word.find('c') != std::string_view::npos;
        if (shell && !option) return text;  // a script
        if (shell || option) continue;
        shell = is_shell(basename_of(word));
        const bool in_front =
            shell || assignment_name(word) > 0 || (word.front() >= '0' && word.front() <= '9') ||
            std::ranges::find(kWrappers, basename_of(word), &OuterCommand::name) != kWrappers.end();
        if (!in_front) return text;
    }
    at = std::min(text.find_first_not_of(" \t", at), text.size());
    const auto script = text.substr(at);
    if (script.find_first_of(";|&\n") == std::string_view::npos || script.front() == '"' ||
        script.front() == '\'' || script.starts_with("$'") || script.starts_with("-- ") ||
        static_cast<std::size_t>(std::ranges::count(script, '\'')) > kQuotesMax)
        return text;
    buffer_.assign(text.substr(0, at)).push_back('\'');
    for (const char c : script)
        buffer_.append(c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1));
    buffer_.push_back('\'');
    return arena_.copy(buffer_);
}

void CommandUnwrapper::run() {
    segment_.wrappers_first = static_cast<std::uint32_t>(line_.wrappers_.size());
    segment_.assignments_first = static_cast<std::uint32_t>(line_.assignments_.size());
    // Each step drops at least one word, so that this ends.
    while (strip_keywords() || strip_assignments() || strip_wrapper()) {
    }
    segment_.wrappers_count = static_cast<std::uint32_t>(line_.wrappers_.size()) - segment_.wrappers_first;
    segment_.assignments_count =
        static_cast<std::uint32_t>(line_.assignments_.size()) - segment_.assignments_first;
    segment_.argv_first = static_cast<std::uint32_t>(line_.words_.size());
    segment_.argv_count = static_cast<std::uint32_t>(words_.size());
    for (const auto& word : words_)
        line_.words_.push_back(word.value);
    if (words_.empty()) return;
    auto name = words_.front().value;
    while (name.size() > 1 && (name.back() == ' ' || name.back() == '\t'))
        name.remove_suffix(1);
    segment_.name = basename_of(name);
    if (segment_.name.starts_with('-') && is_shell(segment_.name)) segment_.name.remove_prefix(1);
    if (interpreter_of(segment_.name) != Interpreter::None && !is_shell(segment_.name)) queue_code_calls();
    queue_shell_text();
}

bool CommandUnwrapper::strip_keywords() {
    if (words_.empty() || words_.front().quoted) return false;
    const auto word = words_.front().value;
    // `do > x` empties x; `done > x` is what the loop printed.
    const bool opens = word == "do" || word == "then" || word == "else" || word == "{";
    if (words_.size() < 2 && !(opens && segment_.redirects_count > 0)) return false;
    if (std::ranges::find(kKeywords, word) == kKeywords.end()) return false;
    words_ = words_.subspan(1);
    return true;
}

bool CommandUnwrapper::strip_assignments() {
    if (words_.empty() || assignment_name(words_.front().value) == 0) return false;
    line_.assignments_.push_back(words_.front().value);
    words_ = words_.subspan(1);
    return true;
}

bool CommandUnwrapper::strip_wrapper() {
    if (words_.size() < 2) return false;
    const auto name = basename_of(words_.front().value);
    const auto* const wrapper = std::ranges::find(kWrappers, name, &OuterCommand::name);
    if (wrapper == kWrappers.end()) return false;
    // `command -v x` runs nothing else.
    const bool asks = name == "command" && words_[1].value.starts_with('-') &&
                      words_[1].value.find_first_of("vV") != std::string_view::npos;
    if (asks) return false;
    auto next = behind_options(words_, 1, wrapper->short_with_value);
    if (wrapper->name == "sudo" || wrapper->name == "env" || wrapper->name == "doas") {
        while (next < words_.size() && assignment_name(words_[next].value) > 0)
            line_.assignments_.push_back(words_[next++].value);
    }
    // Busybox of before 2019 has its duration behind -t.
    const bool said = name == "timeout" && words_[1].value == "-t";
    if (!said) next += wrapper->positional;
    if (next >= words_.size()) return false;  // nothing left to run: the wrapper itself is the command
    line_.wrappers_.push_back(wrapper->name);
    words_ = words_.subspan(next);
    return true;
}

/// The text from a word to the end of the segment: quoted, it is that word; else the blanks' loss is mended.
void CommandUnwrapper::queue_from(std::size_t word) {
    if (word + 1 < words_.size() && words_[word].value == "--") ++word;  // `sh -c -- X`
    if (word >= words_.size()) return;
    // The last word is the text, unless redirections follow that were the text's own.
    const bool last = word + 1 == words_.size() && segment_.redirects_count == 0;
    const auto text = words_[word].quoted || last
                          ? words_[word].value
                          : text_.substr(words_[word].begin, end_ - words_[word].begin);
    segment_.add(Fact::Unwrapped);
    line_.enqueue(text, static_cast<std::int32_t>(line_.segments_.size()), Origin::Shell,
                  static_cast<std::uint8_t>(segment_.depth + 1));
}

/// The words from `first` on with a blank between, as programs do that give them to a shell.
std::string_view CommandUnwrapper::joined_from(std::size_t first) {
    std::string text;
    for (const auto& word : words_.subspan(std::min(first, words_.size())))
        text.append(text.empty() ? "" : " ").append(word.value);
    return line_.arena_.copy(text);
}

/// `eval` joins its words and reads the result: what variables stood for is in the words only.
void CommandUnwrapper::queue_joined() {
    const auto text = joined_from(1);
    if (text.empty()) return;
    segment_.add(Fact::Unwrapped);
    line_.enqueue(text, static_cast<std::int32_t>(line_.segments_.size()), Origin::Shell,
                  static_cast<std::uint8_t>(segment_.depth + 1));
}

void CommandUnwrapper::queue_shell_text() {
    if (segment_.name == "eval") return queue_joined();
    if (segment_.name == "env") return queue_split_string();
    if (segment_.name == "find") return queue_find_exec();
    if (segment_.name == "adb") return queue_device_shell();
    if (segment_.name == "cmd" || segment_.name.ends_with("cmd.exe")) return queue_windows_shell();
    const bool carries = is_shell(segment_.name) || segment_.name == "su" || segment_.name == "runuser";
    if (!carries) {
        const bool other = interpreter_of(segment_.name) != Interpreter::None && queue_system_script();
        return other || queue_carried() ? void() : queue_carried_shell();
    }
    for (std::size_t i = 1; i < words_.size(); ++i) {
        const auto word = words_[i].value;
        const bool cluster = word.size() > 1 && word[0] == '-' && word[1] != '-';
        if (word == "--command" || (cluster && word.find('c') != std::string_view::npos))
            return queue_from(i + 1);
        if (!word.starts_with('-') && is_shell(segment_.name)) {  // a script: no -c follows
            queue_system_script();
            return;
        }
    }
    if (segment_.name == "runuser") queue_carried();
}

/// `docker run alpine sh -c X`, `kubectl exec p -- bash -c X`, `ssh h sh -c X`, `script -qc X`: whatever
/// starts the shell, X is what runs.
void CommandUnwrapper::queue_carried_shell() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        const auto word = words_[i].value;
        const bool script = segment_.name == "script" && word.starts_with('-') && word.ends_with('c');
        if (script) return queue_from(i + 1);
        const auto option = words_[i + 1].value;
        const bool runs = option.starts_with('-') && !option.starts_with("--") && option.ends_with('c');
        if (runs && i + 2 < words_.size() && is_shell(basename_of(word))) return queue_from(i + 2);
    }
}

/// `/bin/sh /usr/sbin/service X stop`, `perl -w /usr/sbin/adduser X`: many commands of the system are
/// scripts, and are seen as their interpreter runs them. Each is read as the command that was typed, too.
bool CommandUnwrapper::queue_system_script() {
    static constexpr std::array<std::string_view, 8> kPrograms{
        "/bin/",           "/sbin/",           "/usr/bin/",    "/usr/sbin/",
        "/usr/local/bin/", "/usr/local/sbin/", "/etc/init.d/", "/etc/rc.d/"};
    const auto script =
        std::ranges::find_if(words_.subspan(1), [](const auto& word) { return !is_option(word.value); });
    if (script == words_.end()) return false;
    const bool program =
        std::ranges::any_of(kPrograms, [&](auto directory) { return script->value.starts_with(directory); });
    if (program) queue_beside(text_.substr(script->begin, end_ - script->begin));
    return program;
}

/// `cmd.exe /c X`.
void CommandUnwrapper::queue_windows_shell() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        const auto word = words_[i].value;
        if (word == "/c" || word == "/C" || word == "/k" || word == "/K") return queue_from(i + 1);
    }
}

/// What code on the command line gives to a shell or starts: os.system of Python, Perl's system, subprocess
/// calls with lists, execSync. Literals only.
void CommandUnwrapper::queue_code_calls() {
    static constexpr std::array<std::string_view, 12> kCalls{
        "system",     "popen",    "Popen",      "getoutput", "check_output", "check_call",
        "shell_exec", "passthru", "os.execute", "execSync",  "spawnSync",    "subprocess.run"};
    static constexpr std::array<std::string_view, 2> kMoreCalls{"subprocess.call", "exec"};
    constexpr std::size_t kCallsMax = 8;
    const bool python = interpreter_of(segment_.name) == Interpreter::Python;  // its exec runs Python
    std::size_t calls = 0;
    for (const auto& word : words_.subspan(1)) {
        const auto code = word.value;
        const auto take = [&](std::string_view name) {
            for (auto at = code.find(name); at != std::string_view::npos && calls < kCallsMax;
                 at = code.find(name, at + 1)) {
                const char before = at > 0 ? code[at - 1] : ' ';
                if ((before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z') || before == '_')
                    continue;
                std::string text;
                auto next = code.find_first_not_of(" (", at + name.size());
                while (next < code.size()) {
                    next = code.find_first_not_of(" ,[", next);
                    const char quote = next < code.size() ? code[next] : '\0';
                    if (quote != '\'' && quote != '"') break;
                    if (!text.empty()) text.push_back(' ');
                    for (++next; next < code.size() && code[next] != quote; ++next) {
                        if (code[next] == '\\' && next + 1 < code.size()) ++next;
                        text.push_back(code[next]);
                    }
                    ++next;
                }
                if (text.empty()) continue;
                ++calls;
                queue_beside(line_.arena_.copy(text));
            }
        };
        std::ranges::for_each(kCalls, take);
        std::ranges::for_each(std::span(kMoreCalls).first(python ? 1 : 2), take);
    }
}

/// `adb [-s DEVICE] shell X`.
void CommandUnwrapper::queue_device_shell() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        if (words_[i].value == "shell") return queue_from(i + 1);
    }
}

/// `env -S 'X Y'` runs X: the text is cut at its blanks.
void CommandUnwrapper::queue_split_string() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        const auto word = words_[i].value;
        if (word == "--split-string" ||
            (word.starts_with('-') && !word.starts_with("--") && word.ends_with('S')))
            return queue_from(i + 1);
    }
}

/// Every `-exec X ;` of a find: X is a command.
void CommandUnwrapper::queue_find_exec() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        const auto word = words_[i].value;
        if (word != "-exec" && word != "-execdir" && word != "-ok" && word != "-okdir") continue;
        std::size_t last = i + 1;
        while (last + 1 < words_.size() && words_[last + 1].value != ";" && words_[last + 1].value != "+")
            ++last;
        const auto begin = words_[i + 1].begin;
        const auto stop = last + 1 < words_.size() ? words_[last + 1].begin : end_;
        queue_beside(text_.substr(begin, stop - begin));
        i = last;
    }
}

}  // namespace fieldwatch::detect
