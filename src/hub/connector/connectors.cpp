#include "hub/connector/connectors.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "hub/connector/runner.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kConnectorDocument = "connector";
constexpr std::chrono::milliseconds kLookAgain{500};  // how late a change of the registry is seen

registry::DocumentKey document_of(const model::HubName& hub, std::string_view name) {
    return {.hub = hub, .kind = std::string(kConnectorDocument), .id = std::string(name)};
}

std::string key_of(const model::HubName& hub, std::string_view name) {
    return fmt::format("{}/{}", hub.value, name);
}

/// A secret that is not given again stays, but never goes to another peer.
void keep_secrets(ConnectorSettings& now, const ConnectorSettings& before) {
    const bool same_peer = now.kind == before.kind && now.host == before.host && now.port == before.port &&
                           now.tls == before.tls && now.user == before.user;
    if (now.kind == ConnectorSettings::Kind::Mqtt && same_peer && now.password.empty())
        now.password = before.password;
}

}  // namespace

std::string_view to_string(ConnectorState state) {
    switch (state) {
        case ConnectorState::Off:
            return "off";
        case ConnectorState::Connecting:
            return "connecting";
        case ConnectorState::Reading:
            return "reading";
        case ConnectorState::Failing:
            return "failing";
    }
    return "";
}

Connectors::Connectors(ConnectorParts parts)
    : parts_(std::move(parts)), log_(parts_.journal, parts_.partition_count, parts_.clock, parts_.metrics) {}

Connectors::~Connectors() {
    stop();
}

void Connectors::start() {
    looking_.start(Ticks{0}, kLookAgain, [this] { look(); });
}

void Connectors::stop() {
    looking_.stop();
    const std::lock_guard lock(mutex_);
    running_.clear();
}

void Connectors::look() {
    const auto count = parts_.registry.change_count();
    if (seen_ != count && refresh()) seen_ = count;
}

Result<std::map<Connectors::Key, Connectors::Wanted>> Connectors::wanted() const {
    std::map<Key, Wanted> out;
    const auto hubs = FIELDWATCH_TRY(parts_.registry.hubs());
    for (const auto& hub : hubs) {
        const auto documents = FIELDWATCH_TRY(parts_.registry.documents(
            hub.name, kConnectorDocument, {.after = {}, .count_max = kConnectorsMax}));
        for (const auto& document : documents) {
            auto settings = read_connector(document.id, document.json);
            if (!settings) {
                log::error("connector", fmt::format("{}/{} is left out: {}", hub.name.value, document.id,
                                                    settings.error().message));
                continue;
            }
            if (!settings->enabled) continue;
            const Key key = key_of(hub.name, document.id);
            out[key] = {.target = {.hub = hub.name, .mask_addresses = hub.mask_addresses},
                        .name = document.id,
                        .as_text = document.json + (hub.mask_addresses ? "masked" : ""),
                        .settings = std::move(*settings)};
        }
    }
    return out;
}

bool Connectors::refresh() {
    auto all = wanted();
    if (!all) {
        log::error("connector", all.error().message);
        return false;
    }
    // Ended outside of the lock: a source may need a moment.
    std::vector<std::unique_ptr<ConnectorRunner>> ending;
    {
        const std::lock_guard lock(mutex_);
        for (auto one = running_.begin(); one != running_.end();) {
            const auto found = all->find(one->first);
            if (found != all->end() && found->second.as_text == one->second->as_text()) {
                all->erase(found);
                ++one;
                continue;
            }
            ending.push_back(std::move(one->second));
            one = running_.erase(one);
        }
    }
    ending.clear();
    for (auto& [key, one] : *all)
        start_one(key, std::move(one));
    return true;
}

void Connectors::start_one(const Key& key, Wanted wanted) {
    {
        const std::lock_guard lock(mutex_);
        if (running_.size() >= kConnectorsMax) {
            log::error("connector", fmt::format("{} is left out: {} run already", key, kConnectorsMax));
            return;
        }
    }
    auto runner = ConnectorRunner::create(parts_, log_, std::move(wanted.target), std::move(wanted.settings),
                                          std::move(wanted.as_text));
    if (!runner) {
        log::error("connector", fmt::format("{} does not start: {}", key, runner.error().message));
        return;
    }
    const std::lock_guard lock(mutex_);
    running_[key] = std::move(*runner);
}

ConnectorStatus Connectors::status_of(const Key& key, const ConnectorSettings& settings) const {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(key);
    if (found != running_.end()) return found->second->status();
    return {.state = settings.enabled ? ConnectorState::Connecting : ConnectorState::Off,
            .problem = {},
            .since = parts_.clock.now(),
            .next_try = {},
            .counts = {}};
}

Result<std::vector<Connectors::Shown>> Connectors::list(const model::HubName& hub) const {
    const auto known = FIELDWATCH_TRY(parts_.registry.hub(hub));
    const auto documents = FIELDWATCH_TRY(parts_.registry.documents(
        known.name, kConnectorDocument, {.after = {}, .count_max = kConnectorsMax}));
    std::vector<Shown> out;
    for (const auto& document : documents) {
        auto settings = FIELDWATCH_TRY(read_connector(document.id, document.json));
        auto status = status_of(key_of(known.name, document.id), settings);
        out.push_back({std::move(settings), std::move(status)});
    }
    return out;
}

Result<Connectors::Shown> Connectors::get(const model::HubName& hub, const std::string& name) const {
    const auto document = parts_.registry.document(document_of(hub, name));
    if (!document && document.error().code == Errc::NotFound)
        return fail(Errc::NotFound, fmt::format("the hub {} has no connector \"{}\"", hub.value, name));
    if (!document) return std::unexpected(document.error());
    auto settings = FIELDWATCH_TRY(read_connector(document->id, document->json));
    auto status = status_of(key_of(hub, name), settings);
    return Shown{std::move(settings), std::move(status)};
}

Result<bool> Connectors::put(const model::HubName& hub, const std::string& name, std::string_view json) {
    auto settings = FIELDWATCH_TRY(read_connector(name, json));
    const auto known = FIELDWATCH_TRY(parts_.registry.hub(hub));
    const std::lock_guard changing(change_mutex_);
    const auto before = get(known.name, name);
    if (!before && before.error().code != Errc::NotFound) return std::unexpected(before.error());
    if (before) {
        keep_secrets(settings, before->settings);
    } else {
        std::size_t count = 0;
        for (const auto& one : FIELDWATCH_TRY(parts_.registry.hubs()))
            count += FIELDWATCH_TRY(list(one.name)).size();
        if (count >= kConnectorsMax)
            return fail(Errc::Exhausted, fmt::format("a server has at most {} connectors", kConnectorsMax));
    }
    FIELDWATCH_TRY(parts_.registry.put_document(document_of(known.name, name),
                                                to_json(settings, ConnectorSecrets::Shown), {}));
    return !before.has_value();
}

Result<void> Connectors::remove(const model::HubName& hub, const std::string& name) {
    const std::lock_guard changing(change_mutex_);
    static_cast<void>(FIELDWATCH_TRY(get(hub, name)));
    FIELDWATCH_TRY(parts_.registry.remove_document(document_of(hub, name), std::nullopt));
    std::unique_ptr<ConnectorRunner> ending;
    {
        const std::lock_guard lock(mutex_);
        const auto found = running_.find(key_of(hub, name));
        if (found != running_.end()) {
            ending = std::move(found->second);
            running_.erase(found);
        }
    }
    ending.reset();
    const auto gone = parts_.files.remove(ConnectorRunner::place_path(parts_, hub.value, name));
    if (!gone && gone.error().code != Errc::NotFound) return gone;
    return {};
}

Result<ImportReport> Connectors::import(const model::HubName& hub, std::string_view text) {
    const auto known = FIELDWATCH_TRY(parts_.registry.hub(hub));
    Feed feed(parts_.journal, parts_.partition_count, parts_.clock);
    RecordImport importer(feed, parts_.clock);
    auto report = importer.take({.hub = known.name, .mask_addresses = known.mask_addresses}, text);
    FIELDWATCH_TRY(feed.settle());
    return report;
}

}  // namespace fieldwatch::hub
