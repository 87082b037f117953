#include "detect/sequence/local_users.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::string_view kCheckPermissions =
    "Check that the change fits the permissions which the user needs; else escalate to the information "
    "security team";
constexpr AlertType kAdded{"fieldwatch-a37",
                           "IoT_LocalUserAddedToGroup",
                           "Local user added to one or more groups",
                           "A local user is in more groups than in the device's snapshot before.",
                           "Persistence,PrivilegeEscalation",
                           model::Severity::Low,
                           "T1098",
                           kCheckPermissions};
constexpr AlertType kRemoved{"fieldwatch-a38",
                             "IoT_LocalUserRemovedFromGroup",
                             "Local user deleted from one or more groups",
                             "A local user is in fewer groups than in the device's snapshot before.",
                             "Impact",
                             model::Severity::Low,
                             "T1531",
                             kCheckPermissions};
constexpr AlertType kDeleted{"fieldwatch-a39",
                             "IoT_LocalUserDeleted",
                             "Local user deletion detected",
                             "A local user of the device's snapshot before is gone.",
                             "Impact,DefenseEvasion",
                             model::Severity::Low,
                             "T1531,T1070",
                             kCheckPermissions};

void raise(const AlertType& type, std::string_view user, std::string_view user_id,
           const std::vector<std::string>& groups, const model::LogPosition& evidence,
           const model::Event& event, Context& context) {
    auto alert = device_alert(type, event, evidence);
    alert.discriminator = user;
    JsonWriter json(alert.extended_json);
    json.begin_object().member("User Name", user).member("UserId", user_id);
    if (!groups.empty()) json.member("Groups", json_list(groups));
    json.member("DeviceId", event.device).end_object();
    EntityWriter(alert.entities_json, event.hub, event.device)
        .add("account", {{"Name", user}, {"Sid", user_id}})
        .end();
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

std::vector<std::string> difference(const std::set<std::string>& left, const std::set<std::string>& right) {
    std::vector<std::string> out;
    std::ranges::set_difference(left, right, std::back_inserter(out));
    return out;
}

std::set<std::string> groups_of(std::string_view names) {
    std::set<std::string> out;
    while (!names.empty() && out.size() < LocalUsers::kGroupsMax) {
        const auto end = names.find(';');
        if (const auto name = trimmed(names.substr(0, end)); !name.empty()) out.emplace(name);
        names = end == names.npos ? std::string_view{} : names.substr(end + 1);
    }
    return out;
}

const model::LogPosition& place_of(const model::Event& event, std::string_view user) {
    for (const auto& item : event.items) {
        const auto* const said = std::get_if<model::LocalUser>(&item.payload);
        if (said != nullptr && said->user_name == user) return item.position;
    }
    return event.position;
}

}  // namespace

void LocalUsers::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::LocalUsers || event.items.empty()) return;
    auto& device = devices_.get(device_key(event.hub, event.device));
    if (device.event_id == event.id) return;  // the rest of a snapshot: what it lacks is not gone
    Users now;
    for (const auto& item : event.items) {
        const auto* const user = std::get_if<model::LocalUser>(&item.payload);
        if (user == nullptr || now.size() == kUsersMax) continue;
        auto& held = now[std::string(user->user_name)];
        held.id = user->user_id;
        held.groups = groups_of(user->group_names.empty() ? user->group_ids : user->group_names);
    }
    if (now.empty()) return;
    if (!device.now.empty()) compare(device.now, now, event, context);
    device.event_id = event.id;
    device.now = std::move(now);
}

void LocalUsers::compare(const Users& before, const Users& now, const model::Event& event, Context& context) {
    for (const auto& [name, was] : before) {
        const auto is = now.find(name);
        if (is == now.end()) {
            raise(kDeleted, name, was.id, {}, event.position, event, context);
            continue;
        }
        const auto& place = place_of(event, name);
        if (const auto more = difference(is->second.groups, was.groups); !more.empty())
            raise(kAdded, name, is->second.id, more, place, event, context);
        if (const auto fewer = difference(was.groups, is->second.groups); !fewer.empty())
            raise(kRemoved, name, is->second.id, fewer, place, event, context);
    }
}

void LocalUsers::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(key);
        out.text(device.event_id);
        out.u32(static_cast<std::uint32_t>(device.now.size()));
        for (const auto& [name, user] : device.now) {
            out.text(name);
            out.text(user.id);
            write(out, std::vector<std::string>(user.groups.begin(), user.groups.end()));
        }
    }
}

Result<void> LocalUsers::restore(ByteReader& in) {
    devices_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& device = devices_.get(FIELDWATCH_TRY(in.text()));
        device.event_id = FIELDWATCH_TRY(read_text(in));
        const auto users = FIELDWATCH_TRY(read_count(in, kUsersMax));
        for (std::uint32_t k = 0; k < users; ++k) {
            auto& user = device.now[FIELDWATCH_TRY(read_text(in))];
            user.id = FIELDWATCH_TRY(read_text(in));
            const auto groups = FIELDWATCH_TRY(read_texts(in));
            user.groups.insert(groups.begin(), groups.end());
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
