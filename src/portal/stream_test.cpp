// What a session or token let in ends with it: the live stream too.
#include <array>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

class Listener final : public net::EventStream {
  public:
    bool write(std::string_view, std::string_view) override {
        ++written_;
        return open_;
    }
    bool open() const override { return open_; }
    void end() override { open_ = false; }
    int written_ = 0;
    bool open_ = true;
};

class StreamTest : public testing::ApiTest {
  protected:
    /// Whoever `headers` say opens a stream.
    std::shared_ptr<Listener> listen(std::vector<std::pair<std::string, std::string>> headers) {
        net::HttpRequest request;
        request.method = "GET";
        request.target = request.path = "/api/v1/stream";
        request.headers = std::move(headers);
        auto listener = std::make_shared<Listener>();
        EXPECT_FALSE(portal_->handler().subscribe(request, listener));
        return listener;
    }
    std::shared_ptr<Listener> listen_with_token(const std::string& token) {
        return listen({{"authorization", "Bearer " + token}});
    }
    /// Opens a stream with a session of its own.
    std::shared_ptr<Listener> listen_as_ann() {
        const auto reply =
            ask("POST", "/api/v1/session", R"({"user":"ann","password":"correct horse battery"})", "");
        EXPECT_EQ(reply.status, 200) << reply.body;
        for (const auto& [name, value] : reply.headers) {
            if (name == "set-cookie") return listen({{"cookie", value.substr(0, value.find(';'))}});
        }
        return nullptr;
    }
    void publish() {
        const std::array<workspace::AlertRow, 1> alerts{};
        portal_->notifier().publish(alerts, {}, {});
    }
};

TEST_F(StreamTest, EndsWhenItsTokenIsTakenBack) {
    const auto made = Json::parse(ask("PUT", "/api/v1/tokens/siem", R"({"role":"reader"})").body);
    const auto mine = listen_with_token("administrator");
    const auto taken = listen_with_token(made["token"]);
    publish();
    EXPECT_EQ(taken->written_, 2) << "hello, and an alert";
    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/siem").status, 204);
    EXPECT_FALSE(taken->open_);
    publish();
    EXPECT_EQ(taken->written_, 2);
    EXPECT_EQ(mine->written_, 3) << "another's goes on";
}

TEST_F(StreamTest, EndsWhenItsTokenExpires) {
    const auto made = Json::parse(
        ask("PUT", "/api/v1/tokens/siem", R"({"role":"reader","expires":"2026-11-23T01:00:00Z"})").body);
    const auto stream = listen_with_token(made["token"]);
    publish();
    EXPECT_TRUE(stream->open_);
    clock_.advance(std::chrono::hours(1));
    publish();
    EXPECT_FALSE(stream->open_);
    EXPECT_EQ(stream->written_, 2);
}

TEST_F(StreamTest, EndsWithItsSessionHoweverThatEnds) {
    ask("PUT", "/api/v1/users/ann", R"({"role":"reader","password":"correct horse battery"})");
    const auto demoted = listen_as_ann();
    EXPECT_EQ(ask("PATCH", "/api/v1/users/ann", R"({"role":"analyst"})").status, 200);
    EXPECT_FALSE(demoted->open_);
    const auto expired = listen_as_ann();
    clock_.advance(std::chrono::hours(13));
    publish();
    EXPECT_FALSE(expired->open_);
    const auto removed = listen_as_ann();
    EXPECT_TRUE(removed->open_);
    EXPECT_EQ(ask("DELETE", "/api/v1/users/ann").status, 204);
    EXPECT_FALSE(removed->open_);
}

}  // namespace
}  // namespace fieldwatch::portal
