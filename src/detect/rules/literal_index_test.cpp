#include "detect/rules/literal_index.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace fieldwatch::detect {
namespace {

std::vector<PredicateId> found_in(const std::vector<Literal>& literals, std::string_view text) {
    LiteralIndex index;
    for (std::size_t i = 0; i < literals.size(); ++i)
        index.add(literals[i], static_cast<PredicateId>(i));
    index.seal();
    FoldedText folded;
    folded.assign("something longer than the text that was there before");
    folded.assign(text);
    std::vector<PredicateId> out;
    index.find(folded, out);
    std::ranges::sort(out);
    const auto repeated = std::ranges::unique(out);
    out.erase(repeated.begin(), repeated.end());
    return out;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/// The same by trying each place.
bool stands(const Literal& literal, std::string text) {
    if (!literal.cased) std::ranges::transform(text, text.begin(), lower);
    const auto size = literal.text.size();
    for (std::size_t at = 0; at + size <= text.size(); ++at) {
        const bool allowed = (!literal.edges.at_start || at == 0) &&
                             (!literal.edges.at_end || at + size == text.size()) &&
                             (!literal.edges.begins || at == 0 || !word(text[at - 1])) &&
                             (!literal.edges.ends || at + size == text.size() || !word(text[at + size]));
        if (allowed && text.compare(at, size, literal.text) == 0) return true;
    }
    return false;
}

/// Few letters, so that much of it meets.
rc::Gen<std::string> short_text(int bytes_max) {
    return rc::gen::resize(bytes_max, rc::gen::container<std::string>(rc::gen::element(
                                          'a', 'b', 'A', 'B', '/', ' ', '_', '-', '\0', '\xc3')));
}

TEST(LiteralIndex, FindsWhatTryingEachPlaceFinds) {
    rc::check([] {
        std::vector<Literal> literals;
        for (auto text : *rc::gen::container<std::vector<std::string>>(rc::gen::nonEmpty(short_text(7)))) {
            Literal literal{.cased = *rc::gen::arbitrary<bool>(),
                            .edges = {.at_start = *rc::gen::weightedElement<bool>({{4, false}, {1, true}}),
                                      .at_end = *rc::gen::weightedElement<bool>({{4, false}, {1, true}}),
                                      .begins = *rc::gen::arbitrary<bool>(),
                                      .ends = *rc::gen::arbitrary<bool>()}};
            if (!literal.cased) std::ranges::transform(text, text.begin(), lower);
            literal.text = text;
            if (std::ranges::find(literals, literal) == literals.end()) literals.push_back(literal);
        }
        const auto text = *short_text(40);
        std::vector<PredicateId> expected;
        for (std::size_t i = 0; i < literals.size(); ++i) {
            if (stands(literals[i], text)) expected.push_back(static_cast<PredicateId>(i));
        }
        RC_ASSERT(found_in(literals, text) == expected);
    });
}

TEST(LiteralIndex, FindsAmongThousands) {
    std::vector<Literal> literals;
    for (int i = 0; i < 20'000; ++i)
        literals.push_back({.text = "/opt/tool-" + std::to_string(i) + "/run"});
    EXPECT_EQ(found_in(literals, "exec /OPT/Tool-17023/run --now"), std::vector<PredicateId>{17'023});
    EXPECT_EQ(found_in(literals, "exec /opt/tool-20000/run"), std::vector<PredicateId>{});
}

TEST(LiteralIndex, ReadsNothingBehindAText) {
    EXPECT_EQ(found_in({{.text = "abcd"}}, "abc"), std::vector<PredicateId>{});
    EXPECT_EQ(found_in({{.text = std::string("c\0", 2)}}, "abc"), std::vector<PredicateId>{});
    EXPECT_EQ(found_in({{.text = "c"}}, "abc"), std::vector<PredicateId>{0});
    EXPECT_EQ(found_in({{.text = "c"}}, ""), std::vector<PredicateId>{});
}

}  // namespace
}  // namespace fieldwatch::detect
