// Longest-prefix lookup of IPv6 addresses: disjoint ranges, found by the first 32 bits of the address, then
// by binary search among the few ranges that share them. spec/detection.md section 2.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"

namespace fieldwatch::detect {

/// Immutable once built.
class Prefix6Table {
  public:
    struct Entry {
        IpPrefix prefix;  ///< of IPv6
        std::uint32_t value = 0;
    };
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    Prefix6Table() = default;
    /// Of equal prefixes the last entry counts. `parents`, when given, receives for each value (0 … n - 1)
    /// the value of the next wider prefix around it, or kNone.
    explicit Prefix6Table(std::vector<Entry> entries, std::vector<std::uint32_t>* parents = nullptr);

    /// Value of the longest prefix that holds the address, or kNone.
    std::uint32_t find(const IpAddress& address) const;

    std::size_t ranges() const { return starts_.size(); }
    std::size_t bytes() const {
        return heads_.capacity() * sizeof(Head) + (starts_.capacity() + ends_.capacity()) * sizeof(Key) +
               values_.capacity() * sizeof(std::uint32_t);
    }

  private:
    using Key = unsigned __int128;
    struct Head {
        std::uint32_t bits = 0, first = 0;  ///< first range that begins at or behind these 32 bits
    };
    static Key key_of(const IpAddress& address);
    static Key last_of(const Entry& entry);
    void add_range(Key first, Key last, std::uint32_t value);

    std::vector<Head> heads_;
    std::vector<Key> starts_, ends_;
    std::vector<std::uint32_t> values_;
};

}  // namespace fieldwatch::detect
