#include "backup/source.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "backup/manifest.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::backup {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1u << 20;

class FolderSource final : public Source {
  public:
    static Result<std::unique_ptr<Source>> open(const std::string& path) {
        auto& files = posix_file_system();
        auto text = read_file(files, path + "/" + std::string(kManifestName), kManifestBytesMax);
        if (!text && text.error().code == Errc::NotFound)
            return fail(Errc::Malformed, fmt::format("{} holds no {}: it is no backup, or one that was never "
                                                     "finished",
                                                     path, kManifestName));
        if (!text) return std::unexpected(text.error());
        auto manifest = FIELDWATCH_TRY(parse_manifest(as_text(*text)));
        return std::unique_ptr<Source>(new FolderSource(path, std::move(*text), std::move(manifest)));
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
        const auto file = FIELDWATCH_TRY(posix_file_system().open(path_ + "/" + path, OpenMode::ReadOnly));
        const auto size = FIELDWATCH_TRY(file->size());
        FIELDWATCH_TRY(visitor.begin(path, size));
        Bytes piece(kPieceBytes);
        for (std::uint64_t at = 0;;) {
            const auto count = FIELDWATCH_TRY(file->read_at(at, piece));
            if (count == 0) return visitor.end();
            FIELDWATCH_TRY(visitor.data(ByteView(piece).first(count)));
            at += count;
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
                archive_entry_pathname(entry) == nullptr || archive_entry_size_is_set(entry) == 0)
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
