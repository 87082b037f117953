// Budget: 1,000,000 normalised process events a second on one core with the whole Linux Sigma set and our
// pack; with ten times the rules at least 80 % of that. `mixed` repeats lines as devices do; `distinct` never
// does, so that no memory of earlier lines helps. FIELDWATCH_STOCK_RULES names a folder of unpacked Sigma
// rules; without it our pack runs alone.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "base/random.hpp"
#include "detect/rules/pack.hpp"
#include "detect/rules/recorded.hpp"

namespace fieldwatch::detect {
namespace {

struct Workload {
    std::vector<std::string> texts;
    std::vector<model::Event> events;
};

RuleSetPtr rule_set(int times) {
    auto pack = *load_rule_pack(posix_file_system(), FIELDWATCH_SOURCE_DIR "/rules");
    if (const char* stock = std::getenv("FIELDWATCH_STOCK_RULES"); stock != nullptr) {
        const auto more = *load_rule_pack(posix_file_system(), stock);
        pack.rules.insert(pack.rules.end(), more.rules.begin(), more.rules.end());
    }
    auto rules = pack.rules;
    for (int copy = 1; copy < times; ++copy) {
        for (const auto& file : pack.rules) {
            auto text = file.text;
            // Other ids and other literals: a copy that shares predicates would cost nothing.
            const auto id = text.find("\nid: ");
            if (id != std::string::npos) text.insert(id + 5, std::to_string(copy));
            const auto detection = text.find("\ndetection:");
            for (auto at = text.find("/", detection); at != std::string::npos; at = text.find("/", at + 3))
                text.insert(at + 1, "q" + std::to_string(copy));
            rules.push_back({std::to_string(copy) + file.name, text});
        }
    }
    return RuleSet::compile(rules, pack.words).rules;
}

Workload workload(std::size_t count, bool distinct) {
    static constexpr std::string_view kLines[] = {"/bin/sh -c ip -a -o link",
                                                  "ip -4 -a -o address",
                                                  "/usr/sbin/cron -f",
                                                  "sleep 30",
                                                  "cat /proc/meminfo",
                                                  "/usr/bin/python3 /opt/gateway/main.py --port 8883",
                                                  "ps aux",
                                                  "grep -q running /run/state/NUM",
                                                  "sh -c 'df -h / | tail -1'",
                                                  "date +%s",
                                                  "systemctl is-active gateway.service",
                                                  "mosquitto_pub -t a/NUM -m 1",
                                                  "/usr/lib/apt/apt.systemd.daily",
                                                  "iptables -L -n",
                                                  "logger -t app value NUM",
                                                  "curl -s http://10.0.0.1/health"};
    static constexpr std::string_view kImages[] = {
        "/bin/sh",  "/bin/ip",       "/usr/sbin/cron", "/usr/bin/python3.9",
        "/bin/cat", "/usr/bin/curl", "/bin/grep"};
    SeededRandom random(7);
    Workload out;
    out.texts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string line(kLines[random.next() % std::size(kLines)]);
        if (const auto number = line.find("NUM"); number != std::string::npos)
            line.replace(number, 3, std::to_string(random.next() % 200));
        if (distinct) line += " --sequence " + std::to_string(i);
        out.texts.push_back(std::move(line));
    }
    for (std::size_t i = 0; i < count; ++i) {
        model::Event event;
        event.kind = model::EventKind::ProcessCreate;
        event.device = "d";
        model::Item item;
        item.payload = model::ProcessCreate{.executable = kImages[random.next() % std::size(kImages)],
                                            .command_line = out.texts[i],
                                            .user_id = "0",
                                            .user_name = "root",
                                            .parent_executable = kImages[random.next() % std::size(kImages)],
                                            .parent_command_line = "/bin/sh -c run"};
        event.items.push_back(item);
        out.events.push_back(std::move(event));
    }
    return out;
}

void match(benchmark::State& state, int times, bool distinct) {
    const auto rules = rule_set(times);
    const auto load = workload(100'000, distinct);
    Matcher matcher(rules);
    std::vector<RuleHit> hits;
    std::size_t at = 0;
    for (auto _ : state) {
        const auto& event = load.events[at];
        at = at + 1 == load.events.size() ? 0 : at + 1;
        hits.clear();
        matcher.match(event, event.items[0], hits);
        benchmark::DoNotOptimize(hits.data());
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["rules"] = static_cast<double>(rules->rules().size());
}
BENCHMARK_CAPTURE(match, mixed, 1, false);
BENCHMARK_CAPTURE(match, mixed_10x, 10, false);
BENCHMARK_CAPTURE(match, distinct, 1, true);
BENCHMARK_CAPTURE(match, distinct_10x, 10, true);

}  // namespace
}  // namespace fieldwatch::detect
