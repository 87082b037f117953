#include "hub/routing/route_twins.hpp"

namespace fieldwatch::hub {

std::shared_ptr<const query::Json> RouteTwins::twin(const model::Identity& identity) {
    const auto now = clock_.monotonic();
    {
        const std::lock_guard lock(mutex_);
        const auto found = kept_.find(identity);
        if (found != kept_.end() && now - found->second.read_at < kKeep) return found->second.twin;
    }
    std::shared_ptr<const query::Json> twin;
    if (const auto read = registry_.twin(identity)) {
        const auto part = [](const std::string& text) { return query::Json::parse(text, nullptr, false); };
        twin = std::make_shared<const query::Json>(
            query::Json{{"tags", part(read->tags_json)},
                        {"properties",
                         {{"desired", part(read->desired_json)}, {"reported", part(read->reported_json)}}}});
    }
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kTwinsMax && !kept_.contains(identity)) {
        std::erase_if(kept_, [&](const auto& one) { return now - one.second.read_at >= kKeep; });
        if (kept_.size() >= kTwinsMax) kept_.erase(kept_.begin());
    }
    kept_[identity] = {twin, now};
    return twin;
}

}  // namespace fieldwatch::hub
