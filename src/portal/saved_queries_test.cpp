// Saved queries over HTTP: one's own, what others share, and nothing of theirs besides.
#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using Json = nlohmann::json;

class SavedQueries : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        for (const auto* hub : {"plant", "office"})
            ASSERT_TRUE(registry_->create_hub({.name = {hub}}));
        for (const auto* name : {"ann", "bob"})
            ASSERT_TRUE(accounts_->add(registry::Token{
                .name = name, .hash_hex = hex(sha256(as_bytes(std::string(name)))), .role = "analyst"}));
    }
    net::HttpResponse put(const std::string& id, const std::string& body, std::string_view who) {
        return ask("PUT", "/api/v1/hubs/plant/queries/" + id, body, who);
    }
    std::vector<std::string> names(std::string_view who, const std::string& hub = "plant") {
        std::vector<std::string> out;
        const auto answer = ask("GET", "/api/v1/hubs/" + hub + "/queries", "", who);
        EXPECT_EQ(answer.status, 200) << answer.body;
        const auto body = Json::parse(answer.body);
        for (const auto& one : body["value"])
            out.push_back(one["name"]);
        return out;
    }
};

TEST_F(SavedQueries, AreOnesOwnUntilTheyAreShared) {
    const auto made = put("a", R"({"name":"who ran tar","query":"T | take 1","timespan":"P7D"})", "ann");
    ASSERT_EQ(made.status, 201) << made.body;
    const auto query = Json::parse(made.body);
    EXPECT_EQ(query["mine"], true);
    EXPECT_EQ(query["shared"], false);
    EXPECT_EQ(query["timespan"], "P7D");
    EXPECT_EQ(names("ann"), std::vector<std::string>{"who ran tar"});
    EXPECT_TRUE(names("bob").empty());
    EXPECT_TRUE(names("administrator").empty()) << "what is private is, for everybody";
    EXPECT_TRUE(names("ann", "office").empty());
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant/queries/a", "", "bob").status, 404);
    EXPECT_EQ(ask("DELETE", "/api/v1/hubs/plant/queries/a", "", "bob").status, 404);
    EXPECT_EQ(put("a", R"({"name":"n","query":"q"})", "bob").status, 403);

    ASSERT_EQ(put("a", R"({"name":"who ran tar","query":"T | take 1","shared":true})", "ann").status, 200);
    EXPECT_EQ(names("bob"), std::vector<std::string>{"who ran tar"});
    const auto seen = Json::parse(ask("GET", "/api/v1/hubs/plant/queries/a", "", "bob").body);
    EXPECT_EQ(seen["mine"], false);
    EXPECT_EQ(seen["owner"], "token ann");
    EXPECT_EQ(put("a", R"({"name":"mine now","query":"q"})", "bob").status, 403);
    EXPECT_EQ(ask("DELETE", "/api/v1/hubs/plant/queries/a", "", "bob").status, 403);
    // An administrator may, and it stays its owner's.
    const auto changed = put("a", R"({"name":"renamed","query":"q","shared":true})", "administrator");
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(Json::parse(changed.body)["owner"], "token ann");
    EXPECT_EQ(ask("DELETE", "/api/v1/hubs/plant/queries/a", "", "ann").status, 204);
    EXPECT_TRUE(names("ann").empty());
}

TEST_F(SavedQueries, RefuseWhatIsNoneAndWhatMeetsAnotherChange) {
    EXPECT_EQ(put("a", R"({"name":"n","query":"q"})", "reader").status, 403);
    for (const auto* body :
         {R"({"name":"n"})", R"({"query":"q"})", R"({"name":"n","query":"q","owner":"bob"})",
          R"({"name":"n","query":"q","timespan":"yesterday"})", R"({"name":"n","query":1})", "[]"})
        EXPECT_EQ(put("a", body, "ann").status, 400) << body;
    EXPECT_EQ(put("a%20b", R"({"name":"n","query":"q"})", "ann").status, 400);
    EXPECT_EQ(put("a", Json{{"name", "n"}, {"query", std::string(70'000, 'q')}}.dump(), "ann").status, 413);
    EXPECT_EQ(put("a", R"({"name":"n","query":"not | a query at all"})", "ann").status, 201)
        << "people keep what they have not finished";
    EXPECT_EQ(ask("GET", "/api/v1/hubs/nowhere/queries", "", "ann").status, 404);

    net::HttpRequest late;
    late.method = "PUT";
    late.target = "/api/v1/hubs/plant/queries/a";
    late.headers = {{"authorization", "Bearer ann"}, {"if-match", "\"7\""}};
    late.body = R"({"name":"n","query":"q"})";
    ASSERT_TRUE(net::read_target(late));
    EXPECT_EQ(portal_->handler().respond(late).status, 412);
}

TEST_F(SavedQueries, AreBoundedForEach) {
    for (int i = 0; i < 200; ++i)
        ASSERT_EQ(put("q" + std::to_string(i), R"({"name":"n","query":"q"})", "ann").status, 201);
    EXPECT_EQ(put("more", R"({"name":"n","query":"q"})", "ann").status, 429);
    EXPECT_EQ(put("q7", R"({"name":"again","query":"q"})", "ann").status, 200);
    EXPECT_EQ(put("more", R"({"name":"n","query":"q"})", "bob").status, 201);
}

}  // namespace
}  // namespace fieldwatch::portal
