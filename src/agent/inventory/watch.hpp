// File changes in watched paths, by inotify: the FileSystem event (schema 2.0). Runs in the unprivileged
// sender, so that a folder which its account may not read is not watched; which those are is told.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/aggregation/observation.hpp"

namespace fieldwatch::agent {

/// One thread. Bounded: kFoldersMax folders and kWaitingMax different changes between two calls of take();
/// what is over is counted, and so is the kernel's own overflow.
class FileWatch {
  public:
    static constexpr std::size_t kFoldersMax = 1'024;
    static constexpr std::size_t kWaitingMax = 1'024;

    struct Options {
        /// Folders, and single files, which are watched by their folder: who writes beside a file and renames
        /// it over the old one puts another file there each time.
        std::vector<std::string> paths;
        bool recursive = true;             ///< folders below them too
        std::vector<std::string> ignored;  ///< paths below which nothing is told: the agent's own
        /// Nobody chose these paths: each change says so (`WatchedBy: default`), for the catalogue's alerts
        /// about watched paths are for those that somebody chose.
        bool by_default = false;

        friend bool operator==(const Options&, const Options&) = default;
    };
    explicit FileWatch(Options options);
    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    int fd() const { return inotify_; }
    void read();  ///< takes what the kernel has
    bool has_changes() const { return !changes_.empty(); }
    /// One FileSystem observation per path and kind of change since the last call, with how often it came.
    std::vector<Observation> take();

    std::uint64_t seen() const { return seen_; }
    std::uint64_t lost() const { return lost_; }
    std::size_t folders() const { return folders_.size(); }
    const std::vector<std::string>& refused() const { return refused_; }  ///< at most 64

  private:
    struct Folder {
        std::string path;
        bool whole = true;  // or only those of files_ that lie in it
    };
    void add(const std::string& path, int depth);
    void add_file(const std::string& path);
    bool is_ignored(const std::string& path) const;
    bool add_folder(Folder folder, std::uint32_t mask);
    void take_event(int watch, std::uint32_t mask, std::string_view name);
    void note(const std::string& path, const char* mask);

    struct Change {
        std::uint64_t hits = 0;
        std::int64_t first_ms = 0;
    };
    Options options_;
    int inotify_ = -1;
    std::unordered_multimap<int, Folder> folders_;  // by watch descriptor: one folder may have several names
    std::set<std::string> files_;                   // the single ones, there or not
    std::map<std::pair<std::string, const char*>, Change> changes_;  // by path and mask
    std::vector<std::string> refused_;
    std::uint64_t seen_ = 0;
    std::uint64_t lost_ = 0;
};

/// The micro agent's word for an inotify mask; nullptr for what is not told.
const char* mask_name(std::uint32_t mask);

}  // namespace fieldwatch::agent
