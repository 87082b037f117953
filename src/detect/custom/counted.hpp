// What an event counts for among the custom rules, and how an aggregate is spread over windows:
// spec/custom-alerts.md sections 2.1 and 3, spec/hub-signals.md section 6.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "detect/custom/rule_type.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

struct Counted {
    RuleType rule = RuleType::ActiveConnections;
    std::int64_t amount = 0;
};
/// At most two: what was done, and that it was not allowed.
struct CountedList {
    std::array<Counted, 2> items;
    std::size_t size = 0;
    void add(RuleType rule, std::int64_t amount) { items[size++] = {rule, amount}; }
};

struct CountingOptions {
    bool security_messages = false;  ///< custom.countSecurityMessages: our own traffic counts as the device's
    bool login_is_new = true;        ///< false for one more record of a login that was counted
    bool is_settled = false;         ///< a message whose delivery was counted is completed here
};
CountedList counted(const model::Event& event, const model::Item& item, CountingOptions options);

/// A tumbling window, aligned to 1970: [start, start + size).
std::int64_t window_start(std::int64_t ticks, Ticks size);

struct Share {
    std::int64_t start = 0;  ///< of the window, ticks
    std::int64_t amount = 0;
};
/// Spreads `amount` evenly over [from, to] into windows of `size`; integers by largest remainder, so that
/// they add up. An interval over more than kSharesMax windows counts at its end.
std::vector<Share> spread(std::int64_t amount, Timestamp from, Timestamp to, Ticks size);
inline constexpr std::int64_t kSharesMax =
    72 * 60;  ///< one-minute windows of the lateness that detection allows

}  // namespace fieldwatch::detect
