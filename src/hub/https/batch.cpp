#include "hub/https/batch.hpp"

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "model/ids.hpp"

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kBatchMax = 500;

/// Request headers that are system properties, by the names of bags.
constexpr std::pair<std::string_view, std::string_view> kSystemHeaders[] = {
    {"iothub-messageid", "$.mid"},     {"iothub-correlationid", "$.cid"},
    {"iothub-userid", "$.uid"},        {"iothub-expiry", "$.exp"},
    {"iothub-contenttype", "$.ct"},    {"iothub-contentencoding", "$.ce"},
    {"iothub-interface-id", "$.ifid"}, {"iothub-outputname", "$.on"},
    {"dt-subject", "$.sub"},           {"iothub-creation-time-utc", "$.ctime"}};

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

}  // namespace

std::optional<mqtt::Property> property_of_header(std::string_view name, std::string value) {
    const auto lower_name = lower(name);
    for (const auto& [header, bag] : kSystemHeaders) {
        if (lower_name == header) return mqtt::Property{std::string(bag), std::move(value)};
    }
    if (lower_name.starts_with(kApplicationPrefix))
        return mqtt::Property{std::string(name.substr(kApplicationPrefix.size())), std::move(value)};
    // The marks that older SDKs know: section 3.6.
    if (lower_name == "iothub-interface-internal-id" || lower_name == "iothub-message-schema")
        return mqtt::Property{"$.ifid", std::string(model::kSecurityInterface)};
    return std::nullopt;
}

namespace {

Result<HttpMessage> read_batch_message(const Json& entry) {
    HttpMessage out;
    if (!entry.is_object() || !entry.contains("body"))
        return fail(Errc::Malformed, "each message of a batch is an object with a body");
    const auto& body = entry["body"];
    const auto encoded = entry.find("base64Encoded");
    const bool plain = encoded != entry.end() && encoded->is_boolean() && !encoded->get<bool>();
    if (!body.is_string()) return fail(Errc::Malformed, "a batch message's body is text");
    if (plain) {
        out.body = body.get<std::string>();
    } else {
        const auto bytes = from_base64(body.get_ref<const std::string&>());
        if (!bytes) return fail(Errc::Malformed, "a batch message's body is not base64");
        out.body = as_text(*bytes);
    }
    const auto properties = entry.find("properties");
    if (properties == entry.end() || properties->is_null()) return out;
    if (!properties->is_object() || properties->size() > limits::properties_per_message)
        return fail(Errc::Malformed, "a batch message's properties are an object of at most 512 members");
    for (const auto& [name, value] : properties->items()) {
        auto text = value.is_string() ? value.get<std::string>() : value.dump();
        if (auto property = property_of_header(name, std::move(text)))
            out.properties.push_back(std::move(*property));
    }
    return out;
}

}  // namespace

Result<std::vector<HttpMessage>> read_batch(std::string_view body) {
    const auto json = Json::parse(body, nullptr, false);
    if (!json.is_array() || json.empty() || json.size() > kBatchMax)
        return fail(Errc::Malformed, "a batch is a JSON array of 1 to 500 messages");
    std::vector<HttpMessage> out;
    std::size_t size = 0;
    for (const auto& entry : json) {
        auto one = FIELDWATCH_TRY(read_batch_message(entry));
        size += one.body.size();
        out.push_back(std::move(one));
    }
    if (size > limits::message_bytes) return fail(Errc::TooLarge, "a batch has at most 262144 bytes");
    return out;
}

}  // namespace fieldwatch::hub
