#include "model/ids.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"

namespace fieldwatch::model {

namespace {

bool is_id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-:.+%_#*?!(),=@;$'").find(c) != std::string_view::npos;
}

Result<std::string> parse_id(std::string_view what, std::string_view text) {
    if (text.empty()) return fail(Errc::InvalidArgument, fmt::format("{} is empty", what));
    if (text.size() > limits::id_bytes) {
        return fail(Errc::TooLarge, fmt::format("{} has {} characters; at most {} are allowed", what,
                                                text.size(), limits::id_bytes));
    }
    if (!std::all_of(text.begin(), text.end(), is_id_character)) {
        return fail(
            Errc::InvalidArgument,
            fmt::format("{} may hold letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ ' only", what));
    }
    return std::string(text);
}

}  // namespace

Result<DeviceId> parse_device_id(std::string_view text) {
    return DeviceId{FIELDWATCH_TRY(parse_id("the device id", text))};
}
Result<ModuleId> parse_module_id(std::string_view text) {
    return ModuleId{FIELDWATCH_TRY(parse_id("the module id", text))};
}

Result<HubName> parse_hub_name(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    const bool allowed = lower.size() >= 3 && lower.size() <= 50 && lower.front() != '-' &&
                         lower.back() != '-' && std::all_of(lower.begin(), lower.end(), [](char c) {
                             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                         });
    if (!allowed) {
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" is not a hub name: 3 to 50 letters, digits and -, not at the ends",
                                text.substr(0, 60)));
    }
    return HubName{std::move(lower)};
}

std::uint32_t partition_of(const HubName& hub, const DeviceId& device, std::uint32_t partition_count) {
    std::string key = hub.value;
    key += '\0';
    key += device.value;
    return static_cast<std::uint32_t>(hash64(as_bytes(key)) % partition_count);
}

std::uint32_t fleet_partition_of(std::string_view hub, std::string_view group_key,
                                 std::uint32_t partition_count) {
    Bytes key;
    ByteWriter writer(key);
    writer.text(hub);
    writer.text(group_key);
    return static_cast<std::uint32_t>(hash64(key) % partition_count);
}

Hash128 row_id(std::string_view workspace, LogPosition position) {
    Bytes key;
    key.reserve(workspace.size() + 20);  // once for each row that there is
    ByteWriter writer(key);
    writer.text(workspace);
    writer.u32(position.partition);
    writer.u64(position.offset);
    writer.u32(position.item);
    return hash128(key);
}

}  // namespace fieldwatch::model
