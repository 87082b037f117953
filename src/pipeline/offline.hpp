// Detection without a server: recorded input in, findings out, through the same ShardCore. `fieldwatch
// detect`, design section 6.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "detect/engine.hpp"
#include "pipeline/decode/security_message.hpp"
#include "pipeline/input/input.hpp"

namespace fieldwatch::pipeline {

struct OfflineOptions {
    DecodeOptions decode;
    std::optional<InputFormat> format;  ///< guessed from each stream's first line when absent
    InputOptions input;
};
struct OfflineReport {
    std::uint64_t records = 0, findings = 0, alerts = 0, recommendations = 0, dead_letters = 0;
    std::string highest_severity;  ///< of the alerts; empty without any
};

/// The streams are one log, one after the other. Numbers their lines from 1, blank ones left out, or the
/// documents of a JSON array (design section 6, "Recorded input"), and hands every finding to `sink` as one
/// line of JSON without its newline, ordered by (last evidence record, rule id, entity), one line an alert in
/// its last state. Lines that are no records become dead letters. Errors: Io when a stream breaks;
/// InvalidArgument when a stream's format cannot be guessed.
Result<OfflineReport> run_offline(std::span<std::istream* const> inputs, detect::ContentPtr content,
                                  const OfflineOptions& options,
                                  const std::function<void(std::string_view)>& sink);

/// A finding as run_offline writes it.
std::string finding_json(const model::Finding& finding);

}  // namespace fieldwatch::pipeline
