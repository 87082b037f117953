// When a sealed file may go: after the last query that could have read it. Queries hold a token from before
// they read the manifest; a file that left the manifest is unlinked once all tokens of its time are returned.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fieldwatch::workspace {

/// Any thread.
class FileReaders {
  public:
    using Token = std::shared_ptr<const int>;

    Token enter() {
        const std::scoped_lock lock(mutex_);
        return current_;
    }
    /// These files have just left the manifest.
    void retire(std::vector<std::string> files) {
        if (files.empty()) return;
        const std::scoped_lock lock(mutex_);
        retired_.push_back({std::exchange(current_, std::make_shared<const int>(0)), std::move(files)});
    }
    /// Files that nobody can be reading any more; each is given once.
    std::vector<std::string> take_unread() {
        std::vector<std::string> out;
        const std::scoped_lock lock(mutex_);
        // In order: a token from before an earlier retirement may also read files of a later one.
        while (!retired_.empty() && retired_.front().token.use_count() == 1) {
            auto& files = retired_.front().files;
            out.insert(out.end(), files.begin(), files.end());
            retired_.pop_front();
        }
        return out;
    }

  private:
    struct Retired {
        Token token;
        std::vector<std::string> files;
    };
    std::mutex mutex_;
    Token current_ = std::make_shared<const int>(0);
    std::deque<Retired> retired_;
};

}  // namespace fieldwatch::workspace
