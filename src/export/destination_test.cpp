// What an administrator may write as a destination, and what of it is ever shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "export/destination.hpp"

namespace fieldwatch::exports {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string refusal(std::string_view json, std::string_view name = "soc") {
    const auto read = read_destination(name, json);
    return read ? "taken" : read.error().message;
}

TEST(Destination, IsReadWithItsDefaults) {
    const auto read = read_destination("soc", R"({"to":"https://soc.example:8443/hook?a=b","secret":"s"})");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->host, "soc.example");
    EXPECT_EQ(read->port, 8443);
    EXPECT_EQ(read->target, "/hook?a=b");
    EXPECT_EQ(read->format, Format::Json);
    EXPECT_EQ(read->keep_days, 7u);
    EXPECT_TRUE(read->alerts && read->recommendations && read->hubs.empty());
    EXPECT_FALSE(read->later_states || read->by_incident || read->quiet);
    const auto syslog = read_destination("s", R"({"to":"tls://[2001:db8::1]"})");
    ASSERT_TRUE(syslog) << syslog.error().message;
    EXPECT_EQ(syslog->host, "2001:db8::1");
    EXPECT_EQ(syslog->port, 6514);
    EXPECT_EQ(syslog->format, Format::Syslog);
    EXPECT_EQ(read_destination("f", R"({"to":"file","format":"cef"})")->transport, Transport::File);
    EXPECT_TRUE(read_destination("l", R"({"to":"http://127.0.0.1:1/","format":"stix"})"));
    EXPECT_TRUE(read_destination("l", R"({"to":"http://localhost:1"})"));
}

TEST(Destination, SaysWhatIsWrong) {
    EXPECT_THAT(refusal("[]"), HasSubstr("JSON object"));
    EXPECT_THAT(refusal(R"({"to":"ftp://x"})"), HasSubstr("\"to\" must be one of"));
    EXPECT_THAT(refusal(R"({})"), HasSubstr("\"to\" must be one of"));
    for (const auto* to :
         {"https://", "https://user@host/", "https://host/a b", "https://host/\\r\\nX: y", "tcp://host/x",
          "tcp://host:0", "udp://host:99999", "https://host?x", "https://host/#f", "file:///etc"})
        EXPECT_THAT(refusal(std::string(R"({"to":")") + to + "\"}"), HasSubstr("\"to\" must be one of"))
            << to;
    EXPECT_THAT(refusal(R"({"to":"http://soc.example/"})"), HasSubstr("use https"));
    EXPECT_THAT(refusal(R"({"to":"tcp://h:1","format":"ocsf"})"), HasSubstr("one of syslog, cef"));
    EXPECT_THAT(refusal(R"({"to":"https://h","format":"cef"})"), HasSubstr("one of json, ocsf, stix"));
    EXPECT_THAT(refusal(R"({"to":"file","minimumSeverity":"Critical"})"), HasSubstr("Informational, Low"));
    EXPECT_THAT(refusal(R"({"to":"file","findings":[]})"), HasSubstr("\"findings\""));
    EXPECT_THAT(refusal(R"({"to":"file","findings":["alerts","x"]})"), HasSubstr("\"findings\""));
    EXPECT_THAT(refusal(R"({"to":"file","keepDays":31})"), HasSubstr("between 1 and 30"));
    EXPECT_THAT(refusal(R"({"to":"file","keepDays":"7"})"), HasSubstr("between 1 and 30"));
    EXPECT_THAT(refusal(R"({"to":"file","secret":"x"})"), HasSubstr("go with https"));
    EXPECT_THAT(refusal(R"({"to":"tcp://h:1","ca":"-----BEGIN CERTIFICATE-----"})"), HasSubstr("goes with"));
    EXPECT_THAT(refusal(R"({"to":"https://h","authorization":"a\r\nb"})"), HasSubstr("one line"));
    EXPECT_THAT(refusal(R"({"to":"file","states":"some"})"), HasSubstr("one of new, all"));
    EXPECT_THAT(refusal(R"({"to":"file","group":"hub"})"), HasSubstr("one of none, incident"));
    EXPECT_THAT(refusal(R"({"to":"file","quietHours":"at night"})"), HasSubstr("22:00-06:00+01:00"));
    EXPECT_THAT(refusal(R"({"to":"file","path":"/etc"})"), HasSubstr("not a member"));
    EXPECT_THAT(refusal(R"({"v":2,"to":"file"})"), HasSubstr("another version"));
    for (const auto* name : {"", "../x", "A", "a.b", "-a", "a/b"})
        EXPECT_THAT(refusal(R"({"to":"file"})", name), HasSubstr("small letters")) << name;
    EXPECT_THAT(refusal(R"({"to":"file"})", std::string(65, 'a')), HasSubstr("small letters"));
}

TEST(Destination, KeepsItsSecretsToItself) {
    const auto whole =
        read_destination("soc", R"({"to":"https://soc.example/","secret":"hush","authorization":"Bearer hush",
            "hubs":["plant"],"findings":["alerts"],"minimumSeverity":"Medium","keepDays":3,
            "states":"all","group":"incident","quietHours":"22:00-06:00-03:00"})");
    ASSERT_TRUE(whole) << whole.error().message;
    const auto shown = to_json(*whole, Secrets::Hidden);
    EXPECT_THAT(shown, Not(HasSubstr("hush")));
    EXPECT_THAT(shown, HasSubstr(R"("signed":true,"authorized":true)"));
    const auto again = read_destination("soc", to_json(*whole, Secrets::Shown));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->secret, "hush");
    EXPECT_TRUE(again->later_states && again->by_incident);
    EXPECT_EQ(again->quiet->text(), "22:00-06:00-03:00");
    EXPECT_EQ(to_json(*again, Secrets::Shown), to_json(*whole, Secrets::Shown));
}

TEST(Destination, WantsWhatItSays) {
    auto destination = *read_destination("x", R"({"to":"file","hubs":["plant"],"minimumSeverity":"Medium"})");
    Finding finding;
    finding.hub = "plant";
    finding.severity = model::Severity::Medium;
    EXPECT_TRUE(destination.wants(finding));
    finding.severity = model::Severity::Low;
    EXPECT_FALSE(destination.wants(finding));
    finding.severity = model::Severity::High;
    finding.hub = "other";
    EXPECT_FALSE(destination.wants(finding));
    finding.hub = "plant";
    destination.alerts = false;
    EXPECT_FALSE(destination.wants(finding));
    finding.kind = Kind::Recommendation;
    EXPECT_TRUE(destination.wants(finding));
}

TEST(Destination, OfMailSaysWhoWritesToWhom) {
    const auto read = read_destination(
        "m",
        R"({"to":"smtp://mail.example","from":"fw@a.example","recipients":["soc@a.example"],"user":"u"})");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->transport, Transport::Smtp);
    EXPECT_EQ(read->port, 587);
    EXPECT_EQ(read->format, Format::Text);
    EXPECT_TRUE(read->by_incident) << "people read a mail an incident";
    EXPECT_EQ(read_destination("m", to_json(*read, Secrets::Shown))->mail.recipients, read->mail.recipients);
    const auto with = [](const std::string& members, const std::string& to = "smtps://mail.example") {
        return refusal(
            R"({"to":")" + to + R"(","from":"fw@a.example","recipients":["soc@a.example"],)" + members + "}",
            "m");
    };
    EXPECT_EQ(with(R"("digestMinutes":60,"group":"none")"), "taken");
    EXPECT_EQ(with(R"("ca":"-----BEGIN CERTIFICATE-----")"), "taken");
    EXPECT_THAT(with(R"("digestMinutes":1441)"), HasSubstr("between 0 and 1440"));
    EXPECT_THAT(with(R"("format":"json")"), HasSubstr("one of text"));
    EXPECT_THAT(with(R"("keepDays":7)", "smtp+plain://mail.example"), HasSubstr("on this machine"));
    EXPECT_EQ(with(R"("keepDays":7)", "smtp+plain://127.0.0.1"), "taken");
    EXPECT_THAT(with(R"("password":"p")"), HasSubstr("goes with a"));
    EXPECT_THAT(with(R"("user":"u\r\nRSET")"), HasSubstr("one line"));
    EXPECT_THAT(refusal(R"({"to":"smtp://h","recipients":["a@b.example"]})"), HasSubstr("no mail address"));
    EXPECT_THAT(refusal(R"({"to":"smtp://h","from":"a@b.example"})"), HasSubstr("\"recipients\""));
    EXPECT_THAT(refusal(R"({"to":"file","recipients":["a@b.example"]})"), HasSubstr("go with smtp"));
    for (const auto* const bad :
         {"a", "@b", "a@", "a b@c", "a@b>\\r\\nRCPT TO:<x@y", "a,b@c", "<a@b>", "a\\u0000@b", "é@b"})
        EXPECT_THAT(
            refusal(std::string(R"({"to":"smtp://h","from":"fw@a.example","recipients":[")") + bad + "\"]}"),
            HasSubstr("no mail address"))
            << bad;
}

TEST(Destination, OfAStreamIsReadAsRoutesReadTheirs) {
    const auto read =
        read_destination("k", R"({"to":"kafkas://a:9093,b:9093/findings","user":"u","password":"p"})");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->transport, Transport::Bus);
    EXPECT_EQ(read->stream.servers, "a:9093,b:9093");
    EXPECT_TRUE(read->is_encrypted());
    EXPECT_THAT(to_json(*read, Secrets::Hidden), Not(HasSubstr("\"p\"")));
    EXPECT_THAT(to_json(*read, Secrets::Hidden), HasSubstr("\"authorized\":true"));
    EXPECT_THAT(to_json(*read, Secrets::Shown), HasSubstr("\"password\":\"p\""));
    auto plain = *read_destination("k", R"({"to":"kafka://a:9093,b:9093/findings","user":"u"})");
    EXPECT_FALSE(plain.same_receiver(*read)) << "a password is not told in clear where it was not before";
    EXPECT_THAT(refusal(R"({"to":"nats://h:4222"})"), HasSubstr("nats://"));
    EXPECT_THAT(refusal(R"({"to":"nats://h:4222/a","format":"cef"})"), HasSubstr("one of json, ocsf, stix"));
    EXPECT_THAT(refusal(R"({"to":"nats://h:4222/a","ca":"-----BEGIN CERTIFICATE-----"})"),
                HasSubstr("goes with"));
    EXPECT_THAT(refusal(R"({"to":"file","user":"u"})"), HasSubstr("go with"));
}

}  // namespace
}  // namespace fieldwatch::exports
