#include "base/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.hpp"

namespace fieldwatch {

namespace {

class SystemRandom final : public Random {
  public:
    void fill(std::span<std::byte> out) override {
        while (!out.empty()) {
            const auto got = ::getrandom(out.data(), out.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            FIELDWATCH_ASSERT(got > 0);  // only a kernel without getrandom(2) fails here
            out = out.subspan(static_cast<std::size_t>(got));
        }
    }
};

}  // namespace

std::uint64_t Random::next() {
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    FIELDWATCH_ASSERT(bound > 0);
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;  // refuse the uneven rest: no bias
    for (;;) {
        const auto value = next();
        if (value < limit) return value % bound;
    }
}

Random& system_random() {
    static SystemRandom random;
    return random;
}

void SeededRandom::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        std::uint64_t value = (state_ += 0x9E3779B97F4A7C15u);
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
        value ^= value >> 31;
        const auto count = std::min(out.size(), sizeof(value));
        std::memcpy(out.data(), &value, count);
        out = out.subspan(count);
    }
}

}  // namespace fieldwatch
