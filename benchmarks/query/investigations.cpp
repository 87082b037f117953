// query_investigations DIRECTORY ROWS: the investigations of spec/workspace.md section 2 that read raw
// events, each run three times over a set of ROWS raw events; a JSON line each with the median.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "benchmarks/query/raw_event_set.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::bench {
namespace {

constexpr Timestamp kEnd = Timestamp::from_unix_seconds(1'790'000'000);

struct Investigation {
    const char* name;
    const char* text;
};
constexpr std::array kInvestigations = {
    Investigation{"failed_logins",
                  R"(SecurityIoTRawEvent | where RawEventName == "Login" and TimeGenerated > ago(1d)
| extend E=parse_json(EventDetails)
| where tostring(E.Result) =~ "fail" | extend Src=tostring(E.RemoteAddress), User=tostring(E.UserName)
| summarize Tries=count(), Users=dcount(User) by DeviceId, Src, bin(TimeGenerated, 10m)
| where Tries >= 2 | sort by Tries desc)"},
    Investigation{"silent_devices", R"(SecurityIoTRawEvent | summarize Last=max(TimeGenerated) by DeviceId
| where Last < ago(72h))"},
    Investigation{"rare_commands", R"(SecurityIoTRawEvent | where RawEventName == "ProcessCreate"
| extend Exe=tostring(todynamic(EventDetails).Executable)
| summarize Devices=dcount(DeviceId), Runs=count() by Exe | where Devices == 1 and Exe !startswith "/usr/" | take 100)"},
    Investigation{"users_with_access", R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "LocalUsers"
| project TimeGenerated, GroupNames=extractjson("$.GroupNames", EventDetails, typeof(string)), UserName=extractjson("$.UserName", EventDetails, typeof(string))
| summarize FirstObserved=min(TimeGenerated) by GroupNames, UserName)"},
    Investigation{"open_ports", R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "ListeningPorts"
| extend Port=toint(tostring(parse_json(EventDetails).LocalPort)), Protocol=tostring(parse_json(EventDetails).Protocol)
| where Port <= 1024
| summarize First=min(TimeGenerated), Last=max(TimeGenerated) by Protocol, Port)"},
    Investigation{"processes", R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "ProcessCreate"
| extend E=parse_json(EventDetails)
| summarize CommandLines=makeset(tostring(E.CommandLine)) by Executable=tostring(E.Executable), User=tostring(E.UserName))"},
    Investigation{"last_day_by_kind",
                  "SecurityIoTRawEvent | where TimeGenerated > ago(1d) | summarize count() by RawEventName"},
};

int run(const std::string& directory, std::uint64_t rows) {
    if (const auto done = write_raw_event_set({.directory = directory, .rows = rows, .end = kEnd}); !done) {
        std::fprintf(stderr, "%s\n", done.error().message.c_str());
        return 1;
    }
    ManualClock clock(kEnd);
    Metrics metrics;
    workspace::Options options;
    options.directory = directory;
    options.id = "bench";
    const auto workspace = workspace::open(options, clock, metrics);
    if (!workspace) {
        std::fprintf(stderr, "%s\n", workspace.error().message.c_str());
        return 1;
    }
    // As in life, where it runs every minute: each call merges one day's files.
    for (int day = 0; day < 8; ++day) {
        if (const auto done = (*workspace)->maintain(); !done) {
            std::fprintf(stderr, "%s\n", done.error().message.c_str());
            return 1;
        }
    }
    for (const auto& investigation : kInvestigations) {
        std::array<double, 3> milliseconds{};
        std::size_t answered = 0;
        for (auto& took : milliseconds) {
            const auto start = system_clock().monotonic();
            const auto answer = (*workspace)->query({.text = investigation.text});
            took = std::chrono::duration<double, std::milli>(system_clock().monotonic() - start).count();
            if (!answer) {
                std::fprintf(stderr, "%s: %s\n", investigation.name, answer.error().message.c_str());
                return 1;
            }
            answered = answer->tables.at(0).rows.size();
        }
        std::ranges::sort(milliseconds);
        std::printf("{\"investigation\":\"%s\",\"ms\":%.1f,\"rows\":%zu}\n", investigation.name,
                    milliseconds[1], answered);
    }
    return 0;
}

}  // namespace
}  // namespace fieldwatch::bench

int main(int count, char** arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: query_investigations DIRECTORY ROWS\n");
        return 2;
    }
    return fieldwatch::bench::run(arguments[1], std::strtoull(arguments[2], nullptr, 10));
}
