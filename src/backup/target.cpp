#include "backup/target.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file_system.hpp"

namespace fieldwatch::backup {

namespace {

namespace fs = std::filesystem;

std::string parent_of(const std::string& path) {
    const auto parent = fs::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

class FolderTarget final : public Target {
  public:
    FolderTarget(FolderWriter writer, std::string name)
        : writer_(std::move(writer)), name_(std::move(name)) {}
    Result<void> begin(const std::string& path, std::uint64_t) override { return writer_.begin(path); }
    Result<void> write(ByteView data) override { return writer_.write(data); }
    Result<void> end() override { return writer_.end(); }
    Result<void> finish(const Manifest& manifest) override {
        FIELDWATCH_TRY(writer_.begin(std::string(kManifestName)));
        FIELDWATCH_TRY(writer_.write(as_bytes(to_json(manifest))));
        FIELDWATCH_TRY(writer_.end());
        return writer_.finish(name_);
    }

  private:
    FolderWriter writer_;
    std::string name_;
};

class ArchiveTarget final : public Target {
  public:
    static Result<std::unique_ptr<Target>> create(const std::string& path) {
        auto target = std::make_unique<ArchiveTarget>(path);
        // What an earlier command left goes; what somebody put there, a link to another file, is not written
        // through.
        ::unlink(target->aside_.c_str());
        target->descriptor_ =
            ::open(target->aside_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (target->descriptor_ < 0)
            return fail(Errc::Io, fmt::format("opening {}: {}", target->aside_, std::strerror(errno)));
        auto* const archive = target->archive_;
        const bool ready = archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
                           target->set_filter() &&
                           archive_write_open_fd(archive, target->descriptor_) == ARCHIVE_OK;
        if (!ready) return target->refusal();
        return target;
    }
    explicit ArchiveTarget(const std::string& path)
        : name_(path), aside_(path + std::string(kPartialSuffix)), archive_(archive_write_new()) {}
    ~ArchiveTarget() override {
        archive_write_free(archive_);
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    Result<void> begin(const std::string& path, std::uint64_t bytes) override {
        auto* const entry = archive_entry_new();
        archive_entry_set_pathname(entry, path.c_str());
        archive_entry_set_size(entry, static_cast<la_int64_t>(bytes));
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0600);
        const int done = archive_write_header(archive_, entry);
        archive_entry_free(entry);
        if (done != ARCHIVE_OK) return refusal();
        return {};
    }
    Result<void> write(ByteView data) override {
        if (archive_write_data(archive_, data.data(), data.size()) != static_cast<la_ssize_t>(data.size()))
            return refusal();
        return {};
    }
    Result<void> end() override {
        if (archive_write_finish_entry(archive_) != ARCHIVE_OK) return refusal();
        return {};
    }
    Result<void> finish(const Manifest& manifest) override {
        const auto text = to_json(manifest);
        FIELDWATCH_TRY(begin(std::string(kManifestName), text.size()));
        FIELDWATCH_TRY(write(as_bytes(text)));
        FIELDWATCH_TRY(end());
        if (archive_write_close(archive_) != ARCHIVE_OK) return refusal();
        if (::fsync(descriptor_) != 0)
            return fail(Errc::Io, fmt::format("syncing {}: {}", aside_, std::strerror(errno)));
        auto& files = posix_file_system();
        FIELDWATCH_TRY(files.rename(aside_, name_));
        return files.sync_directory(parent_of(name_));
    }

  private:
    bool set_filter() const {
        if (name_.ends_with(".gz")) return archive_write_add_filter_gzip(archive_) == ARCHIVE_OK;
        if (name_.ends_with(".zst")) return archive_write_add_filter_zstd(archive_) == ARCHIVE_OK;
        return true;
    }
    std::unexpected<Error> refusal() const {
        const char* const sentence = archive_error_string(archive_);
        return fail(archive_errno(archive_) == ENOSPC ? Errc::Exhausted : Errc::Io,
                    fmt::format("writing {}: {}", aside_, sentence != nullptr ? sentence : "refused"));
    }

    std::string name_, aside_;
    struct archive* archive_;
    int descriptor_ = -1;
};

}  // namespace

class FolderFile {
  public:
    explicit FolderFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
    Result<void> write(ByteView data) {
        FIELDWATCH_TRY(file_->write_at(at_, data));
        at_ += data.size();
        return {};
    }
    Result<void> sync() { return file_->sync(); }

  private:
    std::unique_ptr<File> file_;
    std::uint64_t at_ = 0;
};

FolderWriter::FolderWriter(std::string directory) : directory_(std::move(directory)) {}
FolderWriter::FolderWriter(FolderWriter&&) noexcept = default;
FolderWriter::~FolderWriter() = default;

Result<FolderWriter> FolderWriter::create(const std::string& directory) {
    std::error_code problem;
    fs::remove_all(directory, problem);
    if (problem) return fail(Errc::Io, "removing " + directory + ": " + problem.message());
    FIELDWATCH_TRY(posix_file_system().make_directories(directory));
    return FolderWriter(directory);
}

Result<void> FolderWriter::begin(const std::string& path) {
    FIELDWATCH_TRY(check_path(path));
    auto& files = posix_file_system();
    const auto whole = directory_ + "/" + path;
    FIELDWATCH_TRY(files.make_directories(parent_of(whole)));
    file_ = std::make_unique<FolderFile>(FIELDWATCH_TRY(files.open(whole, OpenMode::CreateNew)));
    return {};
}
Result<void> FolderWriter::write(ByteView data) {
    return file_->write(data);
}
Result<void> FolderWriter::end() {
    FIELDWATCH_TRY(file_->sync());
    file_.reset();
    return {};
}

Result<void> FolderWriter::finish(const std::string& name) {
    auto& files = posix_file_system();
    std::error_code problem;
    for (auto at = fs::recursive_directory_iterator(directory_, problem);
         !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
        if (at->is_directory(problem)) FIELDWATCH_TRY(files.sync_directory(at->path().string()));
    }
    if (problem) return fail(Errc::Io, "listing " + directory_ + ": " + problem.message());
    FIELDWATCH_TRY(files.sync_directory(directory_));
    FIELDWATCH_TRY(files.rename(directory_, name));
    return files.sync_directory(parent_of(name));
}

std::string plain_path(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

bool is_archive(std::string_view path) {
    return path.ends_with(".tar") || path.ends_with(".tar.gz") || path.ends_with(".tar.zst");
}

Result<std::unique_ptr<Target>> create_target(const std::string& name) {
    const auto path = plain_path(name);
    std::error_code problem;
    if (fs::exists(fs::symlink_status(path, problem)))
        return fail(Errc::AlreadyExists, path + " is there already: a backup never replaces anything");
    if (is_archive(path)) return ArchiveTarget::create(path);
    auto writer = FIELDWATCH_TRY(FolderWriter::create(path + std::string(kPartialSuffix)));
    return std::make_unique<FolderTarget>(std::move(writer), path);
}

Result<void> Writer::begin(const std::string& path, std::uint64_t bytes) {
    FIELDWATCH_TRY(check_path(path));
    if (bytes > kBytesMax) return fail(Errc::TooLarge, path + " is larger than a file of a backup may be");
    FIELDWATCH_TRY(target_.begin(path, bytes));
    manifest_.files.push_back({.path = path, .bytes = bytes, .sha256_hex = {}});
    hash_ = std::make_unique<Sha256Stream>();
    left_ = bytes;
    return {};
}
Result<void> Writer::write(ByteView data) {
    if (data.size() > left_)
        return fail(Errc::Malformed, manifest_.files.back().path + " has more bytes than were announced");
    left_ -= data.size();
    hash_->add(data);
    return target_.write(data);
}
Result<void> Writer::end() {
    if (left_ != 0)
        return fail(Errc::Malformed, manifest_.files.back().path + " has fewer bytes than were announced");
    manifest_.files.back().sha256_hex = hex(hash_->finish());
    return target_.end();
}

}  // namespace fieldwatch::backup
