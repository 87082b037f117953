#include "workspace/duckdb/duckdb_workspace.hpp"
namespace fieldwatch::workspace {
std::expected<QueryAnswer, QueryError> DuckdbWorkspace::query(const QueryRequest&) {
    return std::unexpected(QueryError{QueryError::Kind::Unsupported, "queries come with src/kql"});
}
}  // namespace fieldwatch::workspace
