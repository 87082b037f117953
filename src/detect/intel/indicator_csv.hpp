// Indicators in separated lines, as abuse.ch and others publish them: a header line or a header comment,
// quoted cells; or no header at all. Internal to intel.
#pragma once

#include <string_view>
#include <vector>

#include "detect/intel/indicator.hpp"
#include "detect/intel/indicator_fields.hpp"

namespace fieldwatch::detect {

/// Separated by commas; by tabs, semicolons or bars where the header is.
class CsvReader {
  public:
    explicit CsvReader(std::string_view name) : name_(name) {}

    /// A comment before the data may name the columns.
    void comment(std::string_view text);
    /// Whether `text`, the first line of data, names columns instead of holding an indicator.
    bool take_header(std::string_view text);
    void line(std::string_view text, std::size_t number, IndicatorFile& out);
    /// Whether `text` has cells by what is known so far.
    bool is_row(std::string_view text) const { return text.find(separator_) != text.npos; }
    bool has_columns() const { return !columns_.empty(); }

  private:
    bool take_columns(std::string_view text);

    std::string_view name_;
    std::vector<IndicatorField> columns_;
    char separator_ = ',';
    bool in_data_ = false;
};

std::vector<std::string> split_csv(std::string_view line, char separator = ',');

}  // namespace fieldwatch::detect
