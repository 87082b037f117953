// Correlation at work: takes the hits of one partition's rules and says which groups of events satisfy a
// correlation rule. Windows are exact in event time whatever the order in which events come; keys and events
// are bounded, and what a bound pushes out is counted.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "detect/rules/correlation.hpp"
#include "detect/rules/even_spread.hpp"
#include "detect/rules/fields.hpp"
#include "detect/rules/fleet_fact.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// One strand. Belongs to one shard.
class Correlator {
  public:
    static constexpr std::size_t kGroupsMax = 4'096;  ///< a rule; the one untouched longest goes, counted
    /// Events come up to so much out of order before a window that is decided at its end is closed.
    static constexpr Ticks kLateness = std::chrono::minutes(2);
    /// What is decided as events come takes them up to so much out of order.
    static constexpr Ticks kKept = std::chrono::hours(1);
    /// Events a rule, over all groups: some 24 MiB. The group untouched longest goes, counted.
    static constexpr std::size_t kRuleEventsMax = 131'072;

    using Values = std::vector<std::pair<std::string, std::string>>;
    /// A group that satisfies a rule: the evidence not told before.
    struct Found {
        static constexpr std::size_t kDevicesMax = 20;  ///< that are named; all are counted
        std::uint32_t rule = 0;                         ///< place in RuleSet::rules()
        std::string hub, device;                        ///< device: "" when it is of the fleet
        std::vector<std::string> devices;               ///< of the fleet: whose events they are, by name
        std::size_t device_count = 0;
        Values values;  ///< of group-by
        std::vector<model::LogPosition> evidence;
        Timestamp start, end;
        std::int64_t hits = 0;
        double measured = 0;
    };
    struct Counters {
        std::uint64_t evicted_groups = 0, evicted_events = 0;
    };

    /// `tells_inner`: of correlations that only others read, too.
    explicit Correlator(RuleSetPtr rules, bool tells_inner = false) : tells_inner_(tells_inner) {
        set_rules(std::move(rules));
    }

    /// From here on other rules apply; groups of rules whose stateful part is unchanged stay.
    void set_rules(RuleSetPtr rules);
    /// Appends what became true by the hits of one item, in the order of RuleSet::correlations().
    void observe(const model::Event& event, const model::Item& item, std::span<const RuleHit> hits,
                 ExtraFields extra, std::vector<Found>& out);
    /// What the rules of `scope: fleet` are to be told of what was observed since the last call: for
    /// observe_fact() of whoever has their group.
    std::vector<FleetFact> take_facts() { return std::exchange(facts_, {}); }
    /// What a shard tells of a device. A fact of a rule that is not there is passed over.
    void observe_fact(const FleetFact& fact, std::vector<Found>& out);
    /// For one correlator that sees the whole fleet: what it would tell meets in it at once.
    void meet(std::vector<Found>& out);
    /// Closes windows that ended before `now` less the lateness.
    void advance(Timestamp now, std::vector<Found>& out);
    /// The server lives and time has come to `now`: only then does silence mean something.
    void observe_tick(Timestamp now) { alive_ = now; }
    /// Recorded input is over: every window is closed, nothing is absent.
    void finish(std::vector<Found>& out);

    Counters counters() const;
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Entry {
        Timestamp time;
        std::uint32_t place = 0;  ///< in Correlation::reads
        std::int64_t weight = 1;
        double number = 0;
        bool told = false;
        std::string text;
        std::string device = {};  ///< of a fleet's rule only
        std::vector<model::LogPosition> evidence;
    };
    struct Group {
        std::string hub, device;
        Values values;
        std::vector<Entry> entries;  ///< by time, then arrival
    };
    struct State {
        BoundedTable<Group> groups{kGroupsMax};
        std::uint64_t evicted_events = 0;
        std::size_t events = 0;  ///< in all groups

        void drop(Group& group, std::size_t count) {
            group.entries.erase(group.entries.begin(),
                                group.entries.begin() + static_cast<std::ptrdiff_t>(count));
            events -= count;
        }
    };
    struct Source {  ///< what one hit brings into a correlation
        const model::Event* event = nullptr;
        std::string_view hub, device;
        std::span<const FieldValue> fields;
        Entry entry;
        Timestamp from, to;  ///< of an aggregate: the first and the last of its hits
    };

    void add(std::size_t which, std::size_t place, const Source& source, std::vector<Found>& out);
    void tell_fleet(std::size_t which, const Source& source, Entry entry, Values values,
                    std::span<const Part> parts);
    void insert(const Correlation& rule, State& state, Group& group, const Entry& entry,
                std::span<const Part> parts, std::vector<Found>& out);
    static void await_next(const Correlation& rule, Group& group, Entry entry);
    void make_room(const Correlation& rule, State& state, Group& group, std::vector<Found>& out);
    void decide(const Correlation& rule, Group& group, std::size_t changed, Timestamp until,
                std::vector<Found>& out) const;
    static void fold(std::vector<Found>& out, std::size_t first);
    void close(const Correlation& rule, State& state, Timestamp until, std::vector<Found>& out) const;
    void close_window(const Correlation& rule, State& state, Group& group, std::vector<Found>& out) const;
    void await(const Correlation& rule, State& state, std::vector<Found>& out);
    void chain(std::size_t which, std::size_t found_before, std::vector<Found>& out);
    static void tell(const Correlation& rule, Group& group, std::size_t first, std::size_t last,
                     double measured, std::vector<Found>& out);
    void save_devices(ByteWriter& out) const;
    Result<void> restore_devices(ByteReader& in);
    void keep_last_words(std::vector<Found>& out, std::size_t first) const;

    bool tells_inner_;
    RuleSetPtr rules_;
    std::vector<std::shared_ptr<State>> states_;  ///< by place in correlations()
    std::vector<bool> is_read_;                   ///< by place in rules(): whether any of them reads it
    std::vector<std::string> keys_;               ///< Correlation::state_key, likewise
    std::map<std::string, std::shared_ptr<State>> by_key_;  ///< Correlation::state_key
    Timestamp alive_{0};
    std::vector<FieldValue> fields_;
    NumberText numbers_;
    std::vector<FleetFact> facts_;
};

/// What of a window a correlation looks at, entries by time.
struct CorrelatedEvent {
    std::uint32_t place;
    std::int64_t weight;
    double number;
    std::string_view text;
};
/// The figure that a correlation's condition is about; nullopt when the window has none.
std::optional<double> measure(const Correlation& rule, std::span<const CorrelatedEvent> window);

/// The alert of a correlation. Identity and suppression are the engine's.
model::Alert make_correlation_alert(const RuleMeta& meta, const Correlation& rule,
                                    const Correlator::Found& found);

}  // namespace fieldwatch::detect
