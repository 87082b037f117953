// A disk in memory that can lose power: it forgets what was not synced, as a real one may, and refuses what a
// test tells it to. For the tests of every durable format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/random.hpp"

namespace fieldwatch {

/// Each call that changes something is a step, numbered from 1. Any thread.
///
/// What a power cut does: of every write since a file's last sync() all, none, or a part is kept (a prefix, a
/// suffix or single 512 byte sectors); truncations likewise happen or not. Of the names made, renamed and
/// removed since the directory's last sync_directory() each is kept or forgotten by itself, later ones
/// without earlier ones too; a rename is whole or not at all. Directories themselves are kept once made.
class SimulatedFileSystem final : public FileSystem {
  public:
    explicit SimulatedFileSystem(std::uint64_t seed) : random_(seed) {}

    /// Power goes at that step: it takes place or not, by chance, and from then on every call fails with Io
    /// until restart().
    void cut_power_at(std::uint64_t step);
    void cut_power();
    /// Forgets what the cut cost and serves again. Files that were open stay dead.
    void restart();
    bool has_power() const;
    std::uint64_t steps() const;

    /// That step fails with `error` and changes nothing; the following ones work again.
    void fail_at(std::uint64_t step, Errc error);
    /// Writes beyond it fail with Exhausted, having changed nothing.
    void set_capacity(std::uint64_t bytes);

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> make_directories(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> sync_directory(const std::string& directory) override;
    Result<std::uint64_t> free_bytes(const std::string& directory) override;

  private:
    friend class SimulatedFile;
    struct Change {  // of a file's content: a write, or a truncation when `size` is set
        std::uint64_t offset = 0;
        Bytes data;
        std::optional<std::uint64_t> size;
    };
    struct Inode {
        Bytes now, synced;
        std::vector<Change> unsynced;
    };
    using InodePtr = std::shared_ptr<Inode>;
    struct NameChange {  // in one directory: `to` holds `inode` (null: nothing), and `from` is gone when
                         // given
        std::string from, to;
        InodePtr inode;
    };
    struct Directory {
        std::map<std::string, InodePtr> now, synced;
        std::vector<NameChange> unsynced;
    };

    /// Counts a step; an error when it must not take place. Holds mutex_.
    Result<void> step();
    Result<void> powered() const;
    Result<Directory*> directory(const std::string& path);
    void forget();
    void change(Directory& directory, NameChange change);
    std::uint64_t used_bytes() const;
    static void apply(Bytes& content, const Change& change);
    void apply_part(Bytes& content, const Change& change);

    mutable std::mutex mutex_;
    SeededRandom random_;
    std::map<std::string, Directory> directories_;
    std::map<std::uint64_t, Errc> failures_;
    std::uint64_t capacity_ = UINT64_MAX;
    std::uint64_t steps_ = 0;
    std::uint64_t cut_at_ = UINT64_MAX;
    std::uint64_t epoch_ = 0;  // of the power supply: files of an earlier one are dead
    bool power_ = true;
};

}  // namespace fieldwatch
