// What a session or token let in ends with it: the live stream too.
#include <array>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using Json = nlohmann::json;

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

/// Keeps what is written.
class Recorder final : public net::EventStream {
  public:
    bool write(std::string_view event, std::string_view data) override {
        written.emplace_back(std::string(event), Json::parse(data));
        return true;
    }
    bool open() const override { return open_; }
    void end() override { open_ = false; }
    std::vector<std::pair<std::string, Json>> written;
    bool open_ = true;
};

workspace::AlertRow alert_of(const char* hub) {
    workspace::AlertRow row;
    row.alert.hub = {hub};
    row.alert.display_name = "x";
    row.alert.extended_json = R"({"DeviceId":"d"})";
    return row;
}

TEST_F(StreamTest, StreamsNewsOfTheHubThatWasAskedFor) {
    const auto recorder = std::make_shared<Recorder>();
    ASSERT_TRUE(portal_->notifier().subscribe(recorder, {.hub = "plant", .who = {}}, std::nullopt));
    const std::array alerts{alert_of("plant"), alert_of("other")};
    portal_->notifier().publish(alerts, {}, {.raw_events = 3});
    ASSERT_EQ(recorder->written.size(), 3u);
    EXPECT_EQ(recorder->written[0].first, "hello");
    EXPECT_EQ(recorder->written[1].second["sequence"], 1);
    EXPECT_EQ(recorder->written[1].second["extendedProperties"]["DeviceId"], "d");
    EXPECT_EQ(recorder->written[2].first, "counts");
}

TEST_F(StreamTest, GivesAReturningClientWhatItMissed) {
    const std::array alerts{alert_of("plant"), alert_of("plant"), alert_of("plant")};
    portal_->notifier().publish(alerts, {}, {});
    const auto recorder = std::make_shared<Recorder>();
    ASSERT_TRUE(portal_->notifier().subscribe(recorder, {.hub = "plant", .who = {}}, 1));
    ASSERT_EQ(recorder->written.size(), 3u);
    EXPECT_EQ(recorder->written[1].second["sequence"], 2);
    const auto from_before_a_restart = std::make_shared<Recorder>();
    ASSERT_TRUE(portal_->notifier().subscribe(from_before_a_restart, {.hub = "plant", .who = {}}, 900));
    EXPECT_EQ(from_before_a_restart->written[0].first, "reset");
}

}  // namespace
}  // namespace fieldwatch::portal
