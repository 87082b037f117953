#include "pipeline/dead_letters.hpp"

#include <algorithm>

namespace fieldwatch::pipeline {

namespace {
std::string key_of(std::string_view hub, std::string_view device) {
    std::string out(hub);
    out += '\0';
    return out.append(device);
}
}  // namespace

void DeadLetters::add(std::vector<model::DeadLetter> letters) {
    const std::lock_guard lock(mutex_);
    for (auto& letter : letters) {
        ++total_;
        if (letter.reason.size() > kReasonBytesMax) letter.reason.resize(kReasonBytesMax);
        auto& ring = devices_.get(key_of(letter.hub.value, letter.device));
        if (ring.size() == kPerDevice) ring.erase(ring.begin());
        ring.push_back(std::move(letter));
    }
}

std::vector<model::DeadLetter> DeadLetters::list(std::string_view hub, std::string_view device,
                                                 std::size_t count_max) const {
    std::vector<model::DeadLetter> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [key, ring] : devices_) {
        for (const auto& letter : ring) {
            if (letter.hub.value == hub && (device.empty() || letter.device == device)) out.push_back(letter);
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return a.received > b.received || (a.received == b.received && a.position > b.position);
    });
    if (out.size() > count_max) out.resize(count_max);
    return out;
}

std::uint64_t DeadLetters::total() const {
    const std::lock_guard lock(mutex_);
    return total_;
}

}  // namespace fieldwatch::pipeline
