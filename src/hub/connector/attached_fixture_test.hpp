// What tests of connectors stand on: a registry, a journal and connectors of a hub, in a folder of their own.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <thread>

#include "hub/connector/connectors.hpp"

namespace fieldwatch::hub {

using namespace std::chrono_literals;

constexpr auto kSoon = 30s;

inline bool soon(const std::function<bool()>& condition) {
    const auto until = system_clock().monotonic() + kSoon;
    while (system_clock().monotonic() < until) {
        if (condition()) return true;
        std::this_thread::sleep_for(20ms);
    }
    return condition();
}

/// A registry and a journal in a folder of their own, with one hub.
struct Side {
    explicit Side(const std::filesystem::path& where, const char* name)
        : directory(where / name),
          registry((std::filesystem::create_directories(directory),
                    std::move(*registry::open((directory / "registry.db").string(), system_clock(),
                                              system_random())))),
          journal(std::move(
              *journal::open({.directory = (directory / "journal").string(), .disk_free_bytes_min = 0},
                             posix_file_system(), system_clock(), metrics))) {
        EXPECT_TRUE(registry->create_hub({.name = {name}, .host_names = "localhost"}));
        hub = {name};
    }
    void say(const std::string& device, int number) {
        model::Record record{.kind = model::RecordKind::Telemetry,
                             .received = system_clock().now(),
                             .sender = {},
                             .properties = {}};
        record.sender = {hub, {device}, {}};
        record.properties = {{"iothub-connection-device-id", device},
                             {"iothub-message-source", "Telemetry"},
                             {"iothub-enqueuedtime", to_iso8601(record.received)},
                             {"level", "3"}};
        record.body = std::to_string(number);
        Feed feed(journal->writer(), journal->partition_count(), system_clock());
        EXPECT_TRUE(feed.append(record));
        EXPECT_TRUE(feed.settle());
    }
    /// Body to how often it is there.
    std::map<std::string, int> said() {
        std::map<std::string, int> out;
        for (std::uint32_t partition = 0; partition < journal->partition_count(); ++partition) {
            const auto batch =
                journal->reader().read({journal::Stream::Telemetry, partition, 0}, 10'000, 8u << 20);
            if (!batch) continue;
            for (const auto& one : batch->records) {
                const auto record = model::decode_record(one.bytes);
                if (record) ++out[std::string(record->body)];
            }
        }
        return out;
    }

    /// Connectors from now on; the ones before have ended and kept their places.
    void attach() {
        connectors.reset();
        connectors =
            std::make_unique<Connectors>(ConnectorParts{.registry = *registry,
                                                        .journal = journal->writer(),
                                                        .partition_count = journal->partition_count(),
                                                        .files = posix_file_system(),
                                                        .clock = system_clock(),
                                                        .random = system_random(),
                                                        .metrics = metrics,
                                                        .directory = (directory / "connectors").string()});
        connectors->start();
    }
    ConnectorStatus status(const std::string& name) {
        const auto shown = connectors->get(hub, name);
        EXPECT_TRUE(shown) << shown.error().message;
        return shown ? shown->status : ConnectorStatus{};
    }

    std::filesystem::path directory;
    Metrics metrics;
    model::HubName hub;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<Connectors> connectors;
};

}  // namespace fieldwatch::hub
