#include "base/simulated_file_system.hpp"

#include <algorithm>
#include <set>

#include "base/assert.hpp"

namespace fieldwatch {

namespace {

constexpr std::size_t kSectorBytes = 512;

std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

std::unexpected<Error> no_power() {
    return fail(Errc::Io, "the simulated disk has no power");
}

}  // namespace

class SimulatedFile final : public File {
  public:
    SimulatedFile(SimulatedFileSystem& disk, SimulatedFileSystem::InodePtr inode, bool writable)
        : disk_(disk), inode_(std::move(inode)), writable_(writable), epoch_(disk.epoch_) {}

    Result<void> write_at(std::uint64_t offset, ByteView data) override {
        const std::lock_guard lock(disk_.mutex_);
        FIELDWATCH_TRY(alive());
        const auto used = disk_.used_bytes();
        const auto grown = std::max<std::uint64_t>(inode_->now.size(), offset + data.size());
        if (used - inode_->now.size() + grown > disk_.capacity_) {
            return fail(Errc::Exhausted, "the simulated disk is full");
        }
        return change({.offset = offset, .data = Bytes(data.begin(), data.end()), .size = std::nullopt});
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
        const std::lock_guard lock(disk_.mutex_);
        FIELDWATCH_TRY(alive());
        if (offset >= inode_->now.size()) return std::size_t{0};
        const auto count = std::min<std::uint64_t>(out.size(), inode_->now.size() - offset);
        std::copy_n(inode_->now.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
        return static_cast<std::size_t>(count);
    }
    Result<std::uint64_t> size() const override {
        const std::lock_guard lock(disk_.mutex_);
        FIELDWATCH_TRY(alive());
        return inode_->now.size();
    }
    Result<void> truncate(std::uint64_t size) override {
        const std::lock_guard lock(disk_.mutex_);
        FIELDWATCH_TRY(alive());
        return change({.offset = 0, .data = {}, .size = size});
    }
    Result<void> sync() override {
        const std::lock_guard lock(disk_.mutex_);
        FIELDWATCH_TRY(alive());
        FIELDWATCH_TRY(disk_.step());
        for (const auto& done : inode_->unsynced)
            SimulatedFileSystem::apply(inode_->synced, done);
        inode_->unsynced.clear();
        if (!disk_.power_) return no_power();
        return {};
    }

  private:
    Result<void> alive() const {
        if (epoch_ != disk_.epoch_) return fail(Errc::Io, "the file was open when the power went");
        return disk_.powered();
    }
    Result<void> change(SimulatedFileSystem::Change what) {
        if (!writable_) return fail(Errc::Io, "the file is open for reading only");
        FIELDWATCH_TRY(disk_.step());
        SimulatedFileSystem::apply(inode_->now, what);
        inode_->unsynced.push_back(std::move(what));
        if (!disk_.power_) return no_power();
        return {};
    }

    SimulatedFileSystem& disk_;
    SimulatedFileSystem::InodePtr inode_;
    bool writable_;
    std::uint64_t epoch_;
};

void SimulatedFileSystem::apply(Bytes& content, const Change& change) {
    if (change.size) {
        content.resize(*change.size);
        return;
    }
    content.resize(std::max<std::size_t>(content.size(), change.offset + change.data.size()));
    std::copy(change.data.begin(), change.data.end(),
              content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void SimulatedFileSystem::apply_part(Bytes& content, const Change& whole) {
    const auto choice = random_.below(5);
    if (choice == 0) return;
    if (choice == 1 || whole.size || whole.data.empty()) return apply(content, whole);
    const auto size = whole.data.size();
    const auto part = [&](std::size_t first, std::size_t count) {
        const auto begin = whole.data.begin() + static_cast<std::ptrdiff_t>(first);
        apply(content, {.offset = whole.offset + first,
                        .data = Bytes(begin, begin + static_cast<std::ptrdiff_t>(count)),
                        .size = std::nullopt});
    };
    const auto at = static_cast<std::size_t>(random_.below(size));
    if (choice == 2) return part(0, at);
    if (choice == 3) return part(at, size - at);
    for (std::size_t first = 0; first < size; first += kSectorBytes) {
        if (random_.below(2) == 0) part(first, std::min(kSectorBytes, size - first));
    }
}

Result<void> SimulatedFileSystem::powered() const {
    if (!power_) return no_power();
    return {};
}

Result<void> SimulatedFileSystem::step() {
    FIELDWATCH_TRY(powered());
    ++steps_;
    if (const auto failure = failures_.find(steps_); failure != failures_.end()) {
        return fail(failure->second, "the simulated disk was told to fail here");
    }
    if (steps_ < cut_at_) return {};
    power_ = false;
    if (random_.below(2) == 0) return no_power();
    return {};
}

void SimulatedFileSystem::cut_power_at(std::uint64_t at) {
    const std::lock_guard lock(mutex_);
    cut_at_ = at;
}
void SimulatedFileSystem::cut_power() {
    const std::lock_guard lock(mutex_);
    power_ = false;
}
bool SimulatedFileSystem::has_power() const {
    const std::lock_guard lock(mutex_);
    return power_;
}
std::uint64_t SimulatedFileSystem::steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
}
void SimulatedFileSystem::fail_at(std::uint64_t at, Errc error) {
    const std::lock_guard lock(mutex_);
    failures_[at] = error;
}
void SimulatedFileSystem::set_capacity(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
}

void SimulatedFileSystem::restart() {
    const std::lock_guard lock(mutex_);
    if (!power_) forget();
    power_ = true;
    cut_at_ = UINT64_MAX;
    ++epoch_;
}

void SimulatedFileSystem::forget() {
    std::set<InodePtr> settled;
    for (auto& [path, directory] : directories_) {
        auto names = directory.synced;
        for (const auto& change : directory.unsynced) {
            if (random_.below(2) == 0) continue;
            if (!change.from.empty()) names.erase(change.from);
            if (change.inode) {
                names[change.to] = change.inode;
            } else {
                names.erase(change.to);
            }
        }
        directory.now = directory.synced = std::move(names);
        directory.unsynced.clear();
        for (auto& [name, inode] : directory.now) {
            if (!settled.insert(inode).second) continue;
            for (const auto& change : inode->unsynced)
                apply_part(inode->synced, change);
            inode->unsynced.clear();
            inode->now = inode->synced;
        }
    }
}

void SimulatedFileSystem::change(Directory& directory, NameChange what) {
    if (!what.from.empty()) directory.now.erase(what.from);
    if (what.inode) {
        directory.now[what.to] = what.inode;
    } else {
        directory.now.erase(what.to);
    }
    directory.unsynced.push_back(std::move(what));
}

Result<SimulatedFileSystem::Directory*> SimulatedFileSystem::directory(const std::string& path) {
    FIELDWATCH_TRY(powered());
    if (path == ".") return &directories_[path];  // where one is, is always there
    const auto found = directories_.find(path);
    if (found == directories_.end()) return fail(Errc::NotFound, "no simulated directory " + path);
    return &found->second;
}

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path, OpenMode mode) {
    const std::lock_guard lock(mutex_);
    const auto [where, name] = split(path);
    auto* const parent = FIELDWATCH_TRY(directory(where));
    auto entry = parent->now.find(name);
    if (mode == OpenMode::CreateNew) {
        if (entry != parent->now.end()) return fail(Errc::AlreadyExists, path + " exists");
        FIELDWATCH_TRY(step());
        change(*parent, {.from = {}, .to = name, .inode = std::make_shared<Inode>()});
        if (!power_) return no_power();
        entry = parent->now.find(name);
    }
    if (entry == parent->now.end()) return fail(Errc::NotFound, "no simulated file " + path);
    return std::make_unique<SimulatedFile>(*this, entry->second, mode != OpenMode::ReadOnly);
}

Result<void> SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    const auto [where, name] = split(from);
    const auto [to_where, to_name] = split(to);
    FIELDWATCH_ASSERT(where == to_where);  // what our formats do; across directories is another story
    auto* const parent = FIELDWATCH_TRY(directory(where));
    const auto entry = parent->now.find(name);
    if (entry == parent->now.end()) return fail(Errc::NotFound, "no simulated file " + from);
    FIELDWATCH_TRY(step());
    change(*parent, {.from = name, .to = to_name, .inode = entry->second});
    return powered();
}

Result<void> SimulatedFileSystem::remove(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const auto [where, name] = split(path);
    auto* const parent = FIELDWATCH_TRY(directory(where));
    if (!parent->now.contains(name)) return fail(Errc::NotFound, "no simulated file " + path);
    FIELDWATCH_TRY(step());
    change(*parent, {.from = {}, .to = name, .inode = nullptr});
    return powered();
}

Result<void> SimulatedFileSystem::make_directories(const std::string& path) {
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(powered());
    for (auto part = path; !part.empty() && part != "."; part = split(part).first) {
        directories_.try_emplace(part);
    }
    return {};
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const auto* const found = FIELDWATCH_TRY(directory(path));
    std::vector<std::string> names;
    for (const auto& [name, inode] : found->now)
        names.push_back(name);
    return names;
}

Result<void> SimulatedFileSystem::sync_directory(const std::string& path) {
    const std::lock_guard lock(mutex_);
    auto* const found = FIELDWATCH_TRY(directory(path));
    FIELDWATCH_TRY(step());
    found->synced = found->now;
    found->unsynced.clear();
    return powered();
}

std::uint64_t SimulatedFileSystem::used_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [path, directory] : directories_) {
        for (const auto& [name, inode] : directory.now)
            sum += inode->now.size();
    }
    return sum;
}

Result<std::uint64_t> SimulatedFileSystem::free_bytes(const std::string& path) {
    const std::lock_guard lock(mutex_);
    static_cast<void>(FIELDWATCH_TRY(directory(path)));
    return capacity_ - std::min(capacity_, used_bytes());
}

}  // namespace fieldwatch
