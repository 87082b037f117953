// A log of one device for tests of custom alerts: as records, and as recorded input.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "detect/custom/rule_type.hpp"
#include "pipeline/offline.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

using Json = nlohmann::json;
using detect::RuleType;

inline constexpr std::int64_t kStart = 1'800'000'000;  ///< on a quarter of an hour
inline constexpr std::int64_t kQuarter = 900;

inline std::string iso(std::int64_t after) {
    return to_iso8601(Timestamp::from_unix_seconds(kStart + after), 3);
}

struct Line {
    model::RecordKind kind;
    std::int64_t at;
    std::string module, body;
};

/// A log of one device, as records and as recorded input.
class CustomLog {
  public:
    CustomLog& operation(std::int64_t at, const char* category, const char* name,
                         Json properties = Json::object(), const std::string& result = "") {
        properties["deviceId"] = "d";
        return add(model::RecordKind::Operation, at, "",
                   {{"time", iso(at)},
                    {"category", category},
                    {"operationName", name},
                    {"resultType", result},
                    {"level", result.empty() ? "Information" : "Error"},
                    {"properties", properties.dump()}});
    }
    CustomLog& event(std::int64_t at, const char* name, Json payload, std::int64_t delay = 1) {
        return events(at, name, Json::array({std::move(payload)}), delay);
    }
    CustomLog& events(std::int64_t at, const char* name, Json payloads, std::int64_t delay = 1) {
        char id[40];
        std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", ++number_);
        const bool periodic = std::string_view(name) == "ListeningPorts";
        return add(model::RecordKind::SecurityMessage, at + delay, "azureiotsecurity",
                   {{"AgentVersion", "1.0.0"},
                    {"AgentId", "aaaaaaaa-2222-4333-8444-555555555555"},
                    {"MessageSchemaVersion", "1.0"},
                    {"Events",
                     {{{"Id", id},
                       {"TimestampLocal", iso(at)},
                       {"TimestampUTC", iso(at)},
                       {"Category", periodic ? "Periodic" : "Triggered"},
                       {"Name", name},
                       {"EventType", "Security"},
                       {"IsEmpty", payloads.empty()},
                       {"PayloadSchemaVersion", "1.0"},
                       {"Payload", payloads}}}}});
    }
    CustomLog& tag(std::int64_t at, const char* group, const char* module = "") {
        Json tags = Json::object();
        if (*group != 0) tags["securityGroup"] = group;
        return add(model::RecordKind::Twin, at, module,
                   {{"section", "tags"}, {"document", tags}, {"version", 1}});
    }
    CustomLog& identity(std::int64_t at, const char* change, const char* status = "enabled") {
        return add(model::RecordKind::IdentityChange, at, "",
                   {{"change", change}, {"identity", {{"deviceId", "d"}, {"status", status}}}});
    }
    CustomLog& hub(std::int64_t at, bool twin_data) {
        return add(model::RecordKind::HubConfiguration, at, "", {{"fieldwatch", {{"twinData", twin_data}}}});
    }
    /// Something of another device, so that time passes.
    CustomLog& time(std::int64_t at) {
        return add(model::RecordKind::Twin, at, "x",
                   {{"section", "reported"}, {"document", Json::object()}, {"version", 1}});
    }
    CustomLog& add(model::RecordKind kind, std::int64_t at, std::string module, const Json& body) {
        lines_.push_back({kind, at, std::move(module), body.dump()});
        return *this;
    }
    const std::vector<Line>& lines() const { return lines_; }

  private:
    std::vector<Line> lines_;
    int number_ = 0;
};

/// Repeats what a rule counts, `times`, from `at` on.
using Repeat = void (*)(CustomLog& log, std::int64_t at, int times);

template <int Step = 1>
void each(int times, auto&& one) {
    for (int i = 0; i < times; ++i)
        one(i * Step);
}
inline void connections(CustomLog& log, std::int64_t at, int times) {
    each(times, [&](int i) {
        log.event(at + i, "ConnectionCreate",
                  {{"RemoteAddress", "203.0.113.9"},
                   {"RemotePort", "443"},
                   {"LocalPort", std::to_string(40'000 + i)},
                   {"Direction", i % 2 == 0 ? "Out" : "In"},
                   {"Protocol", "tcp"},
                   {"ProcessId", 7},
                   {"Executable", "/usr/bin/app"}});
    });
}
inline void local_failures(CustomLog& log, std::int64_t at, int times) {
    each(times, [&](int i) {
        log.event(at + i, "Login",
                  {{"ProcessId", 100 + at + i},
                   {"UserName", "pi"},
                   {"Operation", "login"},
                   {"Executable", "/bin/login"},
                   {"Result", "Fail"}});
    });
}
template <const char* category, const char* name, const char* protocol>
void operations(CustomLog& log, std::int64_t at, int times) {
    each(times, [&](int i) { log.operation(at + i, category, name, {{"protocol", protocol}}); });
}
inline void ingress(CustomLog& log, std::int64_t at, int times, const char* protocol) {
    // Two operations of a condensed minute, and one of our own traffic.
    log.operation(at, "DeviceTelemetry", "ingress",
                  {{"protocol", protocol}, {"messageCount", times - 1}, {"isSecurityMessage", "false"}});
    log.operation(at + 1, "DeviceTelemetry", "ingress", {{"protocol", protocol}, {"batching", 1}});
    log.operation(at + 2, "DeviceTelemetry", "ingress",
                  {{"protocol", protocol}, {"messageCount", 500}, {"isSecurityMessage", "true"}});
}
inline void unauthorized(CustomLog& log, std::int64_t at, int times) {
    each(times, [&](int i) {
        log.operation(at + i, "Connections", "deviceConnect",
                      {{"protocol", "Mqtt"}, {"statusCode", "401003"}}, "401003");
        log.operation(at + i, "Connections", "deviceConnect",
                      {{"protocol", "Mqtt"}, {"statusCode", "403004"}}, "403004");
    });
}

inline constexpr char kCommands[] = "C2DCommands", kDeliver[] = "deliver", kReject[] = "reject",
                      kPurge[] = "purge", kAmqp[] = "AmqpWs", kMqtt[] = "Mqtt", kHttp[] = "Https",
                      kMethods[] = "DirectMethods", kSend[] = "send", kUploads[] = "FileUploadOperations",
                      kComplete[] = "complete", kTwin[] = "C2DTwinOperations", kReplace[] = "replace";

struct Case {
    RuleType type;
    Repeat repeat;
};
inline const std::array<Case, 16> kCases{{
    {RuleType::ActiveConnections, connections},
    {RuleType::AmqpC2DMessages, operations<kCommands, kDeliver, kAmqp>},
    {RuleType::MqttC2DMessages, operations<kCommands, kDeliver, kMqtt>},
    {RuleType::HttpC2DMessages, operations<kCommands, kComplete, kHttp>},
    {RuleType::AmqpC2DRejected, operations<kCommands, kReject, kAmqp>},
    {RuleType::MqttC2DRejected, operations<kCommands, kReject, kMqtt>},
    {RuleType::HttpC2DRejected, operations<kCommands, kReject, kHttp>},
    {RuleType::AmqpD2CMessages,
     [](CustomLog& log, std::int64_t at, int times) { ingress(log, at, times, "Amqp"); }},
    {RuleType::MqttD2CMessages,
     [](CustomLog& log, std::int64_t at, int times) { ingress(log, at, times, "MqttWs"); }},
    {RuleType::HttpD2CMessages,
     [](CustomLog& log, std::int64_t at, int times) { ingress(log, at, times, "Https"); }},
    {RuleType::DirectMethodInvokes, operations<kMethods, kSend, kMqtt>},
    {RuleType::FailedLocalLogins, local_failures},
    {RuleType::FileUploads, operations<kUploads, kComplete, kHttp>},
    {RuleType::QueuePurges, operations<kCommands, kPurge, kMqtt>},
    {RuleType::TwinUpdates, operations<kTwin, kReplace, kMqtt>},
    {RuleType::UnauthorizedOperations, unauthorized},
}};

inline Json count_rule(RuleType type, int min, int max, const char* window = "PT15M") {
    Json rule{{"ruleType", detect::info(type).name},
              {"isEnabled", true},
              {"minThreshold", min},
              {"maxThreshold", max}};
    if (detect::info(type).list == detect::RuleList::TimeWindow) rule["timeWindowSize"] = window;
    return rule;
}
inline Json list_rule(RuleType type, std::vector<std::string> values) {
    return {{"ruleType", detect::info(type).name},
            {"isEnabled", true},
            {std::string(detect::values_of(detect::info(type).list)), values}};
}
inline std::string settings(const std::vector<std::pair<std::string, std::vector<Json>>>& groups) {
    Json list = Json::array();
    for (const auto& [name, rules] : groups) {
        Json properties = Json::object();
        for (const auto& rule : rules) {
            const auto type = detect::rule_type_from(rule["ruleType"].get<std::string>());
            properties[std::string(detect::member_of(detect::info(*type).list))].push_back(rule);
        }
        list.push_back({{"name", name}, {"properties", properties}});
    }
    return Json{{"custom.extensions", true}, {"securityGroups", list}}.dump();
}

inline detect::ContentPtr compiled(const std::string& text) {
    auto content = detect::compile({.settings_json = text});
    EXPECT_TRUE(content.has_value()) << content.error().message;
    return content.value();
}

inline std::string_view kind_name(model::RecordKind kind) {
    return model::to_string(kind);
}

/// The custom alerts of the log, offline.
inline std::vector<Json> alerts(const CustomLog& log, const std::string& settings) {
    std::string text;
    for (const auto& line : log.lines())
        text += Json{{"time", iso(line.at)},
                     {"hub", "h"},
                     {"device", line.kind == model::RecordKind::HubConfiguration ? "" : "d"},
                     {"module", line.module},
                     {"kind", kind_name(line.kind)},
                     {"body", Json::parse(line.body)}}
                    .dump() +
                "\n";
    std::istringstream input(text);
    std::vector<Json> out;
    const auto done =
        run_offline(std::array<std::istream*, 1>{&input}, compiled(settings), {}, [&](std::string_view line) {
            auto finding = Json::parse(line);
            EXPECT_NE(finding["kind"], "dead-letter") << line;
            if (finding.value("AlertType", "").starts_with("IoT_CA_")) out.push_back(std::move(finding));
        });
    EXPECT_TRUE(done.has_value());
    return out;
}

inline Json connection(const char* address, const char* direction) {
    return {{"RemoteAddress", address},    {"RemotePort", "443"}, {"LocalPort", "40000"},
            {"Direction", direction},      {"Protocol", "tcp"},   {"ProcessId", 7},
            {"Executable", "/usr/bin/app"}};
}

inline Json login(const char* user, const char* result, int process) {
    return {{"ProcessId", process},
            {"UserName", user},
            {"Operation", "login"},
            {"Executable", "/bin/login"},
            {"RemoteAddress", "198.51.100.4"},
            {"Result", result}};
}

}  // namespace fieldwatch::pipeline
