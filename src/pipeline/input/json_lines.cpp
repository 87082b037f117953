#include "pipeline/input/json_lines.hpp"

#include <algorithm>

namespace fieldwatch::pipeline {
namespace {

std::optional<model::RecordKind> kind_from(std::string_view name) {
    using enum model::RecordKind;
    for (const auto kind : {SecurityMessage, Operation, ControlPlane, Twin, IdentityChange, HubConfiguration,
                            Telemetry, SigmaEvent, QueryFinding}) {
        if (model::to_string(kind) == name) return kind;
    }
    return std::nullopt;
}

}  // namespace

Result<void> JsonLinesReader::read(std::string_view line, std::uint64_t number, const RecordSink& sink) {
    const auto* const root = FIELDWATCH_TRY(
        reader_.parse(line, {.bytes_max = options_.line_bytes_max, .depth_max = limits::json_depth + 1}));
    if (!root->is(json::Type::Object)) return fail(Errc::Malformed, "/: an object is needed");
    model::RecordView out;
    const auto kind_name = root->text_of("kind");
    const auto kind = kind_from(kind_name);
    // A bare sigma-event needs no envelope.
    const bool bare = kind_name.empty() && root->find("logsource") != nullptr;
    if (!kind && !bare) return fail(Errc::Malformed, "/kind: is not a kind of record");
    out.kind = bare ? model::RecordKind::SigmaEvent : *kind;
    out.received = last_;
    if (const auto time = root->text_of("time"); !time.empty()) {
        const auto parsed = parse_iso8601(time);
        if (!parsed) return fail(Errc::Malformed, "/time: is not a time that can be read");
        out.received = parsed->time;
    } else if (out.kind != model::RecordKind::SigmaEvent) {
        return fail(Errc::Malformed, "/time: is required");
    }
    out.hub = root->text_of("hub");
    out.device = root->text_of("device");
    out.module = root->text_of("module");
    const auto* const body = root->find("body");
    body_.clear();
    if (body != nullptr && body->is(json::Type::String) && out.kind != model::RecordKind::SigmaEvent) {
        body_ = body->text;  // a body that is no JSON object can be recorded as text
    } else {
        json::append(body_, body != nullptr ? *body : *root);
    }
    out.body = body_;
    last_ = std::max(last_, out.received);
    sink(out, number);
    return {};
}

}  // namespace fieldwatch::pipeline
