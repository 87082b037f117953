// How unusual a number is by one device's, or one series', own past: what makes scores comparable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::detect {

/// How often a score as high as this came before: a histogram over log(1 + score), halved now and then, and
/// beyond its 98th percentile a tail that is exponential in the logarithm (a power law), pulled towards one
/// exponent until there is enough to tell by. Probabilities are at least 1e-12, and 1 before 50 scores.
class TailModel {
  public:
    /// Scores must not be negative, nor NaN.
    double probability(double score) const;
    void add(double score);
    double count() const { return total_; }

    void save(ByteWriter& out) const;
    /// Errors: Corrupt.
    Result<void> restore(ByteReader& in);

  private:
    static constexpr std::size_t kBins = 128;
    static std::size_t bin_of(double score);

    std::array<float, kBins> counts_{};
    float total_ = 0;
};

}  // namespace fieldwatch::detect
