#include "pipeline/input/text_source.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace fieldwatch::pipeline {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kReadBytes = 64u << 10;

constexpr std::array kPacked{"\x1F\x8B"sv, "\x28\xB5\x2F\xFD"sv, "\xFD\x37zXZ\0"sv, "BZh"sv};

struct Foreign {
    std::string_view begins;
    std::string_view why;
};
constexpr std::array kForeign{
    Foreign{"PK\x03\x04"sv, "a zip archive: unpack it first"},
    Foreign{"\xD4\xC3\xB2\xA1"sv, "a capture of packets: give the logs that Zeek writes of it"},
    Foreign{"\xA1\xB2\xC3\xD4"sv, "a capture of packets: give the logs that Zeek writes of it"},
    Foreign{"\x0A\x0D\x0D\x0A"sv, "a capture of packets: give the logs that Zeek writes of it"},
    Foreign{"LPKSHHRH"sv, "the journal's own form: give what `journalctl -o json --file` prints of it"},
    Foreign{"\xFF\xFE"sv, "UTF-16: convert it, with `iconv -f UTF-16 -t UTF-8`"},
    Foreign{"\xFE\xFF"sv, "UTF-16: convert it, with `iconv -f UTF-16 -t UTF-8`"},
};

std::optional<std::string_view> why_foreign(std::string_view first) {
    for (const auto& [begins, why] : kForeign)
        if (first.starts_with(begins)) return why;
    if (first.size() > 262 && first.substr(257, 5) == "ustar") return "a tar archive: unpack it first";
    return std::nullopt;
}

}  // namespace

/// libarchive's filters, without any of its archives. The first block is what told that it is packed.
class TextSource::Unpacker {
  public:
    Unpacker(TextSource& source, std::string_view first)
        : source_(source), packed_(first), archive_(archive_read_new()) {
        packed_.reserve(kReadBytes);
    }
    ~Unpacker() { archive_read_free(archive_); }
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    /// Fills `out` unless the text ends; 0 at its end, or with a problem.
    std::size_t read(char* out, std::size_t bytes_max) {
        if (archive_ == nullptr) source_.refuse(Errc::Io, "no memory to unpack it");
        if (archive_ == nullptr || (!open_ && !open())) return 0;
        std::size_t got = 0;
        while (got < bytes_max) {
            const auto count = archive_read_data(archive_, out + got, bytes_max - got);
            if (count > 0)
                got += static_cast<std::size_t>(count);
            else if (count == ARCHIVE_RETRY)
                continue;
            else {
                if (count < 0) fail();
                break;
            }
        }
        return got;
    }

  private:
    bool open() {
        archive_read_support_filter_gzip(archive_);
        archive_read_support_filter_zstd(archive_);
        archive_read_support_filter_xz(archive_);
        archive_read_support_filter_bzip2(archive_);
        archive_read_support_format_raw(archive_);
        archive_read_support_format_empty(archive_);
        archive_entry* entry = nullptr;
        const bool opened = archive_read_open(archive_, this, nullptr, &give, nullptr) == ARCHIVE_OK;
        const int header = opened ? archive_read_next_header(archive_, &entry) : ARCHIVE_FATAL;
        // Without a filter it would hand on the packed bytes as they are.
        const bool unpacks = archive_filter_code(archive_, 0) != ARCHIVE_FILTER_NONE;
        open_ = header == ARCHIVE_OK && unpacks;
        if (!open_ && (header != ARCHIVE_EOF || !unpacks)) fail();
        return open_;
    }
    void fail() {
        const char* const sentence = archive_error_string(archive_);
        source_.refuse(Errc::Malformed, std::string("packed, and cut off or damaged: ") +
                                            (sentence != nullptr ? sentence : "it cannot be unpacked"));
    }
    static la_ssize_t give(struct archive*, void* self, const void** out) {
        auto& unpacker = *static_cast<Unpacker*>(self);
        auto& packed = unpacker.packed_;
        if (std::exchange(unpacker.gave_first_, true)) {
            packed.resize(kReadBytes);
            packed.resize(unpacker.source_.read_block(packed.data(), kReadBytes));
        }
        *out = packed.data();
        return static_cast<la_ssize_t>(packed.size());
    }

    TextSource& source_;
    std::string packed_;  ///< what libarchive reads from, until it asks for more
    struct archive* archive_;
    bool open_ = false, gave_first_ = false;
};

TextSource::TextSource(std::istream& from)
    : from_(from), block_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

TextSource::~TextSource() = default;

void TextSource::refuse(Errc code, std::string why) {
    if (!problem_) problem_ = Error{code, std::move(why)};
    ended_ = true;
}

std::size_t TextSource::read_block(char* out, std::size_t bytes_max) {
    from_.read(out, static_cast<std::streamsize>(bytes_max));
    if (from_.bad()) refuse(Errc::Io, "it could not be read to its end");
    return static_cast<std::size_t>(from_.gcount());
}

TextSource::int_type TextSource::underflow() {
    if (ended_) return traits_type::eof();
    std::size_t begin = 0, count = 0;
    if (begun_) {
        count = unpacker_ ? unpacker_->read(block_.get(), kReadBytes) : read_block(block_.get(), kReadBytes);
    } else {
        begun_ = true;
        count = read_block(block_.get(), kReadBytes);
        for (const auto magic : kPacked) {
            if (!std::string_view(block_.get(), count).starts_with(magic)) continue;
            unpacker_ = std::make_unique<Unpacker>(*this, std::string_view(block_.get(), count));
            count = unpacker_->read(block_.get(), kReadBytes);
            break;
        }
        const std::string_view first(block_.get(), count);
        if (const auto why = why_foreign(first)) {
            refuse(Errc::Unsupported, std::string(*why));
            return traits_type::eof();
        }
        if (first.starts_with("\xEF\xBB\xBF")) begin = 3;
    }
    if (count == begin) {
        ended_ = true;
        return traits_type::eof();
    }
    setg(block_.get(), block_.get() + begin, block_.get() + count);
    return traits_type::to_int_type(*gptr());
}

}  // namespace fieldwatch::pipeline
