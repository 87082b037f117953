#include "detect/rules/gate.hpp"

#include <algorithm>
#include <span>

namespace fieldwatch::detect {
namespace {

using Words = std::vector<NeededWord>;

/// Whole names.
Words whole(std::initializer_list<std::string_view> names) {
    Words out;
    for (const auto name : names)
        out.push_back({std::string(name), true, true});
    return out;
}
/// Parts of names.
Words parts(std::initializer_list<std::string_view> texts) {
    Words out;
    for (const auto text : texts)
        out.push_back({std::string(text), false, false});
    return out;
}

/// Where a value's start, end and blanks are those of words in the line. A composed value's are not
/// (`-u0` gives `-u 0`), and hosts are cut out of words at quotes.
bool keeps_words(CommandField field) {
    if (field.is_scalar) return true;
    return field.list != CommandList::Settings && field.list != CommandList::Hosts &&
           field.list != CommandList::ExternalHosts && field.list != CommandList::Urls &&
           field.list != CommandList::Destinations && field.list != CommandList::Images;
}

/// What the command normaliser needs to see before it states a fact (src/detect/command/command.cpp).
std::optional<Words> gates_of_fact(std::string_view fact) {
    if (fact == "downloads" || fact == "runs_download") {
        auto words = whole({"wget", "curl", "fetch", "aria2c", "axel", "ftp", "tftp", "ftpget", "lynx", "scp",
                            "sftp", "wget2", "lftp", "clone", "nc", "ncat", "netcat"});
        const auto more = parts({"lwp-", "http://", "https://", "ftp://"});
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    if (fact == "pipes_to_interpreter") return parts({"|"});
    if (fact == "runs_from_temp" || fact == "runs_local_in_temp") return whole({"tmp", "shm", "user"});
    if (fact == "script_mismatch") {
        return parts({".py",  ".pl",   ".pm",  ".rb",  ".ph",  ".js",   ".mjs", ".cjs", ".lua", ".ps1",
                      ".sh",  ".bash", ".zsh", ".ksh", ".ash", ".dash", ".jp",  ".png", ".gif", ".pdf",
                      ".doc", ".xls",  ".bmp", ".ico", ".mp",  ".svg",  ".txt", ".log"});
    }
    if (fact == "trailing_space") return parts({kTrailingBlankGate});
    if (fact == "decoded") return parts({"base64", "openssl"});
    if (fact == "shell") return parts({"sh"});  // every shell's name has it
    return std::nullopt;
}

std::optional<Words> gates_of_interpreter(std::string_view family) {
    if (family == "python") return parts({"python", "pypy"});
    if (family == "perl" || family == "ruby" || family == "php" || family == "node" || family == "lua")
        return parts({family});
    if (family == "powershell") return whole({"pwsh", "powershell"});
    return std::nullopt;
}

}  // namespace

std::optional<std::vector<NeededWord>> gates_of(const Predicate& predicate, CommandField field) {
    Words all;
    const bool facts = !field.is_scalar && field.list == CommandList::Facts;
    const bool interpreter = field.is_scalar && field.scalar == CommandScalar::Interpreter;
    for (const auto& pattern : predicate.any_of) {
        std::optional<Words> words;
        if (is_reference(pattern.kind))
            return std::nullopt;  // the line does not say what it is compared with
        if (!facts && !interpreter) {
            words = needed_words(pattern);
            if (words->empty()) return std::nullopt;
            for (auto& word : *words) {
                word.begins = word.begins && keeps_words(field);
                word.ends = word.ends && keeps_words(field);
            }
        } else if (pattern.kind == PatternKind::Exact) {
            words = facts ? gates_of_fact(pattern.text) : gates_of_interpreter(pattern.text);
        }
        if (!words) return std::nullopt;
        all.insert(all.end(), words->begin(), words->end());
    }
    std::ranges::sort(all);
    const auto repeated = std::ranges::unique(all);
    all.erase(repeated.begin(), repeated.end());
    return all;
}

}  // namespace fieldwatch::detect
