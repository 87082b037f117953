#include "detect/command/lexer.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "detect/command/escape.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// Characters that may mean something; all others are parts of words wherever they stand.
constexpr auto kSpecial = [] {
    std::array<bool, 256> table{};
    for (const char c : std::string_view(" \t\r\n;()|&<>'\"\\`$#"))
        table[static_cast<unsigned char>(c)] = true;
    return table;
}();
bool special(char c) {
    return kSpecial[static_cast<unsigned char>(c)];
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

void CommandLexer::run() {
    words_.clear();
    redirects_.clear();
    pipeline_ = line_.pipelines_++;
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (!special(c)) {
            auto end = at_ + 1;
            while (end < text_.size() && !special(text_[end]))
                ++end;
            append(text_.substr(at_, end - at_));
            at_ = end;
        } else if (kBlanks.find(c) != std::string_view::npos) {
            end_word();
            ++at_;
        } else if (c == '#' && word_begin_ == std::string_view::npos) {
            // A script whose lines a honeypot or a shell's history joined by `;` begins with its `#!` all the
            // same.
            const bool interpreter_line = at_ == 0 && at(1) == '!';
            const auto end_of_line = text_.find_first_of(interpreter_line ? "\n;" : "\n", at_);
            at_ = end_of_line == std::string_view::npos ? text_.size() : end_of_line;
        } else if (lex_operator() || lex_redirect()) {
            continue;
        } else if (c == '\'' || c == '"') {
            lex_quote(c);
        } else if (c == '\\') {
            lex_backslash();
        } else if (c == '`') {
            lex_backtick();
        } else if (c == '$' && lex_dollar()) {
            continue;
        } else {
            append(text_.substr(at_, 1));
            ++at_;
        }
    }
    end_segment(Operator::None, text_.size());
}

/// Takes characters or a replacement into the current word; plain words stay views of the text.
void CommandLexer::append(std::string_view text) {
    if (word_begin_ == std::string_view::npos) word_begin_ = at_;
    if (building_) line_.buffer_.append(text);
}

void CommandLexer::begin_building() {
    if (word_begin_ == std::string_view::npos) word_begin_ = at_;
    if (building_) return;
    building_ = true;
    line_.buffer_.assign(text_.substr(word_begin_, at_ - word_begin_));
}

void CommandLexer::end_word() {
    if (word_begin_ == std::string_view::npos) return;
    const auto value =
        building_ ? line_.arena_.copy(line_.buffer_) : text_.substr(word_begin_, at_ - word_begin_);
    if (!redirect_.empty()) {
        redirects_.push_back({redirect_, value});
        redirect_ = {};
    } else if (words_.size() + line_.words_.size() < CommandLine::kWordsMax) {
        words_.push_back({value, word_begin_, quoted_});
    } else {
        line_.truncated_ = true;
    }
    word_begin_ = std::string_view::npos;
    building_ = quoted_ = false;
}

void CommandLexer::end_segment(Operator after, std::size_t end) {
    end_word();
    redirect_ = {};
    if (words_.empty() && redirects_.empty()) {
        // `;;`, an empty group, or a newline after an operator: the operator before stands.
        const bool group_pipes = after == Operator::Pipe && before_ == Operator::Group;  // `(a; b) | c`
        if (after != Operator::None && (before_ == Operator::None || group_pipes)) before_ = after;
        segment_begin_ = at_;
        return;
    }
    if (line_.segments_.size() >= CommandLine::kSegmentsMax) {
        line_.truncated_ = true;
    } else {
        Segment segment;
        segment.raw = trimmed(text_.substr(segment_begin_, end - segment_begin_));
        segment.before = before_;
        segment.after = after;
        segment.origin = origin_;
        segment.depth = depth_;
        segment.parent = parent_;
        segment.pipeline = pipeline_;
        segment.redirects_first = static_cast<std::uint32_t>(line_.redirects_.size());
        segment.redirects_count = static_cast<std::uint32_t>(redirects_.size());
        line_.redirects_.insert(line_.redirects_.end(), redirects_.begin(), redirects_.end());
        CommandUnwrapper(line_, segment, text_, end, words_).run();
        line_.note_exports(segment);
        note_documents(segment);
        line_.segments_.push_back(segment);
    }
    if (after != Operator::Pipe) pipeline_ = line_.pipelines_++;
    words_.clear();
    redirects_.clear();
    before_ = after;
    segment_begin_ = at_;
}

bool CommandLexer::lex_operator() {
    const char c = text_[at_];
    const char next = at(at_ + 1);
    Operator found = Operator::None;
    std::size_t length = 1;
    switch (c) {
        case '\n':
            found = Operator::Newline;
            break;
        case ';':
            found = Operator::Sequence;
            length = next == ';' ? 2 : 1;
            break;
        case '(':
        case ')':
            found = Operator::Group;
            break;
        case '|':
            found = next == '|' ? Operator::Or : Operator::Pipe;
            length = next == '|' || next == '&' ? 2 : 1;
            break;
        case '&':
            if (next == '>') return false;  // &> is a redirection
            found = next == '&' ? Operator::And : Operator::Background;
            length = next == '&' ? 2 : 1;
            break;
        default:
            return false;
    }
    const auto end = at_;
    end_word();
    at_ += length;
    end_segment(found, end);
    if (found == Operator::Newline && !documents_.empty()) skip_documents();
    return true;
}

void CommandLexer::note_documents(const Segment& segment) {
    constexpr std::size_t kUnendedMax = 16;
    if (unended_ >= kUnendedMax) return;
    static constexpr std::array<std::string_view, 16> kReaders{
        "mail", "mailx", "sendmail", "mysql", "psql",   "jq",   "sqlite3", "ftp",
        "sftp", "gpg",   "openssl",  "sort",  "logger", "grep", "awk",     "sed"};
    static constexpr std::array<std::string_view, 14> kTexts{".txt",  ".md",  ".log",  ".conf", ".cfg",
                                                             ".json", ".yml", ".yaml", ".html", ".ini",
                                                             ".xml",  ".csv", ".rst",  ".toml"};
    const auto& redirects = line_.redirects(segment);
    std::string_view file;
    for (const auto& redirect : redirects) {
        if (redirect.operation.starts_with('>')) file = redirect.target;
    }
    const auto is = [&](const auto& names, auto matches) { return std::ranges::any_of(names, matches); };
    const bool text = is(kTexts, [&](auto extension) { return file.ends_with(extension); });
    const auto interpreter = interpreter_of(segment.name);
    const bool other_code = interpreter != Interpreter::None && interpreter != Interpreter::Shell;
    const bool reads = other_code || is(kReaders, [&](auto name) { return name == segment.name; });
    const bool is_data =
        segment.after != Operator::Pipe && (segment.name == "cat" ? file.empty() || text : reads);
    for (const auto& redirect : redirects) {
        if (redirect.operation == "<<" && !redirect.target.empty())
            documents_.push_back({redirect.target, file, is_data});
    }
}

/// Data is passed over. What a shell reads, or a file that the line goes on to name, is read as commands.
void CommandLexer::skip_documents() {
    for (const auto& document : documents_) {
        const bool tabs = document.end.size() > 1 && document.end.front() == '-';
        const auto end = document.end.substr(tabs ? 1 : 0);
        auto line = at_;
        bool found = false;
        while (line < text_.size() && !found) {
            const auto stop = std::min(text_.find('\n', line), text_.size());
            auto body = text_.substr(line, stop - line);
            while (tabs && body.starts_with('\t'))
                body.remove_prefix(1);
            found = body == end;
            line = std::min(stop + 1, text_.size());
        }
        const auto file = basename_of(document.file);
        const bool named = !file.empty() && text_.substr(line).find(file) != std::string_view::npos;
        unended_ += found ? 0 : 1;
        if (!found || !document.is_data || named) break;  // those behind it follow its text
        at_ = segment_begin_ = line;
    }
    documents_.clear();
}

bool CommandLexer::lex_redirect() {
    const char c = text_[at_];
    if (c != '<' && c != '>' && !(c == '&' && at(at_ + 1) == '>')) return false;
    if (c != '&' && at(at_ + 1) == '(') {  // process substitution is a word
        const auto close = closing_parenthesis(at_ + 1);
        begin_building();
        const auto inside = text_.substr(at_ + 2, close - at_ - 2);
        line_.enqueue(inside, static_cast<std::int32_t>(line_.segments_.size()), Origin::ProcessSubstitution,
                      static_cast<std::uint8_t>(depth_ + 1));
        line_.buffer_.append(text_.substr(at_, close - at_ + 1));
        at_ = std::min(close + 1, text_.size());
        return true;
    }
    // Digits that touch the sign are its descriptor, not a word.
    if (word_begin_ != std::string_view::npos && !building_ &&
        text_.substr(word_begin_, at_ - word_begin_).find_first_not_of("0123456789") ==
            std::string_view::npos) {
        word_begin_ = std::string_view::npos;
    }
    end_word();
    const auto begin = at_;
    while (at_ < text_.size() && at_ - begin < 3 &&
           (text_[at_] == '<' || text_[at_] == '>' || text_[at_] == '&')) {
        ++at_;
    }
    if (at(at_) == '|' && text_[at_ - 1] == '>') ++at_;
    redirect_ = text_.substr(begin, at_ - begin);
    return true;
}

void CommandLexer::lex_quote(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote)
        end += quote == '"' && text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) {  // never closed: quoting was lost on the way, so it is a character
        append(text_.substr(at_, 1));
        ++at_;
        return;
    }
    begin_building();
    quoted_ = true;
    if (quote == '\'') {
        line_.buffer_.append(text_.substr(at_ + 1, end - at_ - 1));
        at_ = end + 1;
        return;
    }
    ++at_;
    while (at_ < end) {
        const char c = text_[at_];
        if (c == '\\' && std::string_view("$`\"\\\n").find(at(at_ + 1)) != std::string_view::npos) {
            if (at(at_ + 1) != '\n') line_.buffer_.push_back(at(at_ + 1));
            at_ += 2;
        } else if (c == '`') {
            lex_backtick();
        } else if (c == '$' && lex_variable(false)) {
            continue;
        } else if (c == '$' && at(at_ + 1) == '(' && lex_dollar()) {
            if (at_ > end) {  // the substitution held the quote that seemed to close
                end = text_.find('"', at_);
                if (end == std::string_view::npos) end = text_.size();
            }
        } else {
            line_.buffer_.push_back(c);
            ++at_;
        }
    }
    at_ = std::min(end + 1, text_.size());
}

void CommandLexer::lex_ansi_quote() {
    begin_building();
    quoted_ = true;
    at_ += 2;
    while (at_ < text_.size() && text_[at_] != '\'') {
        if (text_[at_] != '\\' || at_ + 1 >= text_.size()) {
            line_.buffer_.push_back(text_[at_++]);
            continue;
        }
        at_ += append_escape(text_, at_, Escapes::Quote, line_.buffer_);
    }
    if (at_ < text_.size()) ++at_;
}

bool CommandLexer::lex_dollar() {
    const char next = at(at_ + 1);
    if (next == '\'') {
        lex_ansi_quote();
        return true;
    }
    if (next == '(') {
        const auto close = closing_parenthesis(at_ + 1);
        const bool arithmetic = at(at_ + 2) == '(';
        if (!arithmetic) {
            line_.enqueue(text_.substr(at_ + 2, close - at_ - 2),
                          static_cast<std::int32_t>(line_.segments_.size()), Origin::Substitution,
                          static_cast<std::uint8_t>(depth_ + 1));
        }
        begin_building();
        line_.buffer_.append(text_.substr(at_, close - at_ + 1));
        at_ = std::min(close + 1, text_.size());
        return true;
    }
    // $IFS and ${IFS} stand for a blank: a common way to hide one.
    for (const std::string_view blank : {"${IFS}", "$IFS$9", "$IFS"}) {
        if (text_.substr(at_).starts_with(blank)) {
            end_word();
            at_ += blank.size();
            return true;
        }
    }
    if (lex_variable(true)) return true;
    if (next != '{') return false;
    const auto close = text_.find('}', at_);
    if (close == std::string_view::npos) return false;
    begin_building();
    line_.buffer_.append(text_.substr(at_, close - at_ + 1));
    at_ = close + 1;
    return true;
}

/// `$NAME` or `${NAME}` that the line itself set before: its value stands there. Outside quotes it splits at
/// blanks, as a shell does it.
bool CommandLexer::lex_variable(bool splits) {
    const bool braces = at(at_ + 1) == '{';
    const auto begin = at_ + (braces ? 2 : 1);
    auto end = begin;
    while (is_name_character(at(end)))
        ++end;
    if (end == begin || (braces && at(end) != '}')) return false;
    const auto value = line_.value_of(text_.substr(begin, end - begin));
    if (!value) return false;
    const bool fits = value->size() + line_.buffer_.size() <= CommandLine::kBytesMax &&
                      line_.arena_.used() + value->size() <= CommandLine::kArenaBytesMax;
    if (!fits) line_.truncated_ = true;
    begin_building();
    bool blank = false;
    for (const char c : fits ? *value : std::string_view{}) {
        if (splits && kBlanks.find(c) != std::string_view::npos) {
            blank = true;
            continue;
        }
        if (blank && !line_.buffer_.empty()) {
            end_word();
            begin_building();
        }
        blank = false;
        line_.buffer_.push_back(c);
    }
    at_ = end + (braces ? 1 : 0);
    return true;
}

void CommandLexer::lex_backtick() {
    const auto close = text_.find('`', at_ + 1);
    begin_building();
    if (close == std::string_view::npos) {
        line_.buffer_.push_back('`');
        ++at_;
        return;
    }
    line_.enqueue(text_.substr(at_ + 1, close - at_ - 1), static_cast<std::int32_t>(line_.segments_.size()),
                  Origin::Substitution, static_cast<std::uint8_t>(depth_ + 1));
    line_.buffer_.append(text_.substr(at_, close - at_ + 1));
    at_ = close + 1;
}

void CommandLexer::lex_backslash() {
    if (at(at_ + 1) == '\n') {  // continued line
        if (building_ || word_begin_ != std::string_view::npos) begin_building();
        at_ += 2;
        return;
    }
    begin_building();
    if (at_ + 1 < text_.size()) line_.buffer_.push_back(text_[at_ + 1]);
    at_ += 2;
    at_ = std::min(at_, text_.size());
}

/// The parenthesis that closes the one at `open`, quotes respected; the end of the text if none does.
std::size_t CommandLexer::closing_parenthesis(std::size_t open) const {
    std::size_t depth = 0;
    char quote = '\0';
    for (std::size_t i = open; i < text_.size(); ++i) {
        const char c = text_[i];
        if (quote != '\0') {
            if (c == '\\' && quote == '"') ++i;
            if (c == quote) quote = '\0';
        } else if (c == '\\') {
            ++i;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && --depth == 0) {
            return i;
        }
    }
    return text_.size();
}

}  // namespace fieldwatch::detect
