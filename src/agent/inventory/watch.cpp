#include "agent/inventory/watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/directory.hpp"
#include "base/clock.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kWatchDepthMax = 16;
constexpr std::size_t kRefusedMax = 64;
// Reads are not watched: each look at /etc/passwd would be an event.
constexpr std::uint32_t kMask = IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE |
                                IN_DELETE_SELF | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

}  // namespace

const char* mask_name(std::uint32_t mask) {
    if (mask & IN_MODIFY) return "Modified";
    if (mask & IN_ATTRIB) return "Metadata changed";
    if (mask & (IN_MOVED_FROM | IN_MOVED_TO)) return "Moved";
    if (mask & IN_CREATE) return "Created";
    if (mask & (IN_DELETE | IN_DELETE_SELF)) return "Deleted";
    return nullptr;
}

FileWatch::FileWatch(Options options) : options_(std::move(options)) {
    inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (const auto& path : options_.paths) {
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
            add(path, 0);
        } else {
            add_file(path);
        }
    }
}

FileWatch::~FileWatch() {
    if (inotify_ >= 0) ::close(inotify_);
}

bool FileWatch::add_folder(Folder folder, std::uint32_t mask) {
    const auto& path = folder.path;
    const int watch = folders_.size() < kFoldersMax
                          ? ::inotify_add_watch(inotify_, path.empty() ? "/" : path.c_str(), mask)
                          : -1;
    if (watch < 0) return false;
    const auto [begin, end] = folders_.equal_range(watch);
    const auto same = std::find_if(begin, end, [&](const auto& one) { return one.second.path == path; });
    if (same == end) {
        folders_.emplace(watch, std::move(folder));
    } else {
        same->second.whole |= folder.whole;
    }
    return true;
}

bool FileWatch::is_ignored(const std::string& path) const {
    return std::ranges::any_of(options_.ignored, [&](const auto& ignored) {
        return path == ignored || path.starts_with(ignored + "/");
    });
}

/// Where its folder may not be watched, the file that is there now is better than none.
void FileWatch::add_file(const std::string& path) {
    const auto slash = path.rfind('/');
    if (inotify_ < 0 || slash == std::string::npos || is_ignored(path)) return;
    files_.insert(path);
    const auto folder_mask = kMask & ~std::uint32_t{IN_DONT_FOLLOW};
    if (!add_folder({.path = path.substr(0, slash), .whole = false}, folder_mask)) add(path, 0);
}

void FileWatch::add(const std::string& path, int depth) {
    if (inotify_ < 0 || depth > kWatchDepthMax || is_ignored(path)) return;
    if (!add_folder({.path = path}, kMask)) {
        if (errno != ENOENT && refused_.size() < kRefusedMax) refused_.push_back(path);
        return;
    }
    if (!options_.recursive) return;
    const Directory directory(::opendir(path.c_str()));
    while (directory) {
        const auto* entry = ::readdir(directory.get());
        if (!entry) break;
        if (entry->d_type == DT_DIR && std::strcmp(entry->d_name, ".") != 0 &&
            std::strcmp(entry->d_name, "..") != 0)
            add(path + "/" + entry->d_name, depth + 1);
    }
}

void FileWatch::note(const std::string& path, const char* mask) {
    ++seen_;
    const auto key = std::pair(path, mask);
    auto found = changes_.find(key);
    if (found == changes_.end()) {
        if (changes_.size() >= kWaitingMax) {
            ++lost_;
            return;
        }
        found =
            changes_.emplace(key, Change{.hits = 0, .first_ms = system_clock().now().unix_millis()}).first;
    }
    ++found->second.hits;
}

void FileWatch::read() {
    alignas(inotify_event) char buffer[16 * 1'024];
    for (int reads = 0; reads < 64; ++reads) {  // then the others have their turn
        const auto size = ::read(inotify_, buffer, sizeof buffer);
        if (size <= 0) return;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
            inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            const char* name = buffer + at + sizeof event;
            at += sizeof event + event.len;
            if (event.mask & IN_Q_OVERFLOW) {  // how many is not known: at least one
                ++seen_;
                ++lost_;
                continue;
            }
            take_event(event.wd, event.mask, std::string_view(name, ::strnlen(name, event.len)));
        }
    }
}

void FileWatch::take_event(int watch, std::uint32_t mask, std::string_view name) {
    if (mask & IN_IGNORED) {
        folders_.erase(watch);
        return;
    }
    const bool new_folder = (mask & IN_ISDIR) && (mask & (IN_CREATE | IN_MOVED_TO));
    std::vector<std::string> found;
    const auto [begin, end] = folders_.equal_range(watch);
    for (auto at = begin; at != end; ++at) {
        auto path = at->second.path;
        if (!name.empty()) path.append("/").append(name);
        const bool is_single = files_.contains(path);
        if (!at->second.whole && !is_single) continue;
        if (const auto* word = mask_name(mask)) note(path, word);
        if (new_folder && (options_.recursive || is_single)) found.push_back(std::move(path));
    }
    for (const auto& path : found)
        add(path, 0);
}

std::vector<Observation> FileWatch::take() {
    std::vector<Observation> out;
    for (const auto& [key, change] : changes_) {
        auto& one =
            out.emplace_back(Observation{.kind = FIELDWATCH_FILE_SYSTEM, .time_unix_ms = change.first_ms});
        one.text("Mask", key.second);
        one.text("Path", key.first);
        one.integer("HitCount", static_cast<std::int64_t>(change.hits));
        if (options_.by_default) one.extra("WatchedBy", "default");
    }
    changes_.clear();
    return out;
}

}  // namespace fieldwatch::agent
