// Decode to rows, all detectors on, one core: the budget is 150,000 events a second (design section 7).
#include <benchmark/benchmark.h>

#include <filesystem>

#include "base/file_system.hpp"
#include "base/json_text.hpp"
#include "detect/rules/pack.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/rows.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {
namespace {

std::string message(int first, int events, std::int64_t at) {
    std::string out =
        R"({"AgentVersion":"1.0.0","AgentId":"aaaaaaaa-2222-3333-4444-555555555555","MessageSchemaVersion":"1.0","Events":[)";
    const char* const lines[] = {"/bin/sh -c 'ls -l /var/lib/app/%d'",
                                 "/usr/bin/python3 /opt/app/run.py --id %d",
                                 "curl -s https://api.example.com/v1/items/%d",
                                 "/usr/sbin/logrotate /etc/logrotate.d/app%d", "cat /proc/%d/status"};
    for (int i = 0; i < events; ++i) {
        const int number = first + i;
        if (i > 0) out += ',';
        char id[40], line[96];
        std::snprintf(id, sizeof id, "00000000-0000-0000-0000-%012d", number);
        std::snprintf(line, sizeof line, lines[number % 5], number);
        const auto time = to_iso8601(Timestamp::from_unix_seconds(at), 3);
        JsonWriter json(out);
        json.begin_object()
            .member("Id", id)
            .member("TimestampLocal", time)
            .member("TimestampUTC", time)
            .member("Category", "Triggered");
        const bool connection = number % 4 == 3;
        json.member("Name", connection ? "ConnectionCreate" : "ProcessCreate")
            .member("EventType", "Security")
            .key("IsEmpty")
            .boolean(false);
        json.member("PayloadSchemaVersion", "1.0").key("Payload").begin_array().begin_object();
        if (connection) {
            json.member("RemoteAddress", "10.1." + std::to_string(number % 250) + ".7")
                .member("RemotePort", "443")
                .member("Direction", "Out");
            json.member("Protocol", "tcp")
                .member("ProcessId", static_cast<std::int64_t>(number))
                .member("Executable", "/usr/bin/curl");
        } else {
            json.member("Executable", "/bin/sh")
                .member("ProcessId", static_cast<std::int64_t>(number))
                .member("ParentProcessId", 1)
                .member("UserId", "0");
            json.member("UserName", "root").member("CommandLine", line);
            json.key("ExtraDetails")
                .begin_object()
                .member("ParentExecutable", "/usr/sbin/cron")
                .member("BootId", "b")
                .member("Sequence", std::to_string(number))
                .end_object();
        }
        json.end_object().end_array().end_object();
    }
    return out + "]}";
}

detect::ContentPtr content_with_rules() {
    detect::ContentSources sources;
    if (const auto pack =
            detect::load_rule_pack(posix_file_system(), std::string(FIELDWATCH_SOURCE_DIR) + "/rules")) {
        for (const auto& file : pack->rules)
            sources.rule_files.emplace_back(file.name, file.text);
        for (const auto& file : pack->words)
            sources.word_lists.emplace_back(file.name, file.text);
    }
    auto compiled = detect::compile(sources);
    if (!compiled) {
        sources.rule_files.clear();
        compiled = detect::compile(sources);
    }
    return compiled.value();
}

/// Argument: events in a message.
void decode_to_rows(benchmark::State& state) {
    const auto content = content_with_rules();
    ShardCore core(content, "", [&](std::string_view) -> Result<detect::ContentPtr> { return content; }, {});
    const int per_message = static_cast<int>(state.range(0));
    constexpr int kMessages = 2'000;
    std::vector<std::string> bodies;
    for (int i = 0; i < kMessages; ++i)
        bodies.push_back(message(i * per_message, per_message, 1'800'000'000 + i));
    Outcome outcome;
    std::uint64_t offset = 0, events = 0;
    std::int64_t shift = 0;
    for (auto _ : state) {
        workspace::Commit commit;
        for (int i = 0; i < kMessages; ++i) {
            const auto device = "device-" + std::to_string(offset % 500) + "-" + std::to_string(shift);
            const model::RecordView record{.kind = model::RecordKind::SecurityMessage,
                                           .received = Timestamp::from_unix_seconds(1'800'000'001 + i),
                                           .hub = "hub",
                                           .device = device,
                                           .module = "azureiotsecurity",
                                           .properties = {},
                                           .body = bodies[static_cast<std::size_t>(i)]};
            const model::LogPosition position{.partition = 0, .offset = offset++, .item = 0};
            if (!core.process(record, position, outcome)) state.SkipWithError("process");
            add_rows(outcome, record, {.workspace_id = "w"}, commit);
            std::uint32_t number = 0;
            for (auto& finding : outcome.findings)
                add_finding(std::move(finding), position, number++, {.workspace_id = "w"}, commit);
            events += outcome.events.size();
            if (commit.raw_events.size() >= Options{}.batch_records) {  // as a shard hands it over
                commit = {};
                commit.raw_events.reserve(Options{}.batch_records);
            }
        }
        ++shift;
        benchmark::DoNotOptimize(commit);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(decode_to_rows)->Arg(1)->Arg(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fieldwatch::pipeline
