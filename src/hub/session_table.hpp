// Which identity is connected where: one connection an identity, whichever core it lives on.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/bounded_table.hpp"
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
    /// What the registry is to keep, each identity once, as of one moment; and that it has kept some of it.
    std::vector<registry::Presence> unkept() const;
    void kept(std::span<const registry::Presence> presences);

  private:
    /// About 60 MB; then who was heard of longest ago makes room.
    static constexpr std::size_t kPresencesMax = 200'000;
    struct Presences {
        BoundedTable<registry::Presence> all{kPresencesMax};
        registry::Presence& of(const model::Identity& identity);
    };
    net::Guarded<std::map<model::Identity, Where>> table_;
    net::Guarded<Presences> presences_;
};

}  // namespace fieldwatch::hub
