// From the pipeline's rows to the columns of the stored tables: spec/workspace.md section 1, spec/alerts.md
// section 2. Constant columns are not here: the views make them.
#pragma once

#include <memory>
#include <string_view>

#include "workspace/duckdb/appender.hpp"
#include "workspace/rows.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

/// Holds what is reused from row to row. One thread.
class RowFiller {
  public:
    explicit RowFiller(const Options& options);
    ~RowFiller();

    Result<void> add(Appender& to, const RawEventRow& row);
    Result<void> add(Appender& to, const AlertRow& row);
    Result<void> add(Appender& to, const RecommendationRow& row);
    Result<void> add(Appender& to, const DiagnosticsRow& row);
    Result<void> add(Appender& to, const ActivityRow& row);

  private:
    struct Details;
    const Options& options_;
    std::unique_ptr<Details> details_;
};

}  // namespace fieldwatch::workspace
