#include "detect/profile/profile.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/profile/mud.hpp"
#include "detect/profile/profile_rules.hpp"

namespace fieldwatch::detect {
namespace {

using Lines = std::vector<std::string>;

ConnectionRow call(std::string device, std::string remote, std::uint16_t port, std::string name = "") {
    return {.device = std::move(device),
            .program = "/usr/bin/app",
            .remote_address = std::move(remote),
            .name = std::move(name),
            .protocol = "Tcp",
            .port = port,
            .count = 3,
            .first = Timestamp::from_unix_seconds(1'800'000'000),
            .last = Timestamp::from_unix_seconds(1'800'003'600)};
}

std::vector<ConnectionRow> rows() {
    auto inward = call("camera-1", "192.168.1.9", 22);
    inward.outgoing = false;
    inward.program = "/usr/sbin/sshd";
    return {call("camera-1", "203.0.113.7", 443, "API.Example"),
            call("camera-2", "203.0.113.8", 443, "api.example"),
            call("camera-1", "198.51.100.1", 8883),
            call("camera-1", "2001:db8::5", 8883),
            call("camera-2", "192.168.1.1", 53),
            inward,
            call("camera-1", "224.0.0.251", 5353)};
}

TEST(Profile, SaysWhoTalksToWhom) {
    const auto profile = make_profile(rows(), {}, {{.hour = 3, .count = 5}}, {.name = "camera"});
    EXPECT_EQ(profile.lines(), (Lines{"in tcp/22 local", "out tcp/443 api.example", "out tcp/53 local",
                                      "out tcp/8883 198.51.100.1/32", "out tcp/8883 2001:db8::5/128"}));
    EXPECT_EQ(profile.talks[1].devices.size(), 2u);
    EXPECT_EQ(profile.talks[1].count, 6u);
    EXPECT_EQ(profile.hours[3], 5u);
    EXPECT_EQ(make_profile(rows(), {}, {}, {.devices_min = 2}).lines(), Lines{"out tcp/443 api.example"});
}

TEST(Profile, NamesNetworksAndThenAnybodyWhereAddressesAreMany) {
    std::vector<ConnectionRow> list;
    for (int i = 0; i < 6; ++i)
        list.push_back(call("a", "203.0.113." + std::to_string(i), 443));
    list.push_back(call("a", "198.51.100.7", 443));
    EXPECT_EQ(make_profile(list, {}, {}, {}).lines(),
              (Lines{"out tcp/443 198.51.100.7/32", "out tcp/443 203.0.113.0/24"}));
    for (int i = 0; i < 40; ++i) {
        list.push_back(call("a", "203.0." + std::to_string(i) + ".1", 443));
        list.back().program = "/usr/bin/browser";
    }
    EXPECT_EQ(make_profile(list, {}, {}, {}).lines(), Lines{"out tcp/443 anybody"})
        << "which covers the others";
}

TEST(Mud, SaysTheSameBackAsWasWritten) {
    const auto profile = make_profile(rows(), {}, {}, {.name = "camera 7"});
    const auto file = mud_file(profile, "https://mud.example/camera.json");
    EXPECT_EQ(mud_lines(file).value(), profile.lines());
    const auto json = nlohmann::json::parse(file);
    EXPECT_EQ(json["ietf-mud:mud"]["mud-version"], 1);
    EXPECT_EQ(json["ietf-mud:mud"]["last-update"], "2027-01-15T09:00:00Z");
    // RFC 8520 section 2.1: every list that a policy names is there.
    std::set<std::string> lists;
    for (const auto& acl : json["ietf-access-control-list:acls"]["acl"])
        lists.insert(acl["name"].get<std::string>());
    EXPECT_EQ(lists,
              (std::set<std::string>{"camera-7-v4fr", "camera-7-v4to", "camera-7-v6fr", "camera-7-v6to"}));
    const auto& to = json["ietf-access-control-list:acls"]["acl"][1]["aces"]["ace"][1]["matches"];
    EXPECT_EQ(to["ipv4"]["ietf-acldns:src-dnsname"], "api.example");
    EXPECT_EQ(to["tcp"]["source-port"]["port"], 443);
    EXPECT_EQ(to["tcp"]["ietf-mud:direction-initiated"], "from-device");
}

TEST(Mud, RefusesWhatIsNone) {
    for (const auto* const text : {"", "[]", "{}", R"({"ietf-mud:mud":{}})", "{\"ietf-mud:mud\":1}"})
        EXPECT_FALSE(mud_lines(text)) << text;
    EXPECT_FALSE(mud_lines(std::string(kMudBytesMax + 1, ' ')));
    EXPECT_FALSE(mud_lines(std::string(100, '[')));
    EXPECT_TRUE(mud_lines(R"({"ietf-mud:mud":{},"ietf-access-control-list:acls":{"acl":[]}})")->empty());
}

TEST(Profile, ShowsWhatIsNewAndWhatIsGone) {
    const auto diff = diff_lines({"out tcp/443 a", "out tcp/80 b"}, {"out tcp/443 a", "out tcp/23 c"});
    EXPECT_EQ(diff.added, Lines{"out tcp/23 c"});
    EXPECT_EQ(diff.gone, Lines{"out tcp/80 b"});
}

TEST(Profile, BecomesAPacketFilterAndAnAllowList) {
    const auto profile =
        make_profile(rows(), {{.device = "camera-1", .program = "/usr/bin/app", .user = "0", .count = 2}}, {},
                     {.name = "camera 7"});
    const auto filter = nftables_file(profile, {.enforce = true});
    EXPECT_NE(filter.find("ip daddr { 203.0.113.7, 203.0.113.8 } tcp dport 443 accept comment \"out tcp/443 "
                          "api.example by /usr/bin/app\""),
              std::string::npos)
        << filter;
    EXPECT_NE(filter.find("ip saddr { 10.0.0.0/8"), std::string::npos) << filter;
    EXPECT_NE(filter.find("output \" drop"), std::string::npos) << filter;
    EXPECT_EQ(nftables_file(profile, {}).find(" drop"), std::string::npos);
    auto odd = call("camera-1", "198.51.100.9", 0);
    for (const auto& [protocol, rule] :
         {std::pair("47", "ip daddr 198.51.100.9/32 meta l4proto 47 accept"), std::pair("300", "# left out"),
          std::pair("} drop #\n", "# left out, for its protocol is not known: out } drop #? 198.51.100.9/32"),
          std::pair("", "# left out")}) {
        odd.protocol = protocol;
        const auto text = nftables_file(make_profile({odd}, {}, {}, {}), {});
        EXPECT_NE(text.find(rule), std::string::npos) << text;
        EXPECT_EQ(text.find("\n         accept"), std::string::npos) << "everything would pass: " << text;
    }
    const auto group = nlohmann::json::parse(allow_list_file(profile).value());
    EXPECT_EQ(group["properties"]["allowlistRules"][1]["allowlistValues"],
              nlohmann::json::array({"/usr/bin/app"}));
    auto wide = rows();
    for (int i = 0; i < 40; ++i)
        wide.push_back(call("camera-1", "203.0." + std::to_string(i) + ".1", 443));
    EXPECT_FALSE(allow_list_file(make_profile(wide, {}, {}, {})));
}

}  // namespace
}  // namespace fieldwatch::detect
