// How often somebody may be wrong about a password: per user, so that nobody guesses one, and per address, so
// that nobody tries one password on everybody. Internal to portal.
#pragma once

#include <cstdint>
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

    enum class Verdict : std::uint8_t {
        Admitted,
        Locked,  ///< refused, for the first time in this window: worth a record
        Refused
    };
    /// Whether one more try is looked at. Counts it as failed until it is forgiven: of many at once, no more
    /// than the bound are checked. An IPv6 address counts as its /64, which is what one customer gets
    /// (RFC 6177).
    Verdict admit(std::string_view user, std::string_view address, Timestamp now);
    void forgive(std::string_view user, std::string_view address);    ///< it was right
    void take_back(std::string_view user, std::string_view address);  ///< it was not looked at

  private:
    struct Failures {
        Timestamp since;
        int count = 0;
        bool told = false;  ///< that the bound was met
    };
    Failures& of(const std::string& key, Timestamp now);
    static Verdict refusal(Failures& failures);
    void count_less(const std::string& key);

    std::mutex mutex_;
    BoundedTable<Failures> failures_{kKeysMax};
};

}  // namespace fieldwatch::portal
