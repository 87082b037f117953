// Tokens as the SDKs write them: any order, raw or encoded, with an empty policy.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/hash.hpp"
#include "protocol/sas/connection_string.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::sas {
namespace {

constexpr std::string_view kKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

std::string signed_over(std::string_view text) {
    return percent_encode(base64(hmac_sha256(*from_base64(kKey), as_bytes(text))));
}

RC_GTEST_PROP(Token, VerifiesWhatItMakes, (std::string device, std::uint32_t seconds)) {
    const auto resource = "hub.local/devices/" + device;
    const auto text = make_token(
        {.resource = resource, .key_base64 = kKey, .expiry = Timestamp::from_unix_seconds(seconds)});
    RC_ASSERT(text.has_value());
    if (text->size() > kTokenBytesMax) return;
    const auto token = parse_token(*text);
    RC_ASSERT(token.has_value());
    RC_ASSERT(token->resource == resource);
    RC_ASSERT(token->expiry.unix_seconds() == seconds);
    RC_ASSERT(verify(*token, kKey));
    RC_ASSERT(!verify(*token, "AAAA"));
}

TEST(Token, TheSignatureIsOverTheRawResourceText) {
    for (const std::string resource :
         {"h/devices/d%201", "h%2Fdevices%2Fd1", "h%2fdevices%2fd1", "h/devices/d1"}) {
        const auto token = parse_token("SharedAccessSignature sig=" + signed_over(resource + "\n4000000000") +
                                       "&se=4000000000&skn=&sr=" + resource);
        ASSERT_TRUE(token);
        EXPECT_TRUE(verify(*token, kKey)) << resource;
        EXPECT_TRUE(token->policy.empty());
    }
}

TEST(Token, HexOfTheSignatureMayBeLowerCase) {
    auto signature = signed_over("h\n1");
    for (auto& c : signature) {
        if (&c >= &signature[2] && (&c)[-2] == '%') c = static_cast<char>(std::tolower(c));
    }
    EXPECT_TRUE(verify(*parse_token("SharedAccessSignature sr=h&se=1&sig=" + signature), kKey));
}

TEST(Token, MissingFieldsAndBadExpiriesAreMalformed) {
    for (const auto* text :
         {"", "SharedAccessSignature ", "SharedAccessSignature sr=a&se=1", "sr=a&se=1&sig=b",
          "SharedAccessSignature sr=a&se=x&sig=b", "SharedAccessSignature sr=a&se=-1&sig=b",
          "SharedAccessSignature sr=a&se=99999999999999&sig=b"}) {
        EXPECT_EQ(parse_token(text).error().code, Errc::Malformed) << text;
    }
}

TEST(Resource, ScopesCoverWholeSegments) {
    const auto device = parse_resource("Hub.Local:8883/devices/dev1/");
    ASSERT_TRUE(device);
    EXPECT_TRUE(same_host(device->host, "hub.local"));
    EXPECT_TRUE(covers(*device, "dev1", ""));
    EXPECT_FALSE(covers(*device, "dev10", ""));
    EXPECT_FALSE(covers(*device, "dev1", "m"));
    const auto module = parse_resource("h/devices/dev1/modules/m");
    EXPECT_TRUE(covers(*module, "dev1", "m"));
    EXPECT_FALSE(covers(*module, "dev1", ""));
    EXPECT_TRUE(covers(*parse_resource("h"), "any", "m"));
    EXPECT_FALSE(parse_resource("h/other/dev1"));
    EXPECT_FALSE(parse_resource("h/devices/d/messages"));
    EXPECT_EQ(without_port("[::1]:8883"), "[::1]");
    EXPECT_EQ(without_port("::1"), "::1");
    EXPECT_EQ(port_of("hub:8983"), 8983);
    EXPECT_EQ(port_of("[::1]:8883"), 8883);
    EXPECT_EQ(port_of("::1"), 0);
    EXPECT_EQ(port_of("hub:"), 0);
    EXPECT_EQ(port_of("hub:99999"), 0);
}

TEST(ConnectionString, ReadsWhatItWrites) {
    const std::string text = "HostName=h:8883;DeviceId=d;ModuleId=m;SharedAccessKey=a+/=b==";
    const auto parsed = parse_connection_string(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->shared_access_key, "a+/=b==");
    EXPECT_EQ(format(*parsed), text);
    EXPECT_FALSE(parse_connection_string("DeviceId=d"));
    EXPECT_FALSE(parse_connection_string("HostName=h;nonsense"));
}

}  // namespace
}  // namespace fieldwatch::sas
