// Where a command leaves files, and whose homes it looks into: read off the words, as far as words say.
#include <algorithm>
#include <array>
#include <initializer_list>

#include "detect/command/command.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

using Values = std::vector<std::string_view>;
using Words = std::span<const std::string_view>;

/// Commands whose last operand, or `-t` directory, is where the others go.
bool copies(std::string_view name) {
    static constexpr std::array<std::string_view, 8> kNames{"cp",   "mv",    "install", "ln",
                                                            "link", "rsync", "scp",     "sftp"};
    return std::ranges::find(kNames, name) != kNames.end();
}

/// How a downloader names the file and the directory that it fetches to.
struct FetchOptions {
    std::string_view name;
    char file, directory;  ///< letters; '\0' for none
    std::string_view long_file, long_directory;
    char keeps_name;  ///< the letter that asks for the name in the URL; '\0': it is taken anyway
};
constexpr std::array kFetchers{
    FetchOptions{"wget", 'O', 'P', "--output-document", "--directory-prefix", '\0'},
    FetchOptions{"wget2", 'O', 'P', "--output-document", "--directory-prefix", '\0'},
    FetchOptions{"curl", 'o', '\0', "--output", "--output-dir", 'O'},
    FetchOptions{"aria2c", 'o', 'd', "--out", "--dir", '\0'},
    FetchOptions{"axel", 'o', '\0', "--output", "", '\0'},
    FetchOptions{"fetch", 'o', '\0', "--output", "", '\0'},
};

bool is_cluster(std::string_view word) {
    return is_option(word) && !word.starts_with("--");
}

/// The value of an option: `-o x`, `-so x`, `-ox`, `--output=x`, `--output x`. Empty when it is not given.
std::string_view option_value(Words words, char letter, std::string_view long_name) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto word = words[i];
        const auto next = i + 1 < words.size() ? words[i + 1] : std::string_view{};
        if (!long_name.empty() && word.starts_with(long_name)) {
            if (word.size() == long_name.size()) return next;
            if (word[long_name.size()] == '=') return word.substr(long_name.size() + 1);
        }
        if (letter == '\0' || !is_cluster(word)) continue;
        const auto at = word.find(letter, 1);
        if (at != std::string_view::npos) return at + 1 == word.size() ? next : word.substr(at + 1);
    }
    return {};
}

/// Last path part of a URL, without query; `http://` may be left out: `wget 203.0.113.5/x`.
std::string_view file_of(std::string_view url) {
    const auto scheme = url.find("://");
    const bool bare = scheme == std::string_view::npos;
    if (bare && (is_option(url) || url.substr(0, url.find('/')).find('.', 1) == std::string_view::npos))
        return {};
    const auto begin = bare ? 0 : scheme + 3;
    const auto rest = url.substr(begin, url.find_first_of("?#", begin) - begin);
    return rest.find('/') == std::string_view::npos ? std::string_view{} : basename_of(rest);
}

}  // namespace

void CommandLine::redirected(const Segment& segment, bool writes, Values& out) {
    for (const auto& redirect : redirects(segment)) {
        const bool file = redirect.operation != "<<<" && redirect.operation != "<<" &&
                          redirect.operation != ">&" && redirect.operation != "<&";
        if (file && writes == (redirect.operation.find('>') != std::string_view::npos))
            out.push_back(normalise(redirect.target, segment.directory));
    }
}

/// A file in a directory of which nobody said whether it is one: both readings are given by the caller.
void CommandLine::below(std::string_view directory, std::string_view file, const Segment& segment,
                        Values& out) {
    if (file.empty()) return;
    buffer_.assign(directory);
    if (!buffer_.empty()) buffer_.push_back('/');
    buffer_.append(file);
    out.push_back(normalise(arena_.copy(buffer_), segment.directory));
}

void CommandLine::copied(const Segment& segment, Values& out) {
    const auto words = argv(segment);
    Values sources;
    std::string_view target;
    const bool far = segment.name == "rsync" || segment.name == "scp" || segment.name == "sftp";
    const bool takes_directory = !far;  // rsync's -t keeps times
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto word = words[i];
        const bool named = word == "--target-directory" || (is_cluster(word) && word.ends_with('t'));
        if (takes_directory && named && i + 1 < words.size()) {
            target = words[++i];
        } else if (takes_directory && word.starts_with("--target-directory=")) {
            target = word.substr(word.find('=') + 1);
        } else if (!is_option(word)) {
            sources.push_back(word);
        }
    }
    if (segment.name == "sftp" && sources.size() == 1) {  // `sftp HOST:FILE` fetches it to where it runs
        const auto colon = sources[0].rfind(':');
        return colon == std::string_view::npos
                   ? void()
                   : below({}, basename_of(sources[0].substr(colon + 1)), segment, out);
    }
    if (target.empty()) {
        if (sources.size() < 2) return;
        target = sources.back();
        sources.pop_back();
    }
    if (far && target.find(':') != std::string_view::npos) return;  // to another machine
    out.push_back(normalise(target, segment.directory));
    for (const auto source : sources) {
        for_each_choice(source.substr(far ? source.rfind(':') + 1 : 0),
                        [&](std::string_view one) { below(target, basename_of(one), segment, out); });
    }
}

/// `tftp -g -r FILE [-l LOCAL] HOST`, `tftp HOST -c get FILE [LOCAL]`, `ftpget HOST LOCAL [REMOTE]`.
void CommandLine::transferred(const Segment& segment, Values& out) {
    const auto words = argv(segment);
    Values operands;
    std::ranges::copy_if(words.subspan(1), std::back_inserter(operands),
                         [](auto word) { return !is_option(word); });
    if (segment.name == "ftpget") {
        const auto options = static_cast<std::size_t>(std::ranges::count_if(words.subspan(1), [](auto word) {
            return word == "-u" || word == "-p" || word == "-P";  // each takes a word
        }));
        if (operands.size() > options + 1) below({}, operands[options + 1], segment, out);
        return;
    }
    const auto local = option_value(words, 'l', {});
    const auto remote = option_value(words, 'r', {});
    const auto get = std::ranges::find(operands, std::string_view("get"));
    if (!local.empty() || !remote.empty()) {
        below({}, local.empty() ? basename_of(remote) : local, segment, out);
    } else if (get != operands.end() && get + 1 != operands.end()) {
        below({}, basename_of(operands.back()), segment, out);
    }
}

void CommandLine::downloaded(const Segment& segment, Values& out) {
    if (segment.name == "tftp" || segment.name == "ftpget") return transferred(segment, out);
    const auto* const options = std::ranges::find(kFetchers, segment.name, &FetchOptions::name);
    if (options == kFetchers.end()) return;
    const auto words = argv(segment);
    const auto directory = option_value(words, options->directory, options->long_directory);
    const auto file = option_value(words, options->file, options->long_file);
    if (file == "-") return;
    if (!file.empty())
        return below(file.starts_with('/') ? std::string_view{} : directory, file, segment, out);
    const bool kept =
        options->keeps_name == '\0' || std::ranges::any_of(words.subspan(1), [&](auto word) {
            return word.starts_with("--remote-name") ||
                   (is_cluster(word) && word.find(options->keeps_name) != std::string_view::npos);
        });
    if (!kept) return;
    for (const auto word : words.subspan(1))
        below(directory, file_of(word), segment, out);
}

void CommandLine::destinations(const Segment& segment, Values& out) {
    redirected(segment, true, out);
    const auto words = argv(segment);
    if (words.empty()) return;
    if (copies(segment.name)) return copied(segment, out);
    if (segment.name != "tee" && segment.name != "dd") return downloaded(segment, out);
    constexpr std::string_view kOutput = "of=";
    for (const auto word : words.subspan(1)) {
        if (segment.name == "tee" && !is_option(word)) out.push_back(normalise(word, segment.directory));
        if (segment.name == "dd" && word.starts_with(kOutput))
            out.push_back(normalise(word.substr(kOutput.size()), segment.directory));
    }
}

/// A bare `~` is the user's own, whoever that is: it names nobody.
void CommandLine::homes(const Segment& segment, Values& out) {
    const auto note = [&](std::string_view word) {
        word = word.substr(word.find_last_of("=@") + 1);
        if (word == "~" || word.starts_with("~/")) return;
        const auto path = normalise(word, segment.directory);
        constexpr std::string_view kHomes = "/home/";
        if (path.starts_with("/root/")) out.push_back("root");
        if (!path.starts_with(kHomes)) return;
        const auto user = path.substr(kHomes.size(), path.find('/', kHomes.size()) - kHomes.size());
        if (!user.empty() && user.size() + kHomes.size() < path.size()) out.push_back(user);
    };
    for (const auto word : argv(segment).subspan(std::min<std::size_t>(1, segment.argv_count)))
        note(word);
    for (const auto& redirect : redirects(segment)) {
        if (redirect.operation == "<") note(redirect.target);
    }
}

}  // namespace fieldwatch::detect
