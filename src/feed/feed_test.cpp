// What an administrator writes of a feed, and where a redirect leads.
#include "feed/feed.hpp"

#include <gtest/gtest.h>

#include "feed/fetch.hpp"

namespace fieldwatch::feed {
namespace {

std::string why_not(std::string_view json, std::string_view name = "abuse") {
    const auto feed = read_feed(name, json);
    return feed ? "" : feed.error().message;
}

TEST(Feed, WhatTheRegistryKeepsIsReadBackAndAnswersHideTheHeader) {
    const auto feed =
        read_feed("abuse", R"({"url":"https://feeds.example/list.csv?key=1","format":"taxii","every":"PT30M",
                                            "authorization":"Bearer x","enabled":false})");
    ASSERT_TRUE(feed) << feed.error().message;
    EXPECT_EQ(feed->every, std::chrono::minutes(30));
    EXPECT_FALSE(feed->enabled);
    const auto again = read_feed("abuse", to_json(*feed, Secrets::Shown));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->authorization, "Bearer x");
    EXPECT_EQ(again->format, Format::Taxii);
    const auto shown = to_json(*feed, Secrets::Hidden);
    EXPECT_EQ(shown.find("Bearer"), std::string::npos);
    EXPECT_NE(shown.find(R"("authorized":true)"), std::string::npos);
}

TEST(Feed, RefusalsSayWhatIsAllowed) {
    EXPECT_NE(why_not(R"({"url":"http://feeds.example/x"})").find("https://"), std::string::npos);
    EXPECT_EQ(why_not(R"({"url":"http://127.0.0.1:9/x"})"), "");
    EXPECT_NE(why_not(R"({"url":"https://me:secret@feeds.example/x"})").find("authorization"),
              std::string::npos);
    EXPECT_NE(why_not(R"({"url":"https://feeds.example/x","every":"PT1M"})").find("PT5M"), std::string::npos);
    EXPECT_NE(why_not(R"({"url":"https://feeds.example/x","format":"csv"})").find("taxii"),
              std::string::npos);
    EXPECT_NE(why_not(R"({"url":"https://feeds.example/x","authorization":"a\r\nHost: b"})").find("one line"),
              std::string::npos);
    EXPECT_NE(why_not(R"({"url":"https://feeds.example/x","secret":"y"})").find("secret"), std::string::npos);
    EXPECT_NE(why_not(R"({"url":"https://feeds.example/x"})", "Not A Name").find("small letters"),
              std::string::npos);
    EXPECT_NE(why_not("[]").find("object"), std::string::npos);
}

TEST(Fetch, RedirectsResolveAsRfc3986Says) {
    const auto at = [](std::string_view location) {
        return resolved("https://a.example:8443/one/two?x=1", location).value_or("refused");
    };
    EXPECT_EQ(at("https://b.example/y"), "https://b.example/y");
    EXPECT_EQ(at("/y?z"), "https://a.example:8443/y?z");
    EXPECT_EQ(at("three"), "https://a.example:8443/one/three");
    EXPECT_EQ(at("//b.example/y"), "https://b.example/y");
    EXPECT_EQ(at("/back?to=https://c.example/"), "https://a.example:8443/back?to=https://c.example/");
    EXPECT_EQ(at(""), "refused");
    EXPECT_EQ(at("/a\nb"), "refused");
}

}  // namespace
}  // namespace fieldwatch::feed
