#include "registry/database.hpp"

#include <algorithm>

#include "base/file_system.hpp"
#include "registry/schema.hpp"
#include "registry/sealing.hpp"

namespace fieldwatch::registry {

namespace {
constexpr std::size_t kGroupMax = 64;    // changes in one transaction: bounds how long the first one waits
constexpr std::size_t kReadersKept = 8;  // idle connections, about 100 KiB each
}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const MasterKeyFile& key_file,
                                                 Random& random) {
    // Made by us, so that keys are readable by this user only; SQLite gives its side files the same mode.
    const auto made = posix_file_system().open(path, OpenMode::CreateNew);
    if (!made && made.error().code != Errc::AlreadyExists) return std::unexpected(made.error());
    auto writer = FIELDWATCH_TRY(Connection::open(path, Connection::Mode::ReadWrite));
    writer->use(FIELDWATCH_TRY(keyring_for(*writer, key_file, random)));
    FIELDWATCH_TRY(migrate(*writer));
    FIELDWATCH_TRY(settle_sealing(*writer, key_file));
    return std::unique_ptr<Database>(new Database(path, std::move(writer)));
}

/// Whoever comes while nobody leads, leads: commits its own change and what waits, until its own is done.
void Database::submit(Change& change) {
    std::unique_lock lock(mutex_);
    waiting_.push_back(&change);
    while (!change.done) {
        if (leading_) {
            settled_.wait(lock);
            continue;
        }
        leading_ = true;
        std::vector<Change*> group;
        for (; !waiting_.empty() && group.size() < kGroupMax; waiting_.pop_front())
            group.push_back(waiting_.front());
        lock.unlock();
        commit(group);
        lock.lock();
        leading_ = false;
        for (auto* settled : group)
            settled->done = true;
        settled_.notify_all();
    }
}

void Database::commit(const std::vector<Change*>& group) {
    auto done = apply(group);
    if (!done) {
        static_cast<void>(writer_->execute("ROLLBACK"));
        for (auto* change : group) {
            if (change->outcome) change->outcome = std::unexpected(done.error());
        }
        return;
    }
    const bool tells = std::any_of(group.begin(), group.end(),
                                   [](const auto* change) { return change->counts && change->outcome; });
    if (tells) change_count_.fetch_add(1, std::memory_order_release);
}

Result<void> Database::apply(const std::vector<Change*>& group) {
    FIELDWATCH_TRY(writer_->execute("BEGIN IMMEDIATE"));
    for (auto* change : group) {
        FIELDWATCH_TRY(writer_->execute("SAVEPOINT change"));
        change->outcome = change->work(*writer_);
        if (!change->outcome) FIELDWATCH_TRY(writer_->execute("ROLLBACK TO change"));
        FIELDWATCH_TRY(writer_->execute("RELEASE change"));
    }
    return writer_->execute("COMMIT");
}

Result<std::unique_ptr<Connection>> Database::take_reader() {
    {
        const std::lock_guard lock(readers_mutex_);
        if (!readers_.empty()) {
            auto out = std::move(readers_.back());
            readers_.pop_back();
            return out;
        }
    }
    auto reader = FIELDWATCH_TRY(Connection::open(path_, Connection::Mode::ReadOnly));
    reader->use(writer_->keyring());
    return reader;
}

void Database::give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(readers_mutex_);
    if (readers_.size() < kReadersKept) readers_.push_back(std::move(connection));
}

}  // namespace fieldwatch::registry
