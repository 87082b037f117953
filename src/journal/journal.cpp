#include "journal/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "journal/commit_budget.hpp"
#include "journal/consumers.hpp"
#include "journal/partition_log.hpp"
#include "journal/retention.hpp"
#include "journal/upkeep.hpp"

namespace fieldwatch::journal {

namespace {

constexpr std::array kStreams = {Stream::Security, Stream::Telemetry};
constexpr std::uint32_t kPartitionsMax = 256;  ///< each costs two threads and files
constexpr std::string_view kMetaMagic = "FWJRNMET";
constexpr std::uint32_t kMetaVersion = 1;

struct Meta {
    std::uint32_t partition_count = 0;
    std::uint32_t salt = 0;
};

Result<Meta> create_meta(FileSystem& files, const std::string& path, std::uint32_t partition_count) {
    const Meta meta{partition_count, static_cast<std::uint32_t>(system_random().next())};
    Bytes content;
    ByteWriter writer(content);
    writer.bytes(as_bytes(kMetaMagic));
    writer.u32(kMetaVersion);
    writer.u32(meta.partition_count);
    writer.u32(meta.salt);
    writer.u32(crc32c(content));
    FIELDWATCH_TRY(replace_file(files, path, content));
    return meta;
}

Result<Meta> decode_meta(ByteView content) {
    if (content.size() != 24 || as_text(content.first(8)) != kMetaMagic) {
        return fail(Errc::Corrupt, "not a journal's description");
    }
    ByteReader reader(content.subspan(8));
    const auto version = FIELDWATCH_TRY(reader.u32());
    const auto partition_count = FIELDWATCH_TRY(reader.u32());
    const auto salt = FIELDWATCH_TRY(reader.u32());
    if (FIELDWATCH_TRY(reader.u32()) != crc32c(content.first(20))) {
        return fail(Errc::Corrupt, "the checksum differs");
    }
    if (version != kMetaVersion) {
        return fail(Errc::Unsupported, fmt::format("version {}; this release reads version 1", version));
    }
    return Meta{partition_count, salt};
}

using SegmentNames = std::map<std::pair<Stream, std::uint32_t>, std::vector<SegmentName>>;

/// The segments of each partition in order of offset, without a newest one whose creation was cut short.
Result<SegmentNames> find_segments(FileSystem& files, const Options& options,
                                   const std::vector<std::string>& names) {
    SegmentNames out;
    for (const auto& text : names) {
        if (text.ends_with(std::string(".segment") + std::string(kRewriteSuffix))) {
            FIELDWATCH_TRY(
                files.remove(options.directory + "/" + text));  // of a rewrite that a crash cut short
            continue;
        }
        const auto name = parse_segment_name(text);
        if (!name) continue;
        if (name->partition >= options.partition_count) {
            return fail(Errc::Corrupt, text + " belongs to a partition that this journal does not have");
        }
        out[{name->stream, name->partition}].push_back(*name);
    }
    for (auto& [key, segments] : out) {
        std::sort(segments.begin(), segments.end(),
                  [](const auto& a, const auto& b) { return a.base_offset < b.base_offset; });
        const auto path =
            options.directory + "/" + segment_name(key.first, key.second, segments.back().base_offset);
        const auto file = FIELDWATCH_TRY(files.open(path, OpenMode::ReadOnly));
        std::array<std::byte, kSegmentHeaderBytes + 1> head{};
        const auto read = FIELDWATCH_TRY(file->read_at(0, head));
        // The header is synced before anything is written behind it.
        if (read > kSegmentHeaderBytes || decode_segment_header(ByteView(head).first(read))) continue;
        log::warning("journal", path + ": creation was cut short; removed");
        FIELDWATCH_TRY(files.remove(path));
        FIELDWATCH_TRY(files.sync_directory(options.directory));
        segments.pop_back();
    }
    return out;
}

class JournalImpl final : public Journal, public Upkeep, private Writer, private Reader {
  public:
    JournalImpl(Options options, FileSystem& files, const Clock& clock, Metrics& metrics)
        : options_(std::move(options)),
          files_(files),
          clock_(clock),
          budget_(options_.commit_buffer_bytes),
          commits_(metrics.counter("fieldwatch_journal_commits_total", "group commits synced")),
          records_(metrics.counter("fieldwatch_journal_records_total", "records made durable")),
          bytes_(metrics.counter("fieldwatch_journal_bytes_total", "bytes made durable, framing included")),
          telemetry_shed_(metrics.counter("fieldwatch_journal_telemetry_shed_records_total",
                                          "telemetry records deleted early because the disk was full")),
          disk_low_(metrics.gauge("fieldwatch_journal_disk_low",
                                  "1 while appends are refused because the disk is nearly full")) {}

    Result<void> start(const Meta& meta, const SegmentNames& names) {
        consumers_ = FIELDWATCH_TRY(Consumers::open(files_, options_.directory + "/consumers"));
        const PartitionParts parts{files_, clock_, budget_, options_, meta.salt, commits_, records_, bytes_};
        for (const auto stream : kStreams) {
            for (std::uint32_t partition = 0; partition < options_.partition_count; ++partition) {
                const auto found = names.find({stream, partition});
                logs_[std::to_underlying(stream)].push_back(FIELDWATCH_TRY(
                    PartitionLog::open(parts, stream, partition,
                                       found == names.end() ? std::vector<SegmentName>{} : found->second)));
            }
        }
        return check_disk();
    }

    Writer& writer() override { return *this; }
    Reader& reader() override { return *this; }
    std::uint32_t partition_count() const override { return options_.partition_count; }

    Result<void> keep_from(std::string_view consumer, Place lowest) override {
        return consumers_->keep_from(consumer, lowest);
    }
    std::optional<std::uint64_t> kept_from(std::string_view consumer, Stream stream,
                                           std::uint32_t partition) const override {
        return consumers_->kept_from(consumer, stream, partition);
    }
    std::vector<std::string> consumers() const override { return consumers_->names(); }
    Result<void> forget(std::string_view consumer) override { return consumers_->forget(consumer); }

    std::vector<HeldFile> files() const override {
        std::vector<HeldFile> out{{.path = options_.directory + "/meta", .bytes = 24, .finished = true}};
        for (const auto& stream : logs_) {
            for (const auto& log : stream) {
                auto held = log->files();
                std::ranges::move(held, std::back_inserter(out));
            }
        }
        return out;
    }

    Result<std::uint64_t> rewrite(const Replace& replace) override {
        std::uint64_t count = 0;
        for (const auto stream : kStreams) {
            for (const auto& log : logs_[std::to_underlying(stream)])
                count +=
                    FIELDWATCH_TRY(log->rewrite([&](ByteView record) { return replace(stream, record); }));
        }
        return count;
    }

    Result<void> enforce_retention() override {
        const auto now = clock_.now();
        for (const auto stream : kStreams) {
            auto retention = stream == Stream::Security ? options_.security : options_.telemetry;
            // A segment spans at most an eighth of the age, so that little lies longer than it must.
            const auto span = std::chrono::duration_cast<Ticks>(retention.age_max) / 8;
            retention.bytes_max /= options_.partition_count;
            for (std::uint32_t partition = 0; partition < options_.partition_count; ++partition) {
                auto& log = of(stream, partition);
                log.roll_if_older_than(now - span);
                const auto count = removable_segments(log.sealed(), log.bytes(),
                                                      consumers_->lowest(stream, partition), retention, now);
                for (std::size_t i = 0; i < count; ++i)
                    FIELDWATCH_TRY(log.remove_oldest_sealed());
            }
        }
        return check_disk();
    }

  private:
    Result<Place> append(Stream stream, std::uint32_t partition, ByteView record, Durable durable) override {
        const auto offset = FIELDWATCH_TRY(of(stream, partition).append(record, std::move(durable)));
        return Place{stream, partition, offset};
    }
    void on_space(std::move_only_function<void()> callback) override {
        budget_.on_space(std::move(callback));
    }

    Result<Batch> read(Place from, std::size_t records_max, std::size_t bytes_max) override {
        return of(from.stream, from.partition).read(from.offset, records_max, bytes_max);
    }
    bool wait(Place from, std::chrono::milliseconds timeout) override {
        return of(from.stream, from.partition).wait(from.offset, timeout);
    }
    std::uint64_t first_offset(Stream stream, std::uint32_t partition) const override {
        return of(stream, partition).first_offset();
    }
    std::uint64_t end_offset(Stream stream, std::uint32_t partition) const override {
        return of(stream, partition).end_offset();
    }

    PartitionLog& of(Stream stream, std::uint32_t partition) const {
        FIELDWATCH_ASSERT(partition < options_.partition_count);
        return *logs_[std::to_underlying(stream)][partition];
    }

    /// Design 3a: at the high-water mark telemetry goes first, counted; then appends are refused.
    Result<void> check_disk() {
        const auto low = [&]() -> Result<bool> {
            return FIELDWATCH_TRY(files_.free_bytes(options_.directory)) < options_.disk_free_bytes_min;
        };
        bool is_low = FIELDWATCH_TRY(low());
        for (std::uint32_t partition = 0; is_low && partition < options_.partition_count; ++partition) {
            auto& log = of(Stream::Telemetry, partition);
            auto count = unneeded_segments(log.sealed(), consumers_->lowest(Stream::Telemetry, partition));
            for (; is_low && count > 0; --count) {
                const auto first = log.first_offset();
                FIELDWATCH_TRY(log.remove_oldest_sealed());
                telemetry_shed_.add(log.first_offset() - first);
                is_low = FIELDWATCH_TRY(low());
            }
        }
        if (is_low) log::error("journal", "the disk is nearly full: appends are refused until there is room");
        budget_.set_disk_low(is_low);
        disk_low_.set(is_low ? 1 : 0);
        return {};
    }

    const Options options_;
    FileSystem& files_;
    const Clock& clock_;
    CommitBudget budget_;
    Counter& commits_;
    Counter& records_;
    Counter& bytes_;
    Counter& telemetry_shed_;
    Gauge& disk_low_;
    std::unique_ptr<Consumers> consumers_;
    std::array<std::vector<std::unique_ptr<PartitionLog>>, kStreams.size()> logs_;
};

}  // namespace

Result<Upkeep*> upkeep_of(Journal& journal) {
    auto* const upkeep = dynamic_cast<Upkeep*>(&journal);
    if (upkeep == nullptr) return fail(Errc::Unsupported, "the journal does not lie in files of this server");
    return upkeep;
}

Result<std::unique_ptr<Journal>> open(const Options& options, FileSystem& files, const Clock& clock,
                                      Metrics& metrics) {
    if (options.partition_count == 0 || options.partition_count > kPartitionsMax) {
        return fail(Errc::InvalidArgument, fmt::format("a journal has 1 to {} partitions", kPartitionsMax));
    }
    FIELDWATCH_TRY(files.make_directories(options.directory));
    const auto names = FIELDWATCH_TRY(files.list(options.directory));
    const auto path = options.directory + "/meta";
    auto content = read_file(files, path, 4'096);
    Meta meta;
    if (content) {
        auto decoded = decode_meta(*content);
        if (!decoded) return in_context(path, decoded.error());
        meta = *decoded;
    } else if (content.error().code == Errc::NotFound) {
        if (std::any_of(names.begin(), names.end(), [](const auto& n) { return n.ends_with(".segment"); })) {
            return fail(Errc::Corrupt, path + " is missing beside segments");
        }
        meta = FIELDWATCH_TRY(create_meta(files, path, options.partition_count));
        const auto slash = options.directory.rfind('/');
        if (slash != std::string::npos && slash != 0) {
            FIELDWATCH_TRY(files.sync_directory(options.directory.substr(0, slash)));
        }
    } else {
        return std::unexpected(content.error());
    }
    if (meta.partition_count != options.partition_count) {
        return fail(Errc::Conflict,
                    fmt::format("the journal in {} has {} partitions, fixed at its creation; "
                                "{} were asked for",
                                options.directory, meta.partition_count, options.partition_count));
    }
    const auto segments = FIELDWATCH_TRY(find_segments(files, options, names));
    auto journal = std::make_unique<JournalImpl>(options, files, clock, metrics);
    FIELDWATCH_TRY(journal->start(meta, segments));
    return journal;
}

}  // namespace fieldwatch::journal
