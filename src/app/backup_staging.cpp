#include "app/backup_staging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/link.hpp"
#include "registry/accounts.hpp"

namespace fieldwatch::app {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr Ticks kIdle = std::chrono::minutes(1);
constexpr std::string_view kKeptSetting = "backups.kept";
constexpr std::size_t kKeptMax = 100;
constexpr std::size_t kPlaceBytesMax = 1'024;
constexpr std::size_t kPieceBytes = 1u << 20;

Result<void> removed(const std::string& directory) {
    std::error_code problem;
    fs::remove_all(directory, problem);
    if (problem) return fail(Errc::Io, "removing " + directory + ": " + problem.message());
    return {};
}

/// The first `bytes` of a file that grows.
Result<void> copy_beginning(const std::string& from, const std::string& to, std::uint64_t bytes) {
    auto& files = posix_file_system();
    const auto source = FIELDWATCH_TRY(files.open(from, OpenMode::ReadOnly));
    const auto target = FIELDWATCH_TRY(files.open(to, OpenMode::CreateNew));
    Bytes piece(kPieceBytes);
    for (std::uint64_t at = 0; at < bytes;) {
        const auto wanted = std::span(piece).first(std::min<std::uint64_t>(piece.size(), bytes - at));
        const auto count = FIELDWATCH_TRY(source->read_at(at, wanted));
        if (count == 0) return fail(Errc::Corrupt, from + " is shorter than it was");
        FIELDWATCH_TRY(target->write_at(at, wanted.first(count)));
        at += count;
    }
    return {};
}

/// A file, and no link to one: what is backed up is what lies here.
bool is_plain(const fs::directory_entry& entry) {
    std::error_code problem;
    return fs::is_regular_file(entry.symlink_status(problem));
}

/// Every file of a folder that only ever replaces or adds files; nothing when the folder is not there.
Result<void> link_folder(const std::string& from, const std::string& to) {
    std::error_code problem;
    if (!fs::exists(from, problem)) return {};
    auto& files = posix_file_system();
    for (auto at = fs::recursive_directory_iterator(from, problem);
         !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
        if (!is_plain(*at)) continue;
        const auto target = fs::path(to) / at->path().lexically_relative(from);
        if (at->path().extension() == ".new") continue;  // replace_file's, on its way
        FIELDWATCH_TRY(files.make_directories(target.parent_path().string()));
        const auto linked = link_or_copy(at->path().string(), target.string());
        // It went while we looked: then it was not needed any more.
        if (!linked && linked.error().code != Errc::NotFound) return linked;
    }
    if (problem) return fail(Errc::Io, "listing " + from + ": " + problem.message());
    return {};
}

Result<std::vector<portal::Backups::File>> files_in(const std::string& directory) {
    std::vector<portal::Backups::File> out;
    std::error_code problem;
    for (auto at = fs::recursive_directory_iterator(directory, problem);
         !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
        if (is_plain(*at))
            out.push_back(
                {.path = at->path().lexically_relative(directory).string(), .bytes = at->file_size(problem)});
    }
    if (problem) return fail(Errc::Io, "listing " + directory + ": " + problem.message());
    std::ranges::sort(out, {}, &portal::Backups::File::path);
    return out;
}

}  // namespace

Result<std::unique_ptr<BackupStaging>> BackupStaging::create(Parts parts) {
    std::unique_ptr<BackupStaging> out(new BackupStaging(std::move(parts)));
    FIELDWATCH_TRY(removed(out->root()));
    return out;
}

/// How far those are that carry something from one place to another. Before what they carry: who goes on from
/// a place of before does a piece again, and each of them may be killed behind the piece and before it is
/// noted.
Result<void> BackupStaging::copy_progress(const std::string& directory) const {
    const auto& data = parts_.data_directory;
    FIELDWATCH_TRY(link_folder(data + "/connectors", directory + "/connectors"));
    for (const auto* file : {"/retro-hunt.json", "/scheduled-queries.json", "/intel-feeds.json"}) {
        const auto linked = link_or_copy(data + file, directory + file);
        if (!linked && linked.error().code != Errc::NotFound) return linked;
    }
    auto& files = posix_file_system();
    const auto destinations = files.list(data + "/exports");
    if (!destinations)
        return destinations.error().code == Errc::NotFound ? Result<void>()
                                                           : std::unexpected(destinations.error());
    FIELDWATCH_TRY(files.make_directories(directory + "/exports"));
    for (const auto& name : *destinations) {
        // Beside them lie folders of what left as files: that is elsewhere already.
        if (!name.ends_with(".json")) continue;
        const auto linked = link_or_copy(data + "/exports/" + name, directory + "/exports/" + name);
        if (!linked && linked.error().code != Errc::NotFound) return linked;
    }
    return {};
}

/// A checkpoint of before, and none of later: the workspaces that follow hold at least what it stands for.
Result<void> BackupStaging::copy_checkpoints(const std::string& directory) const {
    return link_folder(parts_.data_directory + "/checkpoints", directory + "/checkpoints");
}

Result<void> BackupStaging::copy_workspaces(const std::string& directory) const {
    auto& files = posix_file_system();
    const auto from = parts_.data_directory + "/workspaces";
    const auto ids = files.list(from);
    if (!ids && ids.error().code == Errc::NotFound) return {};
    if (!ids) return std::unexpected(ids.error());
    for (const auto& id : *ids) {
        auto* const workspace = FIELDWATCH_TRY(parts_.workspace(id));
        auto* const upkeep = FIELDWATCH_TRY(workspace::upkeep_of(*workspace));
        FIELDWATCH_TRY(upkeep->snapshot_to(directory + "/workspaces/" + id));
    }
    return {};
}

Result<void> BackupStaging::copy_log_and_registry(const std::string& directory) const {
    std::vector<journal::HeldFile> held;
    {
        const auto hold = parts_.feed.hold();
        held = parts_.journal.files();
        FIELDWATCH_TRY(
            registry::copy_registry(parts_.data_directory + "/registry.db", directory + "/registry.db"));
    }
    if (parts_.key_file.is_ours) {
        // The one that this copy lies under, and no other.
        const auto sealed = FIELDWATCH_TRY(registry::sealing_state(directory + "/registry.db"));
        const auto keyring = FIELDWATCH_TRY(registry::read_keyring(parts_.key_file));
        FIELDWATCH_TRY(registry::write_keyring({.path = directory + "/master-key"},
                                               FIELDWATCH_TRY(keyring.only(sealed.key_id))));
    }
    FIELDWATCH_TRY(posix_file_system().make_directories(directory + "/journal"));
    for (const auto& file : held) {
        const auto to = directory + "/journal/" + fs::path(file.path).filename().string();
        FIELDWATCH_TRY(file.finished ? link_or_copy(file.path, to)
                                     : copy_beginning(file.path, to, file.bytes));
    }
    const auto consumers =
        link_or_copy(parts_.data_directory + "/journal/consumers", directory + "/journal/consumers");
    if (!consumers && consumers.error().code != Errc::NotFound) return consumers;
    return {};
}

Result<void> BackupStaging::copy_all(const std::string& directory) const {
    const auto& data = parts_.data_directory;
    FIELDWATCH_TRY(posix_file_system().make_directories(directory));
    const auto paused = parts_.pause_maintenance();
    FIELDWATCH_TRY(copy_progress(directory));
    FIELDWATCH_TRY(copy_checkpoints(directory));
    FIELDWATCH_TRY(copy_workspaces(directory));
    FIELDWATCH_TRY(copy_log_and_registry(directory));
    for (const auto* folder :
         {"/content", "/rules", "/intel", "/intel-bundles", "/advisories", "/ca", "/uploads"})
        FIELDWATCH_TRY(link_folder(data + folder, directory + folder));
    return link_or_copy(data + "/token", directory + "/token");
}

Result<portal::Backups::Staged> BackupStaging::stage(Other other) {
    const std::lock_guard lock(mutex_);
    const auto now = parts_.clock.now();
    if (staged_ && other == Other::Refuse && now - last_read_ < kIdle)
        return fail(Errc::Conflict,
                    fmt::format("another backup ({}) has been under way since {}: wait for it, or replace it",
                                staged_->id, to_iso8601(staged_->created, 0)));
    staged_.reset();
    FIELDWATCH_TRY(removed(root()));
    std::array<std::byte, 8> bytes{};
    parts_.random.fill(bytes);
    Staged staged{.id = hex(bytes), .created = now, .files = {}};
    const auto directory = root() + "/" + staged.id;
    if (auto copied = copy_all(directory); !copied) {
        static_cast<void>(removed(root()));
        return in_context("making a backup", copied.error());
    }
    staged.files = FIELDWATCH_TRY(files_in(directory));
    paths_.clear();
    for (const auto& file : staged.files)
        paths_.insert(file.path);
    last_read_ = parts_.clock.now();
    staged_ = staged;
    return staged;
}

Result<std::string> BackupStaging::read(const std::string& id, const std::string& path, std::uint64_t from,
                                        std::size_t count) {
    std::unique_ptr<fieldwatch::File> file;
    {
        const std::lock_guard lock(mutex_);
        if (!staged_ || staged_->id != id)
            return fail(Errc::NotFound, fmt::format("the backup {} is not here any more", id));
        // Only what was listed: nobody reads elsewhere through this.
        if (!paths_.contains(path))
            return fail(Errc::NotFound, fmt::format("the backup has no file \"{}\"", path));
        last_read_ = parts_.clock.now();
        file = FIELDWATCH_TRY(posix_file_system().open(root() + "/" + id + "/" + path, OpenMode::ReadOnly));
    }
    std::string out(std::min<std::uint64_t>(count, FIELDWATCH_TRY(file->size())), '\0');
    out.resize(FIELDWATCH_TRY(file->read_at(from, std::as_writable_bytes(std::span(out)))));
    return out;
}

Result<void> BackupStaging::finish(const std::string& id, const std::string& place) {
    const std::lock_guard lock(mutex_);
    if (!staged_ || staged_->id != id)
        return fail(Errc::NotFound, fmt::format("the backup {} is not here any more", id));
    if (place.size() > kPlaceBytesMax) return fail(Errc::TooLarge, "the place of a backup");
    if (!place.empty()) {
        auto known = FIELDWATCH_TRY(kept());
        if (known.size() >= kKeptMax) known.erase(known.begin());
        std::uint64_t bytes = 0;
        for (const auto& file : staged_->files)
            bytes += file.bytes;
        known.push_back({.id = id, .created = staged_->created, .bytes = bytes, .place = place});
        Json list = Json::array();
        for (const auto& one : known)
            list.push_back({{"id", one.id},
                            {"created", to_iso8601(one.created)},
                            {"bytes", one.bytes},
                            {"place", one.place}});
        FIELDWATCH_TRY(parts_.registry.set_setting(
            kKeptSetting, list.dump(-1, ' ', false, Json::error_handler_t::replace)));
    }
    staged_.reset();
    return removed(root());
}

Result<std::vector<portal::Backups::Kept>> BackupStaging::kept() {
    std::vector<Kept> out;
    const auto text = FIELDWATCH_TRY(parts_.registry.setting(kKeptSetting));
    if (!text) return out;
    const auto list = Json::parse(*text, nullptr, false);
    for (const auto& one : list.is_array() ? list : Json::array()) {
        if (!one.is_object()) continue;
        const auto created = parse_iso8601(one.value("created", ""));
        out.push_back({.id = one.value("id", ""),
                       .created = created ? created->time : Timestamp{0},
                       .bytes = one.value("bytes", std::uint64_t{0}),
                       .place = one.value("place", "")});
    }
    return out;
}

}  // namespace fieldwatch::app
