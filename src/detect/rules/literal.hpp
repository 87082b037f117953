// What a text must contain for a pattern to match it. The rule compiler asks this so that an expression is
// run only over values that hold its words, and a rule over derived command fields need not look at a line
// that holds none of them. Conservative: "nothing known" is always a right answer, a word that need not be
// there never is.
#pragma once

#include <string>
#include <vector>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

struct NeededWord {
    std::string text;                   ///< in lower case
    bool begins = false, ends = false;  ///< no letter, digit or _ stands before, behind
    friend auto operator<=>(const NeededWord&, const NeededWord&) = default;
};

/// Words of which every matching text holds one; empty when nothing is known. Words are cut where the command
/// normaliser may have joined or split text: at white space and `/`; quotes and backslashes, which it drops,
/// are dropped (squeeze() does that to the line, and then words may touch: begins and ends mean nothing
/// there).
std::vector<NeededWord> needed_words(const Pattern& pattern);
/// The same of the value that the pattern is for, as it stands.
std::vector<NeededWord> needed_literals(const Pattern& pattern);

/// The line as the words see it: without quotes and backslashes, continued lines joined. Appends to `out`.
void squeeze(std::string_view line, std::string& out);

/// How a line's words may differ from what stands in it.
struct LineShape {
    bool squeezed = false;        ///< a quote or backslash inside a word: look at the squeezed text too
    bool home = false;            ///< `~` may become /root
    bool escaped = false;         ///< characters are spelled or put together: no word can be ruled out
    bool trailing_blank = false;  ///< the command may end in a blank
};
LineShape shape_of(std::string_view line);

}  // namespace fieldwatch::detect
