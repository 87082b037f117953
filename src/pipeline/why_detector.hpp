// `alerts why` for alerts that no rule raises: the device's history run once more, watching one alert type.
// Private to why.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "detect/detector_alerts.hpp"
#include "pipeline/content_store.hpp"
#include "pipeline/history.hpp"
#include "pipeline/why.hpp"

namespace fieldwatch::pipeline {

/// A stretch of one partition's log, and the content in force where it begins.
struct WhyStretch {
    std::uint64_t begin = 0, end = 0;
    std::uint32_t partition = 0, count = 0;  ///< this one of so many
    std::string content;
};

/// Errors: what reading gives.
Result<Why> why_detector(const History& history, const WhyStretch& stretch, ContentStore& contents,
                         const WhyRequest& request, const detect::DetectorAlert& detector);

}  // namespace fieldwatch::pipeline
