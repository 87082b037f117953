#include "pipeline/input/pieces.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include <sstream>

#include "pipeline/input/input.hpp"
#include "pipeline/input/text_source.hpp"

namespace fieldwatch::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// `number/line text` of every piece.
std::vector<std::string> cut(const std::string& text, Pieces::Bounds bounds = {1'000, 10'000}) {
    std::istringstream input(text);
    Pieces pieces(input, bounds);
    std::vector<std::string> out;
    while (const auto piece = pieces.next())
        out.push_back(std::to_string(piece->number) + '/' + std::to_string(piece->line) + ' ' +
                      std::string(piece->text.substr(0, 100)) + (piece->too_long ? "…" : ""));
    return out;
}

TEST(Pieces, AreLinesWhateverEndsThem) {
    EXPECT_THAT(cut("a\r\n\r\n \t\nb c\n\nd"), ElementsAre("1/1 a", "2/2 b c", "3/3 d"));
    EXPECT_THAT(cut(""), ElementsAre());
    EXPECT_THAT(cut("\n \r\n"), ElementsAre());
    EXPECT_THAT(cut("[    0.12] audit: x\n[    0.13] y"),
                ElementsAre("1/1 [    0.12] audit: x", "2/2 [    0.13] y"));
    EXPECT_THAT(cut("{\"a\":[1]}\n{\"b\":2}\n"), ElementsAre("1/1 {\"a\":[1]}", "2/2 {\"b\":2}"));
}

TEST(Pieces, AreTheElementsOfAnArray) {
    EXPECT_THAT(cut("[{\"a\":1},{\"b\":[2,{}]} ,\n{\"c\":\"]}\\\"\"}]"),
                ElementsAre("1/1 {\"a\":1}", "2/1 {\"b\":[2,{}]}", "3/2 {\"c\":\"]}\\\"\"}"));
    EXPECT_THAT(cut("\n[\r\n  {\"a\": 1},\r\n\r\n  {\r\n  \"b\": 2}\r\n]\r\n"),
                ElementsAre("1/2 {\"a\": 1}", "2/3 {\r\n  \"b\": 2}"));
    EXPECT_THAT(cut("[]\n"), ElementsAre());
}

TEST(Pieces, AreDocumentsThatGoOverLines) {
    EXPECT_THAT(cut("{\n \"a\": 1\n}\n{\n \"b\": 2\n}\n"),
                ElementsAre("1/1 {\n \"a\": 1\n}", "2/4 {\n \"b\": 2\n}"));
}

TEST(Pieces, ALineThatWasCutOffTakesNoOtherWithIt) {
    EXPECT_THAT(cut("{\"a\":{\"b\":\"x\n{\"c\":1}\n"), ElementsAre("1/1 {\"a\":{\"b\":\"x", "2/2 {\"c\":1}"));
}

TEST(Pieces, WhatIsNoDocumentIsAPieceAndTheNextOneFollows) {
    EXPECT_THAT(cut("[{\"a\":1}, 1, \"x\", {\"b\":1}, null]\nend\n"),
                ElementsAre("1/1 {\"a\":1}", "2/1 1", "3/1 \"x\"", "4/1 {\"b\":1}", "5/1 null", "6/2 end"));
    EXPECT_THAT(cut("[{\"a\":1}, {\"b\":"), ElementsAre("1/1 {\"a\":1}", "2/1 {\"b\":"));
}

TEST(Pieces, PassOverWhatIsTooLong) {
    const std::string long_line(200'000, 'x');
    EXPECT_THAT(cut("a\n" + long_line + "\nb", {10, 10}), ElementsAre("1/1 a", "2/2 xxxxxxxxxx…", "3/3 b"));
    EXPECT_THAT(cut(long_line + "\nb", {10, 10}), ElementsAre("1/1 xxxxxxxxxx…", "2/2 b"));
    EXPECT_THAT(cut("[{\"a\":\"" + long_line + "\"},{\"b\":1}]", {10, 10}),
                ElementsAre("1/1 {\"a\":\"xxxx…", "2/1 {\"b\":1}"));
    EXPECT_THAT(cut("[{\"a\":1}," + std::string(100'000, ' ') + "{\"b\":1}]", {10, 10}),
                ElementsAre("1/1 {\"a\":1}", "2/1 {\"b\":1}"));
}

TEST(Input, TellsFormatsApart) {
    EXPECT_EQ(guess_input_format("type=EXECVE msg=audit(1.000:1): a0=\"x\""), InputFormat::Auditd);
    EXPECT_EQ(guess_input_format("#separator \\x09"), InputFormat::Zeek);
    EXPECT_EQ(guess_input_format(R"({"ts":1,"id.orig_h":"10.0.0.1"})"), InputFormat::Zeek);
    EXPECT_EQ(guess_input_format(R"({"ts":1, "id": {"orig_h" : "10.0.0.1"}, "proto":"tcp"})"),
              InputFormat::Zeek);
    EXPECT_EQ(guess_input_format(R"({"_path":"files","ts":1,"fuid":"F"})"), InputFormat::Zeek);
    EXPECT_EQ(
        guess_input_format(
            R"({"@timestamp":"2026-01-02T03:04:05Z","event":{"kind":"event"},"source":{"ip":"10.0.0.1"},"destination":{"ip":"10.0.0.2"}})"),
        InputFormat::Zeek);
    EXPECT_EQ(guess_input_format(R"({"source.ip":"10.0.0.1","destination.ip":"10.0.0.2"})"),
              InputFormat::Zeek);
    EXPECT_EQ(guess_input_format(R"({"kind":"telemetry"})"), InputFormat::JsonLines);
    EXPECT_EQ(
        guess_input_format(
            R"({"kind":"telemetry","body":{"id.orig_h":"x","source":{"ip":"y"},"destination":{"ip":"z"}}})"),
        InputFormat::JsonLines);
    EXPECT_EQ(
        guess_input_format(
            R"j({"time":"x","kind":"security-message","body":{"note":"type=EXECVE msg=audit(1.000:1)"}})j"),
        InputFormat::JsonLines);
    EXPECT_EQ(guess_input_format(R"({"logsource":{"product":"linux"},"fields":{"id.orig_h":"x"}})"),
              InputFormat::JsonLines);
    EXPECT_EQ(
        guess_input_format(R"j({"__REALTIME_TIMESTAMP":"1","MESSAGE":"type=EXECVE msg=audit(1.000:1)"})j"),
        InputFormat::Syslog);
    EXPECT_EQ(guess_input_format("Mar 27 13:06:56 h sshd[1]: x"), InputFormat::Syslog);
    EXPECT_EQ(guess_input_format("what is this"), std::nullopt);
}

/// What a text source gives of these bytes, and what it says of their end.
std::pair<std::string, std::string> text_of(const std::string& bytes) {
    std::istringstream file(bytes);
    TextSource source(file);
    std::ostringstream out;
    std::istream text(&source);
    if (!bytes.empty()) out << text.rdbuf();
    return {out.str(), source.problem() ? source.problem()->message : ""};
}

std::string packed(const std::string& text, int (*filter)(struct archive*)) {
    std::string out;
    auto* const archive = archive_write_new();
    filter(archive);
    archive_write_set_format_raw(archive);
    archive_write_set_bytes_per_block(archive, 0);
    EXPECT_EQ(archive_write_open(
                  archive, &out, nullptr,
                  [](struct archive*, void* to, const void* data, std::size_t size) -> la_ssize_t {
                      static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
                      return static_cast<la_ssize_t>(size);
                  },
                  nullptr),
              ARCHIVE_OK);
    auto* const entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    EXPECT_EQ(archive_write_header(archive, entry), ARCHIVE_OK);
    archive_write_data(archive, text.data(), text.size());
    archive_entry_free(entry);
    archive_write_free(archive);
    return out;
}

std::string some_lines() {
    std::string out;
    for (int i = 0; i < 20'000; ++i)
        out += "line " + std::to_string(i * 7919) + "\n";
    return out;
}

TEST(TextSource, UnpacksWhatIsPackedByItsFirstBytes) {
    const auto text = some_lines();
    for (auto* const filter : {archive_write_add_filter_gzip, archive_write_add_filter_zstd,
                               archive_write_add_filter_xz, archive_write_add_filter_bzip2}) {
        const auto bytes = packed(text, filter);
        EXPECT_LT(bytes.size(), text.size());
        const auto [got, problem] = text_of(bytes);
        EXPECT_EQ(got, text);
        EXPECT_EQ(problem, "");
    }
    const auto twice =
        packed("a\n", archive_write_add_filter_gzip) + packed("b\n", archive_write_add_filter_gzip);
    EXPECT_EQ(text_of(twice), std::pair(std::string("a\nb\n"), std::string()));
    EXPECT_EQ(text_of(packed("", archive_write_add_filter_gzip)), std::pair(std::string(), std::string()));
}

TEST(TextSource, GivesWhatCameBeforeTheDamage) {
    const auto text = some_lines();
    const auto bytes = packed(text, archive_write_add_filter_gzip);
    const auto [got, problem] = text_of(bytes.substr(0, bytes.size() / 2));
    EXPECT_GT(got.size(), 1'000u);
    EXPECT_TRUE(text.starts_with(got));
    EXPECT_THAT(problem, HasSubstr("cut off or damaged"));
    EXPECT_THAT(text_of("\x1F\x8B garbage").second, HasSubstr("cut off or damaged"));
    EXPECT_THAT(text_of("\x1F\x8B garbage").first, "");
}

TEST(TextSource, TakesPlainTextAsItIsButForAByteOrderMark) {
    const auto text = some_lines();
    EXPECT_EQ(text_of(text), std::pair(text, std::string()));
    EXPECT_EQ(text_of("\xEF\xBB\xBFhello").first, "hello");
    EXPECT_EQ(text_of("\xEF\xBB\xBF").first, "");
    EXPECT_EQ(text_of(packed("\xEF\xBB\xBFhello", archive_write_add_filter_gzip)).first, "hello");
    EXPECT_EQ(text_of("").first, "");
}

TEST(TextSource, SaysWhatIsNoText) {
    EXPECT_THAT(text_of("PK\x03\x04rest").second, HasSubstr("zip"));
    EXPECT_THAT(text_of(std::string("\xFF\xFE{\0", 4)).second, HasSubstr("UTF-16"));
    EXPECT_THAT(text_of("\xD4\xC3\xB2\xA1rest").second, HasSubstr("Zeek"));
    EXPECT_THAT(text_of(packed(std::string(257, 'n') + "ustar  rest", archive_write_add_filter_gzip)).second,
                HasSubstr("tar archive"));
    EXPECT_EQ(text_of("PK\x03\x04rest").first, "");
}

}  // namespace
}  // namespace fieldwatch::pipeline
