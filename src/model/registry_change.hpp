// A change of what people decide, as detection reads it: identities, twins, hub configuration. Made by the
// pipeline from records of these kinds; the body is JSON that was checked for size and depth. Views into the
// record.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "model/ids.hpp"

namespace fieldwatch::model {

enum class RegistryChangeKind : std::uint8_t { Identity, Twin, HubConfiguration };

/// What a shard is to a record: the partition of its device, the one that looks at its hub as a whole, or
/// both. In a log of one partition everything is both.
struct ShardRole {
    bool owner = true;  ///< the device's partition: it judges the device
    bool home = true;   ///< the hub's partition: it judges what only all devices together show
};

struct RegistryChange {
    RegistryChangeKind kind = RegistryChangeKind::Identity;
    std::string_view hub, device, module;  ///< of the record; a body may name further ones
    Timestamp time;                        ///< log time
    LogPosition position;
    std::string_view body;
    ShardRole role;
};

}  // namespace fieldwatch::model
