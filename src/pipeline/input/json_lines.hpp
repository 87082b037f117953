// Our own recorded input: JSON Lines, a record a line. Design section 6.
#pragma once

#include "pipeline/input/input.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

class JsonLinesReader final : public InputReader {
  public:
    explicit JsonLinesReader(InputOptions options) : options_(std::move(options)) {}
    Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) override;

  private:
    InputOptions options_;
    json::Reader reader_;
    std::string body_;
    Timestamp last_;  ///< the time of a record that brings none
};

}  // namespace fieldwatch::pipeline
