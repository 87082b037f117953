#include "pipeline/input/diagnostics.hpp"

#include "model/ids.hpp"

namespace fieldwatch::pipeline {

Result<void> DiagnosticsReader::read(std::string_view line, std::uint64_t number, const RecordSink& sink) {
    Result<void> problem;
    const auto refuse = [&](std::string where, const std::string& why) {
        if (problem) problem = fail(Errc::Malformed, std::move(where) + why);
    };
    const auto take_one = [&](const diagnostic::Record& record, std::uint64_t first_line) {
        const bool named = record.device.empty() || model::parse_device_id(record.device).has_value();
        if (!named || (!record.module.empty() && !model::parse_module_id(record.module)))
            return refuse("record " + std::to_string(record.number), ": names no device that can be");
        sink({.kind = record.administrative ? model::RecordKind::ControlPlane : model::RecordKind::Operation,
              .received = record.time,
              .hub = model::parse_hub_name(record.hub) ? record.hub : std::string_view(options_.hub),
              .device = record.device,
              .module = record.module,
              .properties = {},
              .body = record.body},
             first_line);
    };
    const auto split = splitter_.add(line, number, [&](std::string_view document, std::uint64_t first_line) {
        const auto done = records_.read(
            document, {.record = [&](const diagnostic::Record& record) { take_one(record, first_line); },
                       .refused = [&](const diagnostic::Refusal& one) { refuse(one.where + ": ", one.why); },
                       .mask = nullptr});
        if (!done) refuse("", done.error().message);
    });
    if (!split) return split;
    return problem;
}

}  // namespace fieldwatch::pipeline
