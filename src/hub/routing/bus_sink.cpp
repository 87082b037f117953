#include "hub/routing/bus_sink.hpp"

#include <vector>

namespace fieldwatch::hub {

namespace {

/// The text behind `before`, up to one of `ends`.
std::string_view between(std::string_view text, std::string_view before, std::string_view ends) {
    const auto at = text.find(before);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + before.size());
    const auto end = text.find_first_of(ends);
    return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

class BusSink final : public RouteSink {
  public:
    BusSink(std::unique_ptr<bus::Bus> bus, std::string hub) : bus_(std::move(bus)), hub_(std::move(hub)) {}

    Result<void> deliver(std::span<const std::string> messages) override {
        std::vector<std::string> ids;
        ids.reserve(messages.size());  // the messages view them
        std::vector<bus::Message> out;
        for (const auto& message : messages) {
            ids.push_back(id_in(message, hub_));
            out.push_back({.key = device_in(message), .id = ids.back(), .text = message});
        }
        return bus_->deliver(out);
    }
    void interrupt() override { bus_->interrupt(); }

  private:
    const std::unique_ptr<bus::Bus> bus_;
    const std::string hub_;
};

}  // namespace

Result<std::unique_ptr<RouteSink>> open_bus_sink(const RouteEndpoint& endpoint, BusSinkOptions options) {
    auto address = FIELDWATCH_TRY(bus::parse_address(endpoint.url));
    auto bus = FIELDWATCH_TRY(bus::open(std::move(address), {.ca_pem = endpoint.ca_pem,
                                                             .user = std::move(options.user),
                                                             .password = std::move(options.password),
                                                             .timeout = options.timeout}));
    return std::unique_ptr<RouteSink>(std::make_unique<BusSink>(std::move(bus), std::move(options.hub)));
}

// In the envelope what a message says of itself stands before anything that a device wrote, and neither a
// device's id nor a number has a character that JSON escapes.
std::string_view device_in(std::string_view message) {
    return between(message, "\"deviceId\":\"", "\"");
}

std::string id_in(std::string_view message, std::string_view hub) {
    return std::string(hub) + '/' + std::string(between(message, "\"partition\":", ",}")) + '/' +
           std::string(between(message, "\"offset\":", ",}"));
}

}  // namespace fieldwatch::hub
