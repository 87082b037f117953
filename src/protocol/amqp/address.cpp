#include "protocol/amqp/address.hpp"

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"

namespace fieldwatch::amqp {

namespace {

constexpr std::size_t kAddressBytesMax = 2'048;  // two ids of 128 bytes, percent-encoded, and a host
constexpr std::size_t kSegmentsMax = 32;

bool same(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
}

std::string_view without_host(std::string_view text) {
    for (const std::string_view scheme : {"amqps://", "amqp://", "sb://"}) {
        if (!same(text.substr(0, scheme.size()), scheme)) continue;
        text.remove_prefix(scheme.size());
        const auto slash = text.find('/');
        return slash == std::string_view::npos ? std::string_view() : text.substr(slash);
    }
    return text;
}

using Segments = std::vector<std::string_view>;

Segments split(std::string_view path) {
    Segments segments;
    while (!path.empty() && segments.size() < kSegmentsMax) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) segments.push_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return segments;
}

bool matches(std::span<const std::string_view> segments, std::initializer_list<std::string_view> fixed) {
    return std::equal(segments.begin(), segments.end(), fixed.begin(), fixed.end(), same);
}

std::unexpected<Error> unknown() {
    return fail(Errc::NotFound, "an address that this hub has no node for");
}

Result<Address> parse_device(std::span<const std::string_view> rest, bool client_sends) {
    Address address{.device = percent_decode(rest[1])};
    rest = rest.subspan(2);
    if (rest.size() > 2 && same(rest[0], "modules")) {
        address.module = percent_decode(rest[1]);
        rest = rest.subspan(2);
    }
    if (matches(rest, {"messages", "events"}))
        address.node = client_sends ? Node::Telemetry : Node::ModuleInputs;
    else if (matches(rest, {"messages", "devicebound"}))
        address.node = Node::DeviceBound;
    else if (matches(rest, {"methods", "devicebound"}))
        address.node = Node::Methods;
    else if (matches(rest, {"twin"}))
        address.node = Node::Twin;
    else
        return unknown();
    return address;
}

// `{entity}/ConsumerGroups/{g}/Partitions/{p}`: the entity may itself hold slashes.
Result<Address> parse_partition(const Segments& segments, std::size_t entity_count) {
    Address address{.node = Node::Partition,
                    .group = percent_decode(segments[entity_count + 1]),
                    .partition = percent_decode(segments[entity_count + 3])};
    for (std::size_t at = 0; at < entity_count; ++at)
        address.entity += (at == 0 ? "" : "/") + percent_decode(segments[at]);
    return address;
}

}  // namespace

Result<Address> parse_address(std::string_view text, bool client_sends) {
    if (text.size() > kAddressBytesMax) return unknown();
    const auto segments = split(without_host(text));
    const auto count = segments.size();
    if (count == 0) return unknown();
    if (count == 1 && same(segments[0], "$cbs")) return Address{.node = Node::Cbs};
    if (same(segments[count - 1], "$management")) {
        Address address{.node = Node::Management};
        for (std::size_t at = 0; at + 1 < count; ++at)
            address.entity += (at == 0 ? "" : "/") + percent_decode(segments[at]);
        return address;
    }
    if (count > 4 && same(segments[count - 4], "ConsumerGroups") && same(segments[count - 2], "Partitions"))
        return parse_partition(segments, count - 4);
    if (matches(segments, {"messages", "devicebound"})) return Address{.node = Node::ServiceSend};
    if (matches(segments, {"messages", "serviceBound", "feedback"})) return Address{.node = Node::Feedback};
    if (matches(segments, {"messages", "serviceBound", "filenotifications"}))
        return Address{.node = Node::FileNotifications};
    if (count == 3 && same(segments[1], "registrations"))
        return Address{.node = Node::Registrations,
                       .scope = percent_decode(segments[0]),
                       .registration = percent_decode(segments[2])};
    if (count > 2 && same(segments[0], "devices")) return parse_device(segments, client_sends);
    return unknown();
}

Result<Address> parse_destination(std::string_view to) {
    auto address = parse_address(to, false);
    if (!address || address->node != Node::DeviceBound) return unknown();
    return address;
}

}  // namespace fieldwatch::amqp
