#include "detect/rules/literal.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kWordsMax = 256;     // more of them would be seen in most lines
constexpr std::size_t kWordBytesMax = 24;  // longer ones say no more and cost the scanner
constexpr int kGroupsDeep = 16;
constexpr std::size_t kSpellingsMax = 16;  // of a part of an expression, one beside the other
constexpr std::size_t kClassMax = 4;       // larger classes say nothing of what stands there

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool splits(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '/';
}
bool dropped(char c) {
    return c == '\'' || c == '"' || c == '\\';
}

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Alternatives of which one must be there; empty: unknown.
using Needed = std::vector<NeededWord>;

/// A text as Run takes it, character by character; a place that splits words is kBoundary.
using Spelling = std::vector<int>;
constexpr int kClass = -1, kBoundary = -2, kBlank = -3;

/// What is known of a part of an expression.
struct Part {
    Needed needed;
    /// The texts that can stand there, if they are few; none: who knows.
    std::optional<std::vector<Spelling>> exact;
};

/// What the words are sought in: the line that a derived field came from, or the value itself.
enum class In : std::uint8_t { Line, Value };

/// How much a word says: one letter alone says nothing, a whole word says more than a part of one.
std::size_t score(const NeededWord& word) {
    if (word.text.empty() || (word.text.size() == 1 && letter(word.text[0]))) return 0;
    return 2 * word.text.size() + (word.begins ? 1 : 0) + (word.ends ? 1 : 0);
}
std::size_t score(const Needed& needed) {
    std::size_t least = needed.empty() ? 0 : SIZE_MAX;
    for (const auto& word : needed)
        least = std::min(least, score(word));
    return least;
}

/// Takes out words that cannot stand where another of them does not.
void forget_implied(Needed& words) {
    std::ranges::sort(words);
    const auto repeated = std::ranges::unique(words);
    words.erase(repeated.begin(), repeated.end());
    const auto implies = [](const NeededWord& word, const NeededWord& other) {
        const bool at_edges = other.begins || other.ends;
        if (!at_edges) return word.text.find(other.text) != std::string::npos;
        return word.text == other.text && word.begins >= other.begins && word.ends >= other.ends;
    };
    const auto all = words;
    std::erase_if(words, [&](const NeededWord& word) {
        return std::ranges::any_of(all,
                                   [&](const auto& other) { return other != word && implies(word, other); });
    });
}

/// A run of plain characters, cut into words where the line may be; the best is kept.
class Run {
  public:
    explicit Run(In in) : in_(in) {}

    void add(char c) {
        if (in_ == In::Line && splits(c)) return boundary();
        if (in_ == In::Line && dropped(c)) {
            exact_ = false;  // what the quote hid touches in the line
            if (current_.text.empty()) begins_ = false;
            return;
        }
        if (current_.text.empty()) {
            current_.begins = begins_ && letter(c);
            exact_ = true;
        }
        begins_ = false;
        current_.text.push_back(lower(c));
    }
    /// A place that no letter can stand on both sides of: start, end, blank.
    void boundary() {
        finish(true);
        begins_ = true;
    }
    /// Anything may follow.
    void end() {
        finish(false);
        begins_ = false;
    }
    void add(const Spelling& spelling) {
        for (const int c : spelling)
            c == kBoundary ? boundary() : add(static_cast<char>(c));
    }
    Needed take() {
        end();
        if (score(best_) == 0) return {};
        return {best_};
    }

  private:
    void finish(bool ends) {
        current_.ends = ends && exact_ && !current_.text.empty() && letter(current_.text.back());
        if (current_.text.size() > kWordBytesMax) {
            current_.text.resize(kWordBytesMax);
            current_.ends = false;
        }
        // `-e` may have been part of the line's `-ne`.
        const bool option = in_ == In::Line && current_.text.size() == 2 && current_.text[0] == '-';
        if (!option && score(current_) > score(best_)) best_ = current_;
        current_ = {};
    }

    In in_;
    NeededWord current_, best_;
    bool begins_ = false, exact_ = true;
};

/// The runs of a sequence, one for each way to spell it since the last place where anything may stand.
class Runs {
  public:
    explicit Runs(In in) : in_(in), runs_(1, Run(in)) {}

    /// One of these texts stands here. False, and nothing is taken, where there would be too many.
    bool add_one_of(const std::vector<Spelling>& spellings) {
        if (spellings.size() * std::max(runs_.size(), exact_.size()) > kSpellingsMax) return false;
        std::vector<Run> runs;
        std::vector<Spelling> exact;
        for (const auto& spelling : spellings) {
            for (auto run : runs_) {
                run.add(spelling);
                runs.push_back(std::move(run));
            }
            for (auto known : exact_) {
                known.insert(known.end(), spelling.begin(), spelling.end());
                exact.push_back(std::move(known));
            }
        }
        runs_ = std::move(runs);
        exact_ = std::move(exact);
        return true;
    }
    /// Anything may stand here.
    void interrupt() {
        Needed all;
        bool known = true;
        for (auto& run : runs_) {
            auto words = run.take();
            known = known && !words.empty();
            std::ranges::move(words, std::back_inserter(all));
        }
        forget_implied(all);
        if (known) offer(std::move(all));
        runs_.assign(1, Run(in_));
        exact_.clear();
    }
    void offer(Needed needed) {
        const auto said = score(needed), best = score(best_);
        if (said > best || (said == best && needed.size() < best_.size())) best_ = std::move(needed);
    }
    Part take() {
        Part out;
        if (!exact_.empty()) out.exact = std::move(exact_);
        interrupt();
        out.needed = std::move(best_);
        return out;
    }

  private:
    In in_;
    std::vector<Run> runs_;
    std::vector<Spelling> exact_ = {{}};  ///< of the whole sequence; none once it is not known
    Needed best_;
};

/// The part of the regular expression language that rules use. Whatever else it meets, nothing is known.
class Reader {
  public:
    Reader(std::string_view text, In in) : text_(text), in_(in) {}

    Needed run() {
        auto needed = alternation(0, false).needed;
        return failed_ || at_ < text_.size() ? Needed{} : needed;
    }

  private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    Part alternation(int depth, bool begins) {
        if (depth > kGroupsDeep) failed_ = true;
        Part all{.needed = {}, .exact = std::vector<Spelling>{}};
        bool known = true;
        while (!failed_) {
            auto branch = sequence(depth, begins);
            known = known && !branch.needed.empty();
            std::ranges::move(branch.needed, std::back_inserter(all.needed));
            if (!branch.exact) all.exact.reset();
            if (all.exact) std::ranges::move(*branch.exact, std::back_inserter(*all.exact));
            if (peek() != '|' || at_ >= text_.size()) break;
            ++at_;
        }
        if (!known || all.needed.size() > kWordsMax) all.needed.clear();
        return all;
    }

    struct Quantifier {
        bool any = false, optional = false;
        bool once = false;  ///< at most
    };
    /// Reads what may follow an atom.
    Quantifier quantifier() {
        Quantifier out;
        if (at_ >= text_.size()) return out;
        const char c = peek();
        if (c == '*' || c == '?' || c == '+') {
            out = {.any = true, .optional = c != '+', .once = c == '?'};
            ++at_;
        } else if (c == '{' && peek(1) >= '0' && peek(1) <= '9') {
            const auto close = text_.find('}', at_);
            if (close == std::string_view::npos) {
                failed_ = true;
                return out;
            }
            std::size_t digits = at_ + 1;
            bool zero = true;
            for (; digits < close && text_[digits] >= '0' && text_[digits] <= '9'; ++digits)
                zero = zero && text_[digits] == '0';
            out = {.any = true, .optional = zero};
            at_ = close + 1;
        } else {
            return out;
        }
        if (at_ < text_.size() && (peek() == '?' || peek() == '+')) ++at_;  // lazy, possessive
        return out;
    }

    Part sequence(int depth, bool begins) {
        Runs runs(in_);
        if (begins) (void)runs.add_one_of({{kBoundary}});
        bool after_boundary = begins;
        while (!failed_ && at_ < text_.size() && peek() != '|' && peek() != ')') {
            auto part = atom(depth, after_boundary);
            const auto times = quantifier();
            after_boundary = splits_words(part) && !times.optional;
            add(runs, std::move(part), times, after_boundary);
        }
        return runs.take();
    }

    bool splits_words(const Part& part) const {
        if (!part.exact || part.exact->size() != 1 || part.exact->front().size() != 1) return false;
        const auto c = part.exact->front().front();
        return c == kBoundary || (in_ == In::Line && splits(static_cast<char>(c)));
    }

    static void add(Runs& runs, Part part, Quantifier times, bool is_boundary) {
        if (part.exact && times.once) part.exact->emplace_back();
        const bool whole = part.exact && (!times.any || times.once || is_boundary);
        if (whole && runs.add_one_of(*part.exact)) return;
        if (part.exact && times.any && !times.optional)
            (void)runs.add_one_of(*part.exact);  // and more of them
        runs.interrupt();
        if (!times.optional) runs.offer(std::move(part.needed));
        if (whole) (void)runs.add_one_of(*part.exact);  // too many to stand beside those before
    }

    /// One character, class, place or group.
    Part atom(int depth, bool begins) {
        const char c = text_[at_++];
        if (c == '(') return group(depth, begins);
        if (c == '[') return character_class();
        if (c == '^' || c == '$') return one(kBoundary);
        if (c == '.') return {};
        if (c != '\\') return one(static_cast<unsigned char>(c));
        const auto escaped = escape();
        if (escaped == kClass) return {};
        return one(escaped == kBlank ? kBoundary : escaped);
    }
    static Part one(int c) { return {.needed = {}, .exact = std::vector<Spelling>{{c}}}; }

    Part group(int depth, bool begins) {
        if (peek() == '?') {
            // Whether letters' case counts, what a dot and ^ mean: no matter here. (?x), look-around and
            // names are not read.
            const auto after = text_.find_first_not_of("ims", at_ + 1);
            const bool flags =
                after != std::string_view::npos && (text_[after] == ':' || text_[after] == ')');
            if (!flags) {
                failed_ = true;
                return {};
            }
            at_ = after + (text_[after] == ':' ? 1 : 0);
        } else if (peek() == '*') {  // (*UTF8) and the like
            failed_ = true;
        }
        auto inside = alternation(depth + 1, begins);
        if (peek() != ')' || at_ >= text_.size()) failed_ = true;
        ++at_;
        return inside;
    }

    Part character_class() {
        const auto begins = at_;
        skip_class();
        const auto inside = failed_ ? std::string_view{} : text_.substr(begins, at_ - 1 - begins);
        const bool plain = !inside.empty() && inside.size() <= kClassMax &&
                           inside.find_first_of("^-\\[") == std::string_view::npos;
        if (!plain) return {};
        Part out{.needed = {}, .exact = std::vector<Spelling>{}};
        for (const char c : inside)
            out.exact->push_back({static_cast<unsigned char>(c)});
        return out;
    }

    void skip_class() {
        if (peek() == '^') ++at_;
        if (peek() == ']') ++at_;
        while (at_ < text_.size() && text_[at_] != ']') {
            if (text_[at_] == '[' && (peek(1) == ':' || peek(1) == '.' || peek(1) == '=')) {
                const auto close = text_.find(std::string{peek(1), ']'}, at_ + 2);
                if (close == std::string_view::npos) break;
                at_ = close + 2;
                continue;
            }
            at_ += text_[at_] == '\\' ? 2 : 1;
        }
        if (at_ >= text_.size()) failed_ = true;
        ++at_;
    }

    static int digit(char c) {
        if (c >= '0' && c <= '9') return c - '0';
        c = lower(c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    }
    /// What stands behind a backslash: a character, a class or a place.
    int escape() {
        if (at_ >= text_.size()) {
            failed_ = true;
            return kClass;
        }
        const char c = text_[at_++];
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'x': {
                const int high = digit(peek());
                const int low = digit(peek(1));
                if (high < 0 || low < 0) break;
                at_ += 2;
                return high * 16 + low;
            }
            case 's':
                return kBlank;
            case 'b':
            case 'A':
            case 'z':
            case 'Z':
                return kBoundary;
            case 'd':
            case 'D':
            case 'B':
            case 'S':
            case 'w':
            case 'W':
            case 'h':
            case 'H':
                return kClass;
            default:
                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
                    return static_cast<unsigned char>(c);
        }
        failed_ = true;
        return kClass;
    }

    std::string_view text_;
    In in_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

Needed needed(const Pattern& pattern, In in) {
    if (pattern.kind == PatternKind::Exact || pattern.kind == PatternKind::Literal) {
        const bool whole = pattern.kind == PatternKind::Exact;
        Run run(in);
        if (whole || pattern.edges.at_start || pattern.edges.begins) run.boundary();
        for (const char c : pattern.text)
            run.add(c);
        if (whole || pattern.edges.at_end || pattern.edges.ends) run.boundary();
        return run.take();
    }
    if (pattern.kind == PatternKind::Regex) return Reader(pattern.text, in).run();
    return {};
}

}  // namespace

std::vector<NeededWord> needed_words(const Pattern& pattern) {
    return needed(pattern, In::Line);
}
std::vector<NeededWord> needed_literals(const Pattern& pattern) {
    return needed(pattern, In::Value);
}

void squeeze(std::string_view line, std::string& out) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '\n') {
            ++i;
        } else if (!dropped(line[i])) {
            out.push_back(line[i]);
        }
    }
}

LineShape shape_of(std::string_view line) {
    static constexpr auto kOdd = [] {
        std::array<bool, 256> table{};
        for (const char c : {'\'', '"', '\\', '~', '\xa0', '$'})
            table[static_cast<unsigned char>(c)] = true;
        return table;
    }();
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    const auto begins_word = [](char c) {
        c = lower(c);
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("/.-_$%~*").find(c) != std::string_view::npos;
    };
    LineShape shape;
    shape.trailing_blank = line.ends_with(' ') || line.ends_with('\t');
    const bool assigns = line.find('=') != std::string_view::npos;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (!kOdd[static_cast<unsigned char>(c)]) continue;
        const char before = i > 0 ? line[i - 1] : ' ';
        const char after = i + 1 < line.size() ? line[i + 1] : ' ';
        if (c == '\\') {
            // printf '\x69\144' | sh: what it prints stands nowhere.
            shape.escaped = shape.escaped || after == 'x' || (after >= '0' && after <= '7');
            shape.squeezed = true;
            shape.trailing_blank = shape.trailing_blank || blank(after);
        } else if (c == '$') {
            // $IFS$9 stands for a blank, and what follows touches the 9. What the line set before stands
            // where its name does, and may touch other text: a=cu; ${a}rl. $SHELL is a shell.
            const bool set_before = assigns && (letter(after) || after == '{');
            const auto name = line.substr(after == '{' ? i + 2 : i + 1);
            const bool known =
                name.starts_with("IFS") || name.starts_with("SHELL") || name.starts_with("BASH");
            shape.escaped = shape.escaped || set_before || known;
        } else if (c == '~') {
            shape.home = true;
        } else if (c == '\xa0') {
            shape.trailing_blank = true;  // the second byte of a no-break space
        } else {
            shape.escaped = shape.escaped || (c == '\'' && before == '$');
            shape.squeezed = shape.squeezed || (!blank(before) && !blank(after));
            shape.trailing_blank = shape.trailing_blank || (blank(before) && !begins_word(after));
        }
    }
    return shape;
}

}  // namespace fieldwatch::detect
