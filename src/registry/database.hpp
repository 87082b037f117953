// One writer with group commit, and readers that do not wait for it. ADR 0005.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

/// Any thread.
class Database {
  public:
    /// Brings it to the present schema and under the present master key first. Errors: as open() of
    /// registry/sealing.hpp.
    static Result<std::unique_ptr<Database>> open(const std::string& path, const MasterKeyFile& key_file,
                                                  Random& random);

    /// Runs `work` inside a transaction, alone or with what other threads brought meanwhile, and returns when
    /// it is durable. What failed is rolled back by itself.
    enum class Counts { Yes, No };  ///< whether change_count() tells of it
    template <class T>
    Result<T> write(const std::function<Result<T>(Connection&)>& work, Counts counts = Counts::Yes) {
        std::optional<Result<T>> out;
        Change change{[&](Connection& connection) -> Result<void> {
                          out.emplace(work(connection));
                          if (!*out) return std::unexpected(out->error());
                          return {};
                      },
                      {},
                      counts == Counts::Yes,
                      false};
        submit(change);
        if (!change.outcome) return std::unexpected(change.outcome.error());
        return std::move(*out);
    }

    template <class T>
    Result<T> read(const std::function<Result<T>(Connection&)>& work) {
        auto connection = FIELDWATCH_TRY(take_reader());
        auto out = work(*connection);
        give_back(std::move(connection));
        return out;
    }

    std::uint64_t change_count() const { return change_count_.load(std::memory_order_acquire); }

  private:
    struct Change {
        std::function<Result<void>(Connection&)> work;
        Result<void> outcome;
        bool counts;
        bool done;
    };
    Database(std::string path, std::unique_ptr<Connection> writer)
        : path_(std::move(path)), writer_(std::move(writer)) {}

    void submit(Change& change);
    void commit(const std::vector<Change*>& group);
    Result<void> apply(const std::vector<Change*>& group);
    Result<std::unique_ptr<Connection>> take_reader();
    void give_back(std::unique_ptr<Connection> connection);

    const std::string path_;
    const std::unique_ptr<Connection> writer_;  // of the thread that leads
    std::mutex mutex_;
    std::condition_variable settled_;
    std::deque<Change*> waiting_;
    bool leading_ = false;
    std::mutex readers_mutex_;
    std::vector<std::unique_ptr<Connection>> readers_;
    std::atomic<std::uint64_t> change_count_{1};
};

}  // namespace fieldwatch::registry
