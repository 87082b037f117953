// A server for the browser test: the real portal over a real registry and a real workspace, filled with rows
// as the pipeline hands them over. Prints its port; each line on standard input commits one new alert, as a
// shard would. Usage: portal_host DIRECTORY (empty). The token is "secret".
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "net/http_server.hpp"
#include "portal/portal.hpp"

namespace fieldwatch {
namespace {

constexpr std::string_view kWorkspace = "6e6a2d0e-3f0f-4b5e-9a51-0f3a1f7c2b10";
const model::HubName kHub{"plant"};

class NobodyConnected final : public portal::DeviceLink {
  public:
    bool connected(const model::Identity&) const override { return false; }
    void desired_changed(const model::Identity&, const registry::TwinChange&) override {}
    void disconnect(const model::Identity&) override {}
};

/// Ends the test with the sentence of what failed.
template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "portal_host: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Filler {
  public:
    Filler(workspace::Workspace& workspace, portal::Notifier& notifier)
        : workspace_(workspace), notifier_(notifier) {}

    void add(std::string type, std::string name, model::Severity severity, std::string device,
             std::chrono::minutes ago, std::string command) {
        const auto time = system_clock().now() - ago;
        workspace::Commit commit{.partition = 0, .next_offset = ++offset_};
        const model::LogPosition position{.partition = 0, .offset = offset_ - 1, .item = 0};
        const auto row_id = model::row_id(kWorkspace, position);
        commit.raw_events.push_back(
            {.row_id = row_id,
             .position = position,
             .time_generated = time,
             .time_stamp = time,
             .hub = kHub.value,
             .device = device,
             .agent_version = "0.1.0",
             .event_id = Uuid::random(system_random()).text(),
             .category = "Triggered",
             .name = "ProcessCreate",
             .type = "Security",
             .details_json = R"({"CommandLine":")" + command + R"(","UserName":"root"})"});
        workspace::AlertRow row{.row_id = row_id, .position = position, .time_generated = time};
        row.alert = {
            .id = Uuid::random(system_random()),
            .type = std::move(type),
            .display_name = std::move(name),
            .severity = severity,
            .description = "What was seen, and why it matters.",
            .component = "Agent",
            .intent = "Execution,Impact",
            .techniques = {"T1496", "T1059.004"},
            .remediation = {"Take the device off the network."},
            .hub = kHub,
            .compromised_entity = device,
            .start = time,
            .end = time,
            .rule = {.id = "test", .title = "Test", .author = "Fieldwatch authors", .license = "Apache-2.0"},
            .evidence = {position},
            .entities_json = R"([{"$id":"1","Type":"process","CommandLine":")" + command + R"("}])",
            .extended_json = R"({"DeviceId":")" + device + R"(","CommandLine":")" + command + R"("})",
            .processed = time};
        const std::array news{row};
        commit.alerts.push_back(std::move(row));
        must(workspace_.commit(std::move(commit)));
        notifier_.publish(news, {}, {.raw_events = 1});
    }

  private:
    workspace::Workspace& workspace_;
    portal::Notifier& notifier_;
    std::uint64_t offset_ = 0;
};

void fill(registry::Registry& registry, Filler& filler) {
    for (const auto* device : {"press-shop-01", "pump-3", "gateway-hall-b"}) {
        must(registry.create({.identity = {.hub = kHub, .device = {device}}}));
        must(
            registry.create({.identity = {.hub = kHub, .device = {device}, .module = {"azureiotsecurity"}}}));
    }
    using model::Severity;
    using std::chrono::minutes;
    filler.add("IoT_ClearHistoryFile", "Bash history cleared", Severity::Low, "press-shop-01", minutes(2'900),
               "history -c");
    filler.add("IoT_KnownAttackTools", "Known attack tool", Severity::Medium, "gateway-hall-b", minutes(400),
               "nmap -sS 10.0.0.0/8");
    filler.add("IoT_CryptoMiner", "Crypto coin miner detected", Severity::High, "pump-3", minutes(2),
               "cpuminer-multi <img src=x onerror=alert(1)>");
}

int run(const std::string& directory) {
    Metrics metrics;
    const auto& clock = system_clock();
    const auto registry = must(registry::open(directory + "/registry.db", clock, system_random()));
    must(registry->add_token(
        {.name = "test", .hash_hex = hex(sha256(as_bytes("secret"))), .role = "administrator"}));
    must(registry->create_hub({.name = kHub, .workspace = std::string(kWorkspace)}));
    const auto workspace = must(workspace::open(
        {.directory = directory + "/workspace", .id = std::string(kWorkspace)}, clock, metrics));
    NobodyConnected devices;
    const auto portal = must(portal::Portal::create(
        {.registry = *registry,
         .workspace = [&](std::string_view id) { return id == kWorkspace ? workspace.get() : nullptr; },
         .devices = devices,
         .metrics = metrics,
         .clock = clock,
         .random = system_random(),
         .progress = [] { return portal::PipelineProgress{.ready = true}; },
         .version = "0.1.0",
         .host_name = "localhost"}));
    Filler filler(*workspace, portal->notifier());
    fill(*registry, filler);
    const auto server = must(net::HttpServer::create({.workers = 2}, portal->handler(), metrics));
    server->start();
    std::printf("%u\n", static_cast<unsigned>(server->port()));
    std::fflush(stdout);
    for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) == 1;) {
        if (byte != '\n') continue;
        filler.add("IoT_PortScan", "Live alert", model::Severity::High, "pump-3", std::chrono::minutes(0),
                   "id");
    }
    server->stop();
    return 0;
}

}  // namespace
}  // namespace fieldwatch

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: portal_host DIRECTORY\n", stderr);
        return 2;
    }
    return fieldwatch::run(argv[1]);
}
