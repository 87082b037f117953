#include "agent/aggregation/aggregator.hpp"

#include <algorithm>

namespace fieldwatch::agent {

namespace {

Hash128 key_of(const Observation& observation) {
    std::string key;
    const auto part = [&](std::string_view name, std::string_view value) {
        key.append(name).push_back('\0');
        key.append(std::to_string(value.size())).push_back('\0');
        key.append(value);
    };
    for (const auto& field : observation.fields) {
        if (field.fold == Fold::Key)
            part(field.name, field.is_integer ? std::to_string(field.integer) : field.text);
    }
    for (const auto& extra : observation.extras)
        part(extra.name, extra.text);
    return hash128(as_bytes(key));
}

std::string time_text(std::int64_t unix_ms, std::int32_t offset) {
    char text[FIELDWATCH_TIME_TEXT_SIZE];
    return {text, fieldwatch_format_time(unix_ms, offset, text)};
}

}  // namespace

bool Aggregator::add(const Observation& observation, const Emit& emit) {
    const auto key = key_of(observation);
    if (const auto found = entries_.find(key); found != entries_.end()) {
        auto& entry = found->second;
        if (entry.repeats++ == 0) entry.first_ms = entry.last_ms = observation.time_unix_ms;
        entry.first_ms = std::min(entry.first_ms, observation.time_unix_ms);
        entry.last_ms = std::max(entry.last_ms, observation.time_unix_ms);
        if (entry.samples < std::size(entry.sample_pids))
            entry.sample_pids[entry.samples++] = observation.pid;
        return false;
    }
    const auto cost = observation.bytes() + sizeof(Entry);
    if (entries_.size() >= kEntriesMax || bytes_ + cost > kBytesMax) {
        flush(emit);
        ++early_flushes_;
    }
    bytes_ += cost;
    entries_.emplace(key, Entry{.observation = observation});
    return true;
}

void Aggregator::flush(const Emit& emit) {
    for (auto& [key, entry] : entries_) {
        if (entry.repeats == 0) continue;
        auto& event = entry.observation;
        std::erase_if(event.fields, [](const auto& field) { return field.fold == Fold::Omit; });
        for (auto& field : event.fields) {
            if (field.fold != Fold::Zero) continue;
            field.integer = 0;
            field.text = "0";
        }
        event.time_unix_ms = entry.last_ms;
        event.extra("HitCount", std::to_string(entry.repeats));
        event.extra("StartTimeUtc", time_text(entry.first_ms, 0));
        event.extra("EndTimeUtc", time_text(entry.last_ms, 0));
        event.extra("StartTimeLocal", time_text(entry.first_ms, local_offset_minutes(entry.first_ms)));
        event.extra("EndTimeLocal", time_text(entry.last_ms, local_offset_minutes(entry.last_ms)));
        std::string pids;
        for (int i = 0; i < entry.samples; ++i) {
            pids += (i ? "," : "") + std::to_string(entry.sample_pids[i]);
        }
        event.extra("SamplePids", std::move(pids));
        emit(event);
    }
    entries_.clear();
    bytes_ = 0;
}

void Aggregator::tick(std::chrono::nanoseconds now, std::chrono::nanoseconds interval, const Emit& emit) {
    if (window_began_.count() < 0) window_began_ = now;
    if (now - window_began_ < interval) return;
    flush(emit);
    window_began_ = now;
}

}  // namespace fieldwatch::agent
