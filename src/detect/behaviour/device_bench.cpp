// What the behaviour models cost: state of a device, in memory as allocated, and time an event.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'800'000'000;

/// Devices that start programs and open connections, a few names each.
class Fleet {
  public:
    Fleet(std::size_t devices, bool behaviour) {
        ContentSources sources;
        sources.settings_json = behaviour ? R"({"behaviour":true})" : "{}";
        engine_ = make_engine(compile(sources).value());
        for (std::size_t i = 0; i < devices; ++i)
            names_.push_back("device-" + std::to_string(i));
    }

    void event() {
        const auto n = count_++;
        model::Event event;
        event.hub = "hub";
        event.device = names_[n % names_.size()];
        event.time = event.received = event.device_time = Timestamp::from_unix_seconds(kStart + now_);
        model::Item item;
        item.position.offset = n;
        const auto address = "203.0.113." + std::to_string(n / names_.size() % 7);
        const auto program =
            "/usr/bin/program-" + std::string(1, static_cast<char>('a' + n / names_.size() % 11));
        if (n / names_.size() % 4 == 0) {
            event.kind = model::EventKind::ConnectionCreate;
            model::ConnectionCreate connection;
            connection.remote_address = address;
            connection.remote_port = "443";
            connection.protocol = "tcp";
            connection.direction = model::Direction::Out;
            item.payload = connection;
        } else {
            event.kind = model::EventKind::ProcessCreate;
            model::ProcessCreate process;
            process.executable = process.command_line = program;
            process.parent_executable = "/usr/sbin/cron";
            item.payload = process;
        }
        event.items.push_back(item);
        engine_->observe(event, out_);
        out_.clear();
    }
    void pass(std::int64_t seconds) {
        now_ += seconds;
        engine_->advance(Timestamp::from_unix_seconds(kStart + now_), out_);
        out_.clear();
    }

  private:
    std::unique_ptr<Engine> engine_;
    std::vector<std::string> names_;
    std::vector<model::Finding> out_;
    std::size_t count_ = 0;
    std::int64_t now_ = 0;
};

void events(benchmark::State& state) {
    Fleet fleet(1'000, state.range(0) != 0);
    std::size_t done = 0;
    for (auto _ : state) {
        fleet.event();
        // A thousand devices at an event each ten seconds.
        if (++done % 1'000 == 0) fleet.pass(10);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(events)->Name("behaviour/events")->Arg(0)->Arg(1);

void state_bytes(benchmark::State& state) {
    constexpr std::size_t kDevices = 2'000;
    double bytes = 0;
    for (auto _ : state) {
        const auto used = [](bool behaviour) {
            const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
            Fleet fleet(kDevices, behaviour);
            for (int window = 0; window < 24; ++window) {
                for (std::size_t i = 0; i < 8 * kDevices; ++i)
                    fleet.event();
                if (window < 23) fleet.pass(300);
            }
            return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - before);
        };
        bytes = (used(true) - used(false)) / kDevices;
    }
    state.counters["bytes"] = bytes;
}
BENCHMARK(state_bytes)->Name("behaviour/state")->Iterations(1);

}  // namespace
}  // namespace fieldwatch::detect
