// Security groups: the customer's own rules, in the Microsoft.Security shapes and our own.
// spec/custom-alerts.md section 4.
#include <fmt/format.h>

#include "detect/custom/security_group.hpp"
#include "detect/settings.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kKind = "security-group";  ///< of the registry's documents
constexpr std::string_view kDefault = "default";
constexpr std::string_view kType = "Microsoft.Security/deviceSecurityGroups";

net::HttpResponse refusal(int status, std::string_view code, std::string_view message) {
    return json_reply(status,
                      {{"error", {{"code", code}, {"message", message}, {"details", Json::array()}}}});
}

/// Where the extensions are on, deny-lists and thresholds are rule types like the others.
Result<bool> extensions_of(const Context& context) {
    const auto text = FIELDWATCH_TRY(context.parts.registry.setting(kDetectionSettings));
    if (!text) return false;
    const auto settings = detect::parse_settings(*text);
    return settings && settings->custom_extensions;
}

/// The hub that the path names, and the part of the path before the group's name, for ids.
struct GroupPlace {
    model::HubName hub;
    std::string path;
    bool is_arm = false;
};
Result<GroupPlace> group_place_of(const Context& context, const Call& call, bool one_group) {
    GroupPlace out;
    out.is_arm =
        call.request.path.starts_with("/subscriptions/") || call.request.path.starts_with("/providers/");
    const auto& hub = call.names[call.names.size() - (one_group ? 2 : 1)];
    out.hub = FIELDWATCH_TRY(model::parse_hub_name(detect::group_key(hub)));  // resource ids know no case
    static_cast<void>(FIELDWATCH_TRY(context.parts.registry.hub(out.hub)));
    out.path = call.request.path;
    if (one_group) out.path.resize(out.path.rfind('/'));
    return out;
}

/// 2019-08-01 and the preview have the same shapes; our own paths have no versions.
std::optional<net::HttpResponse> wrong_version(const GroupPlace& place, const Call& call) {
    const auto version = call.request.parameter("api-version");
    if (!place.is_arm || !version || *version == "2019-08-01" || *version == "2017-08-01-preview")
        return std::nullopt;
    return refusal(
        400, "InvalidApiVersionParameter",
        fmt::format("the api-version \"{}\" is not supported; 2019-08-01 and 2017-08-01-preview are",
                    *version));
}

Json group_json(const GroupPlace& place, std::string_view name, const detect::SecurityGroup& group,
                bool extensions) {
    return {{"id", fmt::format("{}/{}", place.path, name)},
            {"name", name},
            {"type", kType},
            {"properties", Json::parse(detect::properties_json(group, extensions))}};
}

Result<detect::SecurityGroup> stored(const registry::Document& document) {
    const auto json = Json::parse(document.json, nullptr, false);
    auto group = detect::parse_security_group(json.value("name", std::string(kDefault)), document.json, true);
    if (!group)
        return fail(Errc::Corrupt,
                    fmt::format("the stored security group {}: {}", document.id, group.error().message));
    return std::move(*group);
}

Answer list_groups(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(group_place_of(context, call, false));
    if (auto refused = wrong_version(place, call)) return std::move(*refused);
    const bool extensions = FIELDWATCH_TRY(extensions_of(context));
    Json groups = Json::array();
    bool has_default = false;
    for (const auto& document : FIELDWATCH_TRY(context.parts.registry.documents(
             place.hub, kKind, {.count_max = detect::GroupSet::kGroupsMax}))) {
        const auto group = FIELDWATCH_TRY(stored(document));
        has_default = has_default || document.id == kDefault;
        groups.push_back(group_json(place, group.name, group, extensions));
    }
    if (!has_default) groups.insert(groups.begin(), group_json(place, kDefault, {}, extensions));
    return json_reply(200, {{"value", std::move(groups)}, {"nextLink", nullptr}});
}

Answer get_group(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(group_place_of(context, call, true));
    if (auto refused = wrong_version(place, call)) return std::move(*refused);
    const bool extensions = FIELDWATCH_TRY(extensions_of(context));
    const auto id = detect::group_key(call.names.back());
    const auto document = context.parts.registry.document({place.hub, std::string(kKind), id});
    if (!document && document.error().code == Errc::NotFound) {
        if (id == kDefault) return json_reply(200, group_json(place, kDefault, {}, extensions));
        return refusal(
            404, "ResourceNotFound",
            fmt::format("hub {} has no security group \"{}\"", place.hub.value, call.names.back()));
    }
    if (!document) return std::unexpected(document.error());
    const auto group = FIELDWATCH_TRY(stored(*document));
    return json_reply(200, group_json(place, group.name, group, extensions));
}

/// Over the version that the name was taken from, and over no other. Errors also: Conflict.
Result<registry::Document> write_group(const Context& context, const model::HubName& hub,
                                       detect::SecurityGroup& group) {
    const registry::DocumentKey key{hub, std::string(kKind), detect::group_key(group.name)};
    const auto before = context.parts.registry.document(key);
    if (!before && before.error().code != Errc::NotFound) return std::unexpected(before.error());
    if (before) group.name = FIELDWATCH_TRY(stored(*before)).name;  // fixed after creation, its case too
    const Json document{{"name", group.name},
                        {"properties", Json::parse(detect::properties_json(group, true))}};
    registry::DocumentCondition condition{.must_be_new = !before};
    if (before) condition.if_match = before->etag;
    auto written = context.parts.registry.put_document(key, document.dump(), condition);
    const bool late = !written && (written.error().code == Errc::AlreadyExists ||        // somebody made it
                                   (before && written.error().code == Errc::NotFound));  // or took it away
    if (late) return fail(Errc::Conflict, written.error().message);
    return written;
}

Answer put_group(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(group_place_of(context, call, true));
    if (auto refused = wrong_version(place, call)) return std::move(*refused);
    const bool extensions = FIELDWATCH_TRY(extensions_of(context));
    auto group = detect::parse_security_group(call.names.back(), call.request.body, extensions);
    if (!group) return refusal(400, group.error().code, group.error().message);
    const auto document = settled([&] { return write_group(context, place.hub, *group); });
    if (!document) return std::unexpected(document.error());
    context.parts.content_changed();
    const bool is_new = document->etag == 1 && document->id != kDefault;
    return json_reply(is_new ? 201 : 200, group_json(place, group->name, *group, extensions));
}

Answer delete_group(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(group_place_of(context, call, true));
    if (auto refused = wrong_version(place, call)) return std::move(*refused);
    const auto id = detect::group_key(call.names.back());
    if (id == kDefault) return refusal(400, "InvalidOperation", "the group \"default\" cannot be deleted");
    const auto done =
        context.parts.registry.remove_document({place.hub, std::string(kKind), id}, std::nullopt);
    if (!done && done.error().code == Errc::NotFound) return net::HttpResponse{.status = 204};
    if (!done) return std::unexpected(done.error());
    context.parts.content_changed();
    return net::HttpResponse{.status = 200};
}

}  // namespace

std::vector<Route> group_routes() {
    std::vector<Route> out;
    const auto add = [&](std::string_view list, std::string_view one) {
        out.push_back({"GET", list, Role::Reader, list_groups});
        out.push_back({"GET", one, Role::Reader, get_group});
        out.push_back({"PUT", one, Role::Administrator, put_group});
        out.push_back({"DELETE", one, Role::Administrator, delete_group});
    };
    add("/subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/"
        "providers/"
        "Microsoft.Security/deviceSecurityGroups",
        "/subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Devices/IotHubs/{hub}/"
        "providers/"
        "Microsoft.Security/deviceSecurityGroups/{group}");
    add("/providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups",
        "/providers/Fieldwatch/IotHubs/{hub}/providers/Microsoft.Security/deviceSecurityGroups/{group}");
    add("/api/v1/hubs/{hub}/groups", "/api/v1/hubs/{hub}/groups/{group}");
    return out;
}

}  // namespace fieldwatch::portal
