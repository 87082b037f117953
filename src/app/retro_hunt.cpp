#include "app/retro_hunt.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "app/history_hunt.hpp"
#include "base/log.hpp"
#include "detect/content.hpp"

namespace fieldwatch::app {

namespace {

using HuntJson = nlohmann::json;

constexpr std::chrono::milliseconds kHuntLook{1'000};
constexpr Ticks kHuntRowsSettle = std::chrono::seconds(2);  ///< rows of before had time to be committed
constexpr Ticks kHuntRetry = std::chrono::seconds(30);
constexpr std::uint64_t kHuntStateMax = 1u << 20;

}  // namespace

RetroHunt::RetroHunt(Parts parts)
    : parts_(std::move(parts)),
      hunts_(parts_.metrics.counter("fieldwatch_intel_hunts_total",
                                    "Times that history was asked for new indicators")),
      found_(parts_.metrics.counter("fieldwatch_intel_hunt_findings_total",
                                    "What was found so and went into the log")),
      failures_(parts_.metrics.counter("fieldwatch_intel_hunt_failures_total",
                                       "Hunts that failed and are tried again")) {}

Result<std::unique_ptr<RetroHunt>> RetroHunt::open(Parts parts) {
    std::unique_ptr<RetroHunt> out(new RetroHunt(std::move(parts)));
    FIELDWATCH_TRY(out->load());
    return out;
}

RetroHunt::~RetroHunt() {
    stop();
}

void RetroHunt::start() {
    thread_ = std::thread([this] { run(); });
}

void RetroHunt::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void RetroHunt::announced(const std::string& hash) {
    const std::lock_guard lock(mutex_);
    wanted_ = Version{hash, parts_.clock.now()};
    ends_.clear();
    retry_ = {0};
    wake_.notify_all();
}

RetroHunt::Status RetroHunt::status() const {
    const std::lock_guard lock(mutex_);
    auto out = status_;
    out.waiting = wanted_.has_value();
    return out;
}

void RetroHunt::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait_for(lock, kHuntLook, [this] { return stopping_; });
        if (stopping_) return;
        const auto now = parts_.clock.now();
        if (!wanted_ || now < wanted_->at + kHuntRowsSettle || now < retry_ || !rows_are_stored()) continue;
        const auto wanted = *wanted_;
        lock.unlock();
        if (const auto saved = save(); !saved) log::error("intel", saved.error().message);
        const auto done = turn(wanted);
        lock.lock();
        status_.problem.clear();
        if (done) {
            done_ = wanted;
            if (wanted_ && wanted_->hash == wanted.hash) wanted_.reset();
            lock.unlock();
            if (const auto saved = save(); !saved) log::error("intel", saved.error().message);
            lock.lock();
        } else if (done.error().code != Errc::Cancelled) {
            failures_.add();
            status_.problem = done.error().message;
            retry_ = parts_.clock.now() + kHuntRetry;
            log::warning("intel",
                         fmt::format("asking history for new indicators failed, and is tried again: {}",
                                     done.error().message));
        }
    }
}

/// Under mutex_. Whether what came before the new content is visible: a shard may be far behind the log.
bool RetroHunt::rows_are_stored() {
    const auto progress = parts_.progress();
    if (ends_.size() != progress.size()) {
        ends_.clear();
        for (const auto& partition : progress)
            ends_.push_back(partition.log_end);
    }
    for (std::size_t i = 0; i < ends_.size(); ++i) {
        if (progress[i].committed < ends_[i]) return false;
    }
    return !progress.empty();
}

/// Asks with the content `wanted`; nothing when it has the indicators of the one before.
Result<void> RetroHunt::turn(const Version& wanted) {
    std::optional<Version> before;
    {
        const std::lock_guard lock(mutex_);
        before = done_;
    }
    if (before && before->hash == wanted.hash) return {};
    const auto now = FIELDWATCH_TRY(parts_.contents.get(wanted.hash))->intel;
    std::shared_ptr<const detect::IntelSnapshot> known;
    if (before) {
        const auto sources = parts_.contents.sources(before->hash);
        if (sources) {
            const auto settings = FIELDWATCH_TRY(detect::parse_settings(sources->settings_json));
            known = FIELDWATCH_TRY(detect::IntelSnapshot::build(sources->indicator_files,
                                                                static_cast<int>(settings.intel_confidence)));
        } else {
            log::warning("intel",
                         "the content that history was asked with is gone: it is asked for all indicators");
        }
    }
    if (now->size() == 0 || (known && known->digest() == now->digest())) return {};
    const auto count = FIELDWATCH_TRY(hunt(known.get(), *now, wanted));
    const std::lock_guard lock(mutex_);
    status_.last = parts_.clock.now();
    status_.findings += count;
    ++status_.hunts;
    return {};
}

Result<std::uint64_t> RetroHunt::hunt(const detect::IntelSnapshot* before, const detect::IntelSnapshot& now,
                                      const Version& wanted) {
    hunts_.add();
    const auto started = parts_.clock.monotonic();
    std::map<std::string, std::vector<registry::Hub>> hubs;
    for (auto& hub : FIELDWATCH_TRY(parts_.registry.hubs())) {
        if (hub.security_enabled) hubs[hub.workspace].push_back(std::move(hub));
    }
    Timestamp before_at{0};
    {
        const std::lock_guard lock(mutex_);
        if (done_) before_at = done_->at;
    }
    std::uint64_t count = 0, values = 0, left_out = 0;
    for (const auto& [id, of_workspace] : hubs) {
        auto* const workspace = parts_.workspace(id);
        if (workspace == nullptr) continue;
        const HistoryHunt history{.workspace = *workspace,
                                  .hubs = of_workspace,
                                  .before = before,
                                  .before_at = before_at,
                                  .now = now,
                                  .from = wanted.at - kHistory,
                                  .to = wanted.at,
                                  .stopped = [this] {
                                      const std::lock_guard lock(mutex_);
                                      return stopping_;
                                  }};
        const auto outcome = FIELDWATCH_TRY(history.run());
        for (const auto& found : outcome.found) {
            FIELDWATCH_TRY(parts_.registry.publish(
                detect::hunt_finding_record({found.hub}, found.finding, parts_.clock.now())));
            ++count;
            found_.add();
        }
        values += outcome.values;
        left_out += outcome.left_out;
    }
    const auto spent =
        std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.monotonic() - started).count();
    log::info(
        "intel",
        fmt::format("history was asked for new indicators: {} values, {} findings, {} ms{}", values, count,
                    spent, left_out == 0 ? "" : fmt::format(", {} beyond bounds left out", left_out)));
    const std::lock_guard lock(mutex_);
    status_.left_out += left_out;
    return count;
}

/// {"version":1,"done":{"hash","at"},"wanted":{"hash","at"}}. Without a file, or with one that is
/// damaged, all that is in force is taken as known: the first start asks nothing.
Result<void> RetroHunt::load() {
    const auto now = parts_.clock.now();
    bool there = false;
    const auto problem = FIELDWATCH_TRY(
        read_expendable(parts_.files, parts_.state_file, kHuntStateMax, [&](std::string_view text) {
            const auto read = read_state(text);
            there = read.has_value();
            return read;
        }));
    if (!problem.empty()) log::warning("intel", problem + "; what is in force is taken as known");
    if (!there) {
        done_ = Version{parts_.hash, now};
        wanted_.reset();
        return save();
    }
    if (wanted_ && wanted_->hash == parts_.hash) return {};  // was interrupted: the same again
    wanted_.reset();
    if (!done_ || done_->hash != parts_.hash) wanted_ = Version{parts_.hash, now};
    return {};
}

Result<void> RetroHunt::read_state(std::string_view text) {
    const auto document = HuntJson::parse(text, nullptr, /*allow_exceptions=*/false);
    const auto read = [&](const char* name) -> std::optional<Version> {
        const auto found = document.find(name);
        if (found == document.end() || !found->is_object()) return std::nullopt;
        return Version{found->value("hash", std::string()), {found->value("at", std::int64_t{0})}};
    };
    try {
        if (!document.is_object() || document.value("version", 0) != 1)
            return fail(Errc::Corrupt, "not the state of hunts, version 1");
        done_ = read("done");
        wanted_ = read("wanted");
    } catch (const HuntJson::exception& error) {
        return fail(Errc::Corrupt, error.what());
    }
    return {};
}

Result<void> RetroHunt::save() {
    HuntJson document{{"version", 1}};
    {
        const std::lock_guard lock(mutex_);
        if (done_) document["done"] = {{"hash", done_->hash}, {"at", done_->at.ticks}};
        if (wanted_) document["wanted"] = {{"hash", wanted_->hash}, {"at", wanted_->at.ticks}};
    }
    return replace_file(parts_.files, parts_.state_file, as_bytes(document.dump()));
}

}  // namespace fieldwatch::app
