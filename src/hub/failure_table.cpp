#include "hub/failure_table.hpp"

namespace fieldwatch::hub {

bool FailureTable::add(const Key& key) {
    if (const auto address = addresses_.find(key.address); address != addresses_.end()) {
        ++address->second;
    } else if (addresses_.size() < kAddressesMax) {
        addresses_.emplace(key.address, 1);
    }
    auto row = rows_.find(key);
    if (row == rows_.end()) {
        const bool full = rows_.size() >= kRowsMax;
        row = rows_.try_emplace(full ? Key{.hub = key.hub, .address = "other"} : key).first;
    }
    auto& counts = row->second;
    // Strangers' tries are only ever counted; a registered device's first failures are evidence one by one.
    if (!row->first.device.empty() && counts.total++ < kSingleRecords) return true;
    ++counts.condensed;
    return false;
}

bool FailureTable::refuses(const std::string& address) const {
    const auto found = addresses_.find(address);
    return found != addresses_.end() && found->second > failures_per_minute_;
}

std::vector<FailureTable::Row> FailureTable::flush() {
    std::vector<Row> condensed;
    for (const auto& [key, counts] : rows_) {
        if (counts.condensed > 0) condensed.push_back({key, counts.condensed});
    }
    rows_.clear();
    addresses_.clear();
    return condensed;
}

}  // namespace fieldwatch::hub
