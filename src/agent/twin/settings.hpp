// What the module twin configures: every property of spec/agent.md section 5.2 with its default, range and
// text form.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/update/manifest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "fieldwatch/security_message.h"

namespace fieldwatch::agent {

enum Aggregated : std::uint8_t {
    kAggregateProcess,
    kAggregateConnection,
    kAggregateTerminate,
    kAggregatedCount
};

/// The effective configuration. Durations are positive and at most 366 days.
struct Settings {
    Ticks high_frequency = std::chrono::minutes(7);
    Ticks low_frequency = std::chrono::hours(5);
    Ticks snapshot_frequency = std::chrono::hours(13);
    std::int64_t cache_bytes = 2'560'000;
    std::int64_t message_bytes = 204'800;
    std::array<fieldwatch_priority, FIELDWATCH_KIND_COUNT + 1> priority{};  // by fieldwatch_kind; [0] unused
    std::array<bool, kAggregatedCount> aggregate{true, true, true};
    std::array<Ticks, kAggregatedCount> aggregate_interval{std::chrono::hours(1), std::chrono::hours(1),
                                                           std::chrono::hours(1)};
    bool custom_checks = false;
    bool response = false;  ///< direct methods act, as far as the local configuration allows
    std::string custom_checks_path;
    std::string custom_checks_hash;
    std::string hub_resource_id;
    std::optional<Announcement> update;  ///< of the agent, for this architecture
    // By the micro agent's names only; nothing = what the local configuration says.
    std::optional<std::vector<std::string>> watched_paths;
    std::optional<bool> watch_recursive;

    Settings();
};

/// One finding of spec/agent.md section 5.4: becomes a ConfigurationError payload.
struct ConfigurationFinding {
    std::string name;        ///< twin property, or `TwinConfiguration`
    std::string error_type;  ///< TypeMismatch, NotOptimal or Conflict
    std::string used;        ///< value in force
    std::string message;

    friend bool operator==(const ConfigurationFinding&, const ConfigurationFinding&) = default;
};

std::string_view to_string(fieldwatch_priority priority);  ///< Off, Low, High; Operational ones say Low

/// The agent's side of its twin: desired as last merged, settings in force. One thread.
/// A patch changes what it names and nothing else (JSON merge patch, RFC 7386); an update with a bad property
/// is refused as a whole, and the settings stay.
class Twin {
  public:
    explicit Twin(std::string object_name) : object_name_(std::move(object_name)) {}

    struct Update {
        bool applied = false;
        std::vector<ConfigurationFinding> findings;
    };
    /// `{"desired":{…,"$version":n},"reported":{…}}` as a GET answers. Errors: Malformed, TooLarge.
    Result<Update> replace(std::string_view twin_json);
    /// The changed part of desired. Older than what is known = not applied. Errors: Malformed, TooLarge.
    Result<Update> patch(std::string_view patch_json);
    /// A patch went missing between the known version and the last patch: GET again.
    bool needs_refresh() const { return needs_refresh_; }

    const Settings& settings() const { return settings_; }
    std::int64_t version() const { return version_; }
    /// Body of the reported PATCH: the whole effective configuration.
    std::string reported(std::string_view agent_version) const;
    /// Desired as merged, for the state directory: the last good configuration of an agent that starts
    /// without hub.
    std::string persisted() const;
    Result<Update> restore(std::string_view persisted);

  private:
    Update evaluate();

    std::string object_name_;
    std::string desired_ = "{}";  // JSON text, at most limits::twin_section_bytes
    std::int64_t version_ = 0;
    Settings settings_;
    std::vector<std::string> invalid_;
    bool needs_refresh_ = false;
    bool uses_aliases_ = false;
};

}  // namespace fieldwatch::agent
