#include "agent/redaction/redactor.hpp"

#include <algorithm>

#include "agent/embedded.hpp"
#include "agent/inventory/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::string_view kMark = "***";

std::string normalized(std::string_view text) {
    std::string out(text);
    for (auto& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        if (c == '_') c = '-';
    }
    return out;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::ranges::find(list, text) != list.end();
}

std::string_view without_quotes(std::string_view word) {
    while (!word.empty() && (word.front() == '"' || word.front() == '\''))
        word.remove_prefix(1);
    while (!word.empty() && (word.back() == '"' || word.back() == '\''))
        word.remove_suffix(1);
    return word;
}

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

/// Replaces the secret of `scheme://name:secret@host`, wherever it stands in the word.
void redact_user_info(std::string& word) {
    for (auto at = word.find("://"); at != std::string::npos; at = word.find("://", at + 3)) {
        const auto begin = at + 3;
        const auto end = std::min(word.find_first_of("/?#", begin), word.size());
        const auto host = word.rfind('@', end - 1);
        const auto colon = word.find(':', begin);
        if (host == std::string::npos || host < begin || colon == std::string::npos || colon >= host)
            continue;
        word.replace(colon + 1, host - colon - 1, kMark);
    }
}

}  // namespace

const Redactor& Redactor::built_in() {
    static const Redactor redactor(embedded_file("schemas/secrets.txt"));
    return redactor;
}

Redactor::Redactor(std::string_view patterns) {
    each_line(patterns, [this](std::string_view line) {
        line = trimmed(line);
        const auto blank = line.find(' ');
        if (line.empty() || line[0] == '#' || blank == std::string_view::npos) return;
        const auto kind = line.substr(0, blank);
        const auto value = trimmed(line.substr(blank + 1));
        const auto second = value.find(' ');
        if (kind == "name") names_.push_back(normalized(value));
        if (kind == "suffix") suffixes_.push_back(normalized(value));
        if (kind == "header") headers_.push_back(normalized(value));
        if (kind == "scheme") schemes_.push_back(normalized(value));
        if (kind == "prefix") prefixes_.emplace_back(value);
        if (second == std::string_view::npos) return;
        auto pair =
            std::pair(std::string(value.substr(0, second)), std::string(trimmed(value.substr(second))));
        if (kind == "option")
            options_.push_back(std::move(pair));
        else if (kind == "user")
            users_.push_back(std::move(pair));
        else if (kind == "place")
            places_.push_back(std::move(pair));
    });
}

bool Redactor::is_secret_name(std::string_view name) const {
    name = without_quotes(name);
    const auto begin = name.find_first_not_of("-/{[(\"'");  // of an option, of JSON
    if (begin == std::string_view::npos || name.size() > 128) return false;
    const auto plain = normalized(name.substr(begin));
    return contains(names_, plain) ||
           std::ranges::any_of(suffixes_, [&](const auto& one) { return plain.ends_with(one); });
}

std::size_t Redactor::header_end(std::string_view word) const {
    const auto colon = word.find(':');
    if (colon == std::string_view::npos) return colon;
    auto name = word.substr(0, colon);
    name = without_quotes(name.substr(name.rfind('=') + 1));
    if (name.starts_with("-H")) name = without_quotes(name.substr(2));
    return contains(headers_, normalized(name)) ? colon + 1 : std::string_view::npos;
}

bool Redactor::has_token_prefix(std::string_view word) const {
    // Twice the prefix's length at least: the bare prefix is a word about tokens, not a token.
    return std::ranges::any_of(
        prefixes_, [&](const auto& one) { return word.starts_with(one) && word.size() >= one.size() + 8; });
}

bool Redactor::announces_secret(std::string_view argument, std::string_view program,
                                std::string_view subcommand) const {
    if (argument.starts_with('-') && argument.find('=') == std::string_view::npos && is_secret_name(argument))
        return true;
    return std::ranges::any_of(options_, [&](const auto& one) {
        return one.second == argument && (one.first == program || one.first == subcommand);
    });
}

std::string Redactor::redact_arguments(std::string_view arguments) const {
    while (arguments.ends_with('\0'))
        arguments.remove_suffix(1);
    std::string line, program, subcommand;
    std::size_t plain = 0;  // of arguments that are no options
    bool hides = false;
    while (!arguments.empty()) {
        const auto size = std::min(arguments.find('\0'), arguments.size());
        std::string word(arguments.substr(0, size));
        arguments.remove_prefix(std::min(size + 1, arguments.size()));
        const bool option = word.starts_with('-');
        const auto equals = word.find('=');
        if (program.empty()) {
            if (equals == std::string::npos && word != "sudo" && word != "env") program = base_name(word);
        } else {
            if (!option && ++plain == 1) subcommand = program + "/" + word;
            const auto place = std::pair(program, std::to_string(plain));
            const bool secret = !option && (hides || std::ranges::find(places_, place) != places_.end());
            hides = !secret && announces_secret(word, program, subcommand);
            if (secret) word = kMark;
        }
        if (equals < word.find_first_of(" \t\n") && is_secret_name(std::string_view(word).substr(0, equals)))
            word.replace(equals + 1, std::string::npos, kMark);
        line.append(line.empty() ? "" : " ").append(word);
    }
    return redact(line);
}

std::string Redactor::redact(std::string_view line) const {
    enum class Next { Keep, Hide, HideAfterColon, HideAfterScheme };
    std::string out;
    out.reserve(line.size());
    Next next = Next::Keep;
    std::string_view program;
    while (!line.empty()) {
        const auto blanks = std::min(line.find_first_not_of(" \t\n"), line.size());
        out.append(line.substr(0, blanks));
        line.remove_prefix(blanks);
        const auto size = std::min(line.find_first_of(" \t\n"), line.size());
        auto word = line.substr(0, size);
        line.remove_prefix(size);
        if (word.empty()) break;
        const auto bare = without_quotes(word);
        if (program.empty() && bare.find('=') == std::string_view::npos && bare != "sudo" && bare != "env")
            program = base_name(bare);
        if (next == Next::HideAfterScheme && contains(schemes_, normalized(bare))) {
            out.append(word);
            next = Next::Hide;
            continue;
        }
        if (next == Next::HideAfterColon) {
            const auto colon = word.find(':');
            out.append(word.substr(0, colon == std::string_view::npos ? word.size() : colon + 1));
            if (colon != std::string_view::npos) out.append(kMark);
            next = Next::Keep;
            continue;
        }
        if (next != Next::Keep && !(next == Next::Hide && word.starts_with('-'))) {
            out.append(kMark);
            next = Next::Keep;
            continue;
        }
        next = Next::Keep;
        if (has_token_prefix(bare)) {
            out.append(kMark);
            continue;
        }
        // Options of known programs.
        bool done = false;
        for (const auto* list : {&options_, &users_}) {
            const bool user = list == &users_;
            for (const auto& [of, option] : *list) {
                if (done || of != program || !word.starts_with(option)) continue;
                const auto rest = word.substr(option.size());
                if (rest.empty()) {
                    next = user ? Next::HideAfterColon : Next::Hide;
                    out.append(word);
                    done = true;
                } else if (!option.starts_with("--")) {
                    const auto colon = user ? rest.find(':') : std::string_view::npos;
                    if (user && colon == std::string_view::npos) continue;
                    out.append(option)
                        .append(user ? rest.substr(0, colon + 1) : std::string_view())
                        .append(kMark);
                    done = true;
                }
            }
        }
        if (done) continue;
        if (const auto end = header_end(word); end != std::string_view::npos) {
            const auto value = without_quotes(word.substr(end));
            const bool is_scheme = contains(schemes_, normalized(value));
            out.append(word.substr(0, value.empty() || is_scheme ? word.size() : end));
            if (value.empty()) next = Next::HideAfterScheme;
            if (is_scheme) next = Next::Hide;
            if (!value.empty() && !is_scheme) out.append(kMark);
            continue;
        }
        // Key and value inside the word, perhaps several; then the name of a value that follows.
        std::string changed;
        std::string_view rest = word;
        while (!rest.empty()) {
            const auto end = std::min(rest.find_first_of(";&?,"), rest.size());
            const auto piece = rest.substr(0, end);
            const auto equals = piece.find_first_of("=:");
            if (equals != std::string_view::npos && equals + 1 < piece.size() &&
                is_secret_name(piece.substr(0, equals)) && !piece.substr(equals).starts_with("://")) {
                changed.append(piece.substr(0, equals + 1)).append(kMark);
                if (piece.back() == '"' || piece.back() == '\'') changed += piece.back();
            } else {
                changed.append(piece);
            }
            if (end < rest.size()) changed += rest[end];
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        redact_user_info(changed);
        if (word.starts_with('-') && word.find('=') == std::string_view::npos && is_secret_name(word))
            next = Next::Hide;
        if (word.ends_with(':') && is_secret_name(word.substr(0, word.size() - 1))) next = Next::Hide;
        out.append(changed);
    }
    return out;
}

}  // namespace fieldwatch::agent
