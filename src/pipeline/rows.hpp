// From outcomes to the rows of a workspace: the last step of the shard, and the first that knows about
// storage.
#pragma once

#include <string_view>

#include "model/record.hpp"
#include "pipeline/shard_core.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::pipeline {

/// Rows of findings are numbered from here on within their record, so that their ids differ from its items'.
inline constexpr std::uint32_t kFindingItems = 0x8000'0000;

struct RowOptions {
    std::string_view workspace_id;
    bool store_raw = true;
};

/// Appends the raw rows and diagnostics of one record's outcome.
void add_rows(const Outcome& outcome, const model::RecordView& record, const RowOptions& options,
              workspace::Commit& commit);
/// Appends one finding of the record at `position`; `number` counts the findings of that record. A new alert
/// or a later state of one, and a changed state of a recommendation also go to the outbox.
void add_finding(model::Finding finding, model::LogPosition position, std::uint32_t number,
                 const RowOptions& options, workspace::Commit& commit);

/// The hub that a finding belongs to.
std::string_view hub_of(const model::Finding& finding);

}  // namespace fieldwatch::pipeline
