#include "hub/conversation.hpp"

namespace load {

namespace {

class Https final : public Conversation {
  public:
    explicit Https(const Client& client) {
        auto path = client.topic;
        while (path.ends_with('/'))
            path.pop_back();
        const auto host = client.user.substr(0, client.user.find('/'));
        head_ = "POST /" + path + "?api-version=2020-03-13 HTTP/1.1\r\nHost: " + host +
                "\r\nAuthorization: " + client.password + "\r\nContent-Length: ";
    }

    Heard begin(std::string&) override { return {.ready = true}; }

    Heard received(std::string& in, std::string&) override {
        Heard heard;
        for (auto end = in.find("\r\n\r\n"); end != std::string::npos; end = in.find("\r\n\r\n")) {
            heard.refused = heard.refused || !in.starts_with("HTTP/1.1 204");  // which has no body
            ++heard.acknowledged;
            in.erase(0, end + 4);
        }
        return heard;
    }

    void publish(std::string_view body, std::string& out) override {
        out += head_;
        out += std::to_string(body.size());
        out += "\r\n\r\n";
        out += body;
    }

  private:
    std::string head_;
};

}  // namespace

std::unique_ptr<Conversation> https_conversation(const Client& client) {
    return std::make_unique<Https>(client);
}

}  // namespace load
