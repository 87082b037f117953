// Texts to numbers: names of fields, and the values that rules want whole. An open table that looks at a
// text's ends only, for it is asked some tens of times an event.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwatch::detect {

class TextNumbers {
  public:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    std::uint32_t find(std::string_view name) const {
        if (slots_.empty()) return kNone;
        for (auto at = hash(name) & mask_;; at = (at + 1) & mask_) {
            const auto id = slots_[at];
            if (id == kNone || names_[id] == name) return id;
        }
    }
    /// The number of a name, given out in order from 0.
    std::uint32_t add(std::string_view name) {
        if (const auto known = find(name); known != kNone) return known;
        names_.emplace_back(name);
        if (names_.size() * 2 > slots_.size()) {
            slots_.assign(slots_.empty() ? 64 : slots_.size() * 2, kNone);
            mask_ = slots_.size() - 1;
            for (std::uint32_t id = 0; id < names_.size(); ++id)
                place(id);
        } else {
            place(static_cast<std::uint32_t>(names_.size() - 1));
        }
        return static_cast<std::uint32_t>(names_.size() - 1);
    }
    const std::vector<std::string>& names() const { return names_; }

  private:
    void place(std::uint32_t id) {
        auto at = hash(names_[id]) & mask_;
        while (slots_[at] != kNone)
            at = (at + 1) & mask_;
        slots_[at] = id;
    }
    static std::size_t hash(std::string_view name) {
        std::uint64_t head = 0;
        std::uint64_t tail = 0;
        if (name.size() >= sizeof head) {
            std::memcpy(&head, name.data(), sizeof head);
            std::memcpy(&tail, name.data() + name.size() - sizeof tail, sizeof tail);
        } else {
            for (const char c : name)
                head = head << 8 | static_cast<unsigned char>(c);
        }
        auto mixed = (head ^ (tail * 0x9E3779B97F4A7C15ull) ^ name.size()) * 0xD6E8FEB86659FD93ull;
        return static_cast<std::size_t>(mixed ^ (mixed >> 32));
    }

    std::vector<std::string> names_;
    std::vector<std::uint32_t> slots_;
    std::size_t mask_ = 0;
};

}  // namespace fieldwatch::detect
