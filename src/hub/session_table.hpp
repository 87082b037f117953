// Which identity is connected where: one connection an identity, whichever core it lives on.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "model/ids.hpp"
#include "net/mailbox.hpp"

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

    /// When an identity came, went, and was last heard of; since the server started.
    struct Presence {
        bool connected = false;
        Timestamp changed, last_activity;  ///< ticks 0 = not since the start
    };
    Presence presence(const model::Identity& identity) const;
    void active(const model::Identity& identity, Timestamp now);   ///< a request over HTTPS
    void changed(const model::Identity& identity, Timestamp now);  ///< connected or disconnected

  private:
    static constexpr std::size_t kPresencesMax = 200'000;  ///< about 60 MB; then the new ones are not kept
    net::Guarded<std::map<model::Identity, Where>> table_;
    net::Guarded<std::map<model::Identity, Presence>> presences_;
};

}  // namespace fieldwatch::hub
