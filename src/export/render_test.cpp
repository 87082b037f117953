// What leaves, to the byte: tests/golden/export/NAME.row.json is a row of the outbox, NAME.FORMAT what
// becomes of it. FIELDWATCH_REGENERATE=1 writes what comes out now back, for review as a difference.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "export/render.hpp"

namespace fieldwatch::exports {
namespace {

using Json = nlohmann::json;

constexpr Format kAllFormats[] = {Format::Json,   Format::Ocsf, Format::Stix,
                                  Format::Syslog, Format::Cef,  Format::Text};
const Teller kTeller{.version = "0.1.0", .page_url = "https://watch.example"};
/// What ends a field, a line, an object or a terminal's patience, somewhere.
constexpr std::string_view kHostile[] = {
    "\"",     "]", "\\",    "\\\"",          "|", "=", "\n", "\r\n", "\x1b", "\x7f", "CEF:0|a|",
    "<13>1 ", "}", "\",\"", "[x@1 y=\"z\"]", "é"};

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Finding read_row(const std::filesystem::path& path) {
    const auto row = Json::parse(content(path));
    const auto finding = read_finding(
        {.sequence = 1, .kind = row["kind"].get<std::string>(), .key = {}, .body_json = row["body"].dump()});
    if (!finding) ADD_FAILURE() << path << ": " << finding.error().message;
    return finding.value_or(Finding{});
}

std::filesystem::path golden() {
    return std::string(FIELDWATCH_SOURCE_DIR) + "/tests/golden/export";
}

TEST(Render, GoldenFiles) {
    const bool regenerate = std::getenv("FIELDWATCH_REGENERATE") != nullptr;
    std::size_t rows = 0;
    for (const auto& file : std::filesystem::directory_iterator(golden())) {
        const auto name = file.path().filename().string();
        if (!name.ends_with(".row.json")) continue;
        ++rows;
        const auto finding = read_row(file.path());
        for (const auto format : kAllFormats) {
            const auto beside =
                golden() / fmt::format("{}.{}", name.substr(0, name.size() - 9), to_string(format));
            const auto is = render(format, finding, kTeller) + "\n";
            if (regenerate) std::ofstream(beside, std::ios::binary) << is;
            EXPECT_EQ(is, content(beside)) << beside;
        }
    }
    EXPECT_GE(rows, 3u);
}

/// Fields between separators that no backslash stands before.
std::vector<std::string> unescaped_split(std::string_view text, char separator) {
    std::vector<std::string> out(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            out.back() += text[i];
            out.back() += text[++i];
        } else if (text[i] == separator) {
            out.emplace_back();
        } else {
            out.back() += text[i];
        }
    }
    return out;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Reads one element of structured data as RFC 5424 section 6.3 has it; where it ends.
std::size_t read_element(std::string_view text, std::size_t at, std::vector<std::string>& values) {
    EXPECT_EQ(text[at], '[');
    at = text.find_first_of(" ]", at);
    while (at < text.size() && text[at] == ' ') {
        at = text.find("=\"", at) + 2;
        std::string value;
        for (; text[at] != '"'; ++at) {
            EXPECT_NE(text[at], ']') << "a bare bracket in a value";
            if (text[at] == '\\') ++at;
            value += text[at];
        }
        values.push_back(std::move(value));
        ++at;
    }
    EXPECT_EQ(text[at], ']');
    return at + 1;
}

TEST(Render, NothingInAFindingBreaksOutOfItsField) {
    for (const auto first : kHostile) {
        for (const auto second : kHostile) {
            const auto bad = std::string(first) + "x" + std::string(second);
            auto finding = read_row(golden() / "alert.row.json");
            finding.type = finding.title = finding.description = finding.state = finding.hub =
                finding.device = bad;
            finding.tactics = finding.rule_id = finding.rule_title = finding.component = bad;
            finding.techniques = finding.remediation = {bad};
            for (auto& one : finding.observables)
                one.value = bad;
            const auto cef = render_cef(finding, kTeller);
            EXPECT_FALSE(has_control(cef)) << cef;
            const auto header = unescaped_split(cef, '|');
            ASSERT_GE(header.size(), 8u) << cef;
            EXPECT_EQ(header[6], "9") << cef;
            const auto extension = cef.substr(cef.find("|9|") + 3);
            EXPECT_EQ(unescaped_split(extension, '=').size(), 24u + 1u) << cef;

            const auto line = render_syslog(finding, {});
            EXPECT_FALSE(has_control(line)) << line;
            std::vector<std::string> values;
            const auto from = line.find(" [fieldwatch@32473") + 1;
            EXPECT_EQ(std::ranges::count(line.substr(0, from), ' '), 6) << line;
            const auto end = read_element(line, from, values);
            EXPECT_EQ(values.size(), 11u) << line;
            EXPECT_EQ(line[end], ' ') << line;

            const auto ocsf = Json::parse(render_ocsf(finding, kTeller));
            EXPECT_EQ(ocsf["class_uid"], 2004);
            EXPECT_EQ(ocsf["finding_info"]["title"], bad);
            const auto stix = Json::parse(render_stix(finding, kTeller));
            EXPECT_EQ(stix["type"], "bundle");
        }
    }
}

TEST(Render, StixReferencesPointAtObjectsOfTheBundle) {
    for (const auto* name : {"alert.row.json", "recommendation.row.json", "hostile.row.json"}) {
        const auto bundle = Json::parse(render_stix(read_row(golden() / name), kTeller));
        std::set<std::string> ids;
        for (const auto& object : bundle["objects"])
            EXPECT_TRUE(ids.insert(object["id"]).second) << object["id"];
        for (const auto& object : bundle["objects"]) {
            EXPECT_TRUE(
                object["id"].get<std::string>().starts_with(object["type"].get<std::string>() + "--"));
            for (const auto& [member, value] : object.items()) {
                if (member.ends_with("_ref")) {
                    EXPECT_TRUE(ids.contains(value)) << value;
                }
                for (const auto& one : member.ends_with("_refs") ? value : Json::array())
                    EXPECT_TRUE(ids.contains(one)) << one;
            }
        }
    }
    // The id of an address is the one that everybody else gives it (section 2.9).
    const auto bundle = render_stix(read_row(golden() / "alert.row.json"), kTeller);
    EXPECT_NE(bundle.find("ipv4-addr--" + Uuid::named(*Uuid::parse("00abedb4-aa42-466c-9c01-fed23315a9b7"),
                                                      R"({"value":"203.0.113.9"})")
                                              .text()),
              std::string::npos);
}

TEST(Render, AnIdIsTheSameForTheSameStateOnly) {
    auto row = Json::parse(content(golden() / "recommendation.row.json"));
    const auto id = [&] {
        return read_finding(
                   {.sequence = 1, .kind = "recommendation", .key = {}, .body_json = row["body"].dump()})
            ->delivery_id;
    };
    const auto active = id();
    EXPECT_EQ(id(), active);
    row["body"]["finding"]["RecommendationState"] = "Resolved";
    EXPECT_NE(id(), active);
    const auto alert = read_row(golden() / "alert.row.json");
    EXPECT_EQ(alert.delivery_id, alert.id);
}

TEST(Finding, WhatIsNoneIsRefusedAndRowsOfBeforeAreRead) {
    for (const auto* body :
         {"", "{", "[]", "{}", R"({"finding":7})", R"({"finding":{"AlertType":"x"}})", "\"\xff\""})
        EXPECT_FALSE(read_finding({.sequence = 1, .kind = "alert", .key = {}, .body_json = body})) << body;
    EXPECT_FALSE(
        read_finding({.sequence = 1, .kind = "alert", .key = {}, .body_json = std::string(100'000, '[')}));
    EXPECT_FALSE(read_finding({.sequence = 1, .kind = "action", .key = {}, .body_json = "{}"}));
    const auto old = read_finding(
        {.sequence = 1,
         .kind = "alert",
         .key = {},
         .body_json =
             R"({"SystemAlertId":"i","AlertType":"t","EndTime":"2026-11-22T00:00:00Z","HitCount":"3"})"});
    ASSERT_TRUE(old) << old.error().message;
    EXPECT_EQ(to_iso8601(old->decided, 0), "2026-11-22T00:00:00Z");
}

TEST(Render, TextIsCutBetweenCharacters) {
    EXPECT_EQ(shortened("aé", 2), "a");
    EXPECT_EQ(shortened("aé", 3), "aé");
    EXPECT_EQ(shortened("", 0), "");
}

}  // namespace
}  // namespace fieldwatch::exports
