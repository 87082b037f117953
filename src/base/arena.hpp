// Memory for what lives exactly as long as one record: bump allocation, freed all at once, chunks kept for
// the next record. Holds plain values only: no destructor runs.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fieldwatch {

/// One strand. Its owner bounds it by bounding the record; after a burst `reset` keeps at most
/// `kept_bytes_max`.
class Arena {
  public:
    explicit Arena(std::size_t kept_bytes_max = 4u << 20) : kept_bytes_max_(kept_bytes_max) {}

    /// `count` value-initialised objects, valid until reset.
    template <class T>
    std::span<T> allocate(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T>);
        if (count == 0) return {};
        auto* const first = reinterpret_cast<T*>(raw(count * sizeof(T), alignof(T)));
        for (std::size_t i = 0; i < count; ++i)
            ::new (static_cast<void*>(first + i)) T();
        return {first, count};
    }

    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        auto* const out = reinterpret_cast<char*>(raw(text.size(), 1));
        std::memcpy(out, text.data(), text.size());
        return {out, text.size()};
    }

    void reset() {
        std::size_t kept = 0;
        std::size_t count = 0;
        while (count < chunks_.size() && kept + chunks_[count].size <= kept_bytes_max_)
            kept += chunks_[count++].size;
        chunks_.resize(count);
        chunk_ = 0;
        used_ = 0;
    }

  private:
    struct Chunk {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t size = 0;
    };

    std::byte* raw(std::size_t size, std::size_t alignment) {
        for (; chunk_ < chunks_.size(); ++chunk_, used_ = 0) {
            const auto at = (used_ + alignment - 1) / alignment * alignment;
            if (at + size <= chunks_[chunk_].size) {
                used_ = at + size;
                return chunks_[chunk_].bytes.get() + at;
            }
        }
        const auto bytes = size > kChunkBytes ? size : kChunkBytes;
        chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(bytes), bytes});
        used_ = size;
        return chunks_.back().bytes.get();
    }

    static constexpr std::size_t kChunkBytes = 64u << 10;
    std::size_t kept_bytes_max_;
    std::vector<Chunk> chunks_;
    std::size_t chunk_ = 0, used_ = 0;
};

}  // namespace fieldwatch
