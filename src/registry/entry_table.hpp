// Devices and modules, as rows.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "registry/outbox.hpp"
#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

Result<Entry> insert_entry(Connection& database, Entry entry, Random& random, const Telling& telling);
Result<Entry> load_entry(Connection& database, const model::Identity& identity);
Result<std::vector<Entry>> load_devices(Connection& database, const model::HubName& hub,
                                        const ListOptions& options);
Result<std::vector<Entry>> load_modules(Connection& database, const model::HubName& hub,
                                        const model::DeviceId& device);
Result<Entry> update_entry(Connection& database, Entry entry, std::optional<std::uint64_t> if_match,
                           const Telling& telling);
Result<void> write_presences(Connection& database, std::span<const Presence> presences);
Result<void> end_presences(Connection& database, Timestamp now);
Result<void> remove_entry(Connection& database, const model::Identity& identity,
                          std::optional<std::uint64_t> if_match, const Telling& telling);

}  // namespace fieldwatch::registry
