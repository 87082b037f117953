// Recorded input in the forms that the field has it: what each line says, as records of the log. The lines of
// a JSON Lines file are records already; those of audit, system and network logs become the events that an
// agent would have sent, and beside them sigma-events with the line's own fields, for rules of that log
// source.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/record.hpp"

namespace fieldwatch::pipeline {

enum class InputFormat : std::uint8_t { JsonLines, Auditd, Syslog, Zeek, Diagnostics };
std::string_view to_string(InputFormat format);
std::optional<InputFormat> input_format_from(std::string_view name);
/// What the first piece of a text, a line that is not blank or a JSON document, looks like.
std::optional<InputFormat> guess_input_format(std::string_view line);

struct InputOptions {
    std::size_t line_bytes_max = 2u << 20;  ///< a message of 256 KiB, escaped at the worst, fits
    std::string hub = "recorded";           ///< of lines that name none
    std::string device = "recorded";        ///< of lines that name none
    int first_year = 1970;                  ///< of stamps without a year; they go on from there
};

/// A record, and the number of the line it is about. The views are valid during the call.
using RecordSink = std::function<void(const model::RecordView&, std::uint64_t line)>;

/// One run over a file's lines, in order. One strand.
class InputReader {
  public:
    virtual ~InputReader() = default;

    /// Hands the line's records to `sink`: none, one or several; a form that spreads an event over several
    /// lines hands it over with a later line. Errors: Malformed or TooLarge, with what was expected; the line
    /// then gave nothing.
    virtual Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) = 0;
    /// After the last line: what waited for more.
    virtual void finish(const RecordSink&) {}
};
std::unique_ptr<InputReader> make_input_reader(InputFormat format, const InputOptions& options);

}  // namespace fieldwatch::pipeline
