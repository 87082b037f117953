#include "backup/source.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "backup/manifest.hpp"

namespace fieldwatch::backup {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1u << 20;

/// A plain file of a folder. One thread.
class PlainFile {
  public:
    /// `path` below `root`, by no link: what lies in a folder that came from elsewhere may point anywhere, at
    /// other people's files and at devices without an end. Errors: NotFound, Malformed, Io.
    static Result<PlainFile> open_below(const std::string& root, std::string_view path) {
        FIELDWATCH_TRY(check_path(path));
        PlainFile at(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        for (auto rest = path; at.descriptor_ >= 0;) {
            const auto slash = rest.find('/');
            const bool last = slash == std::string_view::npos;
            const std::string name(rest.substr(0, slash));
            const int flags = O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY);
            at = PlainFile(::openat(at.descriptor_, name.c_str(), flags));
            if (last) break;
            rest.remove_prefix(slash + 1);
        }
        struct stat status{};
        if (at.descriptor_ < 0 && errno == ENOENT)
            return fail(Errc::NotFound, fmt::format("{} is not there", path));
        if (at.descriptor_ < 0 || ::fstat(at.descriptor_, &status) != 0 || !S_ISREG(status.st_mode))
            return fail(
                Errc::Malformed,
                fmt::format("{} of the backup is no plain file, or behind a link: it is refused", path));
        at.bytes_ = static_cast<std::uint64_t>(status.st_size);
        return at;
    }
    PlainFile(PlainFile&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)), bytes_(other.bytes_) {}
    PlainFile& operator=(PlainFile&& other) noexcept {
        const int error = errno;  // of the open that made `other`
        std::swap(descriptor_, other.descriptor_);
        std::swap(bytes_, other.bytes_);
        errno = error;
        return *this;
    }
    ~PlainFile() {
        const int error = errno;
        if (descriptor_ >= 0) ::close(descriptor_);
        errno = error;
    }

    std::uint64_t bytes() const { return bytes_; }
    /// 0 at the end.
    Result<std::size_t> read(std::span<std::byte> out) const {
        for (;;) {
            const auto count = ::read(descriptor_, out.data(), out.size());
            if (count >= 0) return static_cast<std::size_t>(count);
            if (errno != EINTR) return fail(Errc::Io, fmt::format("reading: {}", std::strerror(errno)));
        }
    }

  private:
    explicit PlainFile(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
    std::uint64_t bytes_ = 0;
};

class FolderSource final : public Source {
  public:
    static Result<std::unique_ptr<Source>> open(const std::string& path) {
        const auto file = PlainFile::open_below(path, kManifestName);
        if (!file && file.error().code == Errc::NotFound)
            return fail(Errc::Malformed, fmt::format("{} holds no {}: it is no backup, or one that was never "
                                                     "finished",
                                                     path, kManifestName));
        if (!file) return std::unexpected(file.error());
        if (file->bytes() > kManifestBytesMax) return fail(Errc::TooLarge, "the manifest of a backup");
        Bytes text(file->bytes());
        for (std::size_t at = 0; at < text.size();) {
            const auto count = FIELDWATCH_TRY(file->read(std::span(text).subspan(at)));
            if (count == 0) return fail(Errc::Corrupt, "the manifest became shorter while it was read");
            at += count;
        }
        auto manifest = FIELDWATCH_TRY(parse_manifest(as_text(text)));
        return std::unique_ptr<Source>(new FolderSource(path, std::move(text), std::move(manifest)));
    }
    Result<void> visit(const Visitor& visitor) override {
        for (const auto& entry : manifest_.files)
            FIELDWATCH_TRY(read(entry.path, visitor));
        FIELDWATCH_TRY(visitor.begin(std::string(kManifestName), text_.size()));
        FIELDWATCH_TRY(visitor.data(text_));
        return visitor.end();
    }
    std::uint64_t bytes() const override {
        std::uint64_t sum = 0;
        for (const auto& entry : manifest_.files)
            sum += entry.bytes;
        return sum;
    }

  private:
    FolderSource(std::string path, Bytes text, Manifest manifest)
        : path_(std::move(path)), text_(std::move(text)), manifest_(std::move(manifest)) {}

    Result<void> read(const std::string& path, const Visitor& visitor) const {
        const auto file = FIELDWATCH_TRY(PlainFile::open_below(path_, path));
        FIELDWATCH_TRY(visitor.begin(path, file.bytes()));
        Bytes piece(kPieceBytes);
        for (;;) {
            const auto count = FIELDWATCH_TRY(file.read(piece));
            if (count == 0) return visitor.end();
            FIELDWATCH_TRY(visitor.data(ByteView(piece).first(count)));
        }
    }

    std::string path_;
    Bytes text_;
    Manifest manifest_;
};

class ArchiveSource final : public Source {
  public:
    static Result<std::unique_ptr<Source>> open(const std::string& path) {
        auto source = std::make_unique<ArchiveSource>();
        auto* const archive = source->archive_;
        archive_read_support_format_tar(archive);
        archive_read_support_filter_gzip(archive);
        archive_read_support_filter_zstd(archive);
        if (archive_read_open_filename(archive, path.c_str(), kPieceBytes) != ARCHIVE_OK)
            return source->refusal();
        std::error_code problem;
        source->bytes_ = fs::file_size(path, problem);
        return source;
    }
    ArchiveSource() : archive_(archive_read_new()) {}
    ~ArchiveSource() override { archive_read_free(archive_); }

    Result<void> visit(const Visitor& visitor) override {
        for (std::size_t count = 0;; ++count) {
            archive_entry* entry = nullptr;
            const int state = archive_read_next_header(archive_, &entry);
            if (state == ARCHIVE_EOF) return {};
            if (state != ARCHIVE_OK) return refusal();
            if (count > kFilesMax)
                return fail(Errc::TooLarge, fmt::format("a backup has at most {} files", kFilesMax));
            if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
                archive_entry_symlink(entry) != nullptr || archive_entry_pathname(entry) == nullptr ||
                archive_entry_size_is_set(entry) == 0 || archive_entry_size(entry) < 0)
                return fail(Errc::Malformed, "a backup's archive holds plain files and nothing else");
            FIELDWATCH_TRY(visitor.begin(archive_entry_pathname(entry),
                                         static_cast<std::uint64_t>(archive_entry_size(entry))));
            FIELDWATCH_TRY(read(visitor));
        }
    }
    std::uint64_t bytes() const override { return bytes_; }

  private:
    Result<void> read(const Visitor& visitor) {
        Bytes piece(kPieceBytes);
        for (;;) {
            const auto count = archive_read_data(archive_, piece.data(), piece.size());
            if (count < 0) return refusal();
            if (count == 0) return visitor.end();
            FIELDWATCH_TRY(visitor.data(ByteView(piece).first(static_cast<std::size_t>(count))));
        }
    }
    std::unexpected<Error> refusal() const {
        const char* const sentence = archive_error_string(archive_);
        return fail(Errc::Malformed,
                    fmt::format("the archive: {}", sentence != nullptr ? sentence : "it cannot be read"));
    }

    struct archive* archive_;
    std::uint64_t bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source(const std::string& path) {
    std::error_code problem;
    const auto status = fs::status(path, problem);
    if (!fs::exists(status)) return fail(Errc::NotFound, path + " is not there");
    return fs::is_directory(status) ? FolderSource::open(path) : ArchiveSource::open(path);
}

}  // namespace fieldwatch::backup
