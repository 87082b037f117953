// Where randomness comes from: the system for keys and ids, a seed for simulation. Detection uses neither.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace fieldwatch {

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::byte> out) = 0;

    std::uint64_t next();
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
};

/// Cryptographic bytes of the operating system; safe from any thread.
Random& system_random();

/// splitmix64 from a seed: the same seed gives the same bytes. Never for keys. One strand.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    void fill(std::span<std::byte> out) override;

  private:
    std::uint64_t state_;
};

}  // namespace fieldwatch
