// Standard behaviour of one numeric series, learned as it comes: how far each value lies from what the values
// before it let expect. Six distances, each made comparable by the series' own tail: docs/decisions/0031,
// 0118, 0121.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/behaviour/tail_model.hpp"

namespace fieldwatch::detect {

/// In what way a value deviates.
enum class Deviation : std::uint8_t {
    Residual,   ///< far from the forecast of this one value
    Shift,      ///< the last two dozen values lie off what their time of day lets expect
    Range,      ///< outside everything seen so far, at all or for its time of day
    Drift,      ///< the last hundred values lie off the long average
    Variation,  ///< values move much more, or much less, than usual: a noisy sensor
    Stuck,      ///< the same value over and over, longer than ever: a sensor that no longer measures
};
inline constexpr std::size_t kDeviations = 6;
std::string_view to_string(Deviation deviation);  ///< lower case
std::string_view told(Deviation deviation);       ///< as people read it: "nothing like it was seen before"

/// What the model thought of one value before it learned it.
struct SeriesScore {
    double probability = 1;  ///< of a score as high, by this series' own past; 1 before 50 values
    /// Minus log10 of the tail probabilities, weighted and added: higher is stranger, and means the same for
    /// every series. 0 while learning.
    double score = 0;
    double expected = 0;                              ///< the forecast
    double low = 0, high = 0;                         ///< the forecast and four usual residuals around it
    std::array<double, kDeviations> contributions{};  ///< to the score, by Deviation
    bool learning = true;                             ///< too little seen to tell

    Deviation cause() const;  ///< what contributes most
    double contribution(Deviation of) const { return contributions[static_cast<std::size_t>(of)]; }
    std::vector<Deviation> heaviest() const;  ///< what contributes at all, most first, at most three
};

/// One series. Constant memory and work a value; the same values give the same scores. Values must be finite;
/// what lies beyond 1e150 is taken for that. One strand.
class SeriesModel {
  public:
    /// Scores at which we alert: about once a device and month, and once a week, on the development series.
    static constexpr double kMonthly = 5.5, kWeekly = 4.2;
    static constexpr std::uint64_t kLearningValues = 200;
    static constexpr Ticks kLearningTime = std::chrono::hours(24);
    static constexpr std::uint64_t kLearningValuesMost = 2'000;  ///< which are enough before a day is over

    SeriesScore observe(Timestamp time, double value);

    void save(ByteWriter& out) const;
    /// Errors: Corrupt.
    Result<void> restore(ByteReader& in);

  private:
    static constexpr std::size_t kSlots = 96;       ///< of a day
    static constexpr std::size_t kWeekSlots = 168;  ///< hours

    struct Slot {
        double mean = 0;
        std::uint32_t count = 0;
    };
    /// The mean of one hour of the week, over its visits.
    struct WeekSlot {
        double mean = 0;
        std::uint32_t visits = 0;
    };
    /// The hour of the week that is running.
    struct Visit {
        std::size_t slot = 0;
        double sum = 0;
        std::uint32_t count = 0;
    };
    struct Forecast {
        double value = 0;
        double day = 0, week = 0;  ///< by the time of day, by the hour of the week
        double season = 0;         ///< of both, by how well each did of late
        double floor = 0;          ///< below it deviations are all alike
        double scale = 0;          ///< the usual residual, not below the floor
    };
    struct Evidence {
        double distance = 0;
        double share = 1;  ///< of its weight: what exceeds the past by a hair says little, and 0 nothing
    };
    /// Lowest and highest number so far.
    struct Span {
        double low = 0, high = 0;

        Evidence beyond(double value, const Forecast& by) const;
        /// One absurd number must not make every later one ordinary.
        void grow(double value, double floor);
    };
    /// Mean of the last N numbers, and how large it usually is.
    template <std::size_t N>
    struct Window {
        std::array<double, N> ring{};
        std::uint64_t count = 0;
        double usual = -1;  ///< negative before the first

        double push(double value);
    };

    /// Every number of the state but the tails, in the order in which they are saved.
    template <class Self, class Visit>
    static void for_each_number(Self& self, Visit&& visit);

    void start(Timestamp time, std::size_t slot, double value);
    double steps_since_last(Timestamp time);
    Forecast forecast(const Slot& slot, const WeekSlot& week, double steps) const;
    std::array<Evidence, kDeviations> distances(double value, const Slot& slot, const Forecast& by,
                                                double steps);
    Evidence outside(double value, const Slot& slot, const Forecast& by) const;
    double explained_by_season() const;
    void learn(Slot& slot, double value, const Forecast& by);
    void learn_forecasters(double value, const Forecast& by);
    void learn_week(std::size_t hour, double value, const Forecast& by);
    Evidence stuck(double step);

    std::uint64_t seen_ = 0;
    Timestamp first_, newest_;
    double interval_ = 0;  ///< usual one between values, seconds
    std::array<Slot, kSlots> season_{};
    std::array<WeekSlot, kWeekSlots> week_{};
    Visit visit_;
    double day_error_ = -1, week_error_ = -1;  ///< of the two seasons; negative before the second week
    std::uint64_t run_ = 0, longest_run_ = 0, changes_ = 0;        ///< of values that are all the same
    double fast_ = 0, level_ = 0, slow_ = 0, slow_deviation_ = 0;  ///< averages of one to some hundred values
    double fast_error_ = 1, season_error_ = 1, level_error_ = 1;   ///< how far each forecast was off of late
    double scale_ = 0;                                             ///< usual residual
    double step_fast_ = 0, step_slow_ = 0;  ///< usual change from value to value, of late and long
    double bias_ = 0;                       ///< usual distance from the long average, with its sign
    double last_ = 0;
    Span range_;        ///< of values …
    Span off_season_;   ///< … of their distances from the season …
    Span off_average_;  ///< … and from the long average
    Window<24> shift_;
    Window<96> drift_;
    double shift_now_ = 0, drift_now_ = 0;
    std::array<TailModel, kDeviations> tails_;
    TailModel scores_;
};

}  // namespace fieldwatch::detect
