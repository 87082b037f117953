#include "detect/intel/refang.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace fieldwatch::detect {

namespace {

char small_letter(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool equals(std::string_view text, std::string_view small) {
    return std::equal(text.begin(), text.end(), small.begin(), small.end(),
                      [](char a, char b) { return small_letter(a) == b; });
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; at + from.size() <= text.size();) {
        if (equals(std::string_view(text).substr(at, from.size()), from)) {
            text.replace(at, from.size(), to);
            at += to.size();
        } else {
            ++at;
        }
    }
}

/// No-break and zero-width blanks, byte order marks, typographic quotes: what copying from a page brings
/// along.
std::string_view without_frame(std::string_view text) {
    static constexpr std::array<std::string_view, 11> kFrame{
        "\xC2\xA0",     "\xE2\x80\x8B", "\xE2\x80\x8C", "\xE2\x80\x8D", "\xEF\xBB\xBF", "\xE2\x80\x98",
        "\xE2\x80\x99", "\xE2\x80\x9C", "\xE2\x80\x9D", "\xC2\xAB",     "\xC2\xBB"};
    for (bool again = true; again;) {
        again = false;
        const auto size = text.size();
        text = trimmed(text, " \t\r\n\"'`<>,");
        for (const auto mark : kFrame) {
            if (text.starts_with(mark)) text.remove_prefix(mark.size());
            if (text.ends_with(mark)) text.remove_suffix(mark.size());
        }
        again = text.size() != size;
    }
    return text;
}

/// hxxp, hXXps, htxp, h**p; fxp.
void mend_scheme(std::string& text) {
    const auto x = [](char c) { return c == 'x' || c == 'X' || c == 't' || c == 'T' || c == '*'; };
    const auto is = [](char c, char small) { return small_letter(c) == small; };
    if (text.size() > 5 && is(text[0], 'h') && x(text[1]) && x(text[2]) && is(text[3], 'p')) {
        text.replace(0, 4, "http");
        if (is(text[4], 's')) text[4] = 's';
    } else if (text.size() > 3 && is(text[0], 'f') && (text[1] == 'x' || text[1] == 'X') &&
               is(text[2], 'p')) {
        text.replace(0, 3, "ftp");
    }
}

/// `hxxp` is the beginning of names too; a scheme has its colon.
bool has_scheme(std::string_view text) {
    return text.find(':') <= 8;  // npos is more
}

}  // namespace

std::string refanged(std::string_view value) {
    std::string out(without_frame(value));
    if (out.find_first_of("[({\\") != out.npos) {
        static constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kSigns{
            {{"[.]", "."},     {"(.)", "."},   {"{.}", "."}, {"[dot]", "."},     {"(dot)", "."},
             {"{dot}", "."},   {"[d0t]", "."}, {"\\.", "."}, {"[://]", "://"},   {"(://)", "://"},
             {"[:]", ":"},     {"(:)", ":"},   {"{:}", ":"}, {"[/]", "/"},       {"[//]", "//"},
             {":\\\\", "://"}, {"[at]", "@"},  {"[@]", "@"}, {"[http]", "http"}, {"[https]", "https"},
             {"[.", "."},      {".]", "."}}};
        for (const auto& [sign, meaning] : kSigns)
            replace_all(out, sign, meaning);
    }
    if (has_scheme(out)) mend_scheme(out);
    return out;
}

}  // namespace fieldwatch::detect
