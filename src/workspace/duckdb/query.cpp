// The way out: KQL over what is committed, on a session of its own.
#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/duckdb/run_query.hpp"

namespace fieldwatch::workspace {
namespace {

/// For a query that needs no table: sorts and joins of literals fit in this.
constexpr std::size_t kMemoryBytes = 256u << 20;
constexpr unsigned kMemoryThreads = 2;

std::unexpected<QueryError> internal(const Error& error) {
    return std::unexpected(QueryError{QueryError::Kind::Internal, error.message});
}

}  // namespace

std::expected<QueryAnswer, QueryError> DuckdbWorkspace::query(const QueryRequest& request) {
    const QueryHelpers::Help help(helpers_);
    const auto token = readers_.enter();  // before the manifest is read: its files stay until we are done
    auto connection = database_.connect();
    if (!connection) return internal(connection.error());
    // One snapshot for the manifest and the rows: a period that is sealed meanwhile is seen once.
    const auto transaction = Transaction::begin(*connection);
    if (!transaction) return internal(transaction.error());
    const auto layout = read_layout(*connection);
    if (!layout) return internal(layout.error());
    const auto oldest = [this](const Table& table) { return retention_cutoff(table); };
    const auto catalog = catalog_of(*layout, sealed_directory(),
                                    {.workspace_id = options_.id,
                                     .subscription_id = options_.subscription_id,
                                     .resource_group = options_.resource_group,
                                     .region = options_.region},
                                    oldest);
    return run_query(*connection, watchdog_, clock_, catalog, request);
}

std::expected<QueryAnswer, QueryError> query_in_memory(const QueryRequest& request, const Clock& clock) {
    auto database = Database::open("", {.memory_bytes_max = kMemoryBytes, .threads_max = kMemoryThreads});
    if (!database) return internal(database.error());
    auto connection = database->connect();
    if (!connection) return internal(connection.error());
    QueryHelpers helpers(database->get(), kMemoryThreads - 1);
    const QueryHelpers::Help help(helpers);
    Watchdog watchdog(clock);
    return run_query(*connection, watchdog, clock, {}, request);
}

}  // namespace fieldwatch::workspace
