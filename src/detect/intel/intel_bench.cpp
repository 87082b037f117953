// IPv4 lookups at a million prefixes: at least 30 M a second on one core, at most 16 MiB (design section 7).
#include <benchmark/benchmark.h>

#include "base/random.hpp"
#include "detect/intel/prefix_table.hpp"

namespace fieldwatch::detect {
namespace {

void lookups(benchmark::State& state) {
    SeededRandom random(7);
    std::vector<PrefixTable::Entry> entries;
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(state.range(0)); ++i)
        entries.push_back(
            {static_cast<std::uint32_t>(random.next()), static_cast<std::uint8_t>(24 + random.below(9)), i});
    const PrefixTable table(std::move(entries));
    std::vector<std::uint32_t> keys(1u << 20);
    for (auto& key : keys)
        key = static_cast<std::uint32_t>(random.next());
    std::uint64_t hits = 0;
    for (auto _ : state) {
        for (const auto key : keys)
            hits += table.find(key) != PrefixTable::kNone;
    }
    benchmark::DoNotOptimize(hits);
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * keys.size()));
    state.counters["bytes"] = static_cast<double>(table.bytes());
    state.counters["ranges"] = static_cast<double>(table.ranges());
}
BENCHMARK(lookups)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fieldwatch::detect
