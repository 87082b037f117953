#include "backup/restore.hpp"

#include <filesystem>
#include <map>

#include "backup/source.hpp"
#include "backup/target.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::backup {

namespace {

namespace fs = std::filesystem;

/// Writes what a source tells, and remembers what it was.
class Receiver {
  public:
    /// `directory` is where `writer` writes.
    Receiver(FolderWriter& writer, std::string directory, const Progress& progress)
        : writer_(writer), directory_(std::move(directory)), progress_(progress) {}

    Visitor visitor() {
        return {.begin = [this](const std::string& path, std::uint64_t bytes) { return begin(path, bytes); },
                .data = [this](ByteView data) { return take(data); },
                .end = [this] { return end(); }};
    }
    /// Everything that came is what the manifest says, and nothing else came.
    Result<Manifest> checked() const {
        if (!has_manifest_) return fail(Errc::Malformed, "the backup has no manifest: it was never finished");
        auto manifest = FIELDWATCH_TRY(parse_manifest(manifest_));
        for (const auto& wanted : manifest.files) {
            const auto found = received_.find(wanted.path);
            if (found == received_.end())
                return fail(Errc::Corrupt, wanted.path + " is missing in the backup");
            if (found->second != wanted)
                return fail(Errc::Corrupt, wanted.path + " is not what was backed up: its hash differs");
        }
        if (received_.size() != manifest.files.size())
            return fail(Errc::Corrupt, "the backup holds files that its manifest does not name");
        return manifest;
    }

  private:
    Result<void> begin(const std::string& path, std::uint64_t bytes) {
        now_ = {.path = path, .bytes = 0, .sha256_hex = {}};
        in_manifest_ = path == kManifestName;
        if (in_manifest_) {
            if (has_manifest_ || bytes > kManifestBytesMax)
                return fail(Errc::Malformed, "a backup has one manifest, of bounded size");
            has_manifest_ = true;
            return {};
        }
        FIELDWATCH_TRY(check_path(path));
        // Before a byte of it is unpacked: a small archive may say, and mean, that it fills the disk.
        if (bytes > kBytesMax || bytes > FIELDWATCH_TRY(posix_file_system().free_bytes(directory_)))
            return fail(Errc::Exhausted, path + " does not fit on the disk beside what is there");
        left_ = bytes;
        if (received_.size() >= kFilesMax) return fail(Errc::TooLarge, "a backup of so many files");
        if (received_.contains(path)) return fail(Errc::Malformed, path + " is in the backup twice");
        hash_ = std::make_unique<Sha256Stream>();
        return writer_.begin(path);
    }
    Result<void> take(ByteView data) {
        if (in_manifest_) {
            if (manifest_.size() + data.size() > kManifestBytesMax)
                return fail(Errc::TooLarge, "the manifest of a backup");
            manifest_ += as_text(data);
            return {};
        }
        if (data.size() > left_)
            return fail(Errc::Malformed, now_.path + " has more bytes than the backup says");
        left_ -= data.size();
        FIELDWATCH_TRY(writer_.write(data));
        hash_->add(data);
        now_.bytes += data.size();
        written_ += data.size();
        progress_(written_);
        return {};
    }
    Result<void> end() {
        if (in_manifest_) return {};
        now_.sha256_hex = hex(hash_->finish());
        received_.emplace(now_.path, now_);
        return writer_.end();
    }

    FolderWriter& writer_;
    std::string directory_;
    const Progress& progress_;
    std::map<std::string, FileEntry> received_;
    FileEntry now_;
    std::unique_ptr<Sha256Stream> hash_;
    std::string manifest_;
    bool has_manifest_ = false, in_manifest_ = false;
    std::uint64_t written_ = 0, left_ = 0;  // in all; of the file that comes now
};

Result<void> check_empty(const std::string& directory) {
    std::error_code problem;
    const auto status = fs::symlink_status(directory, problem);
    if (!fs::exists(status)) return {};
    if (!fs::is_directory(status)) return fail(Errc::AlreadyExists, directory + " is no folder");
    if (!fs::is_empty(directory, problem) || problem)
        return fail(Errc::AlreadyExists, directory +
                                             " is not empty: a backup is restored into an empty folder only, "
                                             "and never over data");
    return {};
}

}  // namespace

Result<Manifest> restore(const std::string& source_path, const std::string& into, const Progress& progress) {
    const auto directory = plain_path(into);
    FIELDWATCH_TRY(check_empty(directory));
    const auto source = FIELDWATCH_TRY(open_source(source_path));
    const auto aside = directory + std::string(kPartialSuffix);
    auto writer = FIELDWATCH_TRY(FolderWriter::create(aside));
    const auto restored = [&]() -> Result<Manifest> {
        Receiver receiver(writer, aside, progress);
        FIELDWATCH_TRY(source->visit(receiver.visitor()));
        auto manifest = FIELDWATCH_TRY(receiver.checked());
        FIELDWATCH_TRY(writer.finish(directory));
        return manifest;
    }();
    if (!restored) {
        std::error_code ignored;
        fs::remove_all(aside, ignored);
    }
    return restored;
}

}  // namespace fieldwatch::backup
