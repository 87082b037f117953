#include "app/server_config.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>

#include "base/bytes.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::app {

namespace {

constexpr std::uint64_t kConfigBytesMax = 1u << 20;

template <class Number>
std::function<void(const YAML::Node&)> number(Number& into, std::uint64_t least, std::uint64_t most) {
    return [&into, least, most](const YAML::Node& node) {
        const auto value = node.as<std::uint64_t>();
        if (value < least || value > most)
            throw YAML::RepresentationException(node.Mark(),
                                                fmt::format("it must lie between {} and {}", least, most));
        into = static_cast<Number>(value);
    };
}

std::function<void(const YAML::Node&)> text(std::string& into) {
    return [&into](const YAML::Node& node) { into = node.as<std::string>(); };
}

std::function<void(const YAML::Node&)> hours(std::chrono::hours& into) {
    return [&into](const YAML::Node& node) {
        const auto days = node.as<std::uint32_t>();
        if (days < 1 || days > 3650)
            throw YAML::RepresentationException(node.Mark(), "it is a number of days between 1 and 3650");
        into = std::chrono::hours(24 * days);
    };
}

std::function<void(const YAML::Node&)> seconds_up_to_a_day(std::chrono::seconds& into) {
    return [&into](const YAML::Node& node) {
        const auto value = node.as<std::uint32_t>();
        if (value > 86'400)
            throw YAML::RepresentationException(node.Mark(), "it is a number of seconds, at most 86400");
        into = std::chrono::seconds(value);
    };
}

}  // namespace

Result<ServerConfig> read_config(const std::string& path, ServerConfig config) {
    const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kConfigBytesMax));
    const std::map<std::string, std::function<void(const YAML::Node&)>> keys{
        {"listen", text(config.listen)},
        {"page_listen", text(config.page_listen)},
        {"page_url", text(config.page_url)},
        {"hub_port", number(config.hub_port, 0, 65'535)},
        {"amqp_port", number(config.amqp_port, 0, 65'535)},
        {"https_port", number(config.https_port, 0, 65'535)},
        {"page_port", number(config.page_port, 0, 65'535)},
        {"host_names",
         [&](const YAML::Node& node) { config.host_names = node.as<std::vector<std::string>>(); }},
        {"partitions", number(config.partition_count, 1, 64)},
        {"hub_units", number(config.hub_units, 1, 10'000)},
        {"notice_minutes", number(config.notice_minutes, 1, 48 * 60)},
        {"notice_lock_seconds", number(config.notice_lock_seconds, 5, 300)},
        {"notice_deliveries", number(config.notice_deliveries, 1, 100)},
        {"token_grace_seconds", seconds_up_to_a_day(config.token_grace)},
        {"token_skew_seconds", seconds_up_to_a_day(config.token_skew)},
        {"rules_directory", text(config.rules_directory)},
        {"exports_directory", text(config.exports_directory)},
        {"raw_event_days", hours(config.raw_retention)},
        {"alert_days", hours(config.alert_retention)},
        {"telemetry_days", hours(config.telemetry_retention)},
        {"journal_bytes_max", number(config.journal_bytes_max, 64u << 20, UINT64_MAX)},
        {"workspace_memory_bytes_max", number(config.workspace_memory_bytes_max, 64u << 20, UINT64_MAX)},
    };
    const auto known = [&] {
        std::string names;
        for (const auto& [name, set] : keys)
            names += (names.empty() ? "" : ", ") + name;
        return names;
    };
    std::string key_now;
    try {
        const auto root = YAML::Load(std::string(as_text(bytes)));
        if (root.IsNull()) return config;
        if (!root.IsMap())
            return fail(Errc::InvalidArgument,
                        fmt::format("{}: the configuration is a map of settings: {}", path, known()));
        for (const auto& entry : root) {
            key_now = entry.first.as<std::string>();
            const auto setting = keys.find(key_now);
            if (setting == keys.end()) {
                return fail(Errc::InvalidArgument,
                            fmt::format("{}:{}: there is no setting \"{}\"; there are {}", path,
                                        entry.first.Mark().line + 1, key_now, known()));
            }
            setting->second(entry.second);
        }
    } catch (const YAML::Exception& problem) {
        return fail(Errc::InvalidArgument,
                    fmt::format("{}:{}: {}{}", path, problem.mark.line + 1,
                                key_now.empty() ? "" : "setting \"" + key_now + "\": ", problem.msg));
    }
    return config;
}

Result<void> shift_ports(ServerConfig& config, std::uint32_t offset) {
    for (auto* port : {&config.hub_port, &config.amqp_port, &config.https_port, &config.page_port}) {
        if (*port == 0) continue;
        if (*port + offset > 65'535) {
            return fail(Errc::InvalidArgument,
                        fmt::format("port {} moved by {} is above 65535: choose a smaller --ports-offset",
                                    *port, offset));
        }
        *port = static_cast<std::uint16_t>(*port + offset);
    }
    return {};
}

}  // namespace fieldwatch::app
