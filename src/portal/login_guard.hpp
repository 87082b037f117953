// How often somebody may be wrong about a password: per user, so that nobody guesses one, and per address, so
// that nobody tries one password on everybody. Internal to portal.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/bounded_table.hpp"
#include "base/time.hpp"

namespace fieldwatch::portal {

/// Any thread. At most kKeysMax keys; the one that failed longest ago is forgotten first.
class LoginGuard {
  public:
    static constexpr int kFailuresOfUser = 10;     ///< within kWindow
    static constexpr int kFailuresOfAddress = 50;  ///< a whole office may sit behind one
    static constexpr Ticks kWindow = std::chrono::minutes(5);
    static constexpr std::size_t kKeysMax = 8'192;

    /// Whether one more try is looked at. Counts it as failed until it is forgiven: of many at once, no more
    /// than the bound are checked.
    bool admit(std::string_view user, std::string_view address, Timestamp now);
    void forgive(std::string_view user, std::string_view address);  ///< it was right

  private:
    struct Failures {
        Timestamp since;
        int count = 0;
    };
    Failures& of(const std::string& key, Timestamp now);

    std::mutex mutex_;
    BoundedTable<Failures> failures_{kKeysMax};
};

}  // namespace fieldwatch::portal
