#include "pipeline/backtest.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "detect/content.hpp"
#include "pipeline/history.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr std::uint32_t kMeasureOneIn = 16;
constexpr std::uint64_t kProgressEvery = 1'024;
constexpr std::size_t kWhatBytesMax = 300;

/// What a person recognises an alert by.
std::string what_of(const model::Alert& alert) {
    const auto extended = nlohmann::json::parse(alert.extended_json, nullptr, false);
    std::string out = alert.description;
    for (const auto* key :
         {"CommandLine", "Remote Address", "Full Source Address", "Operation Name", "Path"}) {
        if (!extended.is_object() || !extended.contains(key) || !extended[key].is_string()) continue;
        out = extended[key].get<std::string>();
        break;
    }
    if (extended.is_object() && extended.contains("Devices") && extended["Devices"].is_string()) {
        const auto devices = nlohmann::json::parse(extended["Devices"].get<std::string>(), nullptr, false);
        std::string names;
        for (const auto& device : devices)
            names += (names.empty() ? "" : ", ") + device.get<std::string>();
        out += " (" + extended.value("DeviceCount", "") + " devices: " + names + ")";
    }
    if (out.size() > kWhatBytesMax) out.resize(kWhatBytesMax);
    return out;
}

/// Hits in the time asked for, and costs.
class TimedTally final : public RuleTally {
  public:
    TimedTally(Timestamp from, Timestamp to) : from_(from), to_(to) {}
    void hit(const detect::WatchedHit& hit) override {
        if (hit.time >= from_ && hit.time < to_) RuleTally::hit(hit);
    }

  private:
    Timestamp from_, to_;
};

/// One content's view of the history, partition after partition.
class Side {
  public:
    struct Seen {
        std::string rule;
        BacktestAlert alert;
    };

    Side(detect::ContentPtr content, const BacktestRequest& request, const Clock* clock)
        : content_(std::move(content)), request_(request), clock_(clock), tally_(request.from, request.to) {}

    void begin(std::uint32_t partition_count) {
        make_core({.decode = {},
                   .partition_count = partition_count,
                   .watch = {.watcher = &tally_, .clock = clock_, .measure_one_in = kMeasureOneIn}});
    }
    Result<void> process(const model::RecordView& record, model::LogPosition position) {
        FIELDWATCH_TRY(core_->process(record, position, outcome_));
        events_ += outcome_.events.size() + outcome_.operations.size();
        for (auto& fact : outcome_.facts) {
            if (facts_.size() < kFactsMax) {
                facts_.push_back({position, std::move(fact.record)});
            } else {
                is_cut_ = true;
            }
        }
        take_alerts();
        return {};
    }
    /// Every partition has been read: what they told of their devices meets, in the order of time.
    Result<void> look_at_the_fleet() {
        make_core({.decode = {}, .watch = {.watcher = &tally_, .clock = nullptr}, .is_whole = true});
        // Stable: the facts of one record stay in the order in which it gave them.
        std::ranges::stable_sort(facts_, [](const Fact& one, const Fact& other) {
            return std::tie(one.record.received, one.position) <
                   std::tie(other.record.received, other.position);
        });
        std::uint64_t number = 0;
        for (const auto& [origin, record] : facts_) {
            const model::LogPosition position{.partition = 0, .offset = number++, .item = 0};
            FIELDWATCH_TRY(core_->process(model::view_of(record), position, outcome_));
            take_alerts();
        }
        facts_.clear();
        return {};
    }
    std::uint64_t events() const { return events_; }
    bool is_cut() const { return is_cut_; }
    const std::map<Uuid, Seen>& alerts() const { return alerts_; }
    const RuleCounts& counts() const { return tally_.counts(); }

    const detect::RuleMeta* rule(std::string_view id) const {
        const auto rules = content_->rules->rules();
        const auto found = std::ranges::lower_bound(
            rules, id, {}, [](const auto& meta) -> std::string_view { return meta.origin.id; });
        return found != rules.end() && found->origin.id == id ? &*found : nullptr;
    }
    void add_ids(std::set<std::string>& ids) const {
        for (const auto& meta : content_->rules->rules())
            ids.insert(meta.origin.id);
    }
    /// Nothing for a rule that this content has not.
    std::optional<BacktestCount> count(std::string_view id) const {
        if (rule(id) == nullptr) return std::nullopt;
        BacktestCount out;
        if (const auto hits = counts().rules.find(id); hits != counts().rules.end())
            out.hits = hits->second.hits;
        if (const auto devices = devices_.find(id); devices != devices_.end()) {
            out.devices = devices->second.size();
            for (const auto& [key, alerts] : devices->second)
                out.alerts += alerts;
        }
        return out;
    }
    std::vector<BacktestDevice> top_devices(std::string_view id) const {
        std::vector<BacktestDevice> out;
        if (const auto devices = devices_.find(id); devices != devices_.end()) {
            for (const auto& [key, alerts] : devices->second)
                out.push_back({key.first, key.second, alerts});
        }
        std::ranges::stable_sort(out, std::ranges::greater{}, &BacktestDevice::alerts);
        if (out.size() > BacktestRule::kListMax) out.resize(BacktestRule::kListMax);
        return out;
    }

  private:
    static constexpr std::size_t kFactsMax = 500'000;
    struct Fact {
        model::LogPosition position;
        model::Record record;
    };

    void make_core(const ShardCore::Options& options) {
        core_.emplace(
            content_, content_->hash,
            [](std::string_view) -> Result<detect::ContentPtr> {
                return fail(Errc::Internal, "a backtest passes content records over");
            },
            options);
    }
    void take_alerts() {
        for (const auto& finding : outcome_.findings) {
            const auto* const alert = std::get_if<model::Alert>(&finding);
            if (alert == nullptr || alert->update || alert->rule.id.empty()) continue;
            if (alert->start < request_.from || alert->start >= request_.to) continue;
            add(*alert);
        }
    }
    void add(const model::Alert& alert) {
        ++devices_[alert.rule.id][{alert.hub.value, alert.compromised_entity}];
        if (alerts_.size() >= kBacktestAlertsMax) {
            is_cut_ = true;
            return;
        }
        alerts_[alert.id] = {alert.rule.id,
                             {alert.hub.value, alert.compromised_entity, alert.start, what_of(alert)}};
    }

    detect::ContentPtr content_;
    const BacktestRequest& request_;
    const Clock* clock_;
    TimedTally tally_;  // outlives core_, which is watched by it
    std::optional<ShardCore> core_;
    Outcome outcome_;
    std::vector<Fact> facts_;
    std::uint64_t events_ = 0;
    bool is_cut_ = false;
    std::map<Uuid, Seen> alerts_;
    /// By rule: alerts by (hub, device). As many entries as devices that alerted.
    std::map<std::string, std::map<std::pair<std::string, std::string>, std::uint64_t>, std::less<>> devices_;
};

/// Alerts of `one` that `other` has not, by rule.
std::map<std::string, std::vector<BacktestAlert>> only_in(const Side& one, const Side& other) {
    std::map<std::string, std::vector<BacktestAlert>> out;
    for (const auto& [id, seen] : one.alerts()) {
        if (!other.alerts().contains(id)) out[seen.rule].push_back(seen.alert);
    }
    for (auto& [rule, alerts] : out) {
        std::ranges::stable_sort(alerts, {}, &BacktestAlert::time);
        if (alerts.size() > BacktestRule::kListMax) alerts.resize(BacktestRule::kListMax);
    }
    return out;
}

std::vector<BacktestRule> rules_of(const Side& candidate, const Side& against) {
    std::set<std::string> ids;
    candidate.add_ids(ids);
    against.add_ids(ids);
    auto gained = only_in(candidate, against);
    auto lost = only_in(against, candidate);
    std::vector<BacktestRule> out;
    for (const auto& id : ids) {
        const auto* const meta = candidate.rule(id) != nullptr ? candidate.rule(id) : against.rule(id);
        BacktestRule rule{.id = id,
                          .title = meta->origin.title,
                          .now = candidate.count(id),
                          .before = against.count(id),
                          .cost_ns = std::nullopt,
                          .top_devices = candidate.top_devices(id),
                          .gained = std::move(gained[id]),
                          .lost = std::move(lost[id])};
        const auto& counts = candidate.counts();
        if (const auto found = counts.rules.find(id); counts.measured > 0 && rule.now)
            rule.cost_ns = found == counts.rules.end() ? 0 : found->second.cost_ns / counts.measured;
        out.push_back(std::move(rule));
    }
    return out;
}

/// The records of one partition that a backtest reads.
struct Stretch {
    History history;
    std::uint32_t partition = 0;
    std::uint64_t begin = 0, end = 0;
};

Result<std::vector<Stretch>> stretches(journal::Reader& reader, std::uint32_t partition_count,
                                       const BacktestRequest& request, BacktestReport& report) {
    std::vector<Stretch> out;
    std::optional<Timestamp> first;
    std::optional<Timestamp> last;
    for (std::uint32_t partition = 0; partition < partition_count; ++partition) {
        Stretch stretch{.history = History(reader, partition), .partition = partition};
        auto& history = stretch.history;
        stretch.begin = FIELDWATCH_TRY(history.offset_at(request.from - kWarmUp));
        stretch.end = FIELDWATCH_TRY(history.offset_at(request.to + kRunOut));
        if (history.first_offset() == history.end_offset()) continue;
        const auto oldest = FIELDWATCH_TRY(history.received_at(history.first_offset()));
        const auto newest = FIELDWATCH_TRY(history.received_at(history.end_offset() - 1));
        if (oldest && (!first || *oldest < *first)) first = oldest;
        if (newest && (!last || *newest > *last)) last = newest;
        out.push_back(stretch);
    }
    if (!first || !last || *first >= request.to || *last < request.from)
        return fail(Errc::NotFound, "the journal has nothing of that time" +
                                        (first ? "; it begins at " + to_iso8601(*first, 0) : std::string()));
    report.from = std::max(request.from, *first);
    report.to = std::min(request.to, *last);
    return out;
}

}  // namespace

double BacktestReport::days() const {
    return std::chrono::duration<double, std::ratio<86'400>>(to - from).count();
}

Result<BacktestReport> backtest(journal::Reader& reader, std::uint32_t partition_count,
                                const BacktestRequest& request, const Clock& clock,
                                BacktestProgress& progress) {
    if (request.from >= request.to) return fail(Errc::InvalidArgument, "\"from\" must lie before \"to\"");
    BacktestReport report;
    const auto parts = FIELDWATCH_TRY(stretches(reader, partition_count, request, report));
    std::uint64_t of = 0;
    for (const auto& part : parts)
        of += part.end - part.begin;
    progress.of = of;

    const auto began = clock.monotonic();
    Side candidate(request.candidate, request, &clock);
    Side against(request.against, request, nullptr);
    for (const auto& part : parts) {
        candidate.begin(partition_count);
        against.begin(partition_count);
        const auto visit = [&](const model::RecordView& record, std::uint64_t offset) -> Result<bool> {
            if (++report.records % kProgressEvery == 0) {
                progress.records = report.records;
                if (progress.stop) return fail(Errc::Cancelled, "the backtest was stopped");
            }
            // What shards told each other then came of the rules of then.
            if (record.kind == model::RecordKind::Content || record.kind == model::RecordKind::FleetFact)
                return true;
            if (!request.hub.empty() && !record.hub.empty() && record.hub != request.hub) return true;
            const model::LogPosition position{.partition = part.partition, .offset = offset, .item = 0};
            FIELDWATCH_TRY(candidate.process(record, position));
            FIELDWATCH_TRY(against.process(record, position));
            return true;
        };
        FIELDWATCH_TRY(part.history.read(part.begin, part.end, visit));
    }
    FIELDWATCH_TRY(candidate.look_at_the_fleet());
    FIELDWATCH_TRY(against.look_at_the_fleet());
    progress.records = report.records;
    report.events = candidate.events();
    report.rules = rules_of(candidate, against);
    report.is_cut = candidate.is_cut() || against.is_cut();
    report.seconds = std::chrono::duration<double>(clock.monotonic() - began).count();
    return report;
}

}  // namespace fieldwatch::pipeline
