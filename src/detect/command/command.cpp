#include "detect/command/command.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "detect/command/escape.hpp"
#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

bool unpacks(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kNames{"tar",    "unzip", "gunzip", "gzip", "bunzip2",
                                                            "bsdtar", "xz",    "7z",     "cpio"};
    return std::ranges::find(kNames, name) != kNames.end();
}

/// What printf and `echo -e` print of `\x41`, `\101`, `\n` and their like.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '\\') {
            i += append_escape(text, i, Escapes::Printed, out);
        } else {
            out.push_back(text[i++]);
        }
    }
    return out;
}

/// Bytes of hexadecimal text with any blanks between; empty when it holds anything else.
std::string of_hexadecimal(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (hex_digit(c) >= 0) {
            digits.push_back(c);
        } else if (c != ' ' && c != '\n') {
            return {};
        }
    }
    std::string out;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        out.push_back(static_cast<char>(hex_digit(digits[i]) * 16 + hex_digit(digits[i + 1])));
    return out;
}

/// The first step of building a program from its source.
bool prepares_build(std::string_view name) {
    static constexpr std::array<std::string_view, 8> kNames{"configure",    "autogen.sh", "bootstrap",
                                                            "bootstrap.sh", "config",     "buildconf",
                                                            "gradlew",      "Configure"};
    return std::ranges::find(kNames, name) != kNames.end();
}

/// at and batch run what comes down the pipe, later, in a shell.
bool runs_later(const Segment& segment, std::span<const Redirect> redirects) {
    return (segment.name == "at" || segment.name == "batch") && segment.before == Operator::Pipe &&
           std::ranges::none_of(redirects, [](const auto& one) { return one.operation.starts_with('<'); });
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> needles) {
    return std::ranges::any_of(needles,
                               [&](auto needle) { return text.find(needle) != std::string_view::npos; });
}

bool ends_in_blank(std::string_view word) {
    return word.ends_with(' ') || word.ends_with('\t') || word.ends_with("\xc2\xa0");
}

/// RFC 4648 base64 as loaders write it: blanks inside, padding often lost. Empty when it is not base64.
std::string decode_loosely(std::string_view text) {
    std::string packed;
    for (const char c : text) {
        if (c != '\n' && c != '\r' && c != ' ' && c != '=') packed.push_back(c);
    }
    if (packed.size() < 4 || packed.size() > CommandLine::kBytesMax / 3 * 4) return {};
    packed.append((4 - packed.size() % 4) % 4, '=');
    const auto bytes = from_base64(packed);
    if (!bytes) return {};
    const auto decoded = as_text(*bytes);
    // A script is text; anything else is not worth reading as a command.
    const auto control = std::ranges::count_if(decoded, [](char c) {
        return static_cast<unsigned char>(c) < 9 || static_cast<unsigned char>(c) == 127;
    });
    return control > 0 ? std::string{} : std::string(decoded);
}

}  // namespace

void CommandLine::expect(std::string_view line, std::string_view working_directory) {
    raw_ = trimmed(line);
    working_directory_ = working_directory;
    expected_ = true;
}

void CommandLine::parse(std::string_view line, std::string_view working_directory) {
    expected_ = false;
    segments_.clear();
    words_.clear();
    wrappers_.clear();
    assignments_.clear();
    redirects_.clear();
    pending_.clear();
    fetched_.clear();
    unpacked_ = false;
    arena_.clear();
    pipelines_ = 0;
    truncated_ = false;
    raw_ = trimmed(line);
    working_directory_ = working_directory;
    auto text = raw_;
    if (text.size() > kBytesMax) {
        text = text.substr(0, kBytesMax);
        truncated_ = true;
    }
    enqueue(text, -1, Origin::Line, 0);
    for (std::size_t next = 0; next < pending_.size(); ++next) {
        const auto pending = pending_[next];  // a copy: lexing queues more
        const auto first = segments_.size();
        const bool joined = pending.origin == Origin::Line || pending.origin == Origin::Shell;
        CommandLexer(*this, joined ? mended(pending.text) : pending.text, pending.parent, pending.origin,
                     pending.depth)
            .run();
        place(first, pending.parent);
        for (auto i = first; i < segments_.size(); ++i)
            describe(segments_[i]);
        decode_pipelines(first);
    }
    // One word that is a path, with blanks behind it: argv[0] of an execve whose quotes the agent's joining
    // lost.
    if (segments_.size() == 1 && segments_[0].argv_count == 1 && ends_in_blank(raw_) &&
        raw_.find('/') != std::string_view::npos) {
        segments_[0].add(Fact::TrailingSpace);
    }
    relate_pipelines();
    relate_downloads();
}

void CommandLine::enqueue(std::string_view text, std::int32_t parent, Origin origin, std::uint8_t depth) {
    if (text.empty()) return;
    if (depth > kDepthMax || pending_.size() >= kSegmentsMax || arena_.used() > kArenaBytesMax) {
        truncated_ = true;
        return;
    }
    pending_.push_back({text, parent, origin, depth});
}

std::string_view CommandLine::joined(std::string_view left, std::string_view right) {
    buffer_.assign(left);
    buffer_.push_back(' ');
    buffer_.append(right);
    return arena_.copy(buffer_);
}

void CommandLine::describe(Segment& segment) {
    if (segment.origin == Origin::Decoded) segment.add(Fact::Decoded);
    if (segment.argv_count == 0) return;
    const auto words = argv(segment);
    segment.path =
        words[0].find('/') == std::string_view::npos ? words[0] : normalise(words[0], working_directory_);
    if (ends_in_blank(words[0]) && words[0].size() > 1) segment.add(Fact::TrailingSpace);
    describe_interpreter(segment);
    const auto& name = segment.name;
    const bool shares = name == "git" && words.size() > 2 && words[1] == "clone";
    const bool netcat = (name == "nc" || name == "ncat" || name == "netcat") && segment.redirects_count > 0;
    bool code = false;
    if (segment.has(Fact::RunsCode)) {
        const auto any = [&](std::initializer_list<std::string_view> needles) {
            return std::ranges::any_of(words.subspan(1),
                                       [&](auto word) { return contains_any(word, needles); });
        };
        code = any({"http://", "https://", "ftp://"}) &&
               any({"urllib", "urlopen", "requests.get", "LWP", "file_get_contents", "open-uri",
                    "urlretrieve", "HTTP::Tiny"});
        if (code &&
            any({"exec(", "eval(", "eval get", "system", "subprocess", "popen", "include", "instance_eval"}))
            segment.add(Fact::RunsDownload);
    }
    if ((is_downloader(name) && words.size() > 1) || shares || netcat || code) segment.add(Fact::Downloads);
    if (in_temporary_directory(segment.path) || in_temporary_directory(segment.script)) {
        segment.add(Fact::RunsFromTemp);
    }
    const auto local = [&](std::string_view path) {
        return !path.empty() && path.front() != '/' &&
               in_temporary_directory(normalise(path, segment.directory));
    };
    if (segment.directory.empty()) return;
    if (local(segment.script) || (words[0].find('/') != std::string_view::npos && local(segment.path)))
        segment.add(Fact::RunsLocalInTemp);
}

/// `echo BASE64 | base64 -d | sh` and its kin: the decoded text is a command line of its own.
void CommandLine::decode_pipelines(std::size_t first) {
    for (std::size_t i = first; i < segments_.size(); ++i) {
        enqueue_piped_text(i);
        const auto& decoder = segments_[i];
        const auto words = argv(decoder);
        const auto has = [&](std::string_view word) { return std::ranges::find(words, word) != words.end(); };
        const bool base64_tool =
            decoder.name == "base64" && (has("-d") || has("--decode") || has("-D") || has("-di"));
        const bool openssl =
            decoder.name == "openssl" && has("-d") && (has("base64") || has("-base64") || has("-a"));
        const bool hexadecimal = decoder.name == "xxd" && (has("-r") || has("-rp") || has("-pr"));
        if (!base64_tool && !openssl && !hexadecimal) continue;

        std::string_view encoded;
        for (const auto& redirect : redirects(decoder)) {
            if (redirect.operation == "<<<") encoded = redirect.target;
        }
        if (encoded.empty() && decoder.before == Operator::Pipe && i > first) {
            const auto source = argv(segments_[i - 1]);
            const auto& name = segments_[i - 1].name;
            if ((name == "echo" || name == "printf") && source.size() > 1) {
                encoded = source.back();
                if (hexadecimal) {  // its bytes may be words of their own
                    std::string bytes;
                    for (const auto word : source.subspan(1))
                        if (!is_option(word)) bytes.append(word);
                    encoded = arena_.copy(bytes);
                }
            }
        }
        if (encoded.empty()) continue;

        bool executed = false;
        for (std::size_t j = i + 1; j < segments_.size() && segments_[j].pipeline == decoder.pipeline; ++j) {
            executed = executed || segments_[j].has(Fact::ReadsCode);
        }
        if (decoder.origin == Origin::Substitution && decoder.parent >= 0) {
            const auto& parent = segments_[static_cast<std::size_t>(decoder.parent)];
            executed = executed || parent.has(Fact::RunsCode) || parent.name == "eval";
        }
        if (!executed) continue;
        const auto depth = static_cast<std::uint8_t>(decoder.depth + 1);
        const auto decoded = hexadecimal ? of_hexadecimal(encoded) : decode_loosely(encoded);
        enqueue(arena_.copy(decoded), static_cast<std::int32_t>(i), Origin::Decoded, depth);
    }
}

/// `echo TEXT | sh` and `sh <<< TEXT`: the text is what runs. Escapes in it hide something: that counts as
/// decoded.
void CommandLine::enqueue_piped_text(std::size_t index) {
    const auto& shell = segments_[index];
    if (!runs_later(shell, redirects(shell)) &&
        (shell.interpreter != Interpreter::Shell || !shell.has(Fact::ReadsCode)))
        return;
    std::string text;
    bool hidden = false;
    for (const auto& redirect : redirects(shell)) {
        if (redirect.operation == "<<<") text = redirect.target;
    }
    if (text.empty() && shell.before == Operator::Pipe && index > 0) {
        const auto& source = segments_[index - 1];
        const auto words = argv(source);
        if ((source.name != "echo" && source.name != "printf") || words.size() < 2) return;
        bool escapes = source.name == "printf";
        for (const auto word : words.subspan(1)) {
            if (word.size() > 1 && word.front() == '-' &&
                word.find_first_not_of("neE", 1) == std::string_view::npos) {
                escapes = escapes || word.find('e') != std::string_view::npos;
                continue;
            }
            text.append(text.empty() ? "" : " ").append(word);
        }
        hidden = escapes && text.find("\\x") != std::string::npos;
        if (escapes) text = unescaped(text);
    }
    enqueue(arena_.copy(text), static_cast<std::int32_t>(index), hidden ? Origin::Decoded : Origin::Shell,
            static_cast<std::uint8_t>(shell.depth + 1));
}

namespace {

/// `$(which curl)` stands for curl, wherever that is; any other value for itself.
std::string_view looked_up(std::string_view value) {
    static constexpr std::array<std::string_view, 4> kLookups{"which ", "command -v ", "type -p ",
                                                              "type -P "};
    auto inner = value;
    if (inner.starts_with("$(") && inner.ends_with(')')) {
        inner = inner.substr(2, inner.size() - 3);
    } else if (inner.size() > 2 && inner.starts_with('`') && inner.ends_with('`')) {
        inner = inner.substr(1, inner.size() - 2);
    } else {
        return value;
    }
    for (const auto lookup : kLookups) {
        if (!inner.starts_with(lookup)) continue;
        const auto name = inner.substr(lookup.size());
        const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                   c == '_' || c == '-' || c == '+' || c == '/';
        });
        return plain ? name : value;
    }
    return value;
}

}  // namespace

std::optional<std::string_view> CommandLine::value_of(std::string_view variable) const {
    for (auto at = assignments_.rbegin(); at != assignments_.rend(); ++at) {
        if (at->size() <= variable.size() || !at->starts_with(variable) || (*at)[variable.size()] != '=')
            continue;
        const auto value = at->substr(variable.size() + 1);
        return value.size() <= kValueBytesMax ? std::optional(looked_up(value)) : std::nullopt;
    }
    // Nobody set it: what a login sets is a shell, whichever it is.
    if (variable == "SHELL" || variable == "BASH") return "/bin/sh";
    return std::nullopt;
}

/// `export NAME=value` sets what later words of the line may say.
void CommandLine::note_exports(const Segment& segment) {
    static constexpr std::array<std::string_view, 5> kNames{"export", "declare", "local", "readonly",
                                                            "typeset"};
    if (std::ranges::find(kNames, segment.name) == kNames.end()) return;
    for (const auto word : argv(segment).subspan(1)) {
        if (word.find('=') != std::string_view::npos && assignments_.size() < kWordsMax)
            assignments_.push_back(word);
    }
}

void CommandLine::relate_pipelines() {
    for (std::size_t i = segments_.size(); i-- > 1;) {
        const auto& later = segments_[i];
        const bool code = later.has(Fact::ReadsCode) || later.has(Fact::PipesToInterpreter) ||
                          runs_later(later, redirects(later));
        if (!code) continue;
        if (later.pipeline == segments_[i - 1].pipeline) {
            segments_[i - 1].add(Fact::PipesToInterpreter);
        } else if (later.before == Operator::Pipe) {  // what a group prints, all of it
            for (std::size_t j = i; j-- > 0 && segments_[j].parent == later.parent;) {
                segments_[j].add(Fact::PipesToInterpreter);
                if (segments_[j].before == Operator::Group || segments_[j].before == Operator::None) break;
            }
        }
    }
}

bool CommandLine::fetched(std::string_view path) const {
    if (path.empty() || fetched_.empty()) return false;
    const auto base = basename_of(path);
    // `sh *` or `./*` after a download runs it too.
    if (base.find('*') != std::string_view::npos) return true;
    return std::ranges::find(fetched_, base) != fetched_.end();
}

/// Remembers what a downloader writes, and copies of it: by base name, for the directory is often uncertain
/// (`cd /tmp || cd /run`).
void CommandLine::note_outputs(const Segment& segment) {
    const auto words = argv(segment);
    if (segment.name == "mv" || segment.name == "cp" || segment.name == "ln") {
        if (words.size() > 2 && fetched(words[words.size() - 2]))
            fetched_.push_back(basename_of(words.back()));
        return;
    }
    if (segment.name == "cat" && words.size() > 1 && fetched(words[1])) {  // `cat bot > .x`: a copy too
        for (const auto& redirect : redirects(segment)) {
            if (redirect.operation.front() == '>') fetched_.push_back(basename_of(redirect.target));
        }
        return;
    }
    const auto sends = [&](const Segment& other) {
        return other.pipeline == segment.pipeline && other.has(Fact::Downloads);
    };
    if (unpacks(segment.name) && (std::ranges::any_of(words.subspan(std::min<std::size_t>(1, words.size())),
                                                      [&](auto word) { return fetched(word); }) ||
                                  std::ranges::any_of(segments_, sends))) {
        unpacked_ = true;
        for (std::size_t i = 1; i + 1 < words.size(); ++i) {
            const bool into = words[i] == "-C" || words[i] == "-d" || words[i] == "--directory";
            const auto directory = normalise(words[i + 1], segment.directory);
            if (!into || !in_temporary_directory(directory)) continue;
            buffer_.assign(directory).push_back('/');  // what ends in a slash is no base name
            fetched_.push_back(arena_.copy(buffer_));
        }
        return;
    }
    if (!segment.has(Fact::Downloads)) return;
    for (auto word : words.subspan(1)) {
        if (is_option(word)) {
            const auto equals = word.find('=');
            if (equals != std::string_view::npos) {
                word = word.substr(equals + 1);
            } else if (word.size() > 2 && (word[1] == 'o' || word[1] == 'O')) {
                word = word.substr(2);
            } else {
                continue;
            }
        }
        word = word.substr(0, word.find_first_of("?#"));
        const auto base = basename_of(word);
        if (base.size() > 1 || (base.size() == 1 && base != "-" && base != "/" && base != "."))
            fetched_.push_back(base);
    }
    for (const auto& redirect : redirects(segment)) {
        if (redirect.operation.front() == '>' && redirect.target != "/dev/null")
            fetched_.push_back(basename_of(redirect.target));
    }
}

void CommandLine::relate_downloads() {
    const bool any = std::ranges::any_of(segments_, [](const auto& s) { return s.has(Fact::Downloads); });
    if (!any) return;
    for (auto& segment : segments_) {
        const auto words = argv(segment);
        const bool names_file = segment.argv_count > 0 && !segment.has(Fact::Downloads);
        // A bare name runs from PATH, not from where a download lands, unless PATH was bent: a slash must be
        // there, or a name that only the shell knows (`f=$(mktemp); curl … > $f; $f`).
        const bool placed =
            names_file && (words[0].find('/') != std::string_view::npos || words[0].starts_with('$'));
        const bool runs_path = placed && fetched(segment.path);
        // What an archive held has names that the line does not show: a path that is not absolute may be one.
        const auto held = [&](std::string_view path) {
            const auto inside = [&](std::string_view directory) {
                return directory.ends_with('/') && path.starts_with(directory);
            };
            if (unpacked_ && std::ranges::any_of(fetched_, inside)) return !prepares_build(basename_of(path));
            return unpacked_ && path.find('/') != 0 && path.find('/') != std::string_view::npos &&
                   !prepares_build(basename_of(path));
        };
        const bool runs_held = names_file && (held(words[0]) || held(segment.script));
        const auto jar = std::ranges::find(words, std::string_view("-jar"));
        const bool runs_jar =
            segment.name == "java" && jar != words.end() && jar + 1 != words.end() && fetched(*(jar + 1));
        if (runs_path || runs_held || runs_jar || (names_file && fetched(segment.script)))
            segment.add(Fact::RunsDownload);
        if (segment.has(Fact::Downloads) && segment.has(Fact::PipesToInterpreter))
            segment.add(Fact::RunsDownload);
        if (segment.name == "cat" && segment.has(Fact::PipesToInterpreter) && words.size() > 1 &&
            fetched(words[1]))
            segment.add(Fact::RunsDownload);
        note_outputs(segment);

        const bool substituted =
            segment.origin == Origin::Substitution || segment.origin == Origin::ProcessSubstitution;
        if (!substituted || segment.parent < 0 || !segment.has(Fact::Downloads)) continue;
        auto& parent = segments_[static_cast<std::size_t>(segment.parent)];
        const auto host = argv(parent);
        const auto starts = [](std::string_view word) {
            return word.starts_with("$(") || word.starts_with('`');
        };
        const bool runs_text = parent.has(Fact::RunsCode) || parent.name == "eval";
        // Behind the option it is the code; further on, what the code prints.
        bool as_code = false;
        for (std::size_t i = 1; i < host.size() && runs_text; ++i)
            as_code = as_code || (starts(host[i]) && (parent.name == "eval" || is_option(host[i - 1])));
        const bool as_command = !host.empty() && starts(host[0]);
        const bool as_script = segment.origin == Origin::ProcessSubstitution && parent.has(Fact::Interpreter);
        if (as_code || as_command || as_script) parent.add(Fact::RunsDownload);
    }
}

}  // namespace fieldwatch::detect
