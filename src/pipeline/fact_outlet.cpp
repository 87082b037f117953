#include "pipeline/fact_outlet.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace fieldwatch::pipeline {

void FactOutlet::add(const std::vector<FactRecord>& facts) {
    for (const auto& fact : facts) {
        if (waiting_.size() >= kWaitingMax) {
            dropped_.add();
            continue;
        }
        waiting_.push_back({.partition = fact.partition, .bytes = model::encode(fact.record)});
    }
}

Result<void> FactOutlet::flush() {
    if (failed_->exchange(false))
        return fail(Errc::Io, "the journal did not keep what shards tell each other");
    while (!waiting_.empty()) {
        auto& next = waiting_.front();
        in_flight_->fetch_add(1);
        const auto place =
            journal_.writer().append(journal::Stream::Security, next.partition, next.bytes,
                                     [in_flight = in_flight_, failed = failed_](Result<void> done) {
                                         if (!done) failed->store(true);
                                         in_flight->fetch_sub(1);
                                     });
        if (!place) {
            in_flight_->fetch_sub(1);
            if (place.error().code != Errc::Exhausted) return std::unexpected(place.error());
            const auto now = clock_.monotonic();
            if (refused_since_ == std::chrono::nanoseconds::max()) refused_since_ = now;
            if (now - refused_since_ >= kPatience) give_up();
            return {};
        }
        refused_since_ = std::chrono::nanoseconds::max();
        sent_.add();
        waiting_.pop_front();
    }
    return {};
}

void FactOutlet::give_up() {
    log::error("pipeline",
               fmt::format("the journal takes no more: {} facts for correlations over the fleet are "
                           "given up; make room on its disk",
                           waiting_.size()));
    dropped_.add(waiting_.size());
    waiting_.clear();
    refused_since_ = std::chrono::nanoseconds::max();
}

}  // namespace fieldwatch::pipeline
