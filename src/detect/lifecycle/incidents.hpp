// Alerts of one device that belong together: within an hour of each other, and about the same process, user
// or address. docs/decisions/0111.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// One strand. Some 16 MiB at its bounds; of a device that is forgotten, alerts to come begin anew.
class Incidents {
  public:
    static constexpr std::size_t kDevicesMax = 8'192;
    static constexpr std::size_t kOpenMax = 8;  ///< of a device; the one that ended first is forgotten first
    static constexpr std::size_t kLinksMax = 64;  ///< of an incident: what comes later is not followed
    static constexpr Ticks kGap = std::chrono::hours(1);
    static constexpr Ticks kLongest =
        std::chrono::hours(24);  ///< a device that is always busy is no incident

    struct Joined {
        Uuid incident{};        ///< SystemAlertId of its first alert
        bool shared = false;    ///< there are others in it
        std::string tell = {};  ///< key of the first alert, which does not know yet that it is not alone
    };
    /// Takes in a new alert, which has its id. `key` is its place in the book.
    Joined join(const model::Alert& alert, std::string_view key);
    /// An alert that was taken in goes on.
    void extend(const model::Alert& alert);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Open {
        Uuid first;
        std::string first_key;
        Timestamp start, end;
        bool shared = false;
        std::vector<std::string> links;
    };
    using Opens = std::vector<Open>;  // oldest first

    static Open* find(Opens& opens, const model::Alert& alert, const std::vector<std::string>& links);
    static void add(Open& open, const model::Alert& alert, const std::vector<std::string>& links);

    BoundedTable<Opens> devices_{kDevicesMax};
};

}  // namespace fieldwatch::detect
