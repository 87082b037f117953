// Feeds pulled from real servers: conditionally, page by page, by their rules about redirects and sudden
// loss.
#include "feed/feeds.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <filesystem>

#include "net/http_server.hpp"

namespace fieldwatch::feed {
namespace {

using testing::HasSubstr;

/// An HTTP server that answers as told, and keeps what it was asked.
class FeedServer {
  public:
    FeedServer() {
        auto server = net::HttpServer::create(
            {}, {.respond = [this](const net::HttpRequest& request) { return answer(request); }}, metrics_);
        EXPECT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
        server_->start();
    }
    ~FeedServer() { server_->stop(); }
    std::string url(std::string_view path) const {
        return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
    }
    void serve(std::string path, net::HttpResponse response) {
        const std::lock_guard lock(mutex_);
        answers_[std::move(path)] = std::move(response);
    }
    /// `target [header=value]` of each request since the last call.
    std::vector<std::string> asked(std::string_view header = "") {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> out;
        for (const auto& request : requests_) {
            out.push_back(request.target);
            for (const auto& [name, value] : request.headers) {
                if (name == header) out.back() += " " + value;
            }
        }
        requests_.clear();
        return out;
    }

  private:
    net::HttpResponse answer(const net::HttpRequest& request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
        const auto found = answers_.find(request.target);
        if (found == answers_.end()) return {.status = 404};
        for (const auto& [name, value] : found->second.headers) {
            for (const auto& [asked, tag] : request.headers) {
                if (name == "ETag" && asked == "if-none-match" && tag == value) return {.status = 304};
            }
        }
        return found->second;
    }

    Metrics metrics_;
    std::mutex mutex_;
    std::map<std::string, net::HttpResponse> answers_;
    std::vector<net::HttpRequest> requests_;
    std::unique_ptr<net::HttpServer> server_;
};

class FeedsTest : public testing::Test {
  protected:
    FeedsTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-feed-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        registry_ = std::move(*registry::open(directory_ + "/registry.db", system_clock(), system_random()));
        open();
    }
    ~FeedsTest() override {
        feeds_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }
    /// As after a restart of the server.
    void open() {
        auto feeds = Feeds::open({.registry = *registry_,
                                  .files = posix_file_system(),
                                  .clock = system_clock(),
                                  .metrics = metrics_,
                                  .directory = directory_ + "/intel",
                                  .state_file = directory_ + "/feeds.json",
                                  .import = [this](Feeds::Import import) { return take(std::move(import)); },
                                  .remove =
                                      [this](const std::string& name) {
                                          return posix_file_system().remove(directory_ + "/intel/" + name);
                                      }});
        ASSERT_TRUE(feeds) << feeds.error().message;
        feeds_ = std::move(*feeds);
    }
    Status run(const std::string& name, bool may_shrink = false) {
        const auto shown = feeds_->run(name, may_shrink);
        EXPECT_TRUE(shown) << shown.error().message;
        return shown ? shown->status : Status{};
    }
    void put(const std::string& name, const std::string& json) {
        const auto done = feeds_->put(name, json);
        ASSERT_TRUE(done) << done.error().message;
    }
    std::string file(const std::string& name) const {
        const auto bytes = read_file(posix_file_system(), directory_ + "/intel/feed-" + name, 1u << 20);
        return bytes ? std::string(as_text(*bytes)) : "";
    }

    std::string state_file() const { return directory_ + "/feeds.json"; }

    FeedServer server_;
    std::vector<Feeds::Import> imports_;
    std::unique_ptr<Feeds> feeds_;

  private:
    Result<detect::IndicatorFile> take(Feeds::Import import) {
        auto file = detect::parse_indicators(import.name, import.text);
        if (!file) return file;
        EXPECT_TRUE(posix_file_system().make_directories(directory_ + "/intel"));
        EXPECT_TRUE(
            replace_file(posix_file_system(), directory_ + "/intel/" + import.name, as_bytes(import.text)));
        imports_.push_back(std::move(import));
        return file;
    }

    std::string directory_;
    Metrics metrics_;
    std::unique_ptr<registry::Registry> registry_;
};

TEST_F(FeedsTest, BeginAnewWhereWhatTheyKeptIsDamaged) {
    for (const auto* text :
         {"", "{", "[]", R"({"version":2})", R"({"version":1,"feeds":[5]})",
          R"({"version":1,"feeds":[{"name":7}]})", R"({"version":1,"feeds":[{"bad":[1]}]})"}) {
        feeds_.reset();
        ASSERT_TRUE(replace_file(posix_file_system(), state_file(), as_bytes(text)));
        open();
        const auto aside = read_file(posix_file_system(), state_file() + ".damaged", 1u << 20);
        ASSERT_TRUE(aside) << text;
        EXPECT_EQ(as_text(*aside), text);
        EXPECT_FALSE(read_file(posix_file_system(), state_file(), 1u << 20));
    }
}

TEST_F(FeedsTest, AFileIsPulledOnceAndThenOnlyWhenItChanged) {
    server_.serve(
        "/list.csv?key=1",
        {.status = 200, .headers = {{"ETag", "\"a\""}}, .body = "203.0.113.1\nnot one\n203.0.113.2\n"});
    put("abuse", R"({"url":")" + server_.url("/list.csv?key=1") + R"(","authorization":"Bearer x"})");
    auto status = run("abuse");
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.indicators, 2u);
    ASSERT_EQ(status.bad.size(), 1u);
    EXPECT_EQ(status.bad[0].line, 2u);
    EXPECT_THAT(server_.asked("authorization"), testing::ElementsAre("/list.csv?key=1 Bearer x"));
    open();
    status = run("abuse");
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.indicators, 2u);
    EXPECT_EQ(imports_.size(), 1u);
    EXPECT_THAT(server_.asked("if-none-match"), testing::ElementsAre("/list.csv?key=1 \"a\""));
}

TEST_F(FeedsTest, AFailureKeepsWhatIsThereAndSaysWhy) {
    server_.serve("/list", {.status = 200, .headers = {}, .body = "203.0.113.1\n"});
    put("abuse", R"({"url":")" + server_.url("/list") + "\"}");
    run("abuse");
    server_.serve("/list", {.status = 401});
    const auto status = run("abuse");
    EXPECT_THAT(status.problem, HasSubstr("status 401"));
    EXPECT_EQ(status.failures, 1u);
    EXPECT_EQ(file("abuse"), "203.0.113.1\n");
}

TEST_F(FeedsTest, ARedirectMayNotLeadToAnotherServerHere) {
    FeedServer inside;
    inside.serve("/secret", {.status = 200, .headers = {}, .body = "203.0.113.1\n"});
    server_.serve("/away", {.status = 302, .headers = {{"Location", inside.url("/secret")}}});
    server_.serve("/home", {.status = 302, .headers = {{"Location", "/list"}}});
    server_.serve("/loop", {.status = 302, .headers = {{"Location", "/loop"}}});
    server_.serve("/inside", {.status = 302, .headers = {{"Location", "https://127.0.0.1:1/x"}}});
    server_.serve("/list", {.status = 200, .headers = {}, .body = "203.0.113.2\n"});
    for (const auto* const name : {"away", "home", "loop", "inside"})
        put(name, R"({"url":")" + server_.url(std::string("/") + name) + "\"}");
    EXPECT_THAT(run("away").problem, HasSubstr("not followed"));
    EXPECT_TRUE(inside.asked().empty());
    EXPECT_THAT(run("inside").problem, HasSubstr("reachable from anywhere"));
    EXPECT_EQ(run("home").problem, "");
    EXPECT_THAT(run("loop").problem, HasSubstr("more than 5"));
}

TEST_F(FeedsTest, ACollectionIsReadPageByPageAndThenFromWhereItEnded) {
    const auto page = [](std::string_view id, std::string_view address, std::string_view more) {
        return fmt::format(
            R"({{{}"objects":[{{"type":"indicator","id":"indicator--{}","modified":"2026-02-01T00:00:00Z","valid_from":"2026-01-01T00:00:00Z","pattern_type":"stix","pattern":"[ipv4-addr:value = '{}']"}}]}})",
            more, id, address);
    };
    const std::string media = "application/taxii+json;version=2.1";
    const auto served = [&](std::string body, std::string last) {
        return net::HttpResponse{.status = 200,
                                 .headers = {{"Content-Type", media}, {"X-TAXII-Date-Added-Last", last}},
                                 .body = std::move(body)};
    };
    server_.serve("/c/1/objects/", served(page("a", "203.0.113.1", R"("more":true,"next":"p2",)"),
                                          "2026-03-01T00:00:00.000001Z"));
    server_.serve("/c/1/objects/?next=p2",
                  served(page("b", "203.0.113.2", ""), "2026-03-02T00:00:00.000002Z"));
    put("taxii", R"({"url":")" + server_.url("/c/1/") + R"(","format":"taxii"})");
    auto status = run("taxii");
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.indicators, 2u);
    EXPECT_THAT(server_.asked("accept"),
                testing::ElementsAre("/c/1/objects/ " + media, "/c/1/objects/?next=p2 " + media));
    const std::string behind = "/c/1/objects/?added_after=2026-03-02T00%3A00%3A00.000002Z";
    server_.serve(behind, served(page("c", "203.0.113.3", ""), "2026-03-03T00:00:00Z"));
    status = run("taxii");
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.indicators, 3u) << "what was there, and the new one";
    EXPECT_THAT(server_.asked(), testing::ElementsAre(behind));
    EXPECT_TRUE(imports_.back().may_shrink);
    server_.serve("/c/1/objects/?added_after=2026-03-03T00%3A00%3A00Z",
                  {.status = 200, .headers = {}, .body = "{}"});
    EXPECT_EQ(run("taxii").problem, "");
    EXPECT_EQ(imports_.size(), 2u);
}

TEST_F(FeedsTest, EventsOfAMispFeedComeOneByOneAndOnlyWhenTheyChanged) {
    const std::string one = "11111111-1111-4111-8111-111111111111",
                      two = "22222222-2222-4222-8222-222222222222";
    const auto event = [](const std::string& uuid, std::string_view address) {
        return net::HttpResponse{.status = 200,
                                 .headers = {},
                                 .body = R"({"Event":{"uuid":")" + uuid +
                                         R"(","info":"x","Attribute":[{"type":"ip-dst","value":")" +
                                         std::string(address) + R"(","to_ids":true}]}})"};
    };
    server_.serve("/feed/manifest.json",
                  {.status = 200,
                   .headers = {},
                   .body = R"({")" + one + R"(":{"timestamp":"1"},")" + two + R"(":{"timestamp":"1"}})"});
    server_.serve("/feed/" + one + ".json", event(one, "203.0.113.1"));
    put("misp", R"({"url":")" + server_.url("/feed") + R"(","format":"misp"})");
    auto status = run("misp");
    EXPECT_THAT(status.problem, HasSubstr(two)) << "the missing event is told of";
    EXPECT_EQ(status.indicators, 1u);
    server_.asked();
    server_.serve("/feed/" + two + ".json", event(two, "203.0.113.2"));
    status = run("misp");
    EXPECT_EQ(status.problem, "");
    EXPECT_EQ(status.indicators, 2u);
    EXPECT_THAT(server_.asked(), testing::ElementsAre("/feed/manifest.json", "/feed/" + two + ".json"));
}

TEST_F(FeedsTest, TheHeaderStaysWithItsServerAndAFeedGoesWithItsFile) {
    server_.serve("/list", {.status = 200, .headers = {}, .body = "203.0.113.1\n"});
    put("abuse", R"({"url":")" + server_.url("/list") + R"(","authorization":"Bearer x"})");
    put("abuse", R"({"url":")" + server_.url("/list") + R"(","every":"PT6H"})");
    EXPECT_EQ(feeds_->get("abuse")->feed.authorization, "Bearer x");
    put("abuse", R"({"url":"https://elsewhere.example/list"})");
    EXPECT_EQ(feeds_->get("abuse")->feed.authorization, "");
    put("abuse", R"({"url":")" + server_.url("/list") + "\"}");
    run("abuse");
    EXPECT_EQ(file("abuse"), "203.0.113.1\n");
    ASSERT_TRUE(feeds_->remove("abuse"));
    EXPECT_EQ(file("abuse"), "");
    EXPECT_EQ(feeds_->get("abuse").error().code, Errc::NotFound);
    EXPECT_EQ(feeds_->run("abuse", false).error().code, Errc::NotFound);
}

TEST_F(FeedsTest, TheThreadPullsWhatIsDue) {
    server_.serve("/list", {.status = 200, .headers = {}, .body = "203.0.113.1\n"});
    put("abuse", R"({"url":")" + server_.url("/list") + "\"}");
    feeds_->start();
    for (int i = 0; i < 200 && file("abuse").empty(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    feeds_->stop();
    EXPECT_EQ(file("abuse"), "203.0.113.1\n");
    EXPECT_EQ(feeds_->get("abuse")->status.runs, 1u) << "the next is due in an hour";
}

}  // namespace
}  // namespace fieldwatch::feed
