#include "detect/rules/literal.hpp"

#include <gmock/gmock.h>
#include <re2/re2.h>

#include "base/random.hpp"

namespace fieldwatch::detect {
namespace {

using testing::UnorderedElementsAre;

Pattern expression(std::string text) {
    return {.kind = PatternKind::Regex, .text = std::move(text)};
}

/// `word` for a word, `<word` and `word>` where no letter may stand before or behind.
std::vector<std::string> literals_of(const std::string& text) {
    std::vector<std::string> out;
    for (const auto& word : needed_literals(expression(text)))
        out.push_back((word.begins ? "<" : "") + word.text + (word.ends ? ">" : ""));
    return out;
}

TEST(Literal, TakesWhatStandsInEveryMatch) {
    EXPECT_THAT(literals_of("(?i)Curl.*--upload-file"), UnorderedElementsAre("--upload-file"));
    EXPECT_THAT(literals_of(R"(\b(nc|ncat)\b)"), UnorderedElementsAre("<nc>", "<ncat>"));
    EXPECT_THAT(literals_of("a+[0-9]?b"), UnorderedElementsAre());
    EXPECT_THAT(literals_of("(one|[a-z]+)"), UnorderedElementsAre());
}

TEST(Literal, SpellsOutSmallAlternativesInPlace) {
    EXPECT_THAT(literals_of(R"(-(W|R)\s?([0-9a-f]{2}\s?){2,20})"), UnorderedElementsAre("-w", "-r"));
    EXPECT_THAT(literals_of(R"(\{(cat|ls),[^}]+\})"), UnorderedElementsAre("{cat,", "{ls,"));
    EXPECT_THAT(literals_of("/(b|d)?ash -[ec]"),
                UnorderedElementsAre("/bash -e", "/bash -c", "/dash -e", "/dash -c", "/ash -e", "/ash -c"));
    EXPECT_THAT(literals_of("colou?r"), UnorderedElementsAre("colour", "color"));
}

TEST(Literal, OfManyAlternativesKeepsWhatStandsBehindThem) {
    EXPECT_THAT(literals_of("[ab][ab][ab][ab][ab]long.[ab]"), UnorderedElementsAre("along", "blong"));
}

/// An expression of the language that is read, and a text that it matches.
struct Made {
    std::string expression, text;
};

class Maker {
  public:
    explicit Maker(std::uint64_t seed) : random_(seed) {}

    Made alternation(int depth) {
        Made out;
        const auto branches = 1 + random_.next() % 3;
        const auto chosen = random_.next() % branches;
        for (std::uint64_t i = 0; i < branches; ++i) {
            const auto branch = sequence(depth);
            out.expression += (i > 0 ? "|" : "") + branch.expression;
            if (i == chosen) out.text = branch.text;
        }
        return out;
    }

  private:
    Made sequence(int depth) {
        Made out;
        for (auto atoms = 1 + random_.next() % 5; atoms > 0; --atoms) {
            auto [expression, text] = atom(depth);
            auto times = std::uint64_t{1};
            switch (random_.next() % 8) {
                case 0:
                    expression += '?';
                    times = random_.next() % 2;
                    break;
                case 1:
                    expression += '+';
                    times = 1 + random_.next() % 2;
                    break;
                case 2:
                    expression += "{0,2}";
                    times = random_.next() % 3;
                    break;
                case 3:
                    expression += "{2}";
                    times = 2;
                    break;
                default:
                    break;
            }
            out.expression += expression;
            // Each time the same text: one of those that may stand there.
            for (; times > 0; --times)
                out.text += text;
        }
        return out;
    }

    Made atom(int depth) {
        static constexpr std::string_view kPlain = "abcXY7_-=,/";
        switch (random_.next() % (depth < 3 ? 8 : 6)) {
            case 0:
                return {"[ab]", random_.next() % 2 == 0 ? "a" : "b"};
            case 1:
                return {"[^z]", "q"};
            case 2:
                return {R"(\s)", " "};
            case 6:
            case 7: {
                const auto inside = alternation(depth + 1);
                return {"(" + inside.expression + ")", inside.text};
            }
            default: {
                const std::string one(1, kPlain[random_.next() % kPlain.size()]);
                return {one, one};
            }
        }
    }

    SeededRandom random_;
};

bool stands_in(const NeededWord& word, const std::string& text) {
    const auto letter = [&](std::size_t at) {
        const auto c = static_cast<unsigned char>(text[at]);
        return std::isalnum(c) != 0 || c == '_';
    };
    for (auto at = text.find(word.text); at != std::string::npos; at = text.find(word.text, at + 1)) {
        const auto end = at + word.text.size();
        const bool begins = !word.begins || at == 0 || !letter(at - 1);
        const bool ends = !word.ends || end == text.size() || !letter(end);
        if (begins && ends) return true;
    }
    return false;
}

TEST(Literal, EveryMatchHasOneOfTheWords) {
    std::size_t known = 0;
    for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
        const auto [text, match] = Maker(seed).alternation(0);
        ASSERT_TRUE(re2::RE2::PartialMatch(match, text)) << text << " and " << match;
        std::string lower;
        for (const char c : match)
            lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        for (const auto& words : {needed_literals(expression(text)), needed_words(expression(text))}) {
            known += words.empty() ? 0 : 1;
            const auto stands = [&](const NeededWord& word) { return stands_in(word, lower); };
            ASSERT_TRUE(words.empty() || std::ranges::any_of(words, stands)) << text << " and " << match;
        }
    }
    EXPECT_GT(known, 1'500u);
}

}  // namespace
}  // namespace fieldwatch::detect
