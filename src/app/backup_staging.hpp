// What a backup is read from: DATA/backup-staging/ID, all state as it was at one moment. Progress,
// checkpoints, then workspaces, then the log, then the registry: each at least as new as the one before,
// which is what a start needs to go on from them (design 3a); log and registry stand still towards each other
// while they are copied.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "app/log_feed.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "journal/upkeep.hpp"
#include "portal/backups.hpp"
#include "registry/registry.hpp"
#include "registry/sealing.hpp"
#include "workspace/upkeep.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

/// Any thread.
class BackupStaging final : public portal::Backups {
  public:
    struct Parts {
        std::string data_directory;
        registry::MasterKeyFile key_file;  ///< in the backup when it is ours
        registry::Registry& registry;
        journal::Upkeep& journal;
        LogFeed& feed;
        std::function<Result<workspace::Workspace*>(std::string_view id)> workspace;
        std::function<std::unique_lock<std::mutex>()> pause_maintenance;
        const Clock& clock;
        Random& random;
    };
    /// What a server that ended left behind goes.
    static Result<std::unique_ptr<BackupStaging>> create(Parts parts);

    Result<Staged> stage(Other other) override;
    Result<std::string> read(const std::string& id, const std::string& path, std::uint64_t from,
                             std::size_t count) override;
    Result<void> finish(const std::string& id, const std::string& place) override;
    Result<std::vector<Kept>> kept() override;

  private:
    explicit BackupStaging(Parts parts) : parts_(std::move(parts)) {}
    Result<void> copy_all(const std::string& directory) const;
    Result<void> copy_progress(const std::string& directory) const;
    Result<void> copy_checkpoints(const std::string& directory) const;
    Result<void> copy_workspaces(const std::string& directory) const;
    Result<void> copy_log_and_registry(const std::string& directory) const;
    std::string root() const { return parts_.data_directory + "/backup-staging"; }

    Parts parts_;
    std::mutex mutex_;  // guards what follows; held while a backup is staged
    std::optional<Staged> staged_;
    std::set<std::string> paths_;  // of staged_
    Timestamp last_read_{0};
};

}  // namespace fieldwatch::app
