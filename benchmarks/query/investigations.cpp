// query_investigations DIRECTORY ROWS: the investigations of spec/workspace.md section 2 that read raw
// events, each over a set of ROWS raw events, in turn with the SQL that somebody who knows the stored files
// would write by hand for the same engine. A JSON line each: medians of wall and CPU time, ours and theirs.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "benchmarks/query/investigation_texts.hpp"
#include "benchmarks/query/raw_event_set.hpp"
#include "workspace/duckdb/connection.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::bench {
namespace {

constexpr Timestamp kEnd = Timestamp::from_unix_seconds(1'790'000'000);
constexpr int kTurns = 5;
constexpr unsigned kThreads = 2;
constexpr std::size_t kMemoryBytes = 512u << 20;  // as a workspace has

struct Took {
    double wall_ms = 0, cpu_ms = 0;  // of the whole process: helpers too
    std::size_t rows = 0;
};
double cpu_now_ms() {
    std::timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}
Result<Took> timed(const std::function<Result<std::size_t>()>& work) {
    const auto start = system_clock().monotonic();
    const auto cpu = cpu_now_ms();
    const auto rows = FIELDWATCH_TRY(work());
    return Took{std::chrono::duration<double, std::milli>(system_clock().monotonic() - start).count(),
                cpu_now_ms() - cpu, rows};
}

/// The engine alone, with views over the sealed files.
class PlainSql {
  public:
    static Result<PlainSql> open(const std::string& directory) {
        auto database = FIELDWATCH_TRY(workspace::Database::open("", {.directory = directory,
                                                                      .memory_bytes_max = kMemoryBytes,
                                                                      .threads_max = kThreads,
                                                                      .own_threads = true}));
        auto connection = FIELDWATCH_TRY(database.connect());
        for (const auto* table : {"SecurityIoTRawEvent", "SecurityAlert"}) {
            FIELDWATCH_TRY(connection.run("CREATE VIEW " + std::string(table) +
                                          " AS SELECT * FROM read_parquet('" + directory + "/sealed/" +
                                          table + "-*.parquet')"));
        }
        return PlainSql(std::move(database), std::move(connection));
    }
    Result<std::size_t> run(const std::string& sql) {
        auto rows = FIELDWATCH_TRY(connection_.stream(sql, {}));
        for (std::size_t count = 0;;) {
            const auto chunk = FIELDWATCH_TRY(rows.next());
            if (!chunk) return count;
            count += duckdb_data_chunk_get_size(chunk.get());
        }
    }

  private:
    PlainSql(workspace::Database database, workspace::Connection connection)
        : database_(std::move(database)), connection_(std::move(connection)) {}
    workspace::Database database_;
    workspace::Connection connection_;
};

Took median(std::array<Took, kTurns> turns) {
    Took out = turns[0];
    std::ranges::sort(turns, {}, &Took::wall_ms);
    out.wall_ms = turns[kTurns / 2].wall_ms;
    std::ranges::sort(turns, {}, &Took::cpu_ms);
    out.cpu_ms = turns[kTurns / 2].cpu_ms;
    return out;
}

Result<void> measure(const Investigation& investigation, workspace::Workspace& workspace, PlainSql& plain) {
    std::array<Took, kTurns> ours, theirs;
    for (int turn = 0; turn < kTurns; ++turn) {  // in turn: both see the same machine
        ours[turn] = FIELDWATCH_TRY(timed([&]() -> Result<std::size_t> {
            const auto answer = workspace.query({.text = investigation.kql});
            if (!answer) return fail(Errc::Internal, answer.error().message);
            return answer->tables.at(0).rows.size();
        }));
        theirs[turn] = FIELDWATCH_TRY(timed([&] { return plain.run(sql_of(investigation, kEnd)); }));
    }
    const auto ours_median = median(ours), plain_median = median(theirs);
    if (ours_median.rows != plain_median.rows) {
        return fail(Errc::Internal, "KQL gave " + std::to_string(ours_median.rows) + " rows, plain SQL " +
                                        std::to_string(plain_median.rows));
    }
    std::printf(
        "{\"investigation\":\"%s\",\"ms\":%.1f,\"cpu_ms\":%.1f,\"plain_ms\":%.1f,\"plain_cpu_ms\":%.1f,"
        "\"rows\":%zu}\n",
        investigation.name, ours_median.wall_ms, ours_median.cpu_ms, plain_median.wall_ms,
        plain_median.cpu_ms, ours_median.rows);
    std::fflush(stdout);
    return {};
}

Result<void> run(const std::string& directory, std::uint64_t rows) {
    FIELDWATCH_TRY(write_raw_event_set({.directory = directory, .rows = rows, .end = kEnd}));
    ManualClock clock(kEnd + std::chrono::duration_cast<Ticks>(std::chrono::hours(25)));
    Metrics metrics;
    workspace::Options options;
    options.directory = directory;
    options.id = "bench";
    options.threads_max = kThreads;
    options.memory_bytes_max = kMemoryBytes;
    const auto workspace = FIELDWATCH_TRY(workspace::open(options, clock, metrics));
    // As in life, where it runs every minute: each call merges one day's files. All periods are over by then.
    for (int day = 0; day < 10; ++day)
        FIELDWATCH_TRY(workspace->maintain());
    clock.set(kEnd);
    auto plain = FIELDWATCH_TRY(PlainSql::open(directory));
    for (const auto& investigation : kInvestigations) {
        if (const auto done = measure(investigation, *workspace, plain); !done)
            return in_context(investigation.name, done.error());
    }
    return {};
}

}  // namespace
}  // namespace fieldwatch::bench

int main(int count, char** arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: query_investigations DIRECTORY ROWS\n");
        return 2;
    }
    if (const auto done = fieldwatch::bench::run(arguments[1], std::strtoull(arguments[2], nullptr, 10));
        !done) {
        std::fprintf(stderr, "%s\n", done.error().message.c_str());
        return 1;
    }
    return 0;
}
