// Cuts one text into words, redirections and segments by POSIX quoting rules, and queues what substitutions
// hold. Private to the command normaliser.
#pragma once

#include <string_view>

#include "detect/command/command.hpp"

namespace fieldwatch::detect {

class CommandLexer {
  public:
    CommandLexer(CommandLine& line, std::string_view text, std::int32_t parent, Origin origin,
                 std::uint8_t depth)
        : line_(line),
          text_(text),
          parent_(parent),
          origin_(origin),
          depth_(depth),
          words_(line.lexed_words_),
          redirects_(line.lexed_redirects_) {}

    void run();

  private:
    /// A here-document that begins at the next line.
    struct Document {
        std::string_view end, file;  ///< the line that ends it; where it goes, if it goes to a file
        bool is_data;                ///< whatever reads it runs none of it
    };
    void end_word();
    void end_segment(Operator after, std::size_t end);
    void begin_building();
    bool lex_operator();
    bool lex_redirect();
    void lex_quote(char quote);
    void lex_ansi_quote();
    bool lex_dollar();
    bool lex_variable(bool splits);
    void lex_backtick();
    void lex_backslash();
    std::size_t closing_parenthesis(std::size_t open) const;
    void note_documents(const Segment& segment);
    void skip_documents();
    void append(std::string_view text);
    char at(std::size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }

    CommandLine& line_;
    std::string_view text_;
    std::int32_t parent_;
    Origin origin_;
    std::uint8_t depth_;

    std::size_t at_ = 0;
    std::size_t segment_begin_ = 0;
    std::size_t word_begin_ = std::string_view::npos;
    bool building_ = false, quoted_ = false;
    std::vector<Document> documents_;
    std::size_t unended_ = 0;    ///< documents without an end, each looked for once through the text
    std::string_view redirect_;  ///< waiting for its target
    Operator before_ = Operator::None;
    std::uint32_t pipeline_ = 0;
    std::vector<LexedWord>& words_;  ///< of the segment so far; the line keeps their memory
    std::vector<Redirect>& redirects_;
};

/// A command that runs another, which stands in its words behind its own options.
struct OuterCommand {
    std::string_view name;
    std::string_view short_with_value = {};  ///< option letters that take the next word
    std::size_t positional = 0;  ///< words of its own before the other (timeout's duration, flock's file)
};

/// Where a wrapper's own options end: the first word from `at` on that is none, `--` taken too. Letters of
/// `short_with_value` take the next word.
std::size_t behind_options(std::span<const LexedWord> words, std::size_t at,
                           std::string_view short_with_value);

/// ssh and its like, which run their command on another machine.
bool is_remote_shell(std::string_view name);

/// Strips wrappers off the words of a segment and queues the texts that shells would run. Fills argv,
/// wrappers and assignments of the segment. `end` is where the segment ends in `text`.
class CommandUnwrapper {
  public:
    CommandUnwrapper(CommandLine& line, Segment& segment, std::string_view text, std::size_t end,
                     std::span<const LexedWord> words)
        : line_(line), segment_(segment), text_(text), end_(end), words_(words) {}
    void run();

  private:
    bool strip_keywords();
    bool strip_assignments();
    bool strip_wrapper();
    void queue_shell_text();
    void queue_from(std::size_t word);
    void queue_split_string();
    void queue_find_exec();
    std::string_view joined_from(std::size_t first);
    void queue_joined();
    void queue_carried_shell();
    void queue_device_shell();
    void queue_windows_shell();
    bool queue_system_script();
    void queue_code_calls();
    bool queue_carried();
    bool queue_daemon();
    void queue_beside(std::string_view text);

    CommandLine& line_;
    Segment& segment_;
    std::string_view text_;
    std::size_t end_;
    std::span<const LexedWord> words_;
};

}  // namespace fieldwatch::detect
