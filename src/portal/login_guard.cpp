#include "portal/login_guard.hpp"

#include <algorithm>

namespace fieldwatch::portal {
namespace {

std::string user_key(std::string_view user) {
    return "u" + std::string(user);
}
std::string address_key(std::string_view address) {
    return "a" + std::string(address);
}

}  // namespace

LoginGuard::Failures& LoginGuard::of(const std::string& key, Timestamp now) {
    auto& failures = failures_.get(key);
    if (failures.count == 0 || now - failures.since >= kWindow) failures = {.since = now, .count = 0};
    return failures;
}

bool LoginGuard::admit(std::string_view user, std::string_view address, Timestamp now) {
    const std::lock_guard lock(mutex_);
    auto& by_user = of(user_key(user), now);
    if (by_user.count >= kFailuresOfUser) return false;
    auto& by_address = of(address_key(address), now);
    if (by_address.count >= kFailuresOfAddress) return false;
    ++by_user.count;
    ++by_address.count;
    return true;
}

void LoginGuard::forgive(std::string_view user, std::string_view address) {
    const std::lock_guard lock(mutex_);
    failures_.erase(user_key(user));
    if (auto* const by_address = failures_.find(address_key(address)))
        by_address->count = std::max(0, by_address->count - 1);
}

}  // namespace fieldwatch::portal
