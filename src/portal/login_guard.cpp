#include "portal/login_guard.hpp"

#include <algorithm>
#include <utility>

#include "base/ip_address.hpp"

namespace fieldwatch::portal {
namespace {

std::string user_key(std::string_view user) {
    return "u" + std::string(user);
}
std::string address_key(std::string_view address) {
    auto ip = parse_ip(address);
    const bool has_prefix =
        ip && !ip->is_v4 &&
        std::any_of(ip->bytes.begin(), ip->bytes.begin() + 8, [](auto b) { return b != 0; });
    if (!has_prefix) return "a" + std::string(address);  // IPv4, mapped or not, and loopback
    std::fill(ip->bytes.begin() + 8, ip->bytes.end(), std::uint8_t{0});
    return "a" + ip->text();
}

}  // namespace

LoginGuard::Failures& LoginGuard::of(const std::string& key, Timestamp now) {
    auto& failures = failures_.get(key);
    if (failures.count == 0 || now - failures.since >= kWindow) failures = {.since = now};
    return failures;
}

LoginGuard::Verdict LoginGuard::refusal(Failures& failures) {
    return std::exchange(failures.told, true) ? Verdict::Refused : Verdict::Locked;
}

LoginGuard::Verdict LoginGuard::admit(std::string_view user, std::string_view address, Timestamp now) {
    const std::lock_guard lock(mutex_);
    // The address first: names that an address at its bound makes up take no room from what is remembered.
    auto& by_address = of(address_key(address), now);
    if (by_address.count >= kFailuresOfAddress) return refusal(by_address);
    auto& by_user = of(user_key(user), now);
    if (by_user.count >= kFailuresOfUser) return refusal(by_user);
    ++by_user.count;
    ++by_address.count;
    return Verdict::Admitted;
}

void LoginGuard::forgive(std::string_view user, std::string_view address) {
    const std::lock_guard lock(mutex_);
    failures_.erase(user_key(user));
    count_less(address_key(address));
}

void LoginGuard::take_back(std::string_view user, std::string_view address) {
    const std::lock_guard lock(mutex_);
    count_less(user_key(user));
    count_less(address_key(address));
}

void LoginGuard::count_less(const std::string& key) {
    if (auto* const failures = failures_.find(key)) failures->count = std::max(0, failures->count - 1);
}

}  // namespace fieldwatch::portal
