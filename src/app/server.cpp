#include "app/server.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "app/advisory_folder.hpp"
#include "app/backup_staging.hpp"
#include "app/content_feed.hpp"
#include "app/data_lock.hpp"
#include "app/detection_content.hpp"
#include "app/indicator_folder.hpp"
#include "app/log_feed.hpp"
#include "app/maintenance.hpp"
#include "app/master_key.hpp"
#include "app/profile.hpp"
#include "app/purge.hpp"
#include "app/retro_hunt.hpp"
#include "app/rule_library.hpp"
#include "app/scheduled_queries.hpp"
#include "app/server_certificates.hpp"
#include "app/unsigned_indicators.hpp"
#include "app/workspaces.hpp"
#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "detect/content.hpp"
#include "export/exporter.hpp"
#include "feed/feeds.hpp"
#include "hub/connector/connectors.hpp"
#include "hub/provisioning/http_api.hpp"
#include "hub/routing/routes.hpp"
#include "hub/server.hpp"
#include "journal/journal.hpp"
#include "net/certificate_authority.hpp"
#include "net/http_server.hpp"
#include "net/runtime.hpp"
#include "net/tls_context.hpp"
#include "pipeline/pipeline.hpp"
#include "portal/portal.hpp"
#include "portal/query_guard.hpp"
#include "registry/accounts.hpp"
#include "registry/registry.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

namespace {

using std::chrono::seconds;

hub::CommandLimits command_limits(const ServerConfig& config) {
    return {.notice_ttl = std::chrono::minutes(config.notice_minutes),
            .notice_lock_for = seconds(config.notice_lock_seconds),
            .notice_deliveries_max = config.notice_deliveries};
}

/// The portal's view of live connections.
class DeviceLink final : public portal::DeviceLink {
  public:
    explicit DeviceLink(hub::Devices& devices) : devices_(devices) {}
    bool connected(const model::Identity& identity) const override { return devices_.connected(identity); }
    void desired_changed(const model::Identity& identity, const registry::TwinChange& change) override {
        devices_.desired_changed(identity, change);
    }
    void disconnect(const model::Identity& identity) override { devices_.disconnect(identity); }
    void operated(const hub::ServiceOperation& operation) override { devices_.operated(operation); }

  private:
    hub::Devices& devices_;
};

/// Where the log of each partition ended when the pipeline began.
std::vector<std::uint64_t> ends_of(const pipeline::Pipeline& pipeline) {
    std::vector<std::uint64_t> out;
    for (const auto& partition : pipeline.progress())
        out.push_back(partition.journal_end);
    return out;
}

/// Ready = all that lay in the log at the start, `ends`, is visible: who asks then does not read half a
/// replay.
portal::PipelineProgress progress_of(const pipeline::Pipeline& pipeline,
                                     const std::vector<std::uint64_t>& ends) {
    portal::PipelineProgress out;
    out.ready = true;
    out.dead_letters = pipeline.dead_letters().total();
    for (const auto& partition : pipeline.progress()) {
        out.partitions.push_back({partition.partition, partition.journal_end, partition.committed,
                                  partition.checkpoint, partition.healthy});
        const bool caught_up = partition.committed >= ends.at(out.partitions.size() - 1);
        out.ready = out.ready && partition.healthy && caught_up;
    }
    return out;
}

/// How far rows are behind the log, for who asks history.
std::vector<RetroHunt::Parts::Progress> hunt_progress(const pipeline::Pipeline* pipeline) {
    std::vector<RetroHunt::Parts::Progress> out;
    if (pipeline == nullptr) return out;
    for (const auto& partition : pipeline->progress())
        out.push_back({.log_end = partition.journal_end, .committed = partition.committed});
    return out;
}

/// SIGTERM, SIGINT and SIGHUP are blocked in every thread that starts after this, and taken here.
sigset_t block_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return set;
}

std::string address_of(const std::string& host, std::uint16_t port) {
    return host.find(':') != std::string::npos ? fmt::format("[{}]:{}", host, port)
                                               : fmt::format("{}:{}", host, port);
}

std::string host_name(const ServerConfig& config) {
    return !config.host_names.empty()   ? config.host_names.front()
           : config.listen == "0.0.0.0" ? std::string("127.0.0.1")
                                        : config.listen;
}

/// What connection strings name: the address that devices on this network can reach, with its port unless it
/// is MQTT's.
std::string hub_host(const ServerConfig& config, std::uint16_t port) {
    const auto host = host_name(config);
    return port == 8883 ? host : address_of(host, port);
}

/// The provisioning service as the product's own API shows it.
net::HttpResponse provision(hub::Provisioning& provisioning, const net::HttpRequest& request,
                            std::string_view path) {
    if (!path.empty()) return hub::answer_enrollments(provisioning, request, path);
    const auto scope = provisioning.id_scope();
    const auto keys = provisioning.service_keys();
    if (!scope || !keys) return net::error_response(500, "Internal", "the registry cannot be read");
    std::string body;
    JsonWriter(body)
        .begin_object()
        .member("idScope", *scope)
        .member("sharedAccessKeyName", hub::Provisioning::kPolicy)
        .member("primaryKey", keys->primary)
        .member("secondaryKey", keys->secondary)
        .end_object();
    return {.status = 200, .headers = {{"content-type", "application/json"}}, .body = body};
}

/// The page's address on this machine, in plain, and the one from anywhere else, over TLS.
std::string page_here(const ServerConfig& config, std::uint16_t port) {
    const bool everywhere = config.page_listen == "0.0.0.0" || config.page_listen == "::";
    return fmt::format("http://{}", address_of(everywhere ? "127.0.0.1" : config.page_listen, port));
}
std::string page_elsewhere(const ServerConfig& config, std::uint16_t port) {
    const auto address = parse_ip(config.page_listen);
    if (!address || address->is_loopback()) return page_here(config, port);
    const auto host = !config.host_names.empty()  ? config.host_names.front()
                      : address->is_unspecified() ? std::string("localhost")
                                                  : config.page_listen;
    return fmt::format("https://{}", address_of(host, port));
}

/// Whatever devices may call the hub; the address it listens on is one of them.
std::vector<std::string> certificate_names(const ServerConfig& config) {
    auto names = config.host_names;
    const auto address = parse_ip(config.listen);
    if (address && !address->is_unspecified()) names.push_back(config.listen);
    return names;
}

/// What the Host header may say besides loopback's names.
std::vector<std::string> page_names(const ServerConfig& config) {
    auto names = config.host_names;
    names.push_back(config.page_listen);
    return names;
}

}  // namespace

Result<void> serve(const ServerConfig& config) {
    const auto signals = block_signals();
    // A core would hold every key that is open in memory.
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const auto& clock = system_clock();
    auto& random = system_random();
    auto& files = posix_file_system();
    const auto& data = config.data_directory;
    Metrics metrics;
    FIELDWATCH_TRY(files.make_directories(data));
    const auto lock = FIELDWATCH_TRY(DataLock::take(data));

    const auto key_file = master_key_file(data);

    // The stores, each knowing its place in the log.
    const auto registry = FIELDWATCH_TRY(registry::open(data + "/registry.db", key_file, clock, random));
    const auto accounts = FIELDWATCH_TRY(registry::open_accounts(data + "/registry.db", key_file));
    tell_of_master_keys(data, key_file);
    const auto journal = FIELDWATCH_TRY(journal::open(
        {.directory = data + "/journal",
         .partition_count = config.partition_count,
         .security = {.age_max = seconds(7 * 86'400), .bytes_max = config.journal_bytes_max},
         .telemetry = {.age_max = config.telemetry_retention, .bytes_max = config.journal_bytes_max}},
        files, clock, metrics));
    Workspaces workspaces(config, *registry, metrics);

    // What decides is in the log: the content version in force, ticks, the registry's changes.
    pipeline::ContentStore contents(files, data + "/content");
    LogFeed feed({.registry = *registry, .journal = *journal, .clock = clock});
    ContentFeed* renewal_running = nullptr;
    pipeline::Pipeline* running = nullptr;
    std::vector<std::uint64_t> ends;  // of the log, when `running` begins
    const auto rules = FIELDWATCH_TRY(RuleLibrary::open(
        {.files = files,
         .directory = data + "/rules",
         .rules_directory = config.rules_directory,
         .clock = clock,
         .journal = *journal,
         .contents = contents,
         .sources =
             [&](detect::RulePack pack) { return detection_content(config, *registry, std::move(pack)); },
         .renew = [&] { return renewal_running->renew_now(); },
         .content_hash = [&] { return renewal_running->hash(); },
         .counts = [&] { return running == nullptr ? pipeline::RuleCounts{} : running->rule_counts(); }}));
    const auto content_sources = [&]() -> Result<detect::ContentSources> {
        return detection_content(config, *registry, FIELDWATCH_TRY(rules->pack()));
    };
    const auto sources = FIELDWATCH_TRY(content_sources());
    const auto content = FIELDWATCH_TRY(contents.put(sources));
    const auto compiled = FIELDWATCH_TRY(contents.get(content));
    for (const auto& error : compiled->rule_errors) {
        log::warning("rules", fmt::format("{}:{}: left out: {}", error.file, error.line, error.why));
    }
    FIELDWATCH_TRY(feed.announce_content(content));
    const auto hunt = FIELDWATCH_TRY(
        RetroHunt::open({.registry = *registry,
                         .contents = contents,
                         .workspace = [&](std::string_view id) { return workspaces.existing(id); },
                         .files = files,
                         .clock = clock,
                         .metrics = metrics,
                         .state_file = data + "/retro-hunt.json",
                         .hash = content,
                         .progress = [&] { return hunt_progress(running); }}));
    ContentFeed renewal({.contents = contents,
                         .sources = content_sources,
                         .announce = [&](const std::string& hash) -> Result<void> {
                             FIELDWATCH_TRY(feed.announce_content(hash));
                             hunt->announced(hash);
                             return {};
                         },
                         .hash = content});
    renewal_running = &renewal;
    IndicatorFolder indicators({.files = files,
                                .directory = data + "/intel",
                                .in_force = [&]() -> Result<std::shared_ptr<const detect::IntelSnapshot>> {
                                    return FIELDWATCH_TRY(contents.get(renewal.hash()))->intel;
                                },
                                .changed = [&] { renewal.wake(); }});
    AdvisoryFolder advisories({.files = files,
                               .directory = data + "/advisories",
                               .in_force = [&]() -> Result<std::shared_ptr<const detect::AdvisoryTable>> {
                                   return FIELDWATCH_TRY(contents.get(renewal.hash()))->advisories;
                               },
                               .changed = [&] { renewal.wake(); }});

    const auto bundles = FIELDWATCH_TRY(feed::Bundles::open({.registry = *registry,
                                                             .files = files,
                                                             .directory = data + "/intel-bundles",
                                                             .intel_directory = data + "/intel",
                                                             .changed = [&] { renewal.wake(); }}));
    UnsignedIndicators unsigned_indicators(indicators, *bundles);
    const auto feeds = FIELDWATCH_TRY(
        feed::Feeds::open({.registry = *registry,
                           .files = files,
                           .clock = clock,
                           .metrics = metrics,
                           .directory = data + "/intel",
                           .state_file = data + "/intel-feeds.json",
                           .import =
                               [&](feed::Feeds::Import import) {
                                   return take_feed(std::move(import), unsigned_indicators, *bundles);
                               },
                           .remove = [&](const std::string& name) { return indicators.remove(name); }}));

    // The path: hub → journal → pipeline → workspace → portal.
    const auto certificates = FIELDWATCH_TRY(ServerCertificates::open(
        {.directory = data + "/ca", .names = certificate_names(config)}, files, clock));
    // Requests over HTTPS wait on workers for their commit: several of them share one.
    net::Runtime runtime({.cores = 0, .workers = 8});
    const auto hub = FIELDWATCH_TRY(hub::Server::start({.runtime = runtime,
                                                        .tls = certificates->hub(),
                                                        .registry = *registry,
                                                        .journal = journal->writer(),
                                                        .partition_count = journal->partition_count(),
                                                        .clock = clock,
                                                        .random = random,
                                                        .metrics = metrics,
                                                        .files = files,
                                                        .events = &journal->reader()},
                                                       {.address = config.listen,
                                                        .host_name = host_name(config),
                                                        .mqtt_port = config.hub_port,
                                                        .amqp_port = config.amqp_port,
                                                        .https_port = config.https_port,
                                                        .https_optional = config.https_port == 443,
                                                        .uploads_directory = data + "/uploads",
                                                        .token_grace = config.token_grace,
                                                        .clock_skew = config.token_skew,
                                                        .rates = hub::rates_of_units(config.hub_units),
                                                        .commands = command_limits(config)}));
    hub::Routes routes({.registry = *registry,
                        .journal = *journal,
                        .files = files,
                        .clock = clock,
                        .metrics = metrics,
                        .directory = data + "/routes"});
    hub::Connectors connectors({.registry = *registry,
                                .journal = journal->writer(),
                                .partition_count = journal->partition_count(),
                                .files = files,
                                .clock = clock,
                                .random = random,
                                .metrics = metrics,
                                .directory = data + "/connectors"});
    DeviceLink link(hub->devices());
    Maintenance maintenance(*journal, workspaces);
    auto* const upkeep = FIELDWATCH_TRY(journal::upkeep_of(*journal));
    const auto backups = FIELDWATCH_TRY(
        BackupStaging::create({.data_directory = data,
                               .key_file = key_file,
                               .registry = *registry,
                               .journal = *upkeep,
                               .feed = feed,
                               .workspace = [&](std::string_view id) { return workspaces.by_id(id); },
                               .pause_maintenance = [&] { return maintenance.pause(); },
                               .clock = clock,
                               .random = random}));
    const auto exporter = FIELDWATCH_TRY(exports::Exporter::create(
        {.registry = *registry,
         .files = files,
         .clock = clock,
         .random = random,
         .metrics = metrics,
         .directory = data + "/exports",
         .files_directory = config.exports_directory.empty() ? data + "/exports" : config.exports_directory,
         .sources = [&] { return workspaces.all(); }}));
    const auto scheduled = FIELDWATCH_TRY(
        ScheduledQueries::open({.registry = *registry,
                                .workspace = [&](std::string_view id) { return workspaces.existing(id); },
                                .files = files,
                                .clock = clock,
                                .metrics = metrics,
                                .state_file = data + "/scheduled-queries.json"}));
    const auto portal = FIELDWATCH_TRY(portal::Portal::create(
        {.registry = *registry,
         .accounts = *accounts,
         .workspace = [&](std::string_view id) { return workspaces.existing(id); },
         .devices = link,
         .metrics = metrics,
         .clock = clock,
         .random = random,
         .progress =
             [&] { return running == nullptr ? portal::PipelineProgress{} : progress_of(*running, ends); },
         .dead_letters =
             [&](std::string_view name, std::size_t count_max) {
                 return running == nullptr ? std::vector<model::DeadLetter>{}
                                           : running->dead_letters().list(name, "", count_max);
             },
         .workspace_bytes = [&](std::string_view id) { return workspaces.bytes(id); },
         .content_changed = [&] { renewal.wake(); },
         .provisioning = [&](const net::HttpRequest& request,
                             std::string_view path) { return provision(hub->provisioning(), request, path); },
         .indicators = &unsigned_indicators,
         .feeds = feeds.get(),
         .bundles = bundles.get(),
         .hunt = hunt.get(),
         .advisories = &advisories,
         .rules = rules.get(),
         .scheduled = scheduled.get(),
         .routes = &routes,
         .connectors = &connectors,
         .purge = [&](const workspace::Purge& what) -> Result<portal::PurgeReport> {
             const auto paused = maintenance.pause();
             return purge(what, {.registry = *registry,
                                 .journal = *upkeep,
                                 .workspace = [&](std::string_view id) { return workspaces.by_id(id); }});
         },
         .backups = backups.get(),
         .exporter = exporter.get(),
         .version = FIELDWATCH_VERSION,
         .started = clock.now(),
         .host_name = hub_host(config, hub->mqtt_port())}));
    // Bound before the first row is made, because rows link to it; it answers when everything else stands.
    const auto http =
        FIELDWATCH_TRY(net::HttpServer::create({.address = config.page_listen,
                                                .port = config.page_port,
                                                .plain_from_here = true,
                                                .workers = 2 * portal::QueryGuard::kAtOnce,
                                                .host_names = page_names(config)},
                                               portal->handler(), metrics, certificates->page()));
    const auto page = page_elsewhere(config, http->port());
    workspaces.set_page_url(config.page_url.empty() ? page : config.page_url);
    const auto pipeline = FIELDWATCH_TRY(pipeline::Pipeline::create(
        {.journal = *journal,
         .files = files,
         .content = contents,
         .metrics = metrics,
         .clock = clock,
         .route = [&](std::string_view name) { return workspaces.route(name); },
         .workspaces = [&] { return workspaces.routes(); },
         .on_commit =
             [&](const pipeline::Visible& visible) {
                 portal->notifier().publish(
                     visible.alerts, visible.recommendations,
                     {.raw_events = visible.raw_events, .diagnostics = visible.diagnostics});
                 if (!visible.alerts.empty() || !visible.recommendations.empty()) exporter->wake();
             }},
        {.directory = data + "/checkpoints", .first_content_hash = content}));
    const auto token = FIELDWATCH_TRY(local_token(data, *accounts, random));
    FIELDWATCH_TRY(write_profile(data, {.server = page_here(config, http->port()),
                                        .token = token,
                                        .hub_port = hub->mqtt_port(),
                                        .amqp_port = hub->amqp_port(),
                                        .https_port = hub->https_port(),
                                        .ca_file = data + "/ca/ca.pem"}));
    // From here on nothing fails: what has threads ends in the order below, and not as it is declared.
    ends = ends_of(*pipeline);
    running = pipeline.get();
    pipeline->start();
    feed.start();
    scheduled->start();
    hunt->start();
    feeds->start();
    routes.start();
    connectors.start();
    exporter->start(
        {.version = FIELDWATCH_VERSION, .page_url = config.page_url.empty() ? page : config.page_url});

    certificates->start();
    http->start();
    log::info("server",
              fmt::format("ready: hub {}, page {}", address_of(config.listen, hub->mqtt_port()), page));

    for (int signal = SIGHUP; signal == SIGHUP;) {
        sigwait(&signals, &signal);
        if (signal == SIGHUP) certificates->look();
    }
    log::info("server", "ending: no new connections, then what was taken is committed");
    certificates->stop();
    http->stop();
    hub->stop();
    connectors.stop();
    routes.stop();
    scheduled->stop();
    hunt->stop();
    feeds->stop();
    feed.stop();
    pipeline->stop();
    exporter->stop();
    runtime.stop();
    return {};
}

}  // namespace fieldwatch::app
