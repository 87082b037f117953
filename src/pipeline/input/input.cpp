#include "pipeline/input/input.hpp"

#include "pipeline/input/auditd.hpp"
#include "pipeline/input/diagnostics.hpp"
#include "pipeline/input/json_lines.hpp"
#include "pipeline/input/syslog.hpp"
#include "pipeline/input/zeek.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

std::string_view to_string(InputFormat format) {
    switch (format) {
        case InputFormat::JsonLines:
            return "jsonl";
        case InputFormat::Auditd:
            return "auditd";
        case InputFormat::Syslog:
            return "syslog";
        case InputFormat::Zeek:
            return "zeek";
        case InputFormat::Diagnostics:
            return "records";
    }
    return "";
}

std::optional<InputFormat> input_format_from(std::string_view name) {
    for (const auto format : {InputFormat::JsonLines, InputFormat::Auditd, InputFormat::Syslog,
                              InputFormat::Zeek, InputFormat::Diagnostics}) {
        if (to_string(format) == name) return format;
    }
    return std::nullopt;
}

namespace {

constexpr std::size_t kLookBytesMax = 64u << 10;

/// Both ends of a connection, as Zeek's own logs or the Elastic Common Schema name them.
bool names_ends(const json::Value& object) {
    const auto has = [&](std::string_view name) { return object.find(name) != nullptr; };
    const auto inner = [&](std::string_view name, std::string_view member) {
        const auto* const found = object.find(name);
        return found != nullptr && found->find(member) != nullptr;
    };
    const auto end = [&](std::string_view name) {
        const auto flat = std::string(name) + ".";
        return has(flat + "ip") || has(flat + "address") || inner(name, "ip") || inner(name, "address");
    };
    return has("id.orig_h") || has("id_orig_h") || inner("id", "orig_h") || has("zeek") ||
           (end("source") && end("destination")) ||
           (has("ts") && (has("_path") || has("uid") || has("fuid")));
}

/// Of a JSON object. Our own records say what they are; what is nothing known is taken for them, and their
/// reader says what it misses.
InputFormat guess_object(std::string_view line) {
    json::Reader reader;
    const auto parsed =
        reader.parse(line, {.bytes_max = InputOptions{}.line_bytes_max, .depth_max = limits::json_depth + 1});
    if (!parsed || !(*parsed)->is(json::Type::Object)) {
        // A batch of diagnostic records may be longer than a line of ours, or go on in the next.
        const auto begin = line.substr(0, kLookBytesMax);
        const auto batch = begin.find("\"records\"") < begin.find("\"kind\"");
        return line == "{" || batch ? InputFormat::Diagnostics : InputFormat::JsonLines;
    }
    const auto& object = **parsed;
    if (object.find("__REALTIME_TIMESTAMP") != nullptr) return InputFormat::Syslog;  // journalctl -o json
    if (!object.text_of("kind").empty() || object.find("logsource") != nullptr) return InputFormat::JsonLines;
    if (object.find("records") != nullptr || object.find("operationName") != nullptr)
        return InputFormat::Diagnostics;
    return names_ends(object) ? InputFormat::Zeek : InputFormat::JsonLines;
}

}  // namespace

std::optional<InputFormat> guess_input_format(std::string_view line) {
    const auto has = [&](std::string_view part) {
        return line.substr(0, kLookBytesMax).find(part) != std::string_view::npos;
    };
    if (!line.starts_with('{') && has("type=") && has("audit(")) {
        // Behind a syslog stamp it is one program's line among others'.
        return parse_syslog_line(line, 2000) ? InputFormat::Syslog : InputFormat::Auditd;
    }
    if (line.starts_with('#')) return InputFormat::Zeek;
    if (line.starts_with('{')) return guess_object(line);
    if (line.starts_with('[')) return InputFormat::Diagnostics;
    if (line.starts_with("----")) return InputFormat::Auditd;
    if (parse_syslog_line(line, 2000)) return InputFormat::Syslog;
    return std::nullopt;
}

std::unique_ptr<InputReader> make_input_reader(InputFormat format, const InputOptions& options) {
    switch (format) {
        case InputFormat::Auditd:
            return std::make_unique<AuditdReader>(options);
        case InputFormat::Syslog:
            return std::make_unique<SyslogReader>(options);
        case InputFormat::Zeek:
            return std::make_unique<ZeekReader>(options);
        case InputFormat::Diagnostics:
            return std::make_unique<DiagnosticsReader>(options);
        case InputFormat::JsonLines:
            break;
    }
    return std::make_unique<JsonLinesReader>(options);
}

}  // namespace fieldwatch::pipeline
