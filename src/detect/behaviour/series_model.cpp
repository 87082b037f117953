#include "detect/behaviour/series_model.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <type_traits>
#include <utility>

namespace fieldwatch::detect {
namespace {

// Chosen on development series, coarsely: halving or doubling any of them changes little
// (docs/decisions/0031-behaviour-of-a-series.md).
constexpr double kFloor = 0.05;        ///< of the usual deviation …
constexpr double kLevelFloor = 1e-3;   ///< … and of the level, where it is less than …
constexpr double kSpanFloor = 0.02;    ///< … of what lies between the lowest and the highest value
constexpr double kClip = 4;            ///< usual residuals: what lies beyond teaches no more than that
constexpr double kErrorRate = 0.02;    ///< of the forecasts' errors
constexpr double kSlowRate = 0.002;    ///< of the long average
constexpr double kScaleRate = 0.01;    ///< of the usual residual
constexpr double kWindowRate = 0.005;  ///< of the usual mean of a window
constexpr double kSeasonRate = 0.2;    ///< of a slot of the day, once it has been seen often
constexpr double kStepRate = 0.08;     ///< of the change from value to value of late
constexpr double kRangeMargin = 0.05;  ///< of the range so far: the unit of what lies outside it
constexpr double kVariationUnit = 1.0 / 3;
constexpr double kWeekRate = 0.3;           ///< of an hour of the week, a visit
constexpr double kWeekErrorRate = 0.005;    ///< of the errors of the two seasons
constexpr double kSameValue = 0.02;         ///< of the usual change: what changes less is the same value
constexpr std::uint64_t kShortestRun = 24;  ///< of same values beyond the longest so far: what tells
constexpr double kIntervalRate = 0.02;
constexpr double kStepsMost = 1'000;  ///< of a gap: longer ones are no more uncertain
/// Of the usual distance from the long average, how much points one way where there is a trend.
constexpr double kTrendFrom = 0.6, kTrendAt = 0.95;
constexpr double kSmallest = 1e-9;
constexpr double kLargest = 1e150;  ///< squares stay finite
/// What was never there weighs most; windows overlap from value to value and with each other, so they weigh
/// less: the correlation discount of Fisher's sum.
constexpr std::array<double, kDeviations> kWeights{1, 0.5, 2, 0.5, 0.5, 2};

void follow(double& average, double value, double rate) {
    average += rate * (value - average);
}

/// Which of so many equal parts of a period, in seconds since 1970, the time falls into.
std::size_t slot_of(Timestamp time, std::int64_t period, std::size_t slots) {
    const auto second = ((time.unix_seconds() % period) + period) % period;
    return static_cast<std::size_t>(second) * slots / static_cast<std::size_t>(period);
}
constexpr std::int64_t kDay = 86'400, kWeek = 7 * kDay;

}  // namespace

std::string_view to_string(Deviation deviation) {
    constexpr std::string_view kNames[] = {"residual", "shift", "range", "drift", "variation", "stuck"};
    return kNames[static_cast<std::size_t>(deviation)];
}

std::string_view told(Deviation deviation) {
    switch (deviation) {
        case Deviation::Residual:
            return "it lies far from its forecast";
        case Deviation::Shift:
            return "the values of late lie off their usual level for the time of day";
        case Deviation::Range:
            return "nothing like it was seen before";
        case Deviation::Drift:
            return "the values of late lie off their long average";
        case Deviation::Variation:
            return "the values move much more, or much less, than usual";
        case Deviation::Stuck:
            return "the value has not changed for longer than ever before";
    }
    std::unreachable();
}

Deviation SeriesScore::cause() const {
    return static_cast<Deviation>(std::ranges::max_element(contributions) - contributions.begin());
}

std::vector<Deviation> SeriesScore::heaviest() const {
    std::vector<Deviation> out;
    for (std::size_t i = 0; i < kDeviations; ++i)
        if (contributions[i] > 0) out.push_back(static_cast<Deviation>(i));
    std::ranges::stable_sort(out, std::greater{}, [&](Deviation of) { return contribution(of); });
    if (out.size() > 3) out.resize(3);
    return out;
}

template <std::size_t N>
double SeriesModel::Window<N>::push(double value) {
    ring[count++ % N] = value;
    const auto filled = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, N));
    return std::accumulate(ring.begin(), ring.begin() + filled, 0.0) / static_cast<double>(filled);
}

void SeriesModel::start(Timestamp time, std::size_t slot, double value) {
    first_ = newest_ = time;
    fast_ = level_ = slow_ = last_ = value;
    range_ = {value, value};
    scale_ = slow_deviation_ = kSmallest;
    season_[slot] = {value, 1};
}

double SeriesModel::steps_since_last(Timestamp time) {
    const double gap = std::max(std::chrono::duration<double>(time - newest_).count(), 0.0);
    newest_ = std::max(newest_, time);
    if (interval_ <= 0) interval_ = gap;
    const double steps = interval_ > 0 ? std::clamp(gap / interval_, 1.0, kStepsMost) : 1;
    follow(interval_, std::min(gap, 3 * interval_), kIntervalRate);
    return steps;
}

SeriesModel::Forecast SeriesModel::forecast(const Slot& slot, const WeekSlot& week, double steps) const {
    Forecast out;
    out.day = slot.count > 0 ? slot.mean : slow_;
    out.week = week.visits > 0 ? week.mean : out.day;
    out.season = out.day;
    if (week.visits >= 2 && week_error_ >= 0) {
        // The worse one fades with the fourth power: a week's shape is either there or not.
        const double better = std::clamp(day_error_ / std::max(week_error_, kSmallest), 1e-3, 1e3);
        const double odds = better * better * better * better;
        out.season += odds / (1 + odds) * (out.week - out.day);
    }
    // The better a forecaster was of late, the more it has to say. Behind a gap the last values say less, as
    // of a random walk, and the season as much as ever.
    const double stale = std::sqrt(steps);
    const std::array<double, 3> forecasts{fast_, out.season, level_};
    const std::array<double, 3> errors{fast_error_ * stale, season_error_, level_error_ * stale};
    double weights = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const double weight = 1 / (errors[i] * errors[i] + 1e-12);
        weights += weight;
        out.value += weight * forecasts[i];
    }
    out.value /= weights;
    // What a constant may move by without being another; a pressure in pascals moves by less, and says so.
    const double seen = range_.high - range_.low, level = kLevelFloor * std::abs(slow_);
    out.floor = kFloor * std::abs(slow_deviation_) + kSmallest +
                (seen > 0 ? std::min(level, kSpanFloor * seen) : level);
    out.scale = std::max(scale_, out.floor) * stale;
    return out;
}

SeriesModel::Evidence SeriesModel::Span::beyond(double value, const Forecast& by) const {
    const double range = high > low ? high - low : std::abs(high) + kSmallest;
    const double outside = std::max({value - high, low - value, 0.0});
    // Every noise has a highest value now and then: by a usual residual it has to be higher.
    return {outside / (kRangeMargin * range + by.floor), std::min(1.0, outside / by.scale)};
}

void SeriesModel::Span::grow(double value, double floor) {
    const double most = 2 * (high - low) + floor;
    high = std::max(high, std::min(value, high + most));
    low = std::min(low, std::max(value, low - most));
}

/// How much of what varies is the time of day, or the hour of the week: 0 to 1.
double SeriesModel::explained_by_season() const {
    if (day_error_ < 0) return 0;
    const double error = std::min(day_error_, week_error_) / std::max(slow_deviation_, kSmallest);
    return std::clamp(1 - error, 0.0, 1.0);
}

SeriesModel::Evidence SeriesModel::outside(double value, const Slot& slot, const Forecast& by) const {
    const auto at_all = range_.beyond(value, by);
    if (at_all.distance <= 0) {
        if (slot.count < 3) return at_all;
        // An ordinary value, at an hour that has never been like this.
        const double season = explained_by_season();
        const auto at_this_hour = off_season_.beyond(value - by.season, by);
        return {season * at_this_hour.distance, season * at_this_hour.share};
    }
    // What grows has a highest value all the time: with the trend it counts as far as it leaves that, too.
    const bool with_trend = (value > range_.high) == (bias_ > 0);
    const auto off = off_average_.beyond(value - slow_, by);
    if (!with_trend || off.distance >= at_all.distance) return at_all;
    const double one_way = std::abs(bias_) / std::max(slow_deviation_, by.floor);
    const double trend = std::clamp((one_way - kTrendFrom) / (kTrendAt - kTrendFrom), 0.0, 1.0);
    return {std::lerp(at_all.distance, off.distance, trend),
            std::lerp(at_all.share, std::min(at_all.share, off.share), trend)};
}

std::array<SeriesModel::Evidence, kDeviations> SeriesModel::distances(double value, const Slot& slot,
                                                                      const Forecast& by, double steps) {
    const auto in_usual = [&](double mean, double usual) {
        return std::abs(mean) / std::max(usual < 0 ? slow_deviation_ : usual, by.floor);
    };
    shift_now_ = shift_.push(value - (slot.count >= 3 ? by.season : slow_));
    drift_now_ = drift_.push(value - slow_);
    const double step = std::abs(value - last_) / std::sqrt(steps);
    const auto same = stuck(step);
    follow(step_fast_, step, seen_ < 20 ? 0.2 : kStepRate);
    follow(step_slow_, std::min(step, 5 * step_slow_ + by.floor), seen_ < 50 ? 0.1 : kSlowRate);
    const double variation =
        std::abs(std::log((step_fast_ + 0.2 * by.floor) / (step_slow_ + 0.2 * by.floor)));
    return {Evidence{std::abs(value - by.value) / by.scale},
            Evidence{in_usual(shift_now_, shift_.usual)},
            outside(value, slot, by),
            Evidence{in_usual(drift_now_, drift_.usual)},
            Evidence{variation / kVariationUnit},
            same};
}

SeriesModel::Evidence SeriesModel::stuck(double step) {
    // What hardly ever changes is not stuck: the usual run counts as well, ten times.
    const auto known = std::max(longest_run_ + kShortestRun, 10 * seen_ / (changes_ + 1));
    if (step <= kSameValue * step_slow_) {
        ++run_;
    } else {
        longest_run_ = std::max(longest_run_, std::min(run_, longest_run_ + known));
        run_ = 0;
        ++changes_;
    }
    if (run_ <= known) return {.share = 0};
    const double distance = static_cast<double>(run_) / static_cast<double>(known) - 1;
    return {distance, std::min(1.0, 2 * distance)};
}

SeriesScore SeriesModel::observe(Timestamp time, double value_in) {
    const double value = std::clamp(value_in, -kLargest, kLargest);
    const auto at = slot_of(time, kDay, kSlots), hour = slot_of(time, kWeek, kWeekSlots);
    SeriesScore out{.expected = value, .low = value, .high = value};
    if (seen_++ == 0) {
        start(time, at, value);
        return out;
    }
    // The first change tells the size of what changes; the level itself tells nothing of it.
    if (seen_ == 2) scale_ = slow_deviation_ = std::abs(value - last_) + kSmallest;
    const double steps = steps_since_last(time);
    const auto by = forecast(season_[at], week_[hour], steps);
    const auto evidence = distances(value, season_[at], by, steps);
    for (std::size_t i = 0; i < kDeviations; ++i) {
        const auto& [distance, share] = evidence[i];
        // A value within the range so far is no evidence at all.
        if (share > 0)
            out.contributions[i] = -share * kWeights[i] * std::log10(tails_[i].probability(distance));
        out.score += out.contributions[i];
        tails_[i].add(distance);
    }
    out.probability = scores_.probability(out.score);
    scores_.add(out.score);
    out.expected = by.value;
    out.low = by.value - 4 * by.scale;
    out.high = by.value + 4 * by.scale;
    out.learning =
        seen_ <= kLearningValues || (seen_ <= kLearningValuesMost && time - first_ < kLearningTime);
    if (out.learning) out.score = 0;
    learn_week(hour, value, by);
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
    if (slot.count >= 3) off_season_.grow(value - by.season, by.floor);
    const double off = std::abs(value - slow_);
    follow(bias_, tame(slow_) - slow_, kSlowRate);
    const double rate = std::max(kSlowRate, 1.0 / static_cast<double>(seen_ + 1));
    follow(slow_, tame(slow_), rate);
    follow(slow_deviation_, std::min(off, 5 * slow_deviation_ + by.floor), rate);
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
    range_.grow(value, by.floor);
    off_average_.grow(value - slow_, by.floor);
    last_ = value;
}

void SeriesModel::learn_week(std::size_t hour, double value, const Forecast& by) {
    if (week_[hour].visits > 0) {
        if (week_error_ < 0) day_error_ = week_error_ = std::max(std::abs(slow_deviation_), kSmallest);
        const auto off = [&](double& error, double forecast) {
            const double most = 4 * std::max(error, kSmallest) + by.floor;
            follow(error, std::min(std::abs(value - forecast), most), kWeekErrorRate);
        };
        off(day_error_, by.day);
        off(week_error_, by.week);
    }
    if (hour != visit_.slot && visit_.count > 0) {
        auto& slot = week_[visit_.slot];
        const double mean = visit_.sum / visit_.count;
        const double rate = std::max(kWeekRate, 1.0 / (slot.visits + 1));
        slot.mean += rate * (mean - slot.mean);
        ++slot.visits;
        visit_ = {};
    }
    visit_.slot = hour;
    ++visit_.count;
    const double most = kClip * std::max(by.scale, slow_deviation_);
    visit_.sum += seen_ > kLearningValues ? by.season + std::clamp(value - by.season, -most, most) : value;
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

template <class Self, class Action>
void SeriesModel::for_each_number(Self& self, Action&& visit) {
    visit(self.seen_), visit(self.first_.ticks), visit(self.newest_.ticks), visit(self.interval_);
    for (auto& slot : self.season_)
        visit(slot.mean), visit(slot.count);
    for (auto& slot : self.week_)
        visit(slot.mean), visit(slot.visits);
    visit(self.visit_.slot), visit(self.visit_.sum), visit(self.visit_.count);
    for (auto* const number :
         {&self.day_error_, &self.week_error_, &self.fast_, &self.level_, &self.slow_, &self.slow_deviation_,
          &self.fast_error_, &self.season_error_, &self.level_error_, &self.scale_, &self.step_fast_,
          &self.step_slow_, &self.bias_, &self.last_, &self.shift_now_, &self.drift_now_})
        visit(*number);
    visit(self.run_), visit(self.longest_run_), visit(self.changes_);
    for (auto* const span : {&self.range_, &self.off_season_, &self.off_average_})
        visit(span->low), visit(span->high);
    const auto window = [&](auto& one) {
        for (auto& number : one.ring)
            visit(number);
        visit(one.count), visit(one.usual);
    };
    window(self.shift_), window(self.drift_);
}

void SeriesModel::save(ByteWriter& out) const {
    for_each_number(*this, [&](const auto& number) {
        using Number = std::remove_cvref_t<decltype(number)>;
        if constexpr (std::is_same_v<Number, double>) {
            out.f64(number);
        } else {
            out.u64(static_cast<std::uint64_t>(number));
        }
    });
    for (const auto& tail : tails_)
        tail.save(out);
    scores_.save(out);
}

Result<void> SeriesModel::restore(ByteReader& in) {
    Result<void> read;
    for_each_number(*this, [&](auto& number) {
        using Number = std::remove_cvref_t<decltype(number)>;
        if (!read) return;
        if constexpr (std::is_same_v<Number, double>) {
            const auto value = in.f64();
            if (!value)
                read = std::unexpected(value.error());
            else if (!std::isfinite(*value))
                read = fail(Errc::Corrupt, "a series' state holds no number");
            else
                number = *value;
        } else {
            const auto value = in.u64();
            if (!value)
                read = std::unexpected(value.error());
            else
                number = static_cast<Number>(*value);
        }
    });
    FIELDWATCH_TRY(read);
    if (visit_.slot >= kWeekSlots) return fail(Errc::Corrupt, "a series' state names no hour of the week");
    for (auto& tail : tails_)
        FIELDWATCH_TRY(tail.restore(in));
    return scores_.restore(in);
}

}  // namespace fieldwatch::detect
