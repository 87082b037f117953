#include "portal/query_guard.hpp"

#include <fmt/format.h>

namespace fieldwatch::portal {

std::expected<QueryGuard::Turn, QueryGuard::Refusal> QueryGuard::enter(std::string_view asker,
                                                                       std::chrono::nanoseconds now) {
    const std::lock_guard lock(mutex_);
    auto& of = askers_.get(asker);
    if (of.asked == 0 || now - of.since >= kWindow) {
        of.since = now;
        of.asked = 0;
    }
    if (of.asked >= kInWindow) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(of.since + kWindow - now);
        return std::unexpected(Refusal{fmt::format("more than {} queries in {} s: ask again in {} s",
                                                   kInWindow, kWindow.count(), left.count()),
                                       left});
    }
    if (of.running >= kAtOnceOfOne) {
        return std::unexpected(Refusal{
            fmt::format("{} queries of yours are running: wait until one of them has ended", kAtOnceOfOne)});
    }
    if (running_ >= kAtOnce) {
        return std::unexpected(
            Refusal{fmt::format("{} queries are running on this server: ask again in a moment", kAtOnce)});
    }
    ++of.asked;
    ++of.running;
    ++running_;
    return Turn(*this, std::string(asker));
}

void QueryGuard::leave(std::string_view asker) {
    const std::lock_guard lock(mutex_);
    --running_;
    // Forgotten meanwhile, and perhaps known anew.
    if (auto* const of = askers_.find(asker); of != nullptr && of->running > 0) --of->running;
}

}  // namespace fieldwatch::portal
