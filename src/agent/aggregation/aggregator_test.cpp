#include "agent/aggregation/aggregator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwatch::agent {
namespace {

Observation process(const std::string& command_line, std::uint32_t pid, std::int64_t time_ms) {
    Observation out{.kind = FIELDWATCH_PROCESS_CREATE, .time_unix_ms = time_ms, .pid = pid};
    out.text("Executable", "/bin/sh");
    out.integer("ProcessId", pid, Fold::Zero);
    out.integer("ParentProcessId", 1, Fold::Zero);
    out.text("UserId", "0");
    out.text("CommandLine", command_line);
    return out;
}

std::string extra(const Observation& observation, std::string_view name) {
    for (const auto& one : observation.extras) {
        if (name == one.name) return one.text;
    }
    return "";
}

TEST(Aggregator, SendsTheFirstAtOnceAndCountsTheRepeatsOnly) {
    Aggregator aggregator;
    std::vector<Observation> out;
    const auto emit = [&](const Observation& one) { out.push_back(one); };
    EXPECT_TRUE(aggregator.add(process("a", 10, 1'000), emit));
    EXPECT_FALSE(aggregator.add(process("a", 11, 2'000), emit));
    EXPECT_FALSE(aggregator.add(process("a", 12, 3'000), emit));
    EXPECT_TRUE(aggregator.add(process("b", 13, 3'500), emit));
    aggregator.flush(emit);
    ASSERT_EQ(out.size(), 1U);  // "b" came once: nothing more to say
    EXPECT_EQ(extra(out[0], "HitCount"), "2");
    EXPECT_EQ(extra(out[0], "StartTimeUtc"), "1970-01-01T00:00:02.000Z");
    EXPECT_EQ(extra(out[0], "EndTimeUtc"), "1970-01-01T00:00:03.000Z");
    EXPECT_EQ(extra(out[0], "SamplePids"), "11,12");
    EXPECT_EQ(out[0].fields[1].integer, 0);
    EXPECT_EQ(aggregator.size(), 0U);
}

TEST(Aggregator, AFoldedEventFollowsTheSchema) {
    Aggregator aggregator;
    std::string json;
    const auto emit = [&](const Observation& one) {
        SeededRandom random(1);
        const auto encoded =
            encode_event(one.kind, {&one}, {.time_unix_ms = one.time_unix_ms}, random, 100'000);
        ASSERT_TRUE(encoded) << encoded.error().message;
        json = *encoded;
    };
    aggregator.add(process("a", 1, 0), emit);
    aggregator.add(process("a", 1, 0), emit);
    aggregator.flush(emit);
    EXPECT_EQ(nlohmann::json::parse(json)["Payload"][0]["ExtraDetails"]["HitCount"], "1");
}

TEST(Aggregator, ClosesItsWindowByTime) {
    using std::chrono_literals::operator""s;
    Aggregator aggregator;
    int emitted = 0;
    const auto emit = [&](const Observation&) { ++emitted; };
    aggregator.tick(0s, 60s, emit);
    aggregator.add(process("a", 1, 0), emit);
    aggregator.add(process("a", 1, 0), emit);
    aggregator.tick(59s, 60s, emit);
    EXPECT_EQ(emitted, 0);
    aggregator.tick(60s, 60s, emit);
    EXPECT_EQ(emitted, 1);
    EXPECT_TRUE(aggregator.add(process("a", 1, 0), emit));
}

TEST(Aggregator, AFullTableFlushesEarlyAndLosesNothing) {
    Aggregator aggregator;
    std::uint64_t hits = 0;
    std::uint64_t first = 0;
    const auto emit = [&](const Observation& one) { hits += std::stoull(extra(one, "HitCount")); };
    constexpr std::uint64_t kKinds = 3'000;
    for (std::uint64_t i = 0; i < kKinds; ++i) {
        first += aggregator.add(process("c" + std::to_string(i), 1, 0), emit);
        first += aggregator.add(process("c" + std::to_string(i), 1, 0), emit);
        EXPECT_LE(aggregator.size(), Aggregator::kEntriesMax);
    }
    aggregator.flush(emit);
    EXPECT_EQ(first + hits, 2 * kKinds);
    EXPECT_GT(aggregator.early_flushes(), 0U);
}

TEST(Aggregator, FieldsDoNotRunTogetherInTheKey) {
    Aggregator aggregator;
    const auto emit = [](const Observation&) {};
    auto left = process("a", 1, 0);
    left.extra("WorkingDirectory", "b");
    auto right = process("a", 1, 0);
    right.extra("WorkingDirectory", "c");
    EXPECT_TRUE(aggregator.add(left, emit));
    EXPECT_TRUE(aggregator.add(right, emit));
}

}  // namespace
}  // namespace fieldwatch::agent
