// A recorded file as the text that it holds: unpacked where it is packed (gzip, zstd, xz, bzip2, told by its
// first bytes, whatever its name), without a byte order mark. It streams: what is held at once is a block,
// and the window of the packing.
#pragma once

#include <istream>
#include <memory>
#include <optional>
#include <streambuf>

#include "base/result.hpp"

namespace fieldwatch::pipeline {

/// One strand. `from` outlives it.
class TextSource final : public std::streambuf {
  public:
    explicit TextSource(std::istream& from);
    ~TextSource() override;

    /// Why the text ended where it did; nothing at its true end. Malformed: packed, and cut off or damaged;
    /// what came before was given. Unsupported: no text at all (an archive, a capture of packets, UTF-16); it
    /// is then empty. Io: the file could not be read.
    const std::optional<Error>& problem() const { return problem_; }

  protected:
    int_type underflow() override;

  private:
    class Unpacker;

    std::size_t read_block(char* out, std::size_t bytes_max);
    void refuse(Errc code, std::string why);

    std::istream& from_;
    std::unique_ptr<char[]> block_;
    std::unique_ptr<Unpacker> unpacker_;
    std::optional<Error> problem_;
    bool begun_ = false, ended_ = false;
};

}  // namespace fieldwatch::pipeline
