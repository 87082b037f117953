#include "hub/session_table.hpp"

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

}  // namespace fieldwatch::hub
