// KQL over one connection: compile against a catalog, run under a deadline, gather within bounds.
#pragma once

#include <functional>

#include "kql/kql.hpp"
#include "workspace/duckdb/layout.hpp"
#include "workspace/duckdb/watchdog.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

inline constexpr std::string_view kDefenderView = "DefenderIoTRawEvent";

/// The tables of a layout as KQL sees them. Rows before `oldest` (stored ticks of a table's retention) are
/// not there, and a scan opens only files that can hold the times it asks for. `layout` outlives the catalog.
kql::Catalog catalog_of(const Layout& layout, const std::string& sealed_directory,
                        const ViewConstants& constants,
                        const std::function<std::int64_t(const Table&)>& oldest);

/// The connection's statement is interrupted at the deadline. Any thread; blocking.
std::expected<QueryAnswer, QueryError> run_query(Connection& connection, Watchdog& watchdog,
                                                 const Clock& clock, const kql::Catalog& catalog,
                                                 const QueryRequest& request);

}  // namespace fieldwatch::workspace
