#include "detect/behaviour/series_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fieldwatch::detect {
namespace {

// Chosen on development series, coarsely: halving or doubling any of them changes little
// (docs/decisions/0031-behaviour-of-a-series.md).
constexpr double kFloor = 0.05;        ///< of the usual deviation
constexpr double kClip = 4;            ///< usual residuals: what lies beyond teaches no more than that
constexpr double kErrorRate = 0.02;    ///< of the forecasts' errors
constexpr double kSlowRate = 0.002;    ///< of the long average
constexpr double kScaleRate = 0.01;    ///< of the usual residual
constexpr double kWindowRate = 0.005;  ///< of the usual mean of a window
constexpr double kSeasonRate = 0.2;    ///< of a slot of the day, once it has been seen often
constexpr double kStepRate = 0.08;     ///< of the change from value to value of late
constexpr double kRangeMargin = 0.05;  ///< of the range so far: the unit of what lies outside it
constexpr double kVariationUnit = 1.0 / 3;
constexpr double kSmallest = 1e-9;
constexpr double kLargest = 1e150;  ///< squares stay finite
/// What was never there weighs most; windows overlap from value to value and with each other, so they weigh
/// less: the correlation discount of Fisher's sum.
constexpr std::array<double, 5> kWeights{1, 0.5, 2, 0.5, 0.5};

void follow(double& average, double value, double rate) {
    average += rate * (value - average);
}

std::size_t slot_of(Timestamp time, std::size_t slots) {
    constexpr std::int64_t kDay = 86'400;
    const auto second = ((time.unix_seconds() % kDay) + kDay) % kDay;
    return static_cast<std::size_t>(second) * slots / kDay;
}

}  // namespace

std::string_view to_string(Deviation deviation) {
    constexpr std::string_view kNames[] = {"residual", "shift", "range", "drift", "variation"};
    return kNames[static_cast<std::size_t>(deviation)];
}

Deviation SeriesScore::cause() const {
    return static_cast<Deviation>(std::ranges::max_element(contributions) - contributions.begin());
}

template <std::size_t N>
double SeriesModel::Window<N>::push(double value) {
    ring[count++ % N] = value;
    const auto filled = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, N));
    return std::accumulate(ring.begin(), ring.begin() + filled, 0.0) / static_cast<double>(filled);
}

void SeriesModel::start(Timestamp time, std::size_t slot, double value) {
    first_ = time;
    fast_ = level_ = slow_ = lowest_ = highest_ = last_ = value;
    scale_ = slow_deviation_ = std::abs(value) * 0.05 + kSmallest;
    season_[slot] = {value, 1};
}

SeriesModel::Forecast SeriesModel::forecast(const Slot& slot) const {
    Forecast out;
    out.season = slot.count > 0 ? slot.mean : slow_;
    // The better a forecaster was of late, the more it has to say.
    const std::array<double, 3> forecasts{fast_, out.season, level_};
    const std::array<double, 3> errors{fast_error_, season_error_, level_error_};
    double weights = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const double weight = 1 / (errors[i] * errors[i] + 1e-12);
        weights += weight;
        out.value += weight * forecasts[i];
    }
    out.value /= weights;
    out.floor = kFloor * std::abs(slow_deviation_) + kSmallest + 1e-3 * std::abs(slow_);
    out.scale = std::max(scale_, out.floor);
    return out;
}

std::array<double, SeriesModel::kDeviations> SeriesModel::distances(double value, const Slot& slot,
                                                                    const Forecast& by) {
    const auto in_usual = [&](double mean, double usual) {
        return std::abs(mean) / std::max(usual < 0 ? slow_deviation_ : usual, by.floor);
    };
    shift_now_ = shift_.push(value - (slot.count >= 3 ? by.season : slow_));
    drift_now_ = drift_.push(value - slow_);
    const double range = highest_ > lowest_ ? highest_ - lowest_ : std::abs(highest_) + kSmallest;
    const double outside = std::max({value - highest_, lowest_ - value, 0.0});
    const double step = std::abs(value - last_);
    follow(step_fast_, step, seen_ < 20 ? 0.2 : kStepRate);
    follow(step_slow_, std::min(step, 5 * step_slow_ + by.floor), seen_ < 50 ? 0.1 : kSlowRate);
    const double variation =
        std::abs(std::log((step_fast_ + 0.2 * by.floor) / (step_slow_ + 0.2 * by.floor)));
    return {std::abs(value - by.value) / by.scale, in_usual(shift_now_, shift_.usual),
            outside / (kRangeMargin * range + by.floor), in_usual(drift_now_, drift_.usual),
            variation / kVariationUnit};
}

SeriesScore SeriesModel::observe(Timestamp time, double value_in) {
    const double value = std::clamp(value_in, -kLargest, kLargest);
    const auto at = slot_of(time, kSlots);
    SeriesScore out{.expected = value, .low = value, .high = value};
    if (seen_++ == 0) {
        start(time, at, value);
        return out;
    }
    const auto by = forecast(season_[at]);
    const auto distance = distances(value, season_[at], by);
    for (std::size_t i = 0; i < kDeviations; ++i) {
        // A value within the range so far is no evidence at all.
        const bool tells = i != static_cast<std::size_t>(Deviation::Range) || distance[i] > 0;
        if (tells) out.contributions[i] = -kWeights[i] * std::log10(tails_[i].probability(distance[i]));
        out.score += out.contributions[i];
        tails_[i].add(distance[i]);
    }
    out.probability = scores_.probability(out.score);
    scores_.add(out.score);
    out.expected = by.value;
    out.low = by.value - 4 * by.scale;
    out.high = by.value + 4 * by.scale;
    out.learning = seen_ <= kLearningValues || time - first_ < kLearningTime;
    if (out.learning) out.score = 0;
    learn(season_[at], value, by);
    return out;
}

void SeriesModel::learn(Slot& slot, double value, const Forecast& by) {
    // Nobody teaches more than the clip a value, neither the averages nor the size of what is usual.
    const double limit = kClip * by.scale;
    const double clipped = std::clamp(value - by.value, -limit, limit);
    const auto tame = [&](double usual) {
        const double most = kClip * std::max(by.scale, slow_deviation_);
        return usual + std::clamp(value - usual, -most, most);
    };
    learn_forecasters(value, by);
    if (slot.count == 0)
        slot.mean = seen_ > kLearningValues ? tame(slow_) : value;
    else
        follow(slot.mean, tame(slot.mean), std::max(kSeasonRate, 1.0 / (slot.count + 1)));
    const double off = std::abs(value - slow_);
    follow(slow_, tame(slow_), kSlowRate);
    follow(slow_deviation_, std::min(off, 5 * slow_deviation_ + by.floor), kSlowRate);
    ++slot.count;
    follow(scale_, std::abs(clipped), seen_ > 21 ? kScaleRate : 0.2);
    const auto usual = [&](double& size, double now) {
        if (size < 0)
            size = std::abs(now);
        else
            follow(size, std::min(std::abs(now), 4 * size + by.floor), kWindowRate);
    };
    usual(shift_.usual, shift_now_);
    usual(drift_.usual, drift_now_);
    // One absurd value must not make every later one ordinary.
    const double grown = 2 * (highest_ - lowest_) + by.floor;
    highest_ = std::max(highest_, std::min(value, highest_ + grown));
    lowest_ = std::min(lowest_, std::max(value, lowest_ - grown));
    last_ = value;
}

void SeriesModel::learn_forecasters(double value, const Forecast& by) {
    const auto off = [&](double& error, double forecast) {
        const double most = 4 * std::max(error, kSmallest) + by.floor;
        follow(error, std::min(std::abs(value - forecast), most), kErrorRate);
    };
    off(fast_error_, fast_);
    off(season_error_, by.season);
    off(level_error_, level_);
    if (seen_ <= 10)
        fast_error_ = season_error_ = level_error_ = std::max(std::abs(value - by.value), kSmallest);
    follow(fast_, value, 0.5);
    follow(level_, value, 0.1);
}

}  // namespace fieldwatch::detect
