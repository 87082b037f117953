#include "detect/profile/accepted_profile.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::detect {
namespace {

AcceptedProfile cameras() {
    return {.of = {.name = "cameras", .devices = {"camera-*", "door"}, .days = 7},
            .lines = {"in tcp/22 local", "out icmp anybody", "out tcp/443 api.example",
                      "out tcp/8883 198.51.100.1/32", "out tcp/8883 2001:db8::5/128",
                      "out tcp/8883 203.0.113.0/24"},
            .author = "ada"};
}

TEST(AcceptedProfile, ReadsWhatItWrote) {
    const auto profile = cameras();
    EXPECT_EQ(parse_accepted_profile("cameras", accepted_profile_json(profile)).value(), profile);
    for (const auto* const text : {"", "[]", "{}", R"({"devices":["a"]})", R"({"devices":[1],"lines":[]})",
                                   R"({"devices":["a"],"lines":[],"days":0})",
                                   R"({"devices":["a*b"],"lines":[]})", R"({"devices":[],"lines":[]})"})
        EXPECT_FALSE(parse_accepted_profile("cameras", text)) << text;
    EXPECT_FALSE(parse_accepted_profile("two words", accepted_profile_json(profile)));
}

TEST(AcceptedProfile, NamesItsDevicesInAQuery) {
    EXPECT_EQ(kql_devices(cameras().of), R"((DeviceId startswith_cs "camera-" or DeviceId in ("door")))");
    EXPECT_EQ(kql_devices({.name = "x", .devices = {"a\"b\\"}}), R"((DeviceId in ("a\"b\\")))");
    EXPECT_EQ(kql_devices({.name = "all", .devices = {"*"}}), R"((DeviceId startswith_cs ""))");
}

TEST(AcceptedProfile, TakesAMappedAddressForTheOneInIt) {
    EXPECT_NE(kql_connections().find(R"(@"^::ffff:([0-9.]+)$", @"\1"))"), std::string_view::npos);
}

TEST(AcceptedProfile, AsksForWhatIsNotInIt) {
    const auto query = drift_query(cameras(), "plant").value();
    for (const auto* const part :
         {R"(AssociatedResourceId endswith "/iothubs/plant")", R"((Service == "in tcp/22" and (Local)))",
          R"((Service == "out icmp" and (true)))", R"((Service == "out tcp/443" and (true)))",
          R"((Service == "out tcp/8883" and (Remote in ("198.51.100.1", "2001:db8::5") or )"
          R"(coalesce(ipv4_is_in_any_range(Remote, "203.0.113.0/24"), false))))"})
        EXPECT_NE(query.find(part), std::string::npos) << part << "\n" << query;
    auto any = cameras();
    any.lines = {"out any local"};
    EXPECT_NE(drift_query(any, "plant")->find(R"((Way == "out" and (Local)))"), std::string::npos);
    any.lines.clear();
    EXPECT_EQ(drift_query(any, "plant")->find("where not(("), std::string::npos) << "nothing is allowed";
    for (int i = 0; i < 4'000; ++i)
        any.lines.push_back("out tcp/443 198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
                            "/32");
    EXPECT_FALSE(drift_query(any, "plant")) << "more than a query holds";
}

}  // namespace
}  // namespace fieldwatch::detect
