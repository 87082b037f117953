#include "workspace/retention.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "workspace/tables.hpp"

namespace fieldwatch::workspace {

std::string retention_setting(std::string_view workspace_id) {
    return fmt::format("workspace.retention/{}", workspace_id);
}

Result<void> check_retention(std::string_view table, unsigned long long days) {
    std::vector<std::string_view> names;
    for (const auto* one : tables::all())
        names.push_back(one->name);
    if (std::ranges::find(names, table) == names.end())
        return fail(Errc::InvalidArgument,
                    fmt::format("there is no table \"{}\"; there are {}", table, fmt::join(names, ", ")));
    if (days < 1 || days > kRetentionDaysMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a number of days from 1 to {}", table, kRetentionDaysMax));
    return {};
}

Result<RetentionDays> parse_retention(std::string_view json) {
    const auto object = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Errc::InvalidArgument, "the retention must be a JSON object");
    RetentionDays out;
    for (const auto& [table, days] : object.items()) {
        const auto count = days.is_number_unsigned() ? days.get<unsigned long long>() : 0;
        FIELDWATCH_TRY(check_retention(table, count));
        out[table] = static_cast<unsigned>(count);
    }
    return out;
}

std::string to_json(const RetentionDays& days) {
    return nlohmann::json(days).dump();
}

}  // namespace fieldwatch::workspace
