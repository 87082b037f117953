// The rows that tell the rest of the system what changed, written in the transaction of the change. Keys
// never enter them.
#pragma once

#include <string>
#include <vector>

#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

/// What every change needs to tell of itself.
struct Telling {
    Timestamp now;
    const Bytes& secret;  ///< of this installation: keys the fingerprints of spec/hub-signals.md section 4
};

Result<void> add_to_outbox(Connection& database, const model::Record& record);
Result<std::vector<OutboxRow>> read_outbox(Connection& database, std::size_t count_max);
Result<void> clear_outbox(Connection& database, std::uint64_t up_to_sequence);

enum class IdentityChange : std::uint8_t { Create, Update, Delete };
/// {"change","identity"} with HMAC-SHA-256 fingerprints in the place of keys and thumbprints: equal secrets
/// of two devices show, the secrets do not.
model::Record identity_record(IdentityChange change, const Entry& entry, const Telling& telling);
/// {"section","document","version"}; `section` is desired, reported or tags.
model::Record twin_record(const model::Identity& identity, std::string_view section,
                          const std::string& document_json, std::uint64_t version, Timestamp now);
/// The hub's configuration with its policies (names and rights) and what Fieldwatch itself is told about it,
/// under "fieldwatch".
model::Record hub_record(const Hub& hub, Timestamp now);
/// Likewise of a configuration that the hub has elsewhere, told as it is. Errors: Malformed.
Result<model::Record> configuration_record(const Hub& hub, std::string_view configuration_json,
                                           Timestamp now);

}  // namespace fieldwatch::registry
