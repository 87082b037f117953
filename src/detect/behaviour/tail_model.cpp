#include "detect/behaviour/tail_model.hpp"

#include <algorithm>
#include <cmath>

namespace fieldwatch::detect {
namespace {

constexpr double kBinsPerE = 12;      ///< a bin is 8 % wide
constexpr double kTail = 0.02;        ///< what lies above it is told by the fitted tail
constexpr double kTellsFrom = 50;     ///< scores
constexpr double kHalvedAt = 16'000;  ///< scores: at five minutes apart, 55 days
constexpr double kPriorBins = 2;      ///< mean excess over the tail's beginning before anything is seen …
constexpr double kPriorWeight = 20;   ///< … and how many excesses weigh as much as it
constexpr double kLeast = 1e-12;

}  // namespace

std::size_t TailModel::bin_of(double score) {
    return std::min(static_cast<std::size_t>(kBinsPerE * std::log1p(std::min(score, 1e12))), kBins - 1);
}

double TailModel::probability(double score) const {
    if (total_ < kTellsFrom) return 1;
    const auto bin = bin_of(score);
    const double wanted = kTail * static_cast<double>(total_);
    double above = 0;
    double excess = 0;  // of the bins above `edge`, were it the tail's beginning
    auto edge = kBins - 1;
    while (edge > 0 && above + static_cast<double>(counts_[edge]) < wanted) {
        above += static_cast<double>(counts_[edge--]);
        excess += above;
    }
    if (bin > edge) {
        const double mean = std::max((excess + kPriorWeight * kPriorBins) / (above + kPriorWeight), 1.0);
        return std::max(kTail * std::exp(-static_cast<double>(bin - edge) / mean), kLeast);
    }
    double higher = above + 0.5 * static_cast<double>(counts_[bin]);
    for (auto i = bin + 1; i <= edge; ++i)
        higher += static_cast<double>(counts_[i]);
    return std::min((higher + 1) / (static_cast<double>(total_) + 1), 1.0);
}

void TailModel::add(double score) {
    counts_[bin_of(score)] += 1;
    total_ += 1;
    if (total_ <= kHalvedAt) return;
    for (auto& count : counts_)
        count *= 0.5F;
    total_ *= 0.5F;
}

void TailModel::save(ByteWriter& out) const {
    out.f64(static_cast<double>(total_));
    std::uint16_t filled = 0;
    for (const float count : counts_)
        filled += count > 0;
    out.u16(filled);
    for (std::size_t i = 0; i < kBins; ++i) {
        if (counts_[i] <= 0) continue;
        out.u16(static_cast<std::uint16_t>(i));
        out.f64(static_cast<double>(counts_[i]));
    }
}

Result<void> TailModel::restore(ByteReader& in) {
    const auto sane = [](double count) { return count >= 0 && count <= 2 * kHalvedAt; };
    *this = TailModel();
    const double total = FIELDWATCH_TRY(in.f64());
    const auto filled = FIELDWATCH_TRY(in.u16());
    if (!sane(total) || filled > kBins) return fail(Errc::Corrupt, "a tail's counts are out of range");
    total_ = static_cast<float>(total);
    for (std::uint16_t i = 0; i < filled; ++i) {
        const auto bin = FIELDWATCH_TRY(in.u16());
        const double count = FIELDWATCH_TRY(in.f64());
        if (bin >= kBins || !sane(count)) return fail(Errc::Corrupt, "a tail's counts are out of range");
        counts_[bin] = static_cast<float>(count);
    }
    return {};
}

}  // namespace fieldwatch::detect
