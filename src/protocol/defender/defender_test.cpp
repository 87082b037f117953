#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "protocol/defender/cbor.hpp"
#include "protocol/defender/report.hpp"

namespace fieldwatch::defender {
namespace {

Result<Report> parse(std::string_view json) {
    std::optional<std::int64_t> id;
    return parse_report(as_bytes(json), Format::Json, id);
}

Bytes bytes_of(std::string_view hex_text) {
    return *from_hex(hex_text);
}

constexpr std::string_view kShort =
    R"({"hed":{"rid":42001,"v":"1.0"},"met":{"tp":{"pts":[{"pt":2323,"if":"wlan0"}],"t":1},)"
    R"("ns":{"bi":910,"bo":77,"pi":9,"po":3},)"
    R"("tc":{"ec":{"cs":[{"rad":"203.0.113.9:6667","lp":40112,"li":"wlan0"}],"t":1}}},)"
    R"("cmet":{"fan_rpm":[{"number":1180}],"seen":[{"ip_list":["10.0.0.1"]}]}})";

TEST(DefenderReport, ReadsShortNames) {
    const auto report = parse(kShort);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->id, 42001);
    ASSERT_EQ(report->tcp_ports->ports.size(), 1u);
    EXPECT_EQ(report->tcp_ports->ports[0].port, 2323);
    EXPECT_EQ(report->tcp_ports->ports[0].interface, "wlan0");
    EXPECT_FALSE(report->udp_ports);
    ASSERT_EQ(report->established->list.size(), 1u);
    EXPECT_EQ(report->established->list[0], (Connection{.remote_address = "203.0.113.9",
                                                        .remote_port = 6667,
                                                        .local_port = 40112,
                                                        .local_interface = "wlan0"}));
    EXPECT_EQ(report->packets_out, 3);
    ASSERT_EQ(report->custom.size(), 2u);
    EXPECT_EQ(std::get<double>(report->custom[0].value), 1'180);
}

TEST(DefenderReport, ReadsLongNamesNumbersThatWereDoublesAndBareIpv6) {
    const auto report = parse(
        R"({"header":{"report_id":1.6e12,"version":"1.3"},"metrics":{"listening_udp_ports":{"ports":[],"total":0.0},)"
        R"("tcp_connections":{"established_connections":{"connections":[{"remote_addr":"2001:db8::1:443"},)"
        R"({"remote_addr":"[2001:db8::2]:80"}],"total":12}},"network_stats":{"bytes_in":5.0}},"added_later":1})");
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->id, 1'600'000'000'000);
    EXPECT_TRUE(report->udp_ports->ports.empty());
    EXPECT_EQ(report->established->list[0].remote_address, "2001:db8::1");
    EXPECT_EQ(report->established->list[0].remote_port, 443);
    EXPECT_EQ(report->established->list[1].remote_address, "2001:db8::2");
    EXPECT_EQ(report->established->total, 12);
    EXPECT_EQ(report->bytes_in, 5);
    EXPECT_FALSE(report->bytes_out);
}

TEST(DefenderReport, RefusesWhatIsNone) {
    const auto refused = [](std::string_view json) { return !parse(json); };
    EXPECT_TRUE(refused("[]"));
    EXPECT_TRUE(refused("{"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":0,"v":"1.0"},"met":{}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1.5,"v":"1.0"},"met":{}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"2.0"},"met":{}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"report_id":1,"v":"1.0"},"met":{}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"tp":{"pts":[{"pt":0}]}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"tp":{"pts":[{"pt":65536}]}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"tp":[]}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"ns":{"bi":-1}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"tc":{"ec":{"cs":[{"rad":"x:1"}]}}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{"tc":{"ec":{"cs":[{"lp":1}]}}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"cmet":{"a":{"number":0}}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"cmet":{"aws:a":[{"number":0}]}})"));
    EXPECT_TRUE(refused(R"({"hed":{"rid":1,"v":"1.0"},"cmet":{"a":[{"ip_list":["no"]}]}})"));
    EXPECT_FALSE(refused(R"({"hed":{"rid":1,"v":"1.0"},"met":{},"cmet":{"a":[{"number":0}]}})"));
    std::optional<std::int64_t> id;
    EXPECT_FALSE(parse_report(as_bytes(R"({"hed":{"rid":7,"v":"1.0"}})"), Format::Json, id));
    EXPECT_EQ(id, 7) << "the refusal names the report";
}

TEST(DefenderReport, CborIsTheSameReport) {
    // {"hed": {"rid": 42, "v": "1.0"}, "met": {"tp": {"pts": [{"pt": 22.0}], "t": 1}}}, maps of indefinite
    // length as the C agent writes them, 22.0 as binary16.
    const auto bytes = bytes_of(
        "bf63686564bf63726964182a617663312e30ff636d6574bf627470bf63707473"
        "81bf627074f94d80ff617401ffffff");
    std::optional<std::int64_t> id;
    const auto report = parse_report(bytes, Format::Cbor, id);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->id, 42);
    EXPECT_EQ(report->tcp_ports->ports[0].port, 22);
}

TEST(Cbor, ReadsTheExamplesOfItsStandard) {
    const auto text = [](std::string_view hex_text) {
        return cbor_to_json(bytes_of(hex_text), 1'000).value_or("?");
    };
    // RFC 8949 appendix A.
    EXPECT_EQ(text("1b7fffffffffffffff"), "9223372036854775807");
    EXPECT_EQ(text("3863"), "-100");
    EXPECT_EQ(text("f93e00"), "1.5");
    EXPECT_EQ(text("f90001"), "5.960464477539063e-08");
    EXPECT_EQ(text("fb3ff199999999999a"), "1.1");
    EXPECT_EQ(text("f97c00"), "?");  // Infinity
    EXPECT_EQ(text("f4"), "false");
    EXPECT_EQ(text("f7"), "null");
    EXPECT_EQ(text("c11a514b67b0"), "1363896240");
    EXPECT_EQ(text("4401020304"), "?");  // a byte string
    EXPECT_EQ(text("7f657374726561646d696e67ff"), R"("streaming")");
    EXPECT_EQ(text("9f018202039f0405ffff"), "[1,[2,3],[4,5]]");
    EXPECT_EQ(text("bf61610161629f0203ffff"), R"({"a":1,"b":[2,3]})");
    EXPECT_EQ(text("a201020304"), "?");  // keys that are numbers
    EXPECT_EQ(text("0102"), "?");
    EXPECT_EQ(text("9b7fffffffffffffff01"), "?") << "a length is not believed";
    EXPECT_EQ(text(std::string(80, '8') + "10"), "?");
    std::string deep;
    for (int i = 0; i < 100'000; ++i)
        deep += "81";
    EXPECT_EQ(text(deep + "00"), "?") << "nesting is bounded";
}

RC_GTEST_PROP(Cbor, WhatIsWrittenReadsBack,
              (const std::vector<std::pair<std::string, std::uint32_t>>& members)) {
    Bytes out;
    CborWriter writer(out);
    std::vector<std::string> names;
    writer.begin_map(members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
        std::string name = std::to_string(i);
        for (const char c : members[i].first)
            name += static_cast<char>('a' + (static_cast<unsigned char>(c) % 26));
        writer.member(name, std::uint64_t{members[i].second});
        names.push_back(name);
    }
    std::string wanted = "{";
    for (std::size_t i = 0; i < members.size(); ++i)
        wanted += (i == 0 ? "\"" : ",\"") + names[i] + "\":" + std::to_string(members[i].second);
    RC_ASSERT(cbor_to_json(out, 1u << 20).value() == wanted + "}");
}

RC_GTEST_PROP(DefenderReport, AnyBytesAreAReportOrAnError, (const std::vector<std::uint8_t>& bytes)) {
    const ByteView view(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
    std::optional<std::int64_t> id;
    static_cast<void>(parse_report(view, Format::Json, id));
    static_cast<void>(parse_report(view, Format::Cbor, id));
}

TEST(DefenderReply, SaysAcceptedOrWhyNotInBothFormats) {
    Reply reply{.thing = "pump", .report_id = 42, .unix_milliseconds = 1'700'000'000'123};
    EXPECT_EQ(as_text(encode_reply(reply, Format::Json)),
              R"({"thingName":"pump","reportId":42,"status":"ACCEPTED","timestamp":1700000000123})");
    EXPECT_EQ(cbor_to_json(encode_reply(reply, Format::Cbor), 1'000).value(),
              R"({"thingName":"pump","reportId":42,"status":"ACCEPTED","timestamp":1700000000123})");
    reply.report_id.reset();
    reply.error_code = "InvalidPayload";
    reply.error_message = "Malformed metrics report";
    EXPECT_EQ(cbor_to_json(encode_reply(reply, Format::Cbor), 1'000).value(),
              as_text(encode_reply(reply, Format::Json)));
}

}  // namespace
}  // namespace fieldwatch::defender
