// A line of a series file: which of its columns is the time, which the value, and what they say.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::pipeline {

struct SeriesLine {
    Timestamp time;
    std::optional<double> value;    ///< none where the file has none: empty, NaN, null
    std::optional<bool> day_first;  ///< what a stamp like 28/12/2015 proves; none where it proves nothing
    bool is_number = false;         ///< the stamp is one
};

/// Where a line has what is read of it, counted from 0.
struct SeriesColumns {
    std::size_t time = 0, value = 1;
    bool day_first = false;  ///< how 1/2/2026 is read
};

/// The columns of a file, by its heading (empty: it has none) and its first row: `time`, `timestamp`, `ds` …
/// and `value`, `y`, `reading` …, whatever stands beside them and in what order; where no name is known, the
/// first column that holds a stamp and the first other one that holds a number. The first two when nothing
/// tells.
SeriesColumns series_columns(std::string_view heading, std::string_view first_row);

/// Separated by `,`, `;` or a tab, whichever comes first; fields may be quoted. The stamp is ISO 8601
/// (without zone: UTC; also without seconds, with `/`, a day alone), a date that begins with its day or month
/// (`28/12/2015 2:29:59 PM`; with points the day is first), or seconds, milli-, micro- or nanoseconds since
/// 1970. Where no comma separates, it is a decimal point. Errors: Malformed.
Result<SeriesLine> parse_series_line(std::string_view line, const SeriesColumns& columns = {});

}  // namespace fieldwatch::pipeline
