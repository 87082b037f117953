#include "agent/inventory/inventory.hpp"

#include "agent/baseline/engine.hpp"
#include "agent/inventory/system_information.hpp"
#include "base/clock.hpp"
#include "base/hash.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSettle = kSecond;               // one package upgrade touches hundreds of files
constexpr std::int64_t kBaselineEvery = 600 * kSecond;  // some thousand looks at files
constexpr std::int64_t kTellAgain = 12 * 3'600 * kSecond;
constexpr int kUeventsPerTurn = 256;

std::uint64_t hash_of(const std::vector<Observation>& payloads) {
    std::uint64_t hash = payloads.size();
    const auto mix = [&](std::string_view text) { hash = hash64(as_bytes(text), hash); };
    for (const auto& payload : payloads) {
        for (const auto& field : payload.fields) {
            mix(field.name);
            mix(field.text);
            hash ^= static_cast<std::uint64_t>(field.integer);
        }
        for (const auto& extra : payload.extras)
            mix(extra.text);
    }
    return hash;
}

}  // namespace

Inventory::Inventory(Options options, Handlers handlers)
    : options_(std::move(options)), handlers_(std::move(handlers)), packages_(options_.root) {
    if (!uevents_.is_open()) handlers_.diagnose("hardware: the kernel tells us no changes; snapshots only");
}

void Inventory::set_custom_checks(const std::string& path, const std::string& sha256) {
    const auto key = path + "|" + sha256;
    if (key == custom_checks_key_) return;
    custom_checks_key_ = key;
    custom_checks_.clear();
    next_baseline_ns_ = INT64_MIN;
    if (path.empty()) return;
    auto checks = load_custom_checks(path, sha256, options_.custom_checks_folder);
    if (checks) {
        custom_checks_ = std::move(*checks);
    } else {
        handlers_.diagnose("baseline: the custom checks are not used: " + checks.error().message);
    }
}

void Inventory::set_watched(FileWatch::Options watch) {
    if (watch == options_.watch) return;
    options_.watch = std::move(watch);
    end_watch();
}

void Inventory::end_watch() {
    if (!watch_) return;
    for (const auto& change : watch_->take())
        handlers_.event(change);
    past_changes_ += watch_->seen();
    past_changes_lost_ += watch_->lost();
    watch_.reset();
}

void Inventory::offer(fieldwatch_kind kind, std::vector<Observation> payloads, std::int64_t now_ns) {
    auto& told = told_[static_cast<std::size_t>(kind)];
    const auto hash = hash_of(payloads);
    const bool is_due = told.at_ns == INT64_MIN || now_ns - told.at_ns >= kTellAgain;
    if (hash == told.hash && !is_due) return;
    told = {hash, now_ns};
    handlers_.snapshot(kind, std::move(payloads));
}

void Inventory::take_baseline(std::int64_t now_ns) {
    if (now_ns < next_baseline_ns_ || handlers_.is_off(FIELDWATCH_OS_BASELINE)) return;
    next_baseline_ns_ = now_ns + kBaselineEvery;
    auto checks = parse_checks(built_in_checks());
    if (!checks) return handlers_.diagnose("baseline: " + checks.error().message);
    checks->insert(checks->end(), custom_checks_.begin(), custom_checks_.end());
    offer(FIELDWATCH_OS_BASELINE, BaselineEngine(options_.root).findings(*checks), now_ns);
}

void Inventory::take_packages(std::int64_t now_ns) {
    const auto& told = told_[FIELDWATCH_SBOM];
    const bool is_due = told.at_ns == INT64_MIN || now_ns - told.at_ns >= kTellAgain;
    if (handlers_.is_off(FIELDWATCH_SBOM) || (!is_due && !packages_.changed())) return;
    offer(FIELDWATCH_SBOM, to_observations(packages_.read()), now_ns);
}

void Inventory::take_snapshots(std::int64_t now_ns) {
    if (!handlers_.is_off(FIELDWATCH_SYSTEM_INFORMATION)) {
        std::vector<Observation> one;
        one.push_back(read_system_information(options_.root));
        handlers_.snapshot(FIELDWATCH_SYSTEM_INFORMATION, std::move(one));
    }
    if (!handlers_.is_off(FIELDWATCH_HEARTBEAT)) handlers_.snapshot(FIELDWATCH_HEARTBEAT, {});
    if (!handlers_.is_off(FIELDWATCH_CONNECTED_HARDWARE))
        offer(FIELDWATCH_CONNECTED_HARDWARE, read_hardware(options_.root), now_ns);
    take_packages(now_ns);
    take_baseline(now_ns);
}

void Inventory::tick(std::int64_t now_ns) {
    const bool watching = !handlers_.is_off(FIELDWATCH_FILE_SYSTEM) && !options_.watch.paths.empty();
    if (watching && !watch_) {
        watch_.emplace(options_.watch);
        std::string refused;
        for (const auto& path : watch_->refused())
            refused += " " + path;
        if (!refused.empty())
            handlers_.diagnose("files: not watched, the agent may not read them:" + refused.substr(0, 1'024));
    } else if (!watching) {
        end_watch();
    }
    for (int count = 0; uevents_.is_open() && count < kUeventsPerTurn; ++count) {
        const auto message = uevents_.next();
        if (message.empty()) break;
        const auto uevent = parse_uevent(message);
        if (!uevent) continue;
        const auto event = describe_peripheral(*uevent, system_clock().now().unix_millis());
        if (event && !handlers_.is_off(FIELDWATCH_PERIPHERAL)) handlers_.event(*event);
        hardware_changed_ = hardware_changed_ || uevent->action == "add" || uevent->action == "remove";
    }
    if (watch_) watch_->read();
    const bool waiting = hardware_changed_ || (watch_ && watch_->has_changes());
    if (waiting && flush_ns_ == INT64_MAX) flush_ns_ = now_ns + kSettle;
    if (now_ns < flush_ns_) return;
    flush_ns_ = INT64_MAX;
    if (watch_) {
        for (const auto& change : watch_->take())
            handlers_.event(change);
    }
    if (hardware_changed_ && !handlers_.is_off(FIELDWATCH_CONNECTED_HARDWARE))
        offer(FIELDWATCH_CONNECTED_HARDWARE, read_hardware(options_.root), now_ns);
    hardware_changed_ = false;
}

Inventory::Counters Inventory::counters() const {
    Counters out{.file_changes = past_changes_,
                 .file_changes_lost = past_changes_lost_,
                 .uevent_overflows = uevents_.overflows()};
    if (watch_) {
        out.file_changes += watch_->seen();
        out.file_changes_lost += watch_->lost();
        out.watched_folders = watch_->folders();
    }
    return out;
}

}  // namespace fieldwatch::agent
