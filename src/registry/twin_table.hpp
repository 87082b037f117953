// Twins, as rows.
#pragma once

#include <optional>

#include "registry/outbox.hpp"
#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

Result<Twin> load_twin(Connection& database, const model::Identity& identity);

enum class TwinSection : std::uint8_t { Tags, Desired, Reported };
struct TwinWrite {
    TwinSection section = TwinSection::Desired;
    bool replaces = false;  ///< the text is the whole section, not a patch of it
    std::optional<std::uint64_t> base_version;
};
Result<TwinChange> write_twin(Connection& database, const model::Identity& identity, const TwinWrite& write,
                              std::string_view json, Timestamp now);
/// Several parts in one change. Errors also: Conflict (if_match).
Result<TwinUpdated> update_twin(Connection& database, const model::Identity& identity,
                                const TwinUpdate& update, Timestamp now);
Result<void> write_model_id(Connection& database, const model::Identity& identity, std::string_view model_id);
Result<std::vector<TwinEntry>> load_twin_entries(Connection& database, const model::Identity& after,
                                                 Registry::Which which, std::size_t count_max);

}  // namespace fieldwatch::registry
