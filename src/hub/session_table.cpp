#include "hub/session_table.hpp"

#include <algorithm>

#include "hub/identity_key.hpp"

namespace fieldwatch::hub {

std::optional<SessionTable::Where> SessionTable::enter(const model::Identity& identity, Where where) {
    return table_.with([&](auto& table) -> std::optional<Where> {
        const auto [place, is_new] = table.try_emplace(identity, where);
        if (is_new) return std::nullopt;
        return std::exchange(place->second, where);
    });
}

void SessionTable::leave(const model::Identity& identity, std::uint64_t session) {
    table_.with([&](auto& table) {
        const auto found = table.find(identity);
        if (found != table.end() && found->second.session == session) table.erase(found);
    });
}

std::optional<SessionTable::Where> SessionTable::find(const model::Identity& identity) const {
    return table_.with([&](const auto& table) -> std::optional<Where> {
        const auto found = table.find(identity);
        return found == table.end() ? std::nullopt : std::optional(found->second);
    });
}

std::vector<std::pair<model::Identity, SessionTable::Where>> SessionTable::of_device(
    const model::Identity& device) const {
    return table_.with([&](const auto& table) {
        std::vector<std::pair<model::Identity, Where>> found;
        // The empty module sorts first: the device stands before its modules.
        for (auto next = table.lower_bound({device.hub, device.device, {}});
             next != table.end() && next->first.hub == device.hub && next->first.device == device.device;
             ++next) {
            found.emplace_back(*next);
        }
        return found;
    });
}

std::size_t SessionTable::size() const {
    return table_.with([](const auto& table) { return table.size(); });
}

std::size_t SessionTable::devices(const model::HubName& hub) const {
    return table_.with([&](const auto& table) {
        std::size_t count = 0;
        for (auto next = table.lower_bound({hub, {}, {}}); next != table.end() && next->first.hub == hub;
             ++next)
            count += next->first.module.empty() ? 1 : 0;
        return count;
    });
}

registry::Presence SessionTable::presence(const model::Identity& identity) const {
    auto out = presences_.with([&](const auto& presences) {
        const auto* const found = presences.all.peek(key_of(identity));
        return found == nullptr ? registry::Presence{.identity = identity} : *found;
    });
    out.connected = find(identity).has_value();
    return out;
}

registry::Presence& SessionTable::Presences::of(const model::Identity& identity) {
    auto& presence = all.get(key_of(identity));
    presence.identity = identity;
    return presence;
}

void SessionTable::active(const model::Identity& identity, Timestamp now) {
    presences_.with([&](auto& presences) {
        auto& presence = presences.of(identity);
        presence.active = std::max(presence.active, now);
    });
}

void SessionTable::came(const model::Identity& identity, Timestamp now) {
    active(identity, now);
    went(identity, now);
}

void SessionTable::went(const model::Identity& identity, Timestamp now) {
    presences_.with([&](auto& presences) { presences.of(identity).changed = now; });
}

std::vector<registry::Presence> SessionTable::unkept() const {
    std::vector<registry::Presence> out;
    presences_.with([&](const auto& presences) {
        out.reserve(presences.all.size());
        for (const auto& [key, presence] : presences.all)
            out.push_back(presence);
    });
    for (auto& presence : out)
        presence.connected = find(presence.identity).has_value();
    return out;
}

void SessionTable::kept(std::span<const registry::Presence> presences) {
    presences_.with([&](auto& held) {
        for (const auto& presence : presences) {
            const auto key = key_of(presence.identity);
            const auto* const now = held.all.peek(key);
            if (now == nullptr || now->changed != presence.changed || now->active != presence.active)
                continue;  // it was heard of again meanwhile: the next minute's
            held.all.erase(key);
        }
    });
}

}  // namespace fieldwatch::hub
