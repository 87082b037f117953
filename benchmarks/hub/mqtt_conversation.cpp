#include "hub/conversation.hpp"

namespace load {

namespace {

void put_text(std::string& out, const std::string& text) {
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 255);
    out += text;
}

void put_packet(std::string& out, unsigned char head, std::string_view rest, std::string_view more = {}) {
    out += static_cast<char>(head);
    auto size = rest.size() + more.size();
    do {
        auto byte = static_cast<unsigned char>(size % 128);
        size /= 128;
        if (size > 0) byte |= 128;
        out += static_cast<char>(byte);
    } while (size > 0);
    out += rest;
    out += more;
}

class Mqtt final : public Conversation {
  public:
    explicit Mqtt(const Client& client) : client_(client) {}

    Heard begin(std::string& out) override {
        std::string rest;
        put_text(rest, "MQTT");
        rest += '\4';
        unsigned char flags = 2;  // clean session: no queue is left behind
        if (!client_.user.empty()) flags |= 0x80;
        if (!client_.password.empty()) flags |= 0x40;
        rest += static_cast<char>(flags);
        rest += '\2';
        rest += '\130';  // keep-alive 600 s
        put_text(rest, client_.id);
        if (!client_.user.empty()) put_text(rest, client_.user);
        if (!client_.password.empty()) put_text(rest, client_.password);
        put_packet(out, 0x10, rest);
        return {};
    }

    Heard received(std::string& in, std::string&) override {
        Heard heard;
        std::size_t at = 0;
        while (in.size() - at >= 4) {
            const auto kind = static_cast<unsigned char>(in[at]) >> 4;
            const auto size = static_cast<unsigned char>(in[at + 1]);
            if (size > 127 || in.size() - at < 2u + size) break;
            if (kind == 2) {
                heard.refused = in[at + 3] != 0;
                heard.ready = !heard.refused;
            } else if (kind == 4) {
                ++heard.acknowledged;
            }
            at += 2u + size;
        }
        in.erase(0, at);
        return heard;
    }

    void publish(std::string_view body, std::string& out) override {
        if (++next_id_ == 0) next_id_ = 1;
        std::string rest;
        put_text(rest, client_.topic);
        rest += static_cast<char>(next_id_ >> 8);
        rest += static_cast<char>(next_id_ & 255);
        put_packet(out, 0x32, rest, body);
    }

  private:
    const Client& client_;
    unsigned short next_id_ = 0;
};

}  // namespace

std::unique_ptr<Conversation> mqtt_conversation(const Client& client) {
    return std::make_unique<Mqtt>(client);
}

}  // namespace load
