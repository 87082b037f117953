#include "workspace/duckdb/duckdb_workspace.hpp"

namespace fieldwatch::workspace {
namespace {

std::unexpected<QueryError> not_built_in() {
    return std::unexpected(QueryError{QueryError::Kind::Unsupported, "queries come with src/kql"});
}

}  // namespace

std::expected<QueryAnswer, QueryError> DuckdbWorkspace::query(const QueryRequest&) {
    return not_built_in();
}
std::expected<QueryAnswer, QueryError> query_in_memory(const QueryRequest&, const Clock&) {
    return not_built_in();
}

}  // namespace fieldwatch::workspace
