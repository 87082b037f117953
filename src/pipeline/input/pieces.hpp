// Recorded input cut into what the readers take one by one: lines, or whole JSON documents where the file is
// an array of them or writes each over several lines.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwatch::pipeline {

/// A line without its end, or a document. The view is valid until the next one.
struct Piece {
    std::string_view text;
    std::uint64_t number = 0;  ///< counted from 1, blank lines left out
    std::uint64_t line = 0;    ///< where it begins, counted like that; of a line, its number
    bool too_long = false;     ///< over the bound: `text` is its begin
};

/// How a text is cut is decided by its begin: `[` before an element or the line's end, or a `{` that goes on
/// in the next line, begin documents. What no document can begin with is a piece as well, up to where one may
/// begin again: a reader says what is wrong with it. One strand. What is over its bound is passed over.
class Pieces {
  public:
    struct Bounds {
        std::size_t line_bytes_max, document_bytes_max;
    };
    Pieces(std::istream& input, Bounds bounds) : input_(input), bounds_(bounds) {}

    std::optional<Piece> next();

  private:
    enum class LineEnd : std::uint8_t { Newline, Bound, Text };

    LineEnd append_line(std::string& out);
    void skip_line();
    bool fill();
    int take();
    bool begin();
    std::optional<Piece> next_line();
    std::optional<Piece> next_document();
    bool read_document(char first);

    std::istream& input_;
    Bounds bounds_;
    std::vector<char> block_;
    std::size_t at_ = 0, size_ = 0;
    std::string text_;
    std::string head_;  ///< the first line, read ahead to tell how to cut
    std::size_t head_at_ = 0;
    LineEnd head_end_ = LineEnd::Text;
    std::uint64_t number_ = 0, line_ = 0;
    bool begun_ = false, documents_ = false, in_array_ = false, line_has_text_ = false;
};

}  // namespace fieldwatch::pipeline
