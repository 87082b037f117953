// Command lines as detection reads them: cut into segments, seen through wrappers, decoded, with the facts
// that rules ask for. Stands between the decoder and the rules: spec/alerts.md section 6, "Command handling".
// Pure and bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detect/command/address.hpp"

namespace fieldwatch::detect {

/// What stands between two segments. Substitutions and unwrapped texts start anew with None.
enum class Operator : std::uint8_t { None, Sequence, And, Or, Pipe, Background, Newline, Group };

/// How a segment's text came out of another one.
enum class Origin : std::uint8_t { Line, Shell, Substitution, ProcessSubstitution, Decoded };

/// Families of script interpreters, spec A23; Shell is the SHELLS list.
enum class Interpreter : std::uint8_t { None, Shell, Python, Perl, Ruby, Php, Node, Lua, PowerShell, Other };
std::string_view to_string(Interpreter family);
std::span<const std::string_view> interpreter_names();  ///< all that to_string() gives

/// Facts about one segment that take more than its words to know. Rules see their names in `cmd.facts`.
enum class Fact : std::uint16_t {
    Shell = 1 << 0,               ///< the command is one of SHELLS
    Interpreter = 1 << 1,         ///< the command interprets scripts
    Downloads = 1 << 2,           ///< fetches something from a network
    PipesToInterpreter = 1 << 3,  ///< a later command of the pipeline interprets what this one prints
    RunsDownload = 1 << 4,    ///< runs what an earlier segment of the line, or its own substitution, fetched
    RunsFromTemp = 1 << 5,    ///< argv[0] or the script lies in TMPDIRS
    ScriptMismatch = 1 << 6,  ///< interpreter and extension of the script are of different families (A23)
    TrailingSpace = 1 << 7,   ///< argv[0] ends in white space, no-break space included (A29)
    Decoded = 1 << 8,         ///< the text was base64 on its way to an interpreter
    Unwrapped = 1 << 9,       ///< only carries another text (sh -c): that text's segments follow
    ReadsCode = 1 << 10,      ///< an interpreter that takes its program from standard input
    RunsCode = 1 << 11,       ///< an interpreter that is given its program on the command line (-c, -e)
    RunsLocalInTemp = 1 << 12,  ///< argv[0] or the script is relative, and the line went into TMPDIRS before
};
std::span<const std::string_view> fact_names();

struct Redirect {
    std::string_view operation;  ///< >, >>, <, <<<, &>, … without the descriptor number
    std::string_view target;
};

/// A word and where it stood, which unwrapping needs when quotes were lost on the way (execve joined by
/// blanks).
struct LexedWord {
    std::string_view value;
    std::size_t begin = 0;  ///< offset in the text
    bool quoted = false;
};

/// One simple command. Indexes lead into the CommandLine that made it.
struct Segment {
    std::string_view raw;     ///< as written, trimmed
    std::string_view name;    ///< basename of argv[0] behind all wrappers; empty for a bare redirection
    std::string_view path;    ///< argv[0], normalised lexically
    std::string_view script;  ///< normalised path of the first script argument of an interpreter
    /// Where it runs: the event's working directory, moved by every `cd` of the line before. Empty when
    /// unknown.
    std::string_view directory;
    Interpreter interpreter = Interpreter::None;
    Operator before = Operator::None;
    Operator after = Operator::None;
    Origin origin = Origin::Line;
    std::uint8_t depth = 0;
    std::int32_t parent = -1;  ///< the segment whose text held this one
    std::uint32_t pipeline = 0;
    std::uint16_t facts = 0;
    std::uint32_t argv_first = 0, argv_count = 0;
    std::uint32_t wrappers_first = 0, wrappers_count = 0;
    std::uint32_t assignments_first = 0, assignments_count = 0;
    std::uint32_t redirects_first = 0, redirects_count = 0;

    bool has(Fact fact) const { return (facts & static_cast<std::uint16_t>(fact)) != 0; }
    void add(Fact fact) { facts |= static_cast<std::uint16_t>(fact); }
};

/// Multi-valued properties of a segment that rules may ask for.
enum class CommandList : std::uint8_t {
    Args,          ///< every word behind argv[0]
    Operands,      ///< those that are not options
    Options,       ///< clusters taken apart: -rf gives -r and -f; --name=value gives --name
    Settings,      ///< option and its value, a space between: "-u 0", also from -u0 and --uid=0
    Paths,         ///< normalised paths among operands and values (of=, --file=)
    Basenames,     ///< last part of each of those
    Writes,        ///< files written: output redirections
    Reads,         ///< input redirections
    Destinations,  ///< files that the command makes or overwrites: Writes, and those of cp, dd, tee, curl, …
    Homes,         ///< users whose home directories Paths and Reads lie in
    Hosts,         ///< host names and literal addresses
    ExternalHosts,
    Urls,
    Images,     ///< of containers: what an engine is asked to run or to fetch
    PipesTo,    ///< names of the later commands of the pipeline
    PipesFrom,  ///< names of the earlier ones
    Facts,
    Wrappers,     ///< sudo, nohup, busybox, …: what was stripped
    Assignments,  ///< NAME=value in front
};

/// Bytes whose addresses stay until clear(). Bounded by the caller's limits.
class TextArena {
  public:
    std::string_view copy(std::string_view text);
    void clear();
    std::size_t used() const { return used_total_; }

  private:
    std::vector<std::unique_ptr<char[]>> blocks_;
    std::vector<std::size_t> sizes_;
    std::size_t block_ = 0, used_ = 0, used_total_ = 0;
};

struct CommandSettings {
    AddressSettings addresses;
};

/// One normalised command line. Reuse the object: it keeps its memory. One strand. Views point into the line
/// given to parse(), which must outlive them, and into the object.
class CommandLine {
  public:
    /// Bounds: what lies beyond is left out, and truncated() says so. 64 KiB is the spec's bound for decoded
    /// text and twice ARG_MAX's guarantee for one line; the others bound the work of a hostile line to about
    /// a millisecond.
    static constexpr std::size_t kBytesMax = 65'536;
    static constexpr std::size_t kSegmentsMax = 256;
    static constexpr std::size_t kWordsMax = 4'096;
    static constexpr std::size_t kDepthMax = 5;
    static constexpr std::size_t kArenaBytesMax = 4 * kBytesMax;
    static constexpr std::size_t kValueBytesMax = 4'096;  ///< of a variable; longer ones stay unread

    explicit CommandLine(CommandSettings settings = {}) : settings_(std::move(settings)) {}

    /// `working_directory` may be empty: relative paths then stay relative.
    void parse(std::string_view line, std::string_view working_directory = {});
    /// The same once somebody asks for segments().
    void expect(std::string_view line, std::string_view working_directory);

    std::string_view raw() const { return raw_; }  ///< as sent, trimmed()
    /// Without blanks on the left.
    static std::string_view trimmed(std::string_view line) {
        const auto start = line.find_first_not_of(" \t\r\n");
        return start == std::string_view::npos ? std::string_view{} : line.substr(start);
    }
    bool truncated() const { return truncated_; }
    /// In the order read: the line's own, then those of unwrapped texts.
    std::span<const Segment> segments() {
        if (expected_) parse(raw_, working_directory_);
        return segments_;
    }

    std::span<const std::string_view> argv(const Segment& s) const {
        return std::span(words_).subspan(s.argv_first, s.argv_count);
    }
    std::span<const std::string_view> wrappers(const Segment& s) const {
        return std::span(wrappers_).subspan(s.wrappers_first, s.wrappers_count);
    }
    std::span<const std::string_view> assignments(const Segment& s) const {
        return std::span(assignments_).subspan(s.assignments_first, s.assignments_count);
    }
    std::span<const Redirect> redirects(const Segment& s) const {
        return std::span(redirects_).subspan(s.redirects_first, s.redirects_count);
    }
    /// argv joined by single spaces: the normalised segment that keys an alert.
    std::string_view text(const Segment& s);
    /// Appends the values of one list, duplicates included. Non-const: composed values are kept in the arena.
    void list(const Segment& s, CommandList which, std::vector<std::string_view>& out);

  private:
    friend class CommandLexer;
    friend class CommandUnwrapper;
    struct Pending {
        std::string_view text;
        std::int32_t parent;
        Origin origin;
        std::uint8_t depth;
    };
    std::string_view mended(std::string_view text);
    void enqueue(std::string_view text, std::int32_t parent, Origin origin, std::uint8_t depth);
    void decode_pipelines(std::size_t first_segment);
    void describe(Segment& segment);
    void describe_interpreter(Segment& segment);
    void relate_pipelines();
    void relate_downloads();
    void note_outputs(const Segment& segment);
    bool fetched(std::string_view path) const;
    /// What the line gave the variable before, or a shell for `$SHELL`; nullopt for others.
    std::optional<std::string_view> value_of(std::string_view variable) const;
    void note_exports(const Segment& segment);
    void enqueue_piped_text(std::size_t segment);
    void place(std::size_t first_segment, std::int32_t parent);
    std::string_view entered(const Segment& change, std::string_view from);
    std::string_view normalise(std::string_view path, std::string_view directory);
    std::string_view joined(std::string_view left, std::string_view right);
    /// `/etc/{passwd,shadow}` is two words: each is given to `take`, kept in the arena.
    template <class Take>
    void for_each_choice(std::string_view word, Take take) {
        const auto open = word.find('{'), close = word.find('}', open);
        const auto braced = open == std::string_view::npos || close == std::string_view::npos
                                ? std::string_view{}
                                : word.substr(open + 1, close - open - 1);
        if (braced.find(',') == std::string_view::npos || (open > 0 && word[open - 1] == '$'))
            return take(word);
        for (std::size_t at = 0; at <= braced.size();) {
            const auto end = std::min(braced.find(',', at), braced.size());
            buffer_.assign(word.substr(0, open)).append(braced.substr(at, end - at));
            buffer_.append(word.substr(close + 1));
            take(arena_.copy(buffer_));
            at = end + 1;
        }
    }
    void settings(const Segment& s, std::vector<std::string_view>& out);
    void paths(const Segment& s, bool basenames, std::vector<std::string_view>& out);
    void hosts(const Segment& s, bool external_only, std::vector<std::string_view>& out);
    void images(const Segment& s, std::vector<std::string_view>& out);
    void outer_wrappers(const Segment& s, std::vector<std::string_view>& out);
    void redirected(const Segment& s, bool writes, std::vector<std::string_view>& out);
    void destinations(const Segment& s, std::vector<std::string_view>& out);
    void copied(const Segment& s, std::vector<std::string_view>& out);
    void downloaded(const Segment& s, std::vector<std::string_view>& out);
    void transferred(const Segment& s, std::vector<std::string_view>& out);
    void below(std::string_view directory, std::string_view file, const Segment& s,
               std::vector<std::string_view>& out);
    void homes(const Segment& s, std::vector<std::string_view>& out);

    CommandSettings settings_;
    std::string_view raw_;
    std::string_view working_directory_;
    bool expected_ = false;  ///< the line is there, but not parsed yet
    bool truncated_ = false;
    std::vector<Segment> segments_;
    std::vector<std::string_view> words_, wrappers_, assignments_;
    std::vector<Redirect> redirects_;
    std::vector<LexedWord> lexed_words_;  // room for the lexer
    std::vector<Redirect> lexed_redirects_;
    std::vector<Pending> pending_;
    std::vector<std::string_view> fetched_;  // base names of files that the line downloaded so far
    bool unpacked_ = false;                  // an archive among them was unpacked
    std::uint32_t pipelines_ = 0;
    TextArena arena_;
    std::string buffer_;
};

/// Collapses `//` and `/./`, resolves `..` lexically; `~` becomes /root, `~user` that user's home. Writes
/// into `out`.
void normalise_path(std::string_view path, std::string& out);
bool in_temporary_directory(
    std::string_view normalised_path);    ///< TMPDIRS of the spec, the directory or below
bool is_shell(std::string_view name);     ///< SHELLS of the spec
bool is_web_user(std::string_view user);  ///< WEBUSERS of the spec
Interpreter interpreter_of(std::string_view command_name);
Interpreter interpreter_of_extension(std::string_view file_name);
bool is_downloader(std::string_view name);

}  // namespace fieldwatch::detect
