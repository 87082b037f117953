// Diagnostic records of an IoT hub elsewhere, as recorded input: `{"records":[…]}` or records alone, line by
// line or one document over many lines.
#pragma once

#include "pipeline/input/input.hpp"
#include "protocol/diagnostic/records.hpp"

namespace fieldwatch::pipeline {

class DiagnosticsReader final : public InputReader {
  public:
    explicit DiagnosticsReader(InputOptions options) : options_(std::move(options)) {}
    /// A record that cannot be used is an error of its line, behind those that can.
    Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) override;

  private:
    InputOptions options_;
    diagnostic::RecordReader records_;
    diagnostic::DocumentSplitter splitter_;
};

}  // namespace fieldwatch::pipeline
