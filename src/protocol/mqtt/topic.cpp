#include "protocol/mqtt/topic.hpp"

#include <charconv>

#include "base/bytes.hpp"

namespace fieldwatch::mqtt {

namespace {

constexpr std::string_view kTwinGet = "$iothub/twin/GET/";
constexpr std::string_view kTwinReported = "$iothub/twin/PATCH/properties/reported/";
constexpr std::string_view kTwinResponse = "$iothub/twin/res/";
constexpr std::string_view kDesired = "$iothub/twin/PATCH/properties/desired/";
constexpr std::string_view kMethod = "$iothub/methods/POST/";
constexpr std::string_view kMethodResponse = "$iothub/methods/res/";
constexpr std::string_view kThings = "$aws/things/", kMetrics = "/defender/metrics/";
constexpr std::size_t kRequestIdBytesMax = 256;  // SDKs send UUIDs or small decimals

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// The pairs of `?$rid=X&$version=7`; `$` is literal here (trap 9), but an encoded one is understood too.
std::string_view query_value(std::string_view query, std::string_view name) {
    if (query.starts_with('?')) query.remove_prefix(1);
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (!take_prefix(pair, "$") && !take_prefix(pair, "%24")) continue;
        if (take_prefix(pair, name) && take_prefix(pair, "=")) return pair;
    }
    return {};
}

std::string own_prefix(std::string_view device, std::string_view module) {
    std::string prefix = "devices/";
    prefix += device;
    if (!module.empty()) {
        prefix += "/modules/";
        prefix += module;
    }
    prefix += '/';
    return prefix;
}

std::string_view without_hash(std::string_view filter) {
    if (filter.ends_with('#')) filter.remove_suffix(1);
    if (filter.ends_with('/')) filter.remove_suffix(1);
    return filter;
}

Result<ClientTopic> with_request_id(ClientTopic parsed, std::string_view query) {
    parsed.request_id = query_value(query, "rid");
    if (parsed.request_id.size() > kRequestIdBytesMax) return fail(Errc::TooLarge, "$rid above 256 bytes");
    if (const auto version = query_value(query, "version"); !version.empty()) {
        parsed.version = number<std::uint64_t>(version);
        if (!parsed.version) return fail(Errc::InvalidArgument, "$version is not a number");
    }
    return parsed;
}

Result<ClientTopic> parse_method_response(std::string_view rest) {
    ClientTopic parsed{.kind = ClientTopicKind::MethodResponse};
    const auto slash = rest.find('/');
    const auto status = number<int>(rest.substr(0, slash));
    if (slash == std::string_view::npos || !status) {
        return fail(Errc::InvalidArgument, "a method response without a status");
    }
    parsed.status = *status;
    return with_request_id(parsed, rest.substr(slash + 1));
}

/// `$aws/things/{thing}/defender/metrics/{format}` and what stands behind it, "" or "/accepted".
struct DefenderTopic {
    bool is_cbor = false;
    std::string_view rest;
};
/// Nullopt for a topic that is none; Forbidden for another thing's.
Result<std::optional<DefenderTopic>> parse_defender_topic(std::string_view topic, std::string_view device,
                                                          std::string_view module) {
    if (!take_prefix(topic, kThings)) return std::nullopt;
    if (!module.empty() || !take_prefix(topic, device) || !topic.starts_with('/'))
        return fail(Errc::Forbidden, "a topic of a thing that is not this identity");
    if (!take_prefix(topic, kMetrics)) return std::nullopt;
    const bool is_cbor = topic.starts_with("cbor");
    if (!is_cbor && !topic.starts_with("json")) return std::nullopt;
    return DefenderTopic{is_cbor, topic.substr(4)};
}

}  // namespace

Result<ClientTopic> parse_client_topic(std::string_view topic, std::string_view device,
                                       std::string_view module) {
    auto rest = topic;
    if (take_prefix(rest, kTwinGet)) return with_request_id({.kind = ClientTopicKind::TwinGet}, rest);
    if (take_prefix(rest, kTwinReported))
        return with_request_id({.kind = ClientTopicKind::TwinReported}, rest);
    if (take_prefix(rest, kMethodResponse)) return parse_method_response(rest);
    // By length: the bag may hold raw slashes.
    if (take_prefix(rest, "devices/") && take_prefix(rest, device) &&
        (module.empty() || take_prefix(rest, "/modules/")) && take_prefix(rest, module) &&
        take_prefix(rest, "/messages/events")) {
        if (rest.empty() || take_prefix(rest, "/")) {
            return ClientTopic{
                .kind = ClientTopicKind::Telemetry, .device = device, .module = module, .bag = rest};
        }
    }
    const auto report = parse_defender_topic(topic, device, module);
    if (!report) return std::unexpected(report.error());
    if (*report && (*report)->rest.empty())
        return ClientTopic{.kind = ClientTopicKind::DefenderReport, .is_cbor = (*report)->is_cbor};
    if (topic.starts_with("devices/")) {
        return fail(Errc::Forbidden, "a publish to a topic that is not this identity's");
    }
    return fail(Errc::InvalidArgument, "a publish to a topic that does not exist here");
}

std::string telemetry_topic(std::string_view device, std::string_view module, std::string_view encoded_bag) {
    auto topic = own_prefix(device, module);
    topic += "messages/events/";
    topic += encoded_bag;
    return topic;
}

std::string defender_report_topic(std::string_view thing, bool is_cbor) {
    auto topic = std::string(kThings) + std::string(thing) + std::string(kMetrics);
    return topic += is_cbor ? "cbor" : "json";
}

std::string defender_reply_topic(std::string_view thing, bool is_cbor, DefenderReply reply) {
    return defender_report_topic(thing, is_cbor) +
           (reply == DefenderReply::Accepted ? "/accepted" : "/rejected");
}

std::string twin_get_topic(std::string_view request_id) {
    return std::string(kTwinGet) + "?$rid=" + std::string(request_id);
}

std::string twin_reported_topic(std::string_view request_id) {
    return std::string(kTwinReported) + "?$rid=" + std::string(request_id);
}

std::string method_response_topic(int status, std::string_view request_id) {
    return std::string(kMethodResponse) + std::to_string(status) + "/?$rid=" + std::string(request_id);
}

Result<HubFilter> parse_filter(std::string_view filter, std::string_view device, std::string_view module) {
    const auto wanted = without_hash(filter);
    if (wanted == without_hash(kTwinResponsesFilter)) return HubFilter::TwinResponses;
    if (wanted == without_hash(kDesiredFilter)) return HubFilter::DesiredChanges;
    if (wanted == without_hash(kMethodsFilter)) return HubFilter::Methods;
    const auto own = own_prefix(device, module);
    if (wanted == own + "messages/devicebound") return HubFilter::Devicebound;
    // Inputs of a module, and the wider filter that C modules use.
    if (!module.empty() && (wanted == own + "inputs" || wanted == without_hash(own)))
        return HubFilter::Devicebound;
    const auto replies = parse_defender_topic(filter, device, module);
    if (!replies) return std::unexpected(replies.error());
    if (*replies) {
        const auto rest = (*replies)->rest;
        if (rest == "/accepted" || rest == "/rejected" || rest == "/+" || rest == "/#")
            return HubFilter::DefenderReplies;
    }
    if (filter.starts_with("devices/")) {
        return fail(Errc::Forbidden, "a subscription to topics that are not this identity's");
    }
    return fail(Errc::InvalidArgument, "a subscription to topics that do not exist here");
}

HubTopic parse_hub_topic(std::string_view topic) {
    HubTopic parsed;
    if (take_prefix(topic, kTwinResponse)) {
        const auto slash = topic.find('/');
        const auto status = number<int>(topic.substr(0, slash));
        if (slash == std::string_view::npos || !status) return parsed;
        parsed.kind = HubTopicKind::TwinResponse;
        parsed.status = *status;
        topic.remove_prefix(slash + 1);
    } else if (take_prefix(topic, kDesired)) {
        parsed.kind = HubTopicKind::DesiredChange;
    } else if (take_prefix(topic, kMethod)) {
        const auto slash = topic.find('/');
        if (slash == std::string_view::npos) return parsed;
        parsed.kind = HubTopicKind::Method;
        parsed.method = topic.substr(0, slash);
        topic.remove_prefix(slash + 1);
    } else {
        return parsed;
    }
    parsed.request_id = query_value(topic, "rid");
    parsed.version = number<std::uint64_t>(query_value(topic, "version"));
    return parsed;
}

std::string twin_response_topic(int status, std::string_view request_id,
                                std::optional<std::uint64_t> version) {
    auto topic = std::string(kTwinResponse) + std::to_string(status) + "/?$rid=" + std::string(request_id);
    if (version) topic += "&$version=" + std::to_string(*version);
    return topic;
}

std::string desired_topic(std::uint64_t version) {
    return std::string(kDesired) + "?$version=" + std::to_string(version);
}

std::string method_topic(std::string_view method, std::string_view request_id) {
    return std::string(kMethod) + percent_encode(method) + "/?$rid=" + std::string(request_id);
}

}  // namespace fieldwatch::mqtt
