// An identity as the key of a table that is bounded by least recent use.
#pragma once

#include <string>

#include "model/ids.hpp"

namespace fieldwatch::hub {

/// No name of ours holds a zero byte, so that different identities have different keys.
inline std::string key_of(const model::Identity& identity) {
    std::string key;
    key.reserve(identity.hub.value.size() + identity.device.value.size() + identity.module.value.size() + 2);
    key.append(identity.hub.value).append(1, '\0').append(identity.device.value);
    return key.append(1, '\0').append(identity.module.value);
}

}  // namespace fieldwatch::hub
