// Query answers as the Log Analytics API spells them: spec/workspace.md section 4.
#pragma once

#include <string>

#include "workspace/workspace.hpp"

namespace fieldwatch::portal {

/// `[d.]hh:mm:ss[.fffffff]`, KQL's text of a timespan in ticks of 100 ns.
std::string timespan_text(std::int64_t ticks);

/// One cell as JSON: datetime as UTC text with Z, timespan as text, dynamic as its JSON text in a string, NaN
/// and infinities as text.
std::string cell_json(const workspace::Value& value, workspace::ColumnType type);

struct AnswerParts {
    bool statistics = false, render = false;  ///< Prefer: include-statistics, include-render
};
/// The whole body. Written straight to text: a full answer has millions of cells.
std::string answer_json(const workspace::QueryAnswer& answer, AnswerParts parts);

}  // namespace fieldwatch::portal
