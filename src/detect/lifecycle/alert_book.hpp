// The life of alerts: identity, suppression, updates, dismissal, absorption. Detectors say "this happened";
// the book decides whether that is a new alert, more of an open one, or nothing new. spec/alerts.md sections
// 3 and 5, design 3a "Identity".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "detect/lifecycle/incidents.hpp"
#include "detect/state.hpp"
#include "model/alert_decision.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// One strand. Holds at most `kOpenMax` alerts (about 32 MiB at 2 KiB each); the one untouched longest is
/// forgotten first, counted: a repeat of it would then be a new alert.
class AlertBook {
  public:
    static constexpr std::size_t kOpenMax = 16'384;
    static constexpr std::size_t kDismissedMax = 4'096;  ///< aggregates; 59 types for 69 days
    static constexpr Ticks kUpdateInterval =
        std::chrono::minutes(1);  ///< design 3a: at most one update row a minute

    /// A detector's finding. `alert` comes with everything but id, status, processed and update; its first
    /// evidence names it. `suppression` zero: each one is an alert of its own. `grows`: what comes to an
    /// alert that is there brings newer properties and entities, too.
    void raise(model::Alert alert, Ticks suppression, Timestamp now, std::vector<model::Finding>& out,
               bool grows = false);

    /// An alert that was raised says more: counts and properties become `newer`'s, evidence is added. Nothing
    /// when it has been forgotten.
    void restate(const model::Alert& newer, Timestamp now, std::vector<model::Finding>& out);

    /// The id of an alert of this key that is neither resolved nor dismissed.
    std::optional<Uuid> open_id(std::string_view hub, std::string_view type, std::string_view entity,
                                std::string_view discriminator) const;
    /// Whether an alert of this key was raised and is not forgotten, whatever became of it.
    bool knows(const model::Alert& alert) const;
    /// Marks an open alert Resolved because its condition is over; nothing when there is none.
    void resolve(std::string_view hub, std::string_view type, std::string_view entity,
                 std::string_view discriminator, Timestamp now, std::vector<model::Finding>& out);
    /// Marks an open alert Resolved because `by` says more; both carry `correlation_key`.
    void absorb(std::string_view hub, std::string_view type, std::string_view entity,
                std::string_view discriminator, std::string_view correlation_key, Timestamp now,
                std::vector<model::Finding>& out);

    static constexpr std::size_t kNotesMax = 16;  ///< of one alert; the oldest goes first

    /// A person's decision about one alert (its id) or all of a type on a UTC date (`TYPE/yyyy-mm-dd`). What
    /// was said becomes one of the alert's `Notes`, a member of its ExtendedProperties. Errors: NotFound for
    /// an id that was never raised here, or was forgotten since.
    Result<void> decide(std::string_view hub, std::string_view alert_or_aggregate,
                        const model::AlertDecision& decision, std::vector<model::Finding>& out);

    /// Writes the update rows that are due.
    void advance(Timestamp now, std::vector<model::Finding>& out);

    std::uint64_t forgotten() const { return open_.evictions(); }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Open {
        model::Alert alert;
        Timestamp anchor;       ///< event time that suppression counts from
        Timestamp last_row;     ///< log time of the newest row
        Ticks suppression{0};   ///< 0 from where its condition is over: a repeat is a new alert
        std::uint64_t due = 0;  ///< key in due_; 0 = no row is owed
    };
    void emit(Open& open, Timestamp now, std::vector<model::Finding>& out);
    void owe(Open& open, std::string_view key);
    void settle(Open& open);

    void tell(std::string_view key, const Uuid& incident, Timestamp now, std::vector<model::Finding>& out);

    BoundedTable<Open> open_{kOpenMax};
    BoundedTable<std::uint8_t> dismissed_{kDismissedMax};
    std::map<std::pair<std::int64_t, std::uint64_t>, std::string> due_;  // by log time, then order of owing
    std::uint64_t next_due_ = 1;
    Incidents incidents_;
};

}  // namespace fieldwatch::detect
