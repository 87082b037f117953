// What a commit costs: by batch, with the write-ahead log's fsync in it.
#include <benchmark/benchmark.h>

#include "workspace/duckdb/test_workspace.hpp"

namespace fieldwatch::workspace {
namespace {

void commit_raw_events(benchmark::State& state) {
    const testing::Directory directory;
    Metrics metrics;
    auto workspace = open(testing::options_in(directory.path()), system_clock(), metrics).value();
    const auto count = static_cast<std::uint64_t>(state.range(0));
    std::uint64_t offset = 0;
    for (auto _ : state) {
        state.PauseTiming();
        Commit commit{.partition = 0, .next_offset = offset + count};
        for (std::uint64_t i = 0; i < count; ++i) {
            commit.raw_events.push_back(testing::raw_event(0, offset + i, testing::kStart));
        }
        offset += count;
        state.ResumeTiming();
        if (const auto done = workspace->commit(std::move(commit)); !done) {
            state.SkipWithError(done.error().message.c_str());
            break;
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(offset));
}
BENCHMARK(commit_raw_events)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->Arg(10000)->UseRealTime();

void commit_one_alert(benchmark::State& state) {
    const testing::Directory directory;
    Metrics metrics;
    auto workspace = open(testing::options_in(directory.path()), system_clock(), metrics).value();
    std::uint64_t offset = 0;
    for (auto _ : state) {
        Commit commit{.partition = 0, .next_offset = offset + 1};
        commit.raw_events.push_back(testing::raw_event(0, offset, testing::kStart));
        commit.alerts.push_back(testing::alert_row(0, offset, testing::kStart));
        commit.outbox.push_back({.kind = "alert", .key = commit.alerts[0].alert.id.text()});
        ++offset;
        if (const auto done = workspace->commit(std::move(commit)); !done) {
            state.SkipWithError(done.error().message.c_str());
            break;
        }
    }
}
BENCHMARK(commit_one_alert)->UseRealTime();

}  // namespace
}  // namespace fieldwatch::workspace
