// What this device is and has: the sender's own collectors, which read files and listen to the kernel without
// any privilege. Snapshots leave when their content changed and twice a day besides; a change that the kernel
// tells of leaves at once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/aggregation/observation.hpp"
#include "agent/baseline/check.hpp"
#include "agent/inventory/hardware.hpp"
#include "agent/inventory/packages.hpp"
#include "agent/inventory/watch.hpp"

namespace fieldwatch::agent {

/// One thread. `now_ns` is monotonic everywhere.
class Inventory {
  public:
    struct Options {
        std::string root;  ///< "" = this system
        FileWatch::Options watch;
        std::string custom_checks_folder = "/etc/fieldwatch-agent/baseline.d";
    };
    struct Handlers {
        std::function<bool(fieldwatch_kind)> is_off;
        std::function<void(fieldwatch_kind, std::vector<Observation>)> snapshot;
        std::function<void(const Observation&)> event;
        std::function<void(std::string)> diagnose;  ///< something that cannot be seen here
    };
    Inventory(Options options, Handlers handlers);

    /// The owner's checks, as the twin names them; "" = none.
    void set_custom_checks(const std::string& path, const std::string& sha256);
    void set_watched(FileWatch::Options watch);
    /// With each snapshot pass.
    void take_snapshots(std::int64_t now_ns);
    /// Tells a snapshot that somebody else took, if it is new or was not told for long.
    void offer(fieldwatch_kind kind, std::vector<Observation> payloads, std::int64_t now_ns);
    /// Whenever a descriptor is ready or wake_ns() has come.
    void tick(std::int64_t now_ns);
    std::int64_t wake_ns() const { return flush_ns_; }
    int hardware_fd() const { return uevents_.fd(); }
    int files_fd() const { return watch_ ? watch_->fd() : -1; }

    struct Counters {
        std::uint64_t file_changes = 0, file_changes_lost = 0, watched_folders = 0, uevent_overflows = 0;
    };
    Counters counters() const;

  private:
    void take_baseline(std::int64_t now_ns);
    void take_packages(std::int64_t now_ns);
    void end_watch();  // what it saw is told, what it counted stays counted

    struct Told {
        std::uint64_t hash = 0;
        std::int64_t at_ns = INT64_MIN;
    };
    Options options_;
    Handlers handlers_;
    PackageReader packages_;
    UeventSocket uevents_;
    std::optional<FileWatch> watch_;
    std::uint64_t past_changes_ = 0, past_changes_lost_ = 0;  // of earlier watches
    std::array<Told, FIELDWATCH_KIND_COUNT + 1> told_{};
    std::vector<Check> custom_checks_;
    std::string custom_checks_key_;
    std::int64_t next_baseline_ns_ = INT64_MIN;
    std::int64_t flush_ns_ = INT64_MAX;  // when what was seen since is told
    bool hardware_changed_ = false;
};

}  // namespace fieldwatch::agent
