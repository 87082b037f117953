#include <algorithm>

#include "base/text.hpp"
#include "bus/bus.hpp"

namespace fieldwatch::bus {

namespace {

constexpr std::size_t kServersMax = 16;
constexpr std::size_t kTopicMax = 249;  // Kafka's own bound

std::unexpected<Error> no_address(std::string_view url) {
    return fail(
        Errc::InvalidArgument,
        "\"" + std::string(url) +
            "\" is not like kafka://HOST:9092/TOPIC, kafkas://…, nats://HOST:4222/SUBJECT or natss://…");
}

bool is_server(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
    const auto port = text.substr(colon + 1);
    return text.size() <= 280 && port.size() <= 5 &&
           port.find_first_not_of("0123456789") == std::string_view::npos &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '@' && c != '/'; });
}

bool is_topic(std::string_view text) {
    return !text.empty() && text.size() <= kTopicMax && !text.starts_with('.') && !text.ends_with('.') &&
           text.find("..") == std::string_view::npos && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

}  // namespace

Result<Address> parse_address(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return no_address(url);
    const auto name = url.substr(0, scheme);
    Address out;
    if (name == "kafka" || name == "kafkas")
        out.kind = Kind::Kafka;
    else if (name == "nats" || name == "natss")
        out.kind = Kind::Nats;
    else
        return no_address(url);
    out.tls = name.ends_with("s") && name != "nats";
    const auto rest = url.substr(scheme + 3);
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return no_address(url);
    out.servers = rest.substr(0, slash);
    out.topic = rest.substr(slash + 1);
    const auto servers = split(out.servers, ',');
    if (servers.size() > kServersMax || !std::ranges::all_of(servers, is_server) || !is_topic(out.topic))
        return no_address(url);
    return out;
}

Result<std::unique_ptr<Bus>> open(Address address, Options options) {
    return address.kind == Kind::Kafka ? open_kafka(std::move(address), std::move(options))
                                       : open_nats(std::move(address), std::move(options));
}

}  // namespace fieldwatch::bus
