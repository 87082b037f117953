// Putting values into KQL text, and taking columns out of its answers. For portal, and what app asks itself.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/kql_text.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::portal {

std::string kql_datetime(Timestamp time);

/// The portal's own questions: ten seconds, and a table that fits a page. Errors: Timeout, Internal (with the
/// query's own refusal, which then is our bug).
Result<workspace::ResultTable> ask(workspace::Workspace& workspace, std::string text,
                                   std::size_t rows_max = 10'000);

/// The same where an answer that was cut would be a wrong one. Errors: TooLarge then too; `remedy` says what
/// to ask for instead.
Result<workspace::ResultTable> ask_whole(workspace::Workspace& workspace, std::string text,
                                         std::size_t rows_max, std::string_view remedy);

/// One row of a table by column name; absent columns and nulls read as empty.
class Row {
  public:
    Row(const workspace::ResultTable& table, std::size_t row) : table_(table), row_(row) {}

    std::string text(std::string_view column) const;  ///< datetimes in ISO 8601 with Z
    std::int64_t number(std::string_view column) const;
    bool flag(std::string_view column) const;
    nlohmann::json json(std::string_view column) const;         ///< as the query API encodes it
    nlohmann::json parsed_json(std::string_view column) const;  ///< JSON text, parsed; null when it is none

  private:
    const workspace::Value* find(std::string_view column, workspace::ColumnType& type) const;

    const workspace::ResultTable& table_;
    std::size_t row_;
};

}  // namespace fieldwatch::portal
