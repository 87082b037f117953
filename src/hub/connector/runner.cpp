#include "hub/connector/runner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/printable.hpp"

namespace fieldwatch::hub {

namespace {

std::unique_ptr<ConnectorSource> make_source(const ConnectorSettings& settings) {
    return settings.kind == ConnectorSettings::Kind::Mqtt ? make_broker_source(settings)
                                                          : make_event_hub_source(settings);
}

}  // namespace

std::string ConnectorRunner::place_path(const ConnectorParts& parts, std::string_view hub,
                                        std::string_view name) {
    return fmt::format("{}/{}/{}.json", parts.directory, hub, name);
}

Result<std::unique_ptr<ConnectorRunner>> ConnectorRunner::create(const ConnectorParts& parts,
                                                                 const OperationLog& log, ImportTarget target,
                                                                 ConnectorSettings settings,
                                                                 std::string as_text) {
    FIELDWATCH_TRY(parts.files.make_directories(parts.directory + "/" + target.hub.value));
    auto place = FIELDWATCH_TRY(
        ConnectorPlace::load(parts.files, place_path(parts, target.hub.value, settings.name), parts.clock));
    auto interrupt = FIELDWATCH_TRY(net::Interrupt::create());
    return std::unique_ptr<ConnectorRunner>(new ConnectorRunner(parts, log, std::move(target),
                                                                std::move(settings), std::move(as_text),
                                                                std::move(place), std::move(interrupt)));
}

ConnectorRunner::ConnectorRunner(const ConnectorParts& parts, const OperationLog& log, ImportTarget target,
                                 ConnectorSettings settings, std::string as_text, ConnectorPlace place,
                                 std::unique_ptr<net::Interrupt> interrupt)
    : parts_(parts),
      hub_(target.hub.value),
      as_text_(std::move(as_text)),
      settings_(std::move(settings)),
      intake_({.registry = parts.registry,
               .journal = parts.journal,
               .partition_count = parts.partition_count,
               .clock = parts.clock,
               .log = log},
              std::move(target), settings_.register_devices),
      place_(std::move(place)),
      interrupt_(std::move(interrupt)),
      source_(make_source(settings_)) {
    status_.since = parts.clock.now();
    thread_ = std::thread([this] { run(); });
}

ConnectorRunner::~ConnectorRunner() {
    interrupt_->raise();
    thread_.join();
}

void ConnectorRunner::run() {
    const SourceParts source{
        .intake = intake_, .place = place_, .interrupt = *interrupt_, .connected = [this] {
            say(ConnectorState::Reading);
        }};
    for (;;) {
        const auto done = source_->run(source);
        intake_.tell_ingress();
        if (!done && done.error().code == Errc::Cancelled) return;
        const auto wait = failed(done ? Error{Errc::Unavailable, "it ended"} : done.error());
        if (!net::pause(net::Patience::of(wait, interrupt_.get()))) return;
    }
}

void ConnectorRunner::say(ConnectorState state) {
    const std::lock_guard lock(mutex_);
    status_.state = state;
    status_.since = parts_.clock.now();
    status_.next_try.reset();
    if (state != ConnectorState::Reading) return;
    status_.problem.clear();
    wait_ = kFirstWait;
    log::info("connector", fmt::format("{}/{} reads", hub_, settings_.name));
}

std::chrono::milliseconds ConnectorRunner::failed(const Error& error) {
    // Half of each wait is chance: connectors that failed together do not come back together.
    const auto half = wait_ / 2;
    const auto wait =
        half + std::chrono::milliseconds(parts_.random.below(static_cast<std::uint64_t>(half.count()) + 1));
    wait_ = std::min(wait_ * 2, kMostWait);
    const std::lock_guard lock(mutex_);
    const auto problem = printable(error.message);
    if (status_.state != ConnectorState::Failing || status_.problem != problem)
        log::warning("connector", fmt::format("{}/{}: {}", hub_, settings_.name, problem));
    if (status_.state != ConnectorState::Failing) status_.since = parts_.clock.now();
    status_.state = ConnectorState::Failing;
    status_.problem = problem;
    status_.next_try = parts_.clock.now() + wait;
    return wait;
}

ConnectorStatus ConnectorRunner::status() const {
    auto out = [&] {
        const std::lock_guard lock(mutex_);
        return status_;
    }();
    out.counts = intake_.counts();
    return out;
}

}  // namespace fieldwatch::hub
