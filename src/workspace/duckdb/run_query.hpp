// KQL over one connection: compile against a catalog, run under a deadline, gather within bounds.
#pragma once

#include <functional>

#include "kql/kql.hpp"
#include "workspace/duckdb/layout.hpp"
#include "workspace/duckdb/watchdog.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

/// The tables of a layout as KQL sees them. `range` leaves out files and rows that no query may or need see.
kql::Catalog catalog_of(const Layout& layout, const std::string& sealed_directory,
                        const ViewConstants& constants, const std::function<TimeRange(const Table&)>& range);

/// The connection's statement is interrupted at the deadline. Any thread; blocking.
std::expected<QueryAnswer, QueryError> run_query(Connection& connection, Watchdog& watchdog,
                                                 const Clock& clock, const kql::Catalog& catalog,
                                                 const QueryRequest& request);

}  // namespace fieldwatch::workspace
