#include "hub/routing/endpoint_runner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "model/record.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kRouteReadRecords = 256, kRouteReadBytes = 1u << 20;
constexpr std::size_t kBatchMessages = 100,
                      kBatchBytes = 1u << 20;       // of one delivery, one message at the least
constexpr unsigned kUnhealthyAfter = 3;             // failures in a row
constexpr std::chrono::seconds kKeepIdleEvery{60};  // a place that nothing is delivered from
constexpr std::chrono::seconds kRefusalsEvery{60};  // one record of what was refused meanwhile

}  // namespace

std::string EndpointRunner::consumer_of(const model::HubName& hub, std::string_view endpoint) {
    return fmt::format("route/{}/{}", hub.value, endpoint);
}

EndpointRunner::EndpointRunner(RunnerParts parts, model::HubName hub, RouteEndpoint endpoint,
                               std::shared_ptr<const Routing> routing, std::unique_ptr<RouteSink> sink)
    : parts_(parts),
      hub_(std::move(hub)),
      endpoint_(std::move(endpoint)),
      routing_(std::move(routing)),
      sink_(std::move(sink)),
      consumer_(consumer_of(hub_, endpoint_.name)),
      reader_(parts.journal.partition_count(), &parts.twins) {
    for (std::uint32_t partition = 0; partition < parts_.journal.partition_count(); ++partition) {
        for (const auto stream : {journal::Stream::Telemetry, journal::Stream::Security}) {
            const bool messages = stream == journal::Stream::Telemetry;
            auto& source = sources_.emplace_back(stream, partition,
                                                 messages ? routing_->reads_messages(endpoint_.name)
                                                          : routing_->reads_hub_events(endpoint_.name));
            const auto end = parts_.journal.reader().end_offset(stream, partition);
            const auto kept = parts_.journal.kept_from(consumer_, stream, partition);
            source.next = std::min(kept.value_or(end), end);  // a restored journal may be shorter
            source.kept = kept ? *kept : UINT64_MAX;
        }
    }
    keep(true);
    thread_ = std::thread([this] { run(); });
}

EndpointRunner::~EndpointRunner() {
    stop();
}

void EndpointRunner::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    sink_->interrupt();
    if (thread_.joinable()) thread_.join();
}

EndpointStatus EndpointRunner::status() const {
    EndpointStatus out{.name = endpoint_.name,
                       .kind = endpoint_.kind,
                       .delivered = delivered_,
                       .refused = refused_,
                       .dropped = dropped_};
    for (const auto& source : sources_) {
        const auto end = parts_.journal.reader().end_offset(source.stream, source.partition);
        if (source.needed) out.behind += end - std::min<std::uint64_t>(source.next, end);
    }
    const std::lock_guard lock(mutex_);
    out.healthy = healthy_;
    out.last_error = last_error_;
    return out;
}

void EndpointRunner::run() {
    for (bool going = true; going;) {
        auto step = Step::Idle;
        for (auto& source : sources_) {
            const auto done = read_on(source);
            step = std::max(step, done);
            if (done == Step::Failed) break;
        }
        keep(false);
        if (step == Step::Moved)
            going = wait(std::chrono::milliseconds(0));
        else if (step == Step::Idle)
            going = wait(parts_.times.idle);
        else
            going = wait(std::min(parts_.times.wait_max,
                                  parts_.times.first_wait * (1u << std::min(failures_ - 1, 20u))));
    }
    keep(true);
}

bool EndpointRunner::wait(std::chrono::milliseconds span) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, span, [this] { return stopping_; });
    return !stopping_;
}

EndpointRunner::Step EndpointRunner::read_on(Source& source) {
    auto& reader = parts_.journal.reader();
    const auto end = reader.end_offset(source.stream, source.partition);
    if (!source.needed || source.next >= end) {
        source.next = end;
        return Step::Idle;
    }
    const auto batch = reader.read(source.place(), kRouteReadRecords, kRouteReadBytes);
    if (!batch && batch.error().code == Errc::NotFound) {  // somebody deleted what we held
        const auto first = reader.first_offset(source.stream, source.partition);
        const auto lost = first - std::min<std::uint64_t>(first, source.next);
        dropped_ += lost;
        parts_.counters.dropped.add(lost);
        source.next = first;
        return Step::Moved;
    }
    if (!batch) {
        failed(batch.error());
        return Step::Failed;
    }
    auto lines = lines_of(*batch, source);
    if (!deliver(source, lines)) return Step::Failed;
    source.next = batch->next_offset;
    return Step::Moved;
}

std::vector<EndpointRunner::Line> EndpointRunner::lines_of(const journal::Batch& batch, Source& source) {
    std::vector<Line> out;
    const auto oldest = parts_.clock.now() - std::chrono::duration_cast<Ticks>(endpoint_.keep);
    for (const auto& one : batch.records) {
        const auto record = model::decode_record(one.bytes);
        if (!record || record->hub != hub_.value) continue;
        const auto* const message = reader_.read(*record, {source.partition, one.offset});
        if (message == nullptr) continue;
        const auto routes = routing_->routes_to(endpoint_.name, *message);
        if (routes.empty()) continue;
        if (message->received < oldest) {
            ++dropped_;
            parts_.counters.dropped.add();
            if (out.empty()) source.next = one.offset + 1;
            continue;
        }
        out.push_back({to_json(*message, routes), one.offset + 1});
    }
    return out;
}

bool EndpointRunner::deliver(Source& source, std::span<Line> lines) {
    while (!lines.empty()) {
        std::size_t count = 0, bytes = 0;
        while (count < lines.size() && count < kBatchMessages &&
               (count == 0 || bytes + lines[count].text.size() <= kBatchBytes))
            bytes += lines[count++].text.size();
        if (!deliver_some(source, lines.first(count))) return false;
        lines = lines.subspan(count);
    }
    return true;
}

bool EndpointRunner::deliver_some(Source& source, std::span<Line> lines) {
    std::vector<std::string> texts;
    for (const auto& line : lines)
        texts.push_back(line.text);
    const auto done = sink_->deliver(texts);
    if (done) {
        succeeded(lines.size());
        source.next = lines.back().next;
        return true;
    }
    if (done.error().code != Errc::InvalidArgument) {
        failed(done.error());
        return false;
    }
    if (lines.size() == 1) {  // this one it will never take; those behind it must not wait
        refused(done.error());
        source.next = lines.front().next;
        return true;
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (!deliver_some(source, lines.subspan(i, 1))) return false;
    }
    return true;
}

void EndpointRunner::refused(const Error& error) {
    ++refused_;
    parts_.counters.refused.add();
    ++refusals_untold_;
    const auto time = parts_.clock.monotonic();
    if (refusals_told_at_.count() != 0 && time < refusals_told_at_ + kRefusalsEvery) return;
    refusals_told_at_ = time;
    tell("messageRefused", 400004, error.message, std::exchange(refusals_untold_, 0));
}

void EndpointRunner::succeeded(std::size_t count) {
    delivered_ += count;
    parts_.counters.delivered.add(count);
    failures_ = 0;
    const auto was_healthy = [&] {
        const std::lock_guard lock(mutex_);
        last_error_.clear();
        return std::exchange(healthy_, true);
    }();
    if (!was_healthy) tell("endpointHealthy", 0, {}, 0);
}

void EndpointRunner::failed(const Error& error) {
    parts_.counters.failures.add();
    const bool turns = ++failures_ == kUnhealthyAfter;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;  // we interrupted it
        last_error_ = error.message;
        if (turns) healthy_ = false;
    }
    if (!turns) return;
    log::warning("routes", fmt::format("{}/{}: {}", hub_.value, endpoint_.name, error.message));
    tell("endpointUnhealthy", 500001, error.message, 0);
}

void EndpointRunner::keep(bool now) {
    const auto time = parts_.clock.monotonic();
    if (!now && time < kept_at_ + parts_.times.keep_every) return;
    const bool all = now || time >= all_kept_at_ + kKeepIdleEvery;
    for (auto& source : sources_) {
        const auto place = source.place();
        if (place.offset == source.kept || (!source.needed && !all)) continue;
        if (const auto done = parts_.journal.keep_from(consumer_, place); !done)
            return log::error("routes", fmt::format("{}: {}", consumer_, done.error().message));
        source.kept = place.offset;
    }
    kept_at_ = time;
    if (all) all_kept_at_ = time;
}

void EndpointRunner::tell(std::string_view operation, int result, std::string_view why,
                          std::int64_t messages) const {
    Operation told{.category = "Routes", .name = operation, .result = result, .description = why};
    told.properties.emplace_back("endpointName", endpoint_.name);
    told.properties.emplace_back("details", std::string(why));
    if (messages > 0) told.counts.emplace_back("messageCount", messages);
    parts_.log.append(told, {.identity = {hub_, {}, {}}, .protocol = {}});
}

}  // namespace fieldwatch::hub
