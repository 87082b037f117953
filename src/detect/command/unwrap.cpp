// Seeing through wrappers: sudo, env, nohup, busybox and their like are stripped, `sh -c X` gives X.
#include <algorithm>
#include <array>

#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

struct Wrapper {
    std::string_view name;
    std::string_view short_with_value;  ///< option letters that take the next word
    std::size_t positional = 0;         ///< words of its own before the command (timeout's duration)
};

constexpr std::array kWrappers{
    Wrapper{"sudo", "ugpCDhRUTrt"}, Wrapper{"doas", "uC"},        Wrapper{"env", "uCS"},
    Wrapper{"nice", "n"},           Wrapper{"ionice", "cnp"},     Wrapper{"time", "of"},
    Wrapper{"timeout", "ks", 1},    Wrapper{"setsid", ""},        Wrapper{"stdbuf", "ioe"},
    Wrapper{"exec", "a"},           Wrapper{"command", ""},       Wrapper{"builtin", ""},
    Wrapper{"busybox", ""},         Wrapper{"toybox", ""},        Wrapper{"nohup", ""},
    Wrapper{"chroot", "", 1},       Wrapper{"xargs", "nIPLdsEa"}, Wrapper{"taskset", "", 1},
    Wrapper{"chrt", "", 1},         Wrapper{"unbuffer", ""},      Wrapper{"linux32", ""},
    Wrapper{"linux64", ""},
};

constexpr std::array<std::string_view, 14> kLongWithValue{
    "--user",  "--group",  "--prompt",    "--chdir",    "--unset",  "--adjustment", "--signal",
    "--class", "--output", "--classdata", "--max-args", "--format", "--kill-after", "--host"};

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
    queue_shell_text();
}

bool CommandUnwrapper::strip_keywords() {
    if (words_.size() < 2 || words_.front().quoted) return false;
    if (std::ranges::find(kKeywords, words_.front().value) == kKeywords.end()) return false;
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
    const auto* const wrapper = std::ranges::find(kWrappers, name, &Wrapper::name);
    if (wrapper == kWrappers.end()) return false;
    std::size_t next = 1;
    for (; next < words_.size(); ++next) {
        const auto word = words_[next].value;
        if (word == "--") {
            ++next;
            break;
        }
        if (!word.starts_with('-') || word.size() < 2) break;
        // `command -v x` and `busybox --list` run nothing else.
        if (name == "command" && word.find_first_of("vV") != std::string_view::npos) return false;
        if (word.starts_with("--")) {
            if (std::ranges::find(kLongWithValue, word) != kLongWithValue.end()) ++next;
        } else if (wrapper->short_with_value.find(word.back()) != std::string_view::npos) {
            ++next;
        }
    }
    if (wrapper->name == "sudo" || wrapper->name == "env" || wrapper->name == "doas") {
        while (next < words_.size() && assignment_name(words_[next].value) > 0)
            line_.assignments_.push_back(words_[next++].value);
    }
    next += wrapper->positional;
    if (next >= words_.size()) return false;  // nothing left to run: the wrapper itself is the command
    line_.wrappers_.push_back(wrapper->name);
    words_ = words_.subspan(next);
    return true;
}

/// The text from a word to the end of the segment: quoted, it is that word; else the blanks' loss is mended.
void CommandUnwrapper::queue_from(std::size_t word) {
    if (word >= words_.size()) return;
    const auto text = words_[word].quoted || word + 1 == words_.size()
                          ? words_[word].value
                          : text_.substr(words_[word].begin, end_ - words_[word].begin);
    segment_.facts |= static_cast<std::uint16_t>(Fact::Unwrapped);
    line_.enqueue(text, static_cast<std::int32_t>(line_.segments_.size()), Origin::Shell,
                  static_cast<std::uint8_t>(segment_.depth + 1));
}

/// `eval` joins its words and reads the result: what variables stood for is in the words only.
void CommandUnwrapper::queue_joined() {
    std::string text;
    for (const auto& word : words_.subspan(std::min<std::size_t>(1, words_.size())))
        text.append(text.empty() ? "" : " ").append(word.value);
    if (text.empty()) return;
    segment_.facts |= static_cast<std::uint16_t>(Fact::Unwrapped);
    line_.enqueue(line_.arena_.copy(text), static_cast<std::int32_t>(line_.segments_.size()), Origin::Shell,
                  static_cast<std::uint8_t>(segment_.depth + 1));
}

void CommandUnwrapper::queue_shell_text() {
    if (segment_.name == "eval") return queue_joined();
    if (segment_.name == "find") return queue_find_exec();
    if (segment_.name == "adb") return queue_device_shell();
    const bool carries = is_shell(segment_.name) || segment_.name == "su" || segment_.name == "runuser";
    if (!carries) return queue_carried_shell();
    for (std::size_t i = 1; i < words_.size(); ++i) {
        const auto word = words_[i].value;
        const bool cluster = word.size() > 1 && word[0] == '-' && word[1] != '-';
        if (word == "--command" || (cluster && word.find('c') != std::string_view::npos))
            return queue_from(i + 1);
        if (!word.starts_with('-') && is_shell(segment_.name)) return;  // a script: no -c follows
    }
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

/// `adb [-s DEVICE] shell X`.
void CommandUnwrapper::queue_device_shell() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        if (words_[i].value == "shell") return queue_from(i + 1);
    }
}

void CommandUnwrapper::queue_find_exec() {
    for (std::size_t i = 1; i + 1 < words_.size(); ++i) {
        const auto word = words_[i].value;
        if (word != "-exec" && word != "-execdir" && word != "-ok") continue;
        std::size_t last = i + 1;
        while (last + 1 < words_.size() && words_[last + 1].value != ";" && words_[last + 1].value != "+")
            ++last;
        const auto begin = words_[i + 1].begin;
        const auto stop = last + 1 < words_.size() ? words_[last + 1].begin : end_;
        line_.enqueue(text_.substr(begin, stop - begin), static_cast<std::int32_t>(line_.segments_.size()),
                      Origin::Shell, static_cast<std::uint8_t>(segment_.depth + 1));
        return;
    }
}

}  // namespace fieldwatch::detect
