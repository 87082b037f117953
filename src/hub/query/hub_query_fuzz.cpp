// Any text as a query and as a route's condition: it ends in a value or an error, and what parses can be run.
#include <cstdint>

#include "hub/query/query.hpp"

using namespace fieldwatch::hub;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static const query::Json kRow = {{"deviceId", "d1"}, {"tags", {{"n", 3}, {"s", "text"}}}, {"a", {1, 2}}};
    if (const auto parsed = query::parse_query(text)) {
        if (parsed->aggregates()) {
            query::Aggregation groups(*parsed);
            static_cast<void>(groups.add(kRow));
            static_cast<void>(groups.rows());
        } else if (query::selects(*parsed, kRow)) {
            static_cast<void>(query::project(*parsed, kRow));
        }
    }
    if (const auto condition = query::parse_condition(text)) {
        static_cast<void>(
            query::holds(*condition, [](const query::Path& path) { return query::at(kRow, path); }));
    }
    return 0;
}
