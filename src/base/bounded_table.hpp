// A map that strangers cannot grow: at its bound the entry that was used longest ago goes, and is counted.
// Order of use is order of calls, never of hashing, so that the same log leaves the same table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace fieldwatch {

/// Keys are byte strings. References stay valid until their entry is erased or evicted. One strand.
template <class Value>
class BoundedTable {
  public:
    using Entry = std::pair<const std::string, Value>;
    using Entries = std::list<Entry>;

    explicit BoundedTable(std::size_t size_max) : size_max_(size_max) { FIELDWATCH_ASSERT(size_max > 0); }

    BoundedTable(const BoundedTable&) = delete;
    BoundedTable& operator=(const BoundedTable&) = delete;

    /// The entry, now the most recently used; null when there is none.
    Value* find(std::string_view key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return nullptr;
        entries_.splice(entries_.end(), entries_, found->second);
        return &found->second->second;
    }
    /// The entry without touching its age.
    const Value* peek(std::string_view key) const {
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &found->second->second;
    }
    /// Finds or makes the entry; `evicted`, when given, is called with an entry that must go for it.
    template <class Evicted>
    Value& get(std::string_view key, Evicted&& evicted) {
        if (auto* const value = find(key)) return *value;
        if (index_.size() >= size_max_) {
            evicted(entries_.front());
            ++evictions_;
            erase(entries_.begin());
        }
        entries_.emplace_back(std::piecewise_construct, std::forward_as_tuple(key), std::forward_as_tuple());
        index_.emplace(std::string_view(entries_.back().first), std::prev(entries_.end()));
        return entries_.back().second;
    }
    Value& get(std::string_view key) {
        return get(key, [](Entry&) {});
    }
    void erase(std::string_view key) {
        if (const auto found = index_.find(key); found != index_.end()) erase(found->second);
    }
    typename Entries::iterator erase(typename Entries::iterator at) {
        index_.erase(std::string_view(at->first));
        return entries_.erase(at);
    }
    void clear() {
        index_.clear();
        entries_.clear();
    }

    /// Oldest use first.
    typename Entries::iterator begin() { return entries_.begin(); }
    typename Entries::iterator end() { return entries_.end(); }
    typename Entries::const_iterator begin() const { return entries_.begin(); }
    typename Entries::const_iterator end() const { return entries_.end(); }
    std::size_t size() const { return index_.size(); }
    std::uint64_t evictions() const { return evictions_; }
    void set_evictions(std::uint64_t count) { evictions_ = count; }  ///< when a saved table is read back

  private:
    struct Hash {
        std::size_t operator()(std::string_view key) const { return hash64(as_bytes(key)); }
    };
    std::size_t size_max_;
    Entries entries_;
    std::unordered_map<std::string_view, typename Entries::iterator, Hash> index_;  // keys view into entries_
    std::uint64_t evictions_ = 0;
};

}  // namespace fieldwatch
