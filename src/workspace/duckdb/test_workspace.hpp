// What the tests of this folder share: a directory that goes, rows that look like real ones, and a look at
// the stored rows from outside, through the bookkeeping tables and files alone.
#pragma once

#include <unistd.h>

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "base/clock.hpp"
#include "workspace/duckdb/connection.hpp"
#include "workspace/duckdb/layout.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace::testing {

class Directory {
  public:
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-workspace-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path_ = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

inline const Timestamp kStart = Timestamp::from_unix_seconds(1'790'000'000);  // 2026-09-21T13:33:20Z

inline Options options_in(const std::string& directory) {
    Options options;
    options.directory = directory;
    options.id = "test";
    options.memory_bytes_max = 256u << 20;
    options.subscription_id = "00000000-0000-0000-0000-00000000ab01";
    return options;
}

/// A view of a copy that stays until the process ends: rows of tests are made without their commit.
inline std::string_view lasting(std::string text) {
    static std::mutex mutex;
    static std::deque<std::string> kept;
    const std::scoped_lock lock(mutex);
    return kept.emplace_back(std::move(text));
}

inline RawEventRow raw_event(std::uint32_t partition, std::uint64_t offset, Timestamp time) {
    const model::LogPosition position{partition, offset, 0};
    return {.row_id = model::row_id("test", position),
            .position = position,
            .time_generated = time,
            .time_stamp = time - Ticks(5'000'000),
            .hub = "Plant-1",
            .device = lasting("pump-" + std::to_string(offset % 7)),
            .agent_version = "0.1.0",
            .event_id = "6d9f2f3c-0000-4000-8000-000000000001",
            .category = "Triggered",
            .name = "ProcessCreate",
            .type = "Security",
            .details_json =
                R"({"Executable":"/bin/sh","CommandLine":"sh -c \"id\"","UserId":0,"EventId":"6d9f"})"};
}

inline AlertRow alert_row(std::uint32_t partition, std::uint64_t offset, Timestamp time) {
    const model::LogPosition position{partition, offset, 0};
    AlertRow row{.row_id = model::row_id("test", position), .position = position, .time_generated = time};
    row.alert.id = Uuid::named(Uuid{}, "alert " + std::to_string(offset));
    row.alert.type = "IoT_KnownAttackTools";
    row.alert.display_name = "Known attack tool";
    row.alert.severity = model::Severity::Medium;
    row.alert.component = "Agent";
    row.alert.techniques = {"T1046", "T1059.004"};
    row.alert.remediation = {"Review the command line", "Escalate"};
    row.alert.hub = model::HubName{"plant-1"};
    row.alert.compromised_entity = "pump-1";
    row.alert.rule = {.id = "a20", .title = "Known attack tool", .author = "Ann", .license = "DRL-1.1"};
    row.alert.extended_json = R"({ "DeviceId": "pump-1" })";
    row.alert.start = row.alert.end = row.alert.processed = time;
    return row;
}

/// How many rows there are, -1 when one is there twice.
inline constexpr const char* kCountOrTwice =
    "CASE WHEN count(*) = count(DISTINCT \"_RowId\") THEN count(*) ELSE -1 END";

/// Counts rows of a table as a query would see them, in a closed workspace.
inline std::int64_t stored_integer(const std::string& directory, const Table& table,
                                   const std::string& expression) {
    auto database = Database::open(directory + "/workspace.duckdb",
                                   {.directory = directory, .memory_bytes_max = 256u << 20});
    if (!database) throw std::runtime_error(database.error().message);
    auto connection = database->connect();
    const auto layout = read_layout(*connection);
    const auto sql = relation_sql(table, *layout, directory + "/sealed", {}, {});
    const auto value = connection->integer("SELECT " + expression + " FROM (" + sql + ")");
    if (!value) throw std::runtime_error(value.error().message);
    return value->value_or(-1);
}

}  // namespace fieldwatch::workspace::testing
