// Exact lookup of names by the million: domains, URLs, hashes. One probe of a table of 8 bytes a slot, then
// the bytes themselves. Most lookups miss, and a miss touches one cache line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwatch::detect {

/// Filled, then only asked.
class NameTable {
  public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    /// Of equal keys the last value counts. Keys have at most 65,535 bytes.
    void insert(std::string_view key, std::uint32_t value);
    std::uint32_t find(std::string_view key) const;

    bool empty() const { return entries_.empty(); }
    std::size_t size() const { return entries_.size(); }
    std::size_t bytes() const {
        return slots_.capacity() * sizeof(Slot) + entries_.capacity() * sizeof(Entry) + text_.capacity();
    }
    void shrink();

  private:
    struct Slot {
        std::uint32_t tag = 0;  ///< upper half of the key's hash
        std::uint32_t entry = kNone;
    };
    struct Entry {
        std::uint64_t at : 40 = 0;  ///< in text_
        std::uint64_t size : 24 = 0;
        std::uint32_t value = 0;
    };
    std::size_t slot_of(std::string_view key, std::uint64_t hash) const;
    std::string_view key_of(const Entry& entry) const { return {text_.data() + entry.at, entry.size}; }
    void grow();

    std::vector<Slot> slots_;  ///< a power of two, at most two thirds full
    std::vector<Entry> entries_;
    std::string text_;
};

}  // namespace fieldwatch::detect
