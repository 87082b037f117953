// Zeek's logs, as TSV with its header lines and as JSON lines: connections, and the names that DNS, HTTP and
// TLS ask for. A device is the local address. Field names: Zeek's script reference of each log; JSON also
// with nested members, with `_` for `.`, and as the Elastic Common Schema names them.
#pragma once

#include <map>

#include "pipeline/input/record_maker.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

class ZeekReader final : public InputReader {
  public:
    static constexpr std::size_t kColumnsMax = 512;

    explicit ZeekReader(InputOptions options) : options_(std::move(options)), maker_(options_.hub) {}

    Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) override;

  private:
    using Row = std::map<std::string, std::string, std::less<>>;

    Result<void> header(std::string_view line);
    Result<Row> tabular(std::string_view line) const;
    Result<Row> json(std::string_view line);
    RecordedConnection connection_of(const Row& row, std::string_view path) const;
    Result<void> row(const Row& row, std::uint64_t number, const RecordSink& sink);

    InputOptions options_;
    RecordMaker maker_;
    json::Reader reader_;
    char separator_ = '\t';
    std::string unset_ = "-", empty_ = "(empty)", path_;
    std::vector<std::string> columns_;
    bool names_service_ = false;  ///< the columns have one for the protocol that was recognised
};

}  // namespace fieldwatch::pipeline
