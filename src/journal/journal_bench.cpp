// Durable appends on a real disk: how many a second, and how long an acknowledgement takes. The directory is
// $FIELDWATCH_BENCH_DIR or the working directory's: /tmp may be memory.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/log.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::journal {
namespace {

std::string make_directory() {
    const char* wanted = std::getenv("FIELDWATCH_BENCH_DIR");
    std::string path = std::string(wanted != nullptr ? wanted : ".") + "/journal-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    return path;
}

/// Keeps `in_flight` appends of `record_bytes` under way over all partitions, from two threads.
void durable_appends(benchmark::State& state) {
    const auto in_flight = state.range(0);
    const std::string record(static_cast<std::size_t>(state.range(1)), 'x');
    log::set_level(log::Level::Warning);
    Options options;
    options.directory = make_directory();
    options.partition_count = static_cast<std::uint32_t>(state.range(2));
    options.disk_free_bytes_min = 0;
    Metrics metrics;
    std::vector<std::int64_t> latencies_us;
    {
        auto journal = open(options, posix_file_system(), system_clock(), metrics);
        if (!journal) return state.SkipWithError(journal.error().message.c_str());
        auto& writer = (*journal)->writer();
        const auto records = std::min<std::int64_t>(200'000, in_flight * 1'000);
        std::vector<std::int64_t> times(records);
        for (auto _ : state) {
            std::atomic<std::int64_t> next{0};
            std::atomic<std::int64_t> open_appends{0};
            std::atomic<std::int64_t> failed{0};
            const auto produce = [&] {
                while (true) {
                    while (open_appends.load() >= in_flight)
                        std::this_thread::sleep_for(std::chrono::microseconds(20));
                    const auto number = next.fetch_add(1);
                    if (number >= records) return;
                    open_appends.fetch_add(1);
                    auto* const slot = &times[static_cast<std::size_t>(number)];
                    *slot = -system_clock().monotonic().count();
                    const auto place = writer.append(
                        Stream::Security, static_cast<std::uint32_t>(number) % options.partition_count,
                        as_bytes(record), [slot, &open_appends](Result<void>) {
                            *slot += system_clock().monotonic().count();
                            open_appends.fetch_sub(1);
                        });
                    if (!place) failed.fetch_add(1);
                }
            };
            std::thread other(produce);
            produce();
            other.join();
            while (open_appends.load() > failed.load())
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            if (failed.load() != 0) state.SkipWithError("an append was refused");
            latencies_us.insert(latencies_us.end(), times.begin(), times.end());
        }
        state.SetItemsProcessed(state.iterations() * records);
    }
    std::sort(latencies_us.begin(), latencies_us.end());
    const auto at = [&](double share) {
        return static_cast<double>(latencies_us[static_cast<std::size_t>(
                   share * static_cast<double>(latencies_us.size() - 1))]) /
               1e6;
    };
    if (!latencies_us.empty()) {
        state.counters["ack_ms_p50"] = at(0.5);
        state.counters["ack_ms_p99"] = at(0.99);
        state.counters["records_per_commit"] =
            static_cast<double>(metrics.counter("fieldwatch_journal_records_total", "").value()) /
            static_cast<double>(metrics.counter("fieldwatch_journal_commits_total", "").value());
    }
    std::filesystem::remove_all(options.directory);
}
BENCHMARK(durable_appends)
    ->ArgNames({"in_flight", "bytes", "partitions"})
    ->Args({1, 300, 1})
    ->Args({64, 300, 4})
    ->Args({1'000, 300, 4})
    ->Args({8'000, 300, 1})
    ->Args({8'000, 300, 4})
    ->Args({8'000, 300, 8})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
}  // namespace fieldwatch::journal
