// The multi-valued properties of a segment, made only when a rule asks for them.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "detect/command/command.hpp"
#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

using Values = std::vector<std::string_view>;

/// "-a" for any ASCII letter, without allocating.
std::string_view short_option(char letter) {
    static constexpr auto kTable = [] {
        std::array<std::array<char, 2>, 128> table{};
        for (std::size_t i = 0; i < table.size(); ++i)
            table[i] = {'-', static_cast<char>(i)};
        return table;
    }();
    const auto index = static_cast<unsigned char>(letter);
    return {kTable[index < 128 ? index : 0].data(), 2};
}

void list_options(std::span<const std::string_view> words, Values& out) {
    for (const auto word : words) {
        if (word == "--") return;
        if (!is_option(word)) continue;
        if (word.starts_with("--")) {
            out.push_back(word.substr(0, word.find('=')));
            continue;
        }
        if (word.size() > 2) out.push_back(word);  // single-dash long options: -exec, -rsocket
        for (const char letter : word.substr(1)) {
            if (letter == '=' || letter == '/') break;
            out.push_back(short_option(letter));
        }
    }
}

/// Options of curl and wget whose values are told to the host or to the tool: what stands there is asked
/// nobody. A `Host:` header is: it says who is meant.
bool is_request_text(std::string_view command, std::span<const std::string_view> words, std::size_t at) {
    const bool curl = command == "curl";
    if ((!curl && command != "wget") || at == 0) return false;
    static constexpr std::array<std::string_view, 18> kLong{
        "--header",      "--user-agent", "--referer",   "--output",          "--data",
        "--data-raw",    "--data-ascii", "--form",      "--data-urlencode",  "--data-binary",
        "--form-string", "--cookie",     "--post-data", "--output-document", "--directory-prefix",
        "--json",        "--write-out",  "--body-data"};
    const std::string_view letters = curl ? "AHeodbcFw" : "OoaPUA";
    const auto word = words[at];
    if (word.starts_with("Host:") || word.starts_with("host:")) return false;
    const auto before = words[at - 1];
    if (std::ranges::find(kLong, before) != kLong.end()) return true;
    if (before.size() > 1 && before[0] == '-' && before[1] != '-' &&
        before.find_first_of(letters, 1) == before.size() - 1)
        return true;
    return word.starts_with("--") && std::ranges::find(kLong, word.substr(0, word.find('='))) != kLong.end();
}

struct FactName {
    Fact fact;
    std::string_view name;
};
constexpr FactName kFactNames[] = {
    {Fact::Shell, "shell"},
    {Fact::Interpreter, "interpreter"},
    {Fact::Downloads, "downloads"},
    {Fact::PipesToInterpreter, "pipes_to_interpreter"},
    {Fact::RunsDownload, "runs_download"},
    {Fact::RunsFromTemp, "runs_from_temp"},
    {Fact::ScriptMismatch, "script_mismatch"},
    {Fact::TrailingSpace, "trailing_space"},
    {Fact::Decoded, "decoded"},
    {Fact::Unwrapped, "unwrapped"},
    {Fact::ReadsCode, "reads_code"},
    {Fact::RunsCode, "runs_code"},
    {Fact::RunsLocalInTemp, "runs_local_in_temp"},
};

/// Commands whose plain operands may be host names. Elsewhere `a.sh` is a file.
bool takes_hosts(std::string_view name) {
    static constexpr std::array<std::string_view, 36> kNames{
        "ssh",      "scp",    "sftp",      "rsync",    "nc",          "ncat",     "netcat",   "telnet",
        "lftp",     "curl",   "wget",      "ftp",      "tftp",        "ping",     "ftpget",   "socat",
        "nmap",     "lynx",   "redir",     "rinetd",   "simpleproxy", "ncftpput", "iptables", "dig",
        "netsh",    "ftpput", "fetch",     "plink",    "autossh",     "dbclient", "wget2",    "aria2c",
        "ncftpget", "axel",   "netsh.exe", "ip6tables"};
    return std::ranges::find(kNames, name) != kNames.end();
}

bool looks_like_name(std::string_view token) {
    const auto dot = token.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || token.size() - dot < 3 || token.size() > 253)
        return false;
    // `curl -T a.txt`: an extension of files is no top-level domain worth believing without a scheme in
    // front.
    static constexpr std::array<std::string_view, 22> kExtensions{
        "txt", "gz", "tgz", "zip", "tar", "log", "conf", "json", "xml", "html", "csv",
        "sql", "bz", "xz",  "bin", "dat", "key", "pem",  "cfg",  "img", "yml",  "jpg"};
    if (std::ranges::find(kExtensions, token.substr(dot + 1)) != kExtensions.end()) return false;
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (!std::ranges::all_of(token.substr(dot + 1), letter)) return false;
    return std::ranges::all_of(token, [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    });
}

/// An IPv4 address as a program reads it, in its usual form. Where a number need not be a host, only what
/// nobody writes by chance counts: hexadecimal, four parts with an octal among them, a large number in front
/// of a path.
std::optional<std::string> typed_address(std::string_view token, bool is_host, char stop) {
    if (token.empty() || token.front() < '0' || token.front() > '9') return std::nullopt;
    const bool hexadecimal = token.starts_with("0x") && token.size() >= 9;
    const bool four_parts = std::ranges::count(token, '.') == 3;
    const bool large = stop == '/' && token.size() >= 8 && token.front() != '0';
    if (!is_host && !hexadecimal && !four_parts && !large) return std::nullopt;
    const auto address = parse_typed_address(token);
    return address ? std::optional(address->text()) : std::nullopt;
}

/// What a word of a command may be when nothing marks it as a host.
struct PlainWords {
    bool names = false;    ///< the name of one
    bool numbers = false;  ///< an address written as a number
};

/// Walks the parts of one word and reports hosts: literal addresses anywhere; names behind `://`, `@`,
/// `/dev/tcp/`, and where the command takes hosts.
void hosts_of(std::string_view word, PlainWords plain, TextArena& arena, Values& out) {
    // What a URL asks its host for names no host of the command.
    if (const auto scheme = word.find("://"); scheme != std::string_view::npos)
        word = word.substr(0, word.find_first_of("?#", scheme));
    bool after_mark = false;  // the next part is certainly a host
    bool in_path = false;
    bool is_file = false;  // the next part is the name of one
    std::size_t at = 0;
    while (at < word.size()) {
        if (word[at] == '[') {
            const auto close = word.find(']', at);
            if (close == std::string_view::npos) return;
            const auto inside = word.substr(at + 1, close - at - 1);
            if (parse_address(inside)) out.push_back(inside);
            at = close + 1;
            continue;
        }
        const auto end = std::min(word.find_first_of("/:@,=()[]\"' ;|&<>", at), word.size());
        const auto token = word.substr(at, end - at);
        const char stop = end < word.size() ? word[end] : '\0';
        const bool user_part = stop == '@';
        if (!token.empty() && !user_part) {
            const auto dash = token.find('-');
            if (parse_address(token)) {
                out.push_back(token);
            } else if (dash != std::string_view::npos && parse_address(token.substr(0, dash)) &&
                       parse_address(token.substr(dash + 1))) {  // a range
                out.push_back(token.substr(0, dash));
                out.push_back(token.substr(dash + 1));
            } else if (const auto typed = after_mark || (plain.numbers && !in_path && !is_file)
                                              ? typed_address(token, after_mark, stop)
                                              : std::nullopt) {
                out.push_back(arena.copy(*typed));
            } else if (after_mark ? !token.empty()
                                  : (plain.names && !in_path && !is_file && looks_like_name(token))) {
                out.push_back(token);
            }
            after_mark = false;
        }
        is_file = stop == '@' && token.empty();  // `-F x=@file`
        if (stop == '@') after_mark = !in_path && !token.empty();
        if (stop == '/') in_path = true;
        if (stop == ':' || stop == '=' || stop == ',') in_path = false;
        at = end + 1;
        if (stop == ':' && word.substr(end).starts_with("://")) {
            after_mark = true;
            in_path = false;
            at = end + 3;
            const auto authority = word.substr(at, word.find_first_of("/?#", at) - at);
            if (const auto user = authority.rfind('@'); user != std::string_view::npos) at += user + 1;
        } else if (word.substr(end).starts_with("/tcp/") || word.substr(end).starts_with("/udp/")) {
            after_mark = word.substr(0, end).ends_with("/dev") || word.substr(0, end).ends_with("/inet");
            at = end + 5;
        }
    }
}

}  // namespace

std::span<const std::string_view> fact_names() {
    static const auto kNames = [] {
        std::array<std::string_view, std::size(kFactNames)> names;
        std::ranges::transform(kFactNames, names.begin(), &FactName::name);
        return names;
    }();
    return kNames;
}

std::string_view CommandLine::text(const Segment& segment) {
    const auto words = argv(segment);
    if (words.empty()) return segment.raw;
    if (words.size() == 1) return words[0];
    std::string out;
    for (const auto word : words) {
        if (!out.empty()) out.push_back(' ');
        out.append(word);
    }
    return arena_.copy(out);
}

void CommandLine::settings(const Segment& segment, Values& out) {
    const auto words = argv(segment);
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto word = words[i];
        if (!is_option(word)) continue;
        const auto equals = word.find('=');
        if (word.starts_with("--") && equals != std::string_view::npos) {
            out.push_back(joined(word.substr(0, equals), word.substr(equals + 1)));
            continue;
        }
        const bool has_next = i + 1 < words.size() && (!is_option(words[i + 1]));
        if (has_next) out.push_back(joined(word, words[i + 1]));
        if (word.starts_with("--") || word.size() <= 2) continue;
        out.push_back(joined(short_option(word[1]), word.substr(2)));
        if (has_next) out.push_back(joined(short_option(word.back()), words[i + 1]));
    }
}

void CommandLine::paths(const Segment& segment, bool basenames, Values& out) {
    for (auto word : argv(segment).subspan(std::min<std::size_t>(1, segment.argv_count))) {
        if (is_option(word)) {
            const auto equals = word.find('=');
            if (equals != std::string_view::npos) {
                word = word.substr(equals + 1);
            } else if (word.size() > 3 && (word[2] == '/' || word[2] == '~')) {
                word = word.substr(2);
            } else {
                continue;
            }
        } else if (const auto equals = word.find('='); equals < 8) {
            word = word.substr(equals + 1);  // dd's of=, if=
        }
        if (word.starts_with('@')) word = word.substr(1);  // curl's @file, and -F x=@file
        if (word.empty()) continue;
        for_each_choice(word, [&](std::string_view one) {
            out.push_back(basenames ? basename_of(one) : normalise(one, segment.directory));
        });
    }
}

void CommandLine::hosts(const Segment& segment, bool external_only, Values& out) {
    const auto first = out.size();
    const PlainWords plain{.names = takes_hosts(segment.name), .numbers = is_downloader(segment.name)};
    const auto words = argv(segment);
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!is_request_text(segment.name, words, i))
            hosts_of(words[i], i > 0 ? plain : PlainWords{}, arena_, out);
    }
    for (const auto& redirect : redirects(segment))
        hosts_of(redirect.target, {}, arena_, out);
    if (!external_only) return;
    const auto outside = [&](std::string_view host) { return is_external(host, settings_.addresses); };
    out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                             [&](std::string_view host) { return !outside(host); }),
              out.end());
}

/// Those of the command itself, and nohup of the shell that runs it: what a shell starts ignores hang-ups
/// too.
void CommandLine::outer_wrappers(const Segment& segment, Values& out) {
    const auto own = wrappers(segment);
    out.insert(out.end(), own.begin(), own.end());
    for (const auto* inner = &segment; inner->origin == Origin::Shell && inner->parent >= 0;) {
        inner = &segments_[static_cast<std::size_t>(inner->parent)];
        if (is_remote_shell(inner->name)) return;
        if (std::ranges::find(wrappers(*inner), std::string_view("nohup")) != wrappers(*inner).end())
            out.push_back("nohup");
    }
}

void CommandLine::list(const Segment& s, CommandList which, Values& out) {
    const auto words = argv(s);
    const auto arguments = words.subspan(std::min<std::size_t>(1, words.size()));
    switch (which) {
        case CommandList::Args:
            out.insert(out.end(), arguments.begin(), arguments.end());
            break;
        case CommandList::Operands:
            std::ranges::copy_if(arguments, std::back_inserter(out),
                                 [](auto word) { return !is_option(word); });
            break;
        case CommandList::Options:
            list_options(arguments, out);
            break;
        case CommandList::Settings:
            settings(s, out);
            break;
        case CommandList::Paths:
            paths(s, false, out);
            break;
        case CommandList::Basenames:
            paths(s, true, out);
            break;
        case CommandList::Writes:
        case CommandList::Reads:
            redirected(s, which == CommandList::Writes, out);
            break;
        case CommandList::Destinations:
            destinations(s, out);
            break;
        case CommandList::Homes:
            homes(s, out);
            break;
        case CommandList::Hosts:
            hosts(s, false, out);
            break;
        case CommandList::ExternalHosts:
            hosts(s, true, out);
            break;
        case CommandList::Urls:
            for (std::size_t i = 0; i < words.size(); ++i) {
                if (words[i].find("://") != std::string_view::npos && !is_request_text(s.name, words, i))
                    out.push_back(words[i]);
            }
            break;
        case CommandList::Images:
            images(s, out);
            break;
        case CommandList::PipesTo:
        case CommandList::PipesFrom: {
            const auto self = static_cast<std::size_t>(&s - segments_.data());
            for (std::size_t i = 0; i < segments_.size(); ++i) {
                const bool wanted = which == CommandList::PipesTo ? i > self : i < self;
                if (wanted && segments_[i].pipeline == s.pipeline) out.push_back(segments_[i].name);
            }
            break;
        }
        case CommandList::Facts:
            for (const auto& entry : kFactNames) {
                if (s.has(entry.fact)) out.push_back(entry.name);
            }
            break;
        case CommandList::Wrappers:
            outer_wrappers(s, out);
            break;
        case CommandList::Assignments: {
            const auto assigned = assignments(s);
            out.insert(out.end(), assigned.begin(), assigned.end());
            break;
        }
    }
}

}  // namespace fieldwatch::detect
