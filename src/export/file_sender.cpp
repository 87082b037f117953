// Lines in files, for who collects them from there: DIRECTORY/NAME/findings-TIME.jsonl, a new one each day
// and when one is full, the oldest ones going.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/bytes.hpp"
#include "export/sender.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::uint64_t kFileBytesMax = 16u << 20;
constexpr std::size_t kFilesMax = 64;  ///< 1 GiB a destination at most
constexpr std::string_view kBegins = "findings-";
constexpr std::size_t kDayLength = 8;  ///< YYYYMMDD behind it

class FileSender final : public Sender {
  public:
    FileSender(const Destination& destination, const SenderParts& parts)
        : destination_(destination), parts_(parts), directory_(parts.directory + "/" + destination.name) {}

    Sent send(std::span<const Finding> findings) override {
        if (auto written = write(findings); !written) {
            file_.reset();  // begins anew: what the failed write left is cut off
            return {.done = 0, .refused = 0, .problem = written.error()};
        }
        return {.done = findings.size(), .refused = 0, .problem = {}};
    }

  private:
    Result<void> write(std::span<const Finding> findings) {
        std::string lines;
        for (const auto& finding : findings)
            lines += render(destination_.format, finding, parts_.teller) + "\n";
        FIELDWATCH_TRY(open_current());
        FIELDWATCH_TRY(file_->write_at(size_, as_bytes(lines)));
        FIELDWATCH_TRY(file_->sync());
        size_ += lines.size();
        return {};
    }

    /// `20261122T211500Z`
    std::string stamp() const {
        auto text = to_iso8601(parts_.clock.now(), 0);
        std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
        return text;
    }

    Result<std::vector<std::string>> names() const {
        auto out = FIELDWATCH_TRY(parts_.files.list(directory_));
        std::erase_if(out, [](const std::string& name) { return !name.starts_with(kBegins); });
        return out;
    }

    /// Begun today, or later when the clock went back since.
    bool is_of_today(std::string_view name) const {
        const auto today = stamp();
        return name.substr(kBegins.size(), kDayLength) >= std::string_view(today).substr(0, kDayLength);
    }

    Result<void> open_current() {
        if (file_ && size_ < kFileBytesMax && is_of_today(name_)) return {};
        FIELDWATCH_TRY(parts_.files.make_directories(directory_));
        auto all = FIELDWATCH_TRY(names());
        if (!file_ && !all.empty() && is_of_today(all.back())) {
            FIELDWATCH_TRY(reopen(all.back()));
            if (size_ < kFileBytesMax) return {};
        }
        FIELDWATCH_TRY(begin_new(all));
        for (; all.size() >= kFilesMax; all.erase(all.begin()))
            FIELDWATCH_TRY(parts_.files.remove(directory_ + "/" + all.front()));
        return {};
    }

    Result<void> begin_new(const std::vector<std::string>& before) {
        auto name = fmt::format("{}{}.jsonl", kBegins, stamp());
        // Names sort by age, also when several begin in one second or the clock went back.
        if (!before.empty() && name <= before.back())
            name = before.back().substr(0, before.back().rfind(".jsonl")) + "a.jsonl";
        file_ = FIELDWATCH_TRY(parts_.files.open(directory_ + "/" + name, OpenMode::CreateNew));
        name_ = std::move(name);
        size_ = 0;
        return parts_.files.sync_directory(directory_);
    }

    /// Goes on behind the last whole line: a crash may have cut one short.
    Result<void> reopen(const std::string& name) {
        file_ = FIELDWATCH_TRY(parts_.files.open(directory_ + "/" + name, OpenMode::ReadWrite));
        name_ = name;
        size_ = FIELDWATCH_TRY(file_->size());
        std::array<std::byte, 4096> piece;
        for (auto end = size_; end > 0;) {
            const auto count = std::min<std::uint64_t>(piece.size(), end);
            const auto got = FIELDWATCH_TRY(file_->read_at(end - count, std::span(piece).first(count)));
            const auto line_end = as_text(ByteView(piece).first(got)).rfind('\n');
            end = line_end == std::string_view::npos ? end - count : end - count + line_end + 1;
            if (line_end == std::string_view::npos && end > 0) continue;
            if (end != size_) FIELDWATCH_TRY(file_->truncate(end));
            size_ = end;
            return {};
        }
        return {};
    }

    const Destination& destination_;
    const SenderParts parts_;
    const std::string directory_;
    std::unique_ptr<File> file_;
    std::string name_;
    std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Sender> make_file_sender(const Destination& destination, const SenderParts& parts) {
    return std::make_unique<FileSender>(destination, parts);
}

}  // namespace fieldwatch::exports
