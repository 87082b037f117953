#include "detect/intel/indicator_csv.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kColumnsMax = 256;

/// `first seen`, `ID`: what a column may be called, and data seldom look like.
bool is_column_name(std::string_view cell) {
    return !cell.empty() && cell.size() <= 40 && std::all_of(cell.begin(), cell.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ' ' || c == '-';
    });
}

}  // namespace

std::vector<std::string> split_csv(std::string_view line, char separator) {
    std::vector<std::string> out(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
            out.back() += line[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == separator && !quoted && out.size() < kColumnsMax) {
            out.emplace_back();
        } else if (!(c == ' ' && out.back().empty() && !quoted)) {
            out.back() += c;
        }
    }
    return out;
}

/// The separator that makes the most columns counts, if one of them holds values.
bool CsvReader::take_columns(std::string_view text) {
    std::vector<IndicatorField> best;
    for (const char separator : {',', '\t', ';', '|'}) {
        std::vector<IndicatorField> columns;
        for (const auto& cell : split_csv(text, separator))
            columns.push_back(field_of(cell));
        const auto holds_values = std::ranges::count(columns, IndicatorField::Value) > 0;
        const auto unknown = std::ranges::count(columns, IndicatorField::Other);
        // "IP<tab>number" over a list of counted addresses is no table.
        const std::size_t known_min = separator == ',' ? 1 : 2;
        if (!holds_values || columns.size() < 2 || columns.size() <= best.size() ||
            columns.size() - static_cast<std::size_t>(unknown) < known_min)
            continue;
        best = std::move(columns);
        separator_ = separator;
    }
    if (best.empty()) return false;
    columns_ = std::move(best);
    return true;
}

void CsvReader::comment(std::string_view text) {
    if (!in_data_) take_columns(trimmed(text, " \t\r\n#"));
}

bool CsvReader::take_header(std::string_view text) {
    in_data_ = true;
    if (field_of(text) == IndicatorField::Value && !classify_value(text)) return true;  // the only column
    for (const char separator : {',', '\t', ';', '|'}) {
        for (const auto& cell : split_csv(text, separator)) {
            if (classify_value(trimmed(cell))) return false;
        }
    }
    if (take_columns(text)) return true;
    // Columns of names that we do not know: then the first cell that is an indicator counts.
    const auto cells = split_csv(text);
    return cells.size() > 1 && std::all_of(cells.begin(), cells.end(), is_column_name);
}

void CsvReader::line(std::string_view text, std::size_t number, IndicatorFile& out) {
    const auto cells = split_csv(text, separator_);
    IndicatorDescription about(name_);
    if (columns_.empty()) {  // without names the first that is one is the indicator
        for (const auto& cell : cells) {
            if (!classify_value(trimmed(cell))) continue;
            about.take(IndicatorField::Value, cell);
            break;
        }
    }
    for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) {
        if (auto wrong = about.take(columns_[i], cells[i])) return out.refuse(number, std::move(*wrong));
    }
    if (!about.append_to(out)) out.refuse(number, "no address, network, domain, URL or hash");
}

}  // namespace fieldwatch::detect
