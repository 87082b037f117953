// Which identity is connected where: one connection an identity, whichever core it lives on.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "model/ids.hpp"
#include "net/mailbox.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// Any thread. Bound: the server's connections.
class SessionTable {
  public:
    struct Where {
        unsigned core = 0;
        std::uint64_t session = 0;
    };

    /// Enters the newer connection; returns the older one, which is to be closed with 400027.
    std::optional<Where> enter(const model::Identity& identity, Where where);
    /// Leaves, unless a newer connection has taken the place.
    void leave(const model::Identity& identity, std::uint64_t session);
    std::optional<Where> find(const model::Identity& identity) const;
    /// The device itself and all its modules.
    std::vector<std::pair<model::Identity, Where>> of_device(const model::Identity& device) const;
    std::size_t size() const;
    std::size_t devices(const model::HubName& hub) const;  ///< of one hub, those that are connected

    /// When an identity came, went, and was last heard of, as far as the registry does not know it yet.
    registry::Presence presence(const model::Identity& identity) const;
    void active(const model::Identity& identity, Timestamp now);  ///< a message or request of its own
    void came(const model::Identity& identity, Timestamp now);
    void went(const model::Identity& identity, Timestamp now);
    /// What the registry is to keep, at most `count_max`; and that it has kept it.
    std::vector<registry::Presence> unkept(std::size_t count_max) const;
    void kept(const std::vector<registry::Presence>& presences);

  private:
    registry::Presence& presence_of(std::map<model::Identity, registry::Presence>& all,
                                    const model::Identity& identity) const;

    static constexpr std::size_t kPresencesMax = 200'000;  ///< about 60 MB; then one makes room for another
    net::Guarded<std::map<model::Identity, Where>> table_;
    net::Guarded<std::map<model::Identity, registry::Presence>> presences_;
};

}  // namespace fieldwatch::hub
