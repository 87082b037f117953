// Indicators in comma-separated lines, as abuse.ch and others publish them: a header line or a header
// comment, quoted cells; or no header at all. Internal to intel.
#pragma once

#include <string_view>
#include <vector>

#include "detect/intel/indicator.hpp"

namespace fieldwatch::detect {

class CsvReader {
  public:
    explicit CsvReader(std::string_view name) : name_(name) {}

    /// A comment before the data may name the columns.
    void comment(std::string_view text);
    /// The first line is the header if it names a column that we know and holds no indicator itself.
    void line(std::string_view text, std::size_t number, IndicatorFile& out);
    bool has_header() const { return !columns_.empty(); }

  private:
    enum class Column : std::uint8_t {
        Other,
        Value,
        Malware,
        Threat,
        Confidence,
        Source,
        ValidUntil,
        FirstSeen,
        LastSeen,
        Tlp
    };
    static Column column_of(std::string_view name);
    static std::vector<Column> header_of(const std::vector<std::string>& cells);
    bool describe(const std::vector<std::string>& cells, std::size_t number, Indicator& about,
                  IndicatorFile& out) const;

    std::string_view name_;
    std::vector<Column> columns_;
    bool data_ = false;
};

std::vector<std::string> split_csv(std::string_view line);

}  // namespace fieldwatch::detect
