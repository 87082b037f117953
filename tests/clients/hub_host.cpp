// The hub with its real registry and journal, and nothing else of the server, for clients that we did not
// write. usage: hub_host DIRECTORY. Prints {"port","ca"} as its first line; then obeys commands on standard
// input, one a line, and answers each with one line of JSON:
//   create DEVICE [MODULE] | disable DEVICE | desired DEVICE JSON | records | metrics | quit
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/log.hpp"
#include "hub/server.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"
#include "net/certificate_authority.hpp"
#include "registry/registry.hpp"

using namespace fieldwatch;

namespace {

constexpr std::uint32_t kPartitions = 4;
const model::HubName kHub{"testhub"};

template <class T>
T must(Result<T> result, std::string_view what) {
    if (!result) {
        std::cerr << what << ": " << result.error().message << '\n';
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

nlohmann::json record_json(const model::RecordView& record, std::string_view stream) {
    nlohmann::json properties = nlohmann::json::object();
    for (const auto& [name, value] : record.properties)
        properties[std::string(name)] = value;
    return {{"kind", model::to_string(record.kind)},
            {"stream", stream},
            {"device", record.device},
            {"module", record.module},
            {"properties", properties},
            {"body", record.body}};
}

nlohmann::json records(journal::Reader& reader) {
    auto all = nlohmann::json::array();
    for (const auto stream : {journal::Stream::Security, journal::Stream::Telemetry}) {
        for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
            journal::Place place{stream, partition, reader.first_offset(stream, partition)};
            while (place.offset < reader.end_offset(stream, partition)) {
                const auto batch = must(reader.read(place, 1'000, 1u << 20), "reading the journal");
                for (const auto& record : batch.records) {
                    all.push_back(
                        record_json(must(model::decode_record(record.bytes), "a record"),
                                    stream == journal::Stream::Security ? "security" : "telemetry"));
                }
                place.offset = batch.next_offset;
            }
        }
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string directory = argv[1];
    log::set_level(log::Level::Warning);
    Metrics metrics;
    auto& files = posix_file_system();
    const auto& clock = system_clock();
    const auto certificates =
        must(net::open_certificates({.directory = directory + "/tls", .names = {}}, files, clock), "tls");
    std::filesystem::create_directories(directory);
    auto registry = must(registry::open(directory + "/registry.db", clock, system_random()), "registry");
    auto journal = must(journal::open({.directory = directory + "/journal",
                                       .partition_count = kPartitions,
                                       .disk_free_bytes_min = 64u << 20},
                                      files, clock, metrics),
                        "journal");
    registry::Hub hub{.name = kHub};
    hub.host_names = "localhost,127.0.0.1";
    must(registry->create_hub(hub), "hub");
    net::Runtime runtime;
    const auto tls = must(net::TlsServerContext::create({.chain_pem = certificates.chain_pem,
                                                         .key_pem = certificates.key_pem,
                                                         .request_client_certificate = true}),
                          "certificate");
    auto server = must(hub::Server::start({.runtime = runtime,
                                           .tls = tls,
                                           .registry = *registry,
                                           .journal = journal->writer(),
                                           .partition_count = kPartitions,
                                           .clock = clock,
                                           .random = system_random(),
                                           .metrics = metrics},
                                          {.address = "127.0.0.1", .mqtt_port = 0}),
                       "hub");
    std::cout << nlohmann::json{{"port", server->mqtt_port()}, {"ca", directory + "/tls/ca.pem"}}
              << std::endl;
    std::string line;
    while (std::getline(std::cin, line) && line != "quit") {
        std::istringstream words(line);
        std::string command, device, rest;
        words >> command >> device;
        std::getline(words >> std::ws, rest);
        const model::Identity identity{kHub, {device}, {}};
        nlohmann::json answer = {{"ok", true}};
        if (command == "create") {
            if (!rest.empty()) must(registry->create({.identity = {kHub, {device}, {}}}), "device");
            const auto entry = must(registry->create({.identity = {kHub, {device}, {rest}}}), "create");
            answer["key"] = entry.keys.primary;
        } else if (command == "disable") {
            auto entry = must(registry->get(identity), "get");
            entry.enabled = false;
            must(registry->update(entry, std::nullopt), "update");
            server->devices().disconnect(identity);
        } else if (command == "desired") {
            const auto change = must(registry->patch_desired(identity, rest), "desired");
            server->devices().desired_changed(identity, change);
            answer["version"] = change.version;
        } else if (command == "records") {
            answer["records"] = records(journal->reader());
        } else if (command == "metrics") {
            answer["text"] = metrics.prometheus_text();
        }
        std::cout << answer << std::endl;
    }
    server->stop();
    return 0;
}
