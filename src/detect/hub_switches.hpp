// What the hubs' configuration records say about detection itself: Security on or off, twin collection,
// addresses kept whole. In the log, so that a replay decides alike.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "detect/registry_document.hpp"
#include "detect/settings.hpp"

namespace fieldwatch::detect {

/// One strand. A hub that the log has not described has Security and twin collection on.
class HubSwitches {
  public:
    static constexpr std::size_t kHubsMax = 1'024;

    struct Change {
        bool security_on = false, twin_data_off = false;  ///< switched just now
    };
    Change apply(std::string_view hub, const HubDocument& document);

    /// Identity-based alerts and recommendations are made at all.
    bool twin_data(std::string_view hub) const;
    /// Whole addresses of the hub's side may be used: spec/hub-signals.md section 2.
    bool address_collection(std::string_view hub, const Settings& settings) const;

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Hub {
        bool security = true, twin_data = true, addresses = false;
    };
    BoundedTable<Hub> hubs_{kHubsMax};
};

}  // namespace fieldwatch::detect
