#include "agent/config.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::agent {
namespace {

std::string with_authentication(const std::string& text) {
    return R"({"Configuration":{"Authentication":)" + text + "}}";
}

TEST(AgentConfig, OfARegistrationNamesServiceAndModuleOnlyAsItSays) {
    const auto config = parse_config(with_authentication(
        R"({"Identity":"DPS","FilePath":"/k","DPS":{"IDScope":"0ne1","RegistrationId":"press-1"}})"));
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->provisioning.host, "global.azure-devices-provisioning.net");
    EXPECT_EQ(config->provisioning.port, 0);
    EXPECT_EQ(config->provisioning.id_scope, "0ne1");
    EXPECT_EQ(config->provisioning.registration_id, "press-1");
    EXPECT_EQ(config->module_id, "");
    EXPECT_TRUE(config->warnings.empty());
}

TEST(AgentConfig, OfARegistrationSaysWhatIsMissing) {
    for (const char* const wrong :
         {R"({"Identity":"DPS","FilePath":"/k"})", R"({"Identity":"DPS","FilePath":"/k","DPS":[]})",
          R"({"Identity":"DPS","FilePath":"/k","DPS":{"IDScope":"0ne1"}})",
          R"({"Identity":"DPS","FilePath":"/k","DPS":{"RegistrationId":"p"}})",
          R"({"Identity":"DPS","FilePath":"/k","DPS":{"IDScope":"0ne1","RegistrationId":"p","Port":0}})",
          R"({"Identity":"DPS","DPS":{"IDScope":"0ne1","RegistrationId":"p"}})"}) {
        const auto config = parse_config(with_authentication(wrong));
        ASSERT_FALSE(config) << wrong;
        EXPECT_EQ(config.error().code, Errc::InvalidArgument) << wrong;
    }
}

TEST(AgentConfig, OfARegistrationIsReadAsItIsWritten) {
    AgentConfig config;
    config.connection_string_file = "/c";
    config.provisioning = {.host = "dps.example", .port = 8884, .id_scope = "0ne1", .registration_id = "p"};
    const auto read = parse_config(format_config(config));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->provisioning.host, "dps.example");
    EXPECT_EQ(read->provisioning.port, 8884);
    EXPECT_EQ(read->provisioning.id_scope, "0ne1");
    EXPECT_EQ(read->provisioning.registration_id, "p");
    EXPECT_EQ(read->port, 0);
}

TEST(AgentConfig, AsksNoServiceUnlessItSaysSo) {
    const auto config = parse_config(with_authentication(
        R"({"FilePath":"/k","DeviceId":"d","HostName":"h","DPS":{"IDScope":"0ne1","RegistrationId":"p"}})"));
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->provisioning.registration_id, "");
    EXPECT_EQ(config->module_id, "azureiotsecurity");
}

}  // namespace
}  // namespace fieldwatch::agent
