// Any timestamped numeric series, scored one step ahead: `fieldwatch detect --input series`.
#pragma once

#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "pipeline/offline.hpp"
#include "pipeline/series_line.hpp"

namespace fieldwatch::pipeline {

/// One series, named `device`. For every value a line `{"kind":"score","device","record","time","value",
/// "score","p","expected":[low,high],"cause","learning"}`, and behind it, where the score asks for one, an
/// alert as run_offline writes them; within six hours there is one a severity, and another that is a
/// third stranger. Stamps that only count rows
/// stand for five minutes each. Records are numbered from 1, a
/// heading and lines that begin with `#` not among them; lines that cannot be read are dead letters. Errors:
/// Io when the stream breaks.
Result<OfflineReport> run_series(std::istream& input, const std::string& device,
                                 const std::function<void(std::string_view)>& sink);

}  // namespace fieldwatch::pipeline
