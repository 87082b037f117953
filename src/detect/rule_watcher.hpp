// What rules do while the engine runs: their hits, what became of each, what they cost. For counters,
// backtests and `alerts why`; a watcher learns and decides nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/uuid.hpp"
#include "detect/rules/rule_set.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

enum class HitFate : std::uint8_t {
    Raised,          ///< a new alert
    Dismissed,       ///< a new alert, of a type that a person has dismissed for that day
    Repeat,          ///< an alert that was there took it up
    Absorbed,        ///< another rule says more of the same thing
    OnlyCorrelated,  ///< correlations read the rule, and it raises nothing itself
    NoTwinData,      ///< the hub's settings keep what names identities back
};

struct WatchedHit {
    const RuleMeta& rule;
    HitFate fate = HitFate::Raised;
    Timestamp time;               ///< of the event; of a correlation the last of its group
    model::LogPosition position;  ///< of the item; of a correlation the newest evidence
    std::string_view hub, device;
    std::string_view by = {};  ///< Absorbed: the alert type that says more
    /// Raised, Dismissed, Repeat: the alert that has it now; none when that one is no longer open.
    std::optional<Uuid> alert = {};
};

/// Called on the engine's strand.
class RuleWatcher {
  public:
    virtual ~RuleWatcher() = default;
    virtual void hit(const WatchedHit& hit) = 0;
    /// An item of an event before the rules see it; views are valid during the call.
    virtual void item(const model::Event&, const model::Item&, ExtraFields) {}
    /// One item was measured: what a rule took of it, once for each rule that was woken; then `measured`.
    virtual void cost(const RuleMeta&, std::chrono::nanoseconds) {}
    virtual void measured() {}
};

/// How an engine is watched. Both outlive it.
struct Watch {
    RuleWatcher* watcher = nullptr;  ///< null: nobody
    const Clock* clock = nullptr;    ///< null: costs are not measured
    std::uint32_t measure_one_in = 256;
};

}  // namespace fieldwatch::detect
