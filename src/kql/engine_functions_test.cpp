#include "kql/engine_functions.hpp"

#include <string>

#include <gtest/gtest.h>

#include "kql/xml.hpp"

namespace fieldwatch::kql {
namespace {

std::string computed(std::string_view name, std::string_view argument) {
    for (const auto& function : engine_functions()) {
        if (name == function.name) return function.compute(argument).value_or("null");
    }
    return "no such function";
}

std::string json_of(std::string_view xml) {
    return xml_to_json(xml).value_or("null");
}

// The table of the language's documentation of parse_xml().
TEST(Xml, BecomesJsonAsDocumented) {
    EXPECT_EQ(json_of("<e/>"), R"({"e":null})");
    EXPECT_EQ(json_of("<e>text</e>"), R"({"e":"text"})");
    EXPECT_EQ(json_of(R"(<e name="value" />)"), R"({"e":{"@name":"value"}})");
    EXPECT_EQ(json_of(R"(<e name="value">text</e>)"), R"({"e":{"@name":"value","#text":"text"}})");
    EXPECT_EQ(json_of("<e> <a>text</a> <b>text</b> </e>"), R"({"e":{"a":"text","b":"text"}})");
    EXPECT_EQ(json_of("<e> <a>text</a> <a>text</a> </e>"), R"({"e":{"a":["text","text"]}})");
    EXPECT_EQ(json_of("<e> text <a>text</a> </e>"), R"({"e":{"#text":"text","a":"text"}})");
    EXPECT_EQ(
        json_of("<?xml version=\"1.0\"?>\n<duration>\n <value>118.0</value>\n <count>5</count>\n</duration>"),
        R"({"duration":{"value":118.0,"count":5}})");
}

TEST(Xml, KeepsWhatANumberWouldLose) {
    EXPECT_EQ(json_of("<e>007</e>"), R"({"e":"007"})");
    EXPECT_EQ(json_of("<e>12345678901234567890</e>"), R"({"e":"12345678901234567890"})");
    EXPECT_EQ(json_of("<e>-0.5</e>"), R"({"e":-0.5})");
    EXPECT_EQ(json_of("<e>1e5</e>"), R"({"e":"1e5"})");
}

TEST(Xml, PutsEntitiesInPlaceAndPassesByWhatIsNoContent) {
    EXPECT_EQ(json_of("<e a='&quot;x&quot;'>&lt;b&gt; &#65;&#x42; &amp;amp;</e>"),
              R"({"e":{"@a":"\"x\"","#text":"<b> AB &amp;"}})");
    EXPECT_EQ(json_of("<!-- c --><e><?pi?>a<!-- c --><![CDATA[<b>]]></e><!-- c -->"), R"({"e":"a<b>"})");
    EXPECT_EQ(json_of("<e>\xC3\xA9&#233;&#x1F600;</e>"), "{\"e\":\"\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80\"}");
}

TEST(Xml, IsNullWhereItIsNotWellFormed) {
    for (const auto* text :
         {"", "text", "<e>", "<e></f>", "<e><f></e></f>", "<e/><f/>", "<e a=1/>", "<e a='1' a='2'/>",
          "<e>&no;</e>", "<e>&amp</e>", "<e>&#0;</e>", "<e a='<'/>",
          "<!DOCTYPE e [<!ENTITY x 'y'>]><e>&x;</e>", "<e/>text", "<e", "<e><!-- </e>", "<1/>"})
        EXPECT_EQ(json_of(text), "null") << text;
}

TEST(Xml, IsBoundedInDepthAndSize) {
    const auto nested = [](std::size_t depth) {
        std::string text;
        for (std::size_t i = 0; i < depth; ++i)
            text += "<a>";
        for (std::size_t i = 0; i < depth; ++i)
            text += "</a>";
        return text;
    };
    EXPECT_NE(json_of(nested(100)), "null");
    EXPECT_EQ(json_of(nested(101)), "null");
    EXPECT_EQ(json_of("<e>" + std::string(1u << 20, 'a') + "</e>"), "null");
}

// The examples of the documentation of hash_xxhash64().
TEST(EngineFunctions, HashAsDocumented) {
    EXPECT_EQ(computed("kql_hash", "sWorld"), "1846988464401551951");
    EXPECT_EQ(computed("kql_hash", "l635556672000000000"), "1380966698541616202");
    EXPECT_EQ(computed("kql_hash", "lx"), "null");
    EXPECT_EQ(computed("kql_hash", ""), "null");
}

TEST(EngineFunctions, SortsTheNamesOfBagsAtEachLevel) {
    EXPECT_EQ(computed("kql_sorted_json", R"({"b":{"d":1,"c":[{"z":1,"y":null}]},"a":1.5})"),
              R"({"a":1.5,"b":{"c":[{"y":null,"z":1}],"d":1}})");
    EXPECT_EQ(computed("kql_sorted_json", "{"), "null");
}

// The example of the documentation of buildschema().
TEST(EngineFunctions, FindTheLeastSchemaOfAllValues) {
    EXPECT_EQ(
        computed(
            "kql_json_schema",
            R"([{"x":1,"y":3.5},{"x":"somevalue","z":[1,2,3]},{"y":{"w":"zzz"},"t":["aa","bb"],"z":["foo"]}])"),
        R"({"x":["long","string"],"y":["double",{"w":"string"}],"z":{"`indexer`":["long","string"]},)"
        R"("t":{"`indexer`":"string"}})");
    EXPECT_EQ(computed("kql_json_schema", "[1,2,null]"), R"("long")");
    EXPECT_EQ(computed("kql_json_schema", "[]"), "null");
}

TEST(EngineFunctions, AreNullForJsonThatIsNestedTooDeeply) {
    const auto nested = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    EXPECT_EQ(computed("kql_sorted_json", nested), "null");
    EXPECT_EQ(computed("kql_json_schema", nested), "null");
    EXPECT_EQ(computed("kql_sorted_json", R"(["[[[\"[[["])"), R"(["[[[\"[[["])");
}

TEST(EngineFunctions, BeginSessionsWhereADistanceIsReached) {
    EXPECT_EQ(computed("kql_sessions", "60 5 0 4 9 13 17"), "[0,0,9,9,9]");
    EXPECT_EQ(computed("kql_sessions", "10 5 0 4 8 12"), "[0,0,0,12]");
    EXPECT_EQ(computed("kql_sessions", "10 5 0 - 1 2"), "[0,null,1,1]");
    EXPECT_EQ(computed("kql_sessions", "10 5 9223372036854775807 -9223372036854775808"),
              "[9223372036854775807,9223372036854775807]");
}

TEST(EngineFunctions, HashPlacesAsDocumented) {
    EXPECT_EQ(computed("kql_geohash", "-80.195829 25.802215 8"), "dhwfz15h");
    EXPECT_EQ(computed("kql_geohash", "139.806115 35.554128 12"), "xn76m27ty9g4");
    EXPECT_EQ(computed("kql_geohash", "200 1 8"), "null");
    EXPECT_EQ(computed("kql_geohash", "1 1 19"), "null");
    EXPECT_EQ(computed("kql_geohash", "nan 1 8"), "null");
}

TEST(EngineFunctions, EndInAnAnswerForAnyText) {
    for (const auto& function : engine_functions()) {
        for (const auto* text :
             {"", " ", "x", "-", "1 2 3", "{}", "[", "l", "s", "\xFF", "[[[[", "1e999 1e999 1"})
            function.compute(text);
    }
}

}  // namespace
}  // namespace fieldwatch::kql
