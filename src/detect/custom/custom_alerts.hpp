// Custom alerts: the customer's own limits and lists, per security group, over what agents say and what the
// hub does. spec/custom-alerts.md whole.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/custom/counted.hpp"
#include "detect/custom/membership.hpp"
#include "detect/custom/security_group.hpp"
#include "detect/detector.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

/// One strand. At its bounds the device unheard of longest, and a device's oldest window, go and are counted:
/// a count that is lost can hide an alert, never make one.
class CustomAlerts {
  public:
    static constexpr std::size_t kDevicesMax =
        50'000;  ///< of a shard, about 400 bytes each when nothing counts
    static constexpr std::size_t kWindowsMax =
        512;  ///< of a device, all rules: 5 h of one-minute windows and more; judged ones give way first
    static constexpr std::size_t kGapsMax = 8;  ///< times at which the server was down, remembered
    static constexpr Ticks kGapMin = std::chrono::minutes(1);  ///< ticks come every 5 s
    static constexpr std::size_t kHubsMax = 1'024;             ///< whose twin data was switched off
    static constexpr Ticks kHubLateness = std::chrono::minutes(2);
    static constexpr Ticks kAgentLateness = std::chrono::minutes(10);    ///< beyond the agent's interval
    static constexpr Ticks kDefaultLowInterval = std::chrono::hours(5);  ///< spec/agent.md section 5
    static constexpr Ticks kWindowKept = std::chrono::hours(72);  ///< as long as detection takes events

    /// `login_is_new`: false for another record of a login that was seen.
    void observe(const model::Event& event, const model::Item& item, bool login_is_new, Context& context);
    /// Once an event, for rules that count what an event lists.
    void observe_list(const model::Event& event, Context& context);
    void observe_change(const model::RecordView& record, model::LogPosition position, Timestamp now);
    /// The groups in force change: rules that differ have begun a new life.
    void set_groups(const GroupSet& before, const GroupSet& after, Timestamp now);
    /// The server's own tick. Between two that lie far apart it was down, and nothing could come.
    void observe_tick(Timestamp now);
    /// Closes windows: rules with a minimum look at what did not come.
    void advance(Context& context);
    /// From here on nothing comes because the input is over, not because devices are quiet.
    void end_of_input() { ended_ = true; }

    std::uint64_t devices_evicted() const { return devices_.evictions(); }
    std::uint64_t windows_dropped() const { return windows_dropped_; }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Window {
        RuleType rule = RuleType::ActiveConnections;
        std::int64_t start = 0, size = 0, count = 0;
        std::string group;  ///< key of the group in force at its start
        bool fired = false;
        std::vector<model::LogPosition> evidence;
    };
    struct Device {
        std::string hub, name;
        Membership membership;
        std::optional<Ticks> low_interval;
        std::vector<Window> windows;                            ///< by age of their making
        std::vector<std::pair<RuleType, std::int64_t>> closed;  ///< up to where the low side has been judged
        /// Windows of the rule that end by then may have lost their count.
        std::vector<std::pair<RuleType, std::int64_t>> dropped;
        std::int64_t unsettled = 0;  ///< messages delivered and not yet completed
        model::LogPosition newest;   ///< the last record that speaks of it
    };
    /// A window of a group, about to be said.
    struct Verdict {
        const SecurityGroup& group;
        const GroupRule& rule;
        RuleType type;
        std::int64_t start = 0, count = 0;
    };

    Device& device_of(std::string_view hub, std::string_view name);
    bool is_off(std::string_view hub) const;
    void count(Device& device, const model::Event& event, const model::Item& item, Counted counted,
               Context& context);
    void add(Device& device, Verdict at, std::int64_t amount, const model::LogPosition& position,
             Context& context);
    static Window* find_window(Device& device, const Verdict& at);
    Window& make_window(Device& device, const Verdict& at, Timestamp now);
    static bool is_settled(const Device& device, const Window& window, Timestamp now);
    void drop_window(Device& device, Timestamp now);
    static void note_dropped(Device& device, RuleType type, std::int64_t until);
    void check_lists(const Device& device, const model::Event& event, const model::Item& item,
                     bool login_is_new, Context& context);
    static const SecurityGroup* group_at(const Device& device, Timestamp time, const Context& context);
    void close(Device& device, RuleType type, Context& context);
    void judge(Device& device, const Verdict& at, Context& context);
    bool was_down(std::int64_t from, std::int64_t to) const;
    Timestamp edited(std::string_view hub, const SecurityGroup& group, RuleType type) const;
    static model::Alert window_alert(const Device& device, const Verdict& at,
                                     std::vector<model::LogPosition> evidence);

    BoundedTable<Device> devices_{kDevicesMax};
    std::set<std::string, std::less<>> off_;  ///< hubs without twin data: custom alerts are off there
    /// When the rule `hub NUL group NUL rule`, or the twin data of `hub NUL`, last changed.
    std::map<std::string, std::int64_t, std::less<>> edited_;
    std::vector<std::pair<std::int64_t, std::int64_t>> gaps_;  ///< when the server was down, oldest first
    std::int64_t last_tick_ = 0;
    std::int64_t judged_minute_ = 0;  ///< log minute of the last look at windows that close
    std::uint64_t windows_dropped_ = 0;
    bool ended_ = false;  // not saved: recorded input ends once
};

}  // namespace fieldwatch::detect
