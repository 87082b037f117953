// What an event counts for among the custom rules: spec/custom-alerts.md sections 2.1 and 3,
// spec/hub-signals.md section 6. How an aggregate is spread over windows is even_spread.hpp's.
#pragma once

#include <array>
#include <cstdint>

#include "detect/custom/rule_type.hpp"
#include "detect/rules/even_spread.hpp"
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

}  // namespace fieldwatch::detect
