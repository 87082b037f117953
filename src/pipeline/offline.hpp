// Detection without a server: recorded input in, findings out, through the same ShardCore. `fieldwatch
// detect`, design section 6.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "detect/engine.hpp"
#include "pipeline/decode/security_message.hpp"

namespace fieldwatch::pipeline {

struct OfflineOptions {
    DecodeOptions decode;
    std::size_t line_bytes_max = 2u << 20;  ///< a message of 256 KiB, escaped at the worst, fits
};
struct OfflineReport {
    std::uint64_t records = 0, findings = 0, alerts = 0, recommendations = 0, dead_letters = 0;
    std::string highest_severity;  ///< of the alerts; empty without any
};

/// Reads JSON Lines (design section 6, "Recorded input"), numbers records from 1 and hands every finding to
/// `sink` as one line of JSON without its newline, ordered by (last evidence record, rule id, entity), one
/// line an alert in its last state. Lines that are no records become dead letters. Errors: Io when the stream
/// breaks.
Result<OfflineReport> run_offline(std::istream& input, detect::ContentPtr content,
                                  const OfflineOptions& options,
                                  const std::function<void(std::string_view)>& sink);

/// A finding as run_offline writes it.
std::string finding_json(const model::Finding& finding);

}  // namespace fieldwatch::pipeline
