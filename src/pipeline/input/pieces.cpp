#include "pipeline/input/pieces.hpp"

#include <algorithm>

#include "base/json_nesting.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::size_t kBlockBytes = 64u << 10;
constexpr std::string_view kBlank = " \t\r";

/// Whether a text that begins with this line, its blanks cut off, is documents. A line that was cut off
/// within a document is none: it ends where no line of a printed document does.
bool begins_documents(std::string_view line, bool whole) {
    if (line.starts_with('[')) {
        const auto next = line.find_first_not_of(kBlank, 1);
        return next == std::string_view::npos ||
               std::string_view("{[]").find(line[next]) != std::string_view::npos;
    }
    if (!line.starts_with('{')) return false;
    if (!whole) return true;
    JsonNesting nesting;
    for (const char c : line)
        nesting.add(c);
    return nesting.open() && std::string_view("{[,:").find(line.back()) != std::string_view::npos;
}

}  // namespace

bool Pieces::fill() {
    block_.resize(kBlockBytes);
    at_ = 0;
    input_.read(block_.data(), static_cast<std::streamsize>(kBlockBytes));
    size_ = static_cast<std::size_t>(input_.gcount());
    return size_ > 0;
}

/// Appends up to the line's end, which is taken and not appended, or to the bound.
Pieces::LineEnd Pieces::append_line(std::string& out) {
    while (at_ < size_ || fill()) {
        const std::string_view rest(block_.data() + at_, size_ - at_);
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto room = bounds_.line_bytes_max - out.size();
        out.append(rest.substr(0, std::min(end, room)));
        at_ += std::min(end, room);
        if (end > room) return LineEnd::Bound;
        if (end < rest.size()) {
            ++at_;
            return LineEnd::Newline;
        }
    }
    return LineEnd::Text;
}

void Pieces::skip_line() {
    while (at_ < size_ || fill()) {
        const std::string_view rest(block_.data() + at_, size_ - at_);
        const auto end = rest.find('\n');
        if (end != std::string_view::npos) {
            at_ += end + 1;
            return;
        }
        at_ = size_;
    }
}

/// False when there is nothing but blanks.
bool Pieces::begin() {
    begun_ = true;
    for (;;) {
        head_.clear();
        head_end_ = append_line(head_);
        const auto first = head_.find_first_not_of(kBlank);
        if (first == std::string::npos && head_end_ == LineEnd::Newline) continue;
        if (first == std::string::npos && head_end_ == LineEnd::Text) return false;
        if (first == std::string::npos) return true;
        const auto last = head_.find_last_not_of(kBlank);
        documents_ = begins_documents(std::string_view(head_).substr(first, last - first + 1),
                                      head_end_ != LineEnd::Bound);
        if (documents_ && head_end_ == LineEnd::Newline) head_.push_back('\n');
        return true;
    }
}

std::optional<Piece> Pieces::next() {
    if (!begun_ && !begin()) return std::nullopt;
    return documents_ ? next_document() : next_line();
}

std::optional<Piece> Pieces::next_line() {
    for (;;) {
        auto end = head_end_;
        if (head_at_ == 0) {
            text_ = std::move(head_);
            head_at_ = 1;
        } else {
            text_.clear();
            end = append_line(text_);
        }
        if (end == LineEnd::Text && text_.empty()) return std::nullopt;
        if (end == LineEnd::Bound) skip_line();
        if (text_.ends_with('\r')) text_.pop_back();
        if (end != LineEnd::Bound && text_.find_first_not_of(kBlank) == std::string::npos) {
            if (end == LineEnd::Text) return std::nullopt;
            continue;
        }
        ++number_;
        return Piece{.text = text_, .number = number_, .line = number_, .too_long = end == LineEnd::Bound};
    }
}

/// The next character, or -1 at the end.
int Pieces::take() {
    char c = 0;
    if (head_at_ < head_.size())
        c = head_[head_at_++];
    else if (at_ < size_ || fill())
        c = block_[at_++];
    else
        return -1;
    if (c == '\n') {
        line_has_text_ = false;
    } else if (!line_has_text_ && kBlank.find(c) == std::string_view::npos) {
        line_has_text_ = true;
        ++line_;
    }
    return static_cast<unsigned char>(c);
}

/// Reads to the document's end; false when it is over its bound, and then its rest was passed over.
bool Pieces::read_document(char first) {
    JsonNesting nesting;
    nesting.add(first);
    text_.assign(1, first);
    bool fits = true;
    for (int c = 0; nesting.open() && (c = take()) >= 0;) {
        nesting.add(static_cast<char>(c));
        fits = fits && text_.size() < bounds_.document_bytes_max;
        if (fits) text_.push_back(static_cast<char>(c));
    }
    return fits;
}

std::optional<Piece> Pieces::next_document() {
    for (int c = 0; (c = take()) >= 0;) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') continue;
        if (c == '[' && !in_array_) {
            in_array_ = true;
            continue;
        }
        if (c == ']' && in_array_) {
            in_array_ = false;
            continue;
        }
        Piece piece{.text = {}, .number = ++number_, .line = line_, .too_long = false};
        if (c == '{' || c == '[') {
            piece.too_long = !read_document(static_cast<char>(c));
        } else {
            text_.assign(1, static_cast<char>(c));
            while ((c = take()) >= 0 && c != '\n' && !(in_array_ && (c == ',' || c == ']'))) {
                piece.too_long = text_.size() >= bounds_.line_bytes_max;
                if (!piece.too_long) text_.push_back(static_cast<char>(c));
            }
            if (c == ']') in_array_ = false;
        }
        piece.text = text_;
        return piece;
    }
    return std::nullopt;
}

}  // namespace fieldwatch::pipeline
