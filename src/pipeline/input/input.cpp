#include "pipeline/input/input.hpp"

#include "pipeline/input/auditd.hpp"
#include "pipeline/input/diagnostics.hpp"
#include "pipeline/input/json_lines.hpp"
#include "pipeline/input/syslog.hpp"
#include "pipeline/input/zeek.hpp"

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

std::optional<InputFormat> guess_input_format(std::string_view line) {
    const auto has = [&](std::string_view part) { return line.find(part) != std::string_view::npos; };
    line = line.substr(0, 64u << 10);
    if (has("type=") && has("audit(")) {
        // Behind a syslog stamp it is one program's line among others'.
        return parse_syslog_line(line, 2000) ? InputFormat::Syslog : InputFormat::Auditd;
    }
    if (line.starts_with('#')) return InputFormat::Zeek;
    if (line.starts_with('{') && has("\"__REALTIME_TIMESTAMP\""))
        return InputFormat::Syslog;  // journalctl -o json
    // Of a hub's diagnostic log: batches, a batch over many lines, or records alone.
    const bool enveloped = has("\"kind\"") || has("\"logsource\"");
    if (line == "{" || line == "[" || line.starts_with("[{")) return InputFormat::Diagnostics;
    if (line.starts_with('{') && !enveloped && (has("\"records\"") || has("\"operationName\"")))
        return InputFormat::Diagnostics;
    if (line.starts_with('{'))
        return has("\"id.orig_h\"") || has("\"id_orig_h\"") ? InputFormat::Zeek : InputFormat::JsonLines;
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
