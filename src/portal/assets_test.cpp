// The page's files, as they are in the binary.
#include "portal/assets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwatch::portal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::optional<net::HttpResponse> get(std::string path) {
    net::HttpRequest request;
    request.method = "GET";
    request.path = std::move(path);
    return serve_asset(request, embedded_assets());
}

TEST(Assets, AreThePageWithAPolicyThatNamesNobodyElse) {
    for (const auto* path : {"/", "/alerts", "/devices/pump.3"}) {
        const auto page = get(path);
        ASSERT_TRUE(page) << path;
        EXPECT_THAT(page->body, HasSubstr("<div id=\"page\">"));
        EXPECT_THAT(page->headers,
                    Contains(Pair("content-security-policy", HasSubstr("default-src 'none'"))));
    }
    for (const auto& asset : embedded_assets()) {
        if (!asset.path.ends_with(".html")) continue;
        EXPECT_THAT(std::string(asset.content), Not(HasSubstr("http")));
    }
}

TEST(Assets, ThatAreNotThereAreNothing) {
    EXPECT_FALSE(get("/missing.js"));
    EXPECT_FALSE(get("/assets/missing.js"));
}

}  // namespace
}  // namespace fieldwatch::portal
