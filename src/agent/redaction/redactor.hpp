// Secrets in command lines, taken out before a line is folded, kept on disk or sent. What is a secret is
// data: schemas/secrets.txt. Only values go; the words around them stay, because rules match on those.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldwatch::agent {

/// Immutable.
class Redactor {
  public:
    /// `patterns` is a text in the form of schemas/secrets.txt; lines that are none are left out.
    explicit Redactor(std::string_view patterns);
    /// The set that is part of the program.
    static const Redactor& built_in();

    std::string redact(std::string_view command_line) const;
    /// Of arguments with a NUL behind each, joined by blanks: where one ends is known here, so a secret of
    /// several words goes whole.
    std::string redact_arguments(std::string_view arguments) const;

  private:
    bool is_secret_name(std::string_view name) const;
    /// Where the value begins of a header that stands in this word, perhaps behind `-H` or `--header=`; npos:
    /// none.
    std::size_t header_end(std::string_view word) const;
    bool has_token_prefix(std::string_view word) const;
    /// Whether the argument behind this one is a secret.
    bool announces_secret(std::string_view argument, std::string_view program,
                          std::string_view subcommand) const;

    std::vector<std::string> names_, suffixes_, headers_, schemes_, prefixes_;
    std::vector<std::pair<std::string, std::string>> options_,
        users_;                                                // program or program/subcommand, option
    std::vector<std::pair<std::string, std::string>> places_;  // program, which of what are no options
};

}  // namespace fieldwatch::agent
