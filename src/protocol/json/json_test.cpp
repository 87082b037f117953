#include "protocol/json/json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/json_text.hpp"

namespace fieldwatch::json {
namespace {

Result<std::string> round_trip(std::string_view text) {
    Reader reader;
    const auto* const value = FIELDWATCH_TRY(reader.parse(text));
    std::string out;
    append(out, *value);
    return out;
}

TEST(Json, KeepsOrderAndWritesCompactly) {
    EXPECT_EQ(round_trip(R"( {"b" : [1, -2.5, true, null], "a":{"x":"é\n"}} )").value(),
              R"({"b":[1,-2.5,true,null],"a":{"x":"é\n"}})");
}

TEST(Json, RefusesAKeyThatOccursTwiceAndSaysWhere) {
    const auto result = round_trip(R"({"a":[{"x/y":1,"x/y":2}]})");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "/a/0/x~1y: this key occurs twice in its object");
    std::string many = "{";
    for (int i = 0; i < 100; ++i)
        many += "\"k" + std::to_string(i) + "\":1,";
    EXPECT_FALSE(round_trip(many + "\"k7\":2}"));
    EXPECT_TRUE(round_trip(many + "\"k700\":2}"));
}

TEST(Json, RefusesEqualKeysThatAreEscapedDifferently) {
    EXPECT_FALSE(round_trip(R"({"a":1,"\u0061":2})"));
}

TEST(Json, AllowsSixteenLevelsAndNoMore) {
    const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(round_trip(nested(16)));
    ASSERT_FALSE(round_trip(nested(17)));
    EXPECT_EQ(round_trip(nested(17)).error().code, Errc::TooLarge);
    EXPECT_EQ(round_trip(nested(100'000)).error().code, Errc::TooLarge);
}

TEST(Json, RefusesWhatIsNotOneJsonValueInUtf8) {
    for (const std::string_view text :
         {"", "{", "{}{}", "{'a':1}", "[1,]", "nan", "1e999", "\"\xff\"", "\"\\ud800\"", "\x00"})
        EXPECT_FALSE(round_trip(text)) << text;
}

TEST(Json, RefusesMoreBytesThanTheBound) {
    Reader reader;
    EXPECT_EQ(reader.parse("[1,2,3]", {.bytes_max = 4}).error().code, Errc::TooLarge);
}

TEST(Json, ReadsBackEveryStringThatItWrites) {
    EXPECT_TRUE(rc::check([](const std::string& raw) {
        std::string text;
        for (const char c : raw)
            if (static_cast<unsigned char>(c) < 0x80) text += c;  // any ASCII, control characters too
        std::string json;
        append_json_string(json, text);
        Reader reader;
        const auto value = reader.parse(json);
        RC_ASSERT(value.has_value());
        RC_ASSERT((*value)->text == text);
    }));
}

}  // namespace
}  // namespace fieldwatch::json
