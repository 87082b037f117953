// Any timestamped numeric series, scored one step ahead: `fieldwatch detect --input series`.
#pragma once

#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "pipeline/offline.hpp"

namespace fieldwatch::pipeline {

struct SeriesLine {
    Timestamp time;
    std::optional<double> value;  ///< none where the file has none: empty, NaN, null
};
/// `timestamp,value`, also with `;` or a tab between. The stamp is ISO 8601 (without zone: UTC) or seconds or
/// milliseconds since 1970; further columns are left alone. Errors: Malformed.
Result<SeriesLine> parse_series_line(std::string_view line);

/// One series, named `device`. For every value a line `{"kind":"score","device","record","time","value",
/// "score","p","expected":[low,high],"cause","learning"}`, and behind it, where the score asks for one, an
/// alert as run_offline writes them; within six hours there is one a severity. Records are numbered from 1, a
/// heading not among them; lines that cannot be read are dead letters. Errors: Io when the stream breaks.
Result<OfflineReport> run_series(std::istream& input, const std::string& device,
                                 const std::function<void(std::string_view)>& sink);

}  // namespace fieldwatch::pipeline
