// Named JSON documents of a hub, as rows: certificates of authorities, automatic configurations, jobs.
#pragma once

#include <optional>
#include <vector>

#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

Result<Document> load_document(Connection& database, const DocumentKey& key);
Result<std::vector<Document>> load_documents(Connection& database, const model::HubName& hub,
                                             std::string_view kind, const ListOptions& options);
Result<Document> write_document(Connection& database, const DocumentKey& key, std::string_view json,
                                DocumentCondition condition, Timestamp now);
Result<void> remove_document(Connection& database, const DocumentKey& key,
                             std::optional<std::uint64_t> if_match);

}  // namespace fieldwatch::registry
