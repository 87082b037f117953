#include "simulate/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json_text.hpp"
#include "simulate/archetype.hpp"
#include "simulate/attack.hpp"

namespace fieldwatch::simulate {
namespace {

constexpr std::int64_t kSlotSeconds = 300;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kSnapshotSeconds = kDaySeconds / 2;
constexpr std::int64_t kUpdateHour = 2;      ///< local: the night's quiet hours
constexpr std::int64_t kUpdateSpread = 240;  ///< seconds in which all begin
constexpr double kAttacksFrom = 0.6;         ///< of the run: what was before is there to learn from

/// How many, of a Poisson distribution (Knuth; means here are below ten).
std::uint32_t poisson(double mean, SeededRandom& random) {
    const double limit = std::exp(-mean);
    double product = 1;
    for (std::uint32_t count = 0; count < 200; ++count) {
        product *= (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53;
        if (product <= limit) return count;
    }
    return 200;
}

std::uint64_t mixed(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
    return SeededRandom(seed + 0x9E3779B97F4A7C15U * (a + 1) + 0xC2B2AE3D27D4EB4FU * (b + 1)).next();
}

/// One attack, set on one device.
struct Assault {
    const AttackScript* script = nullptr;
    std::uint32_t device = 0;
    struct Timed {
        Act act;
        Timestamp received;
    };
    std::vector<Timed> acts{};  ///< in order
    std::size_t next = 0;
};

class Device {
  public:
    Device(const FleetOptions& options, std::uint32_t index)
        : options_(options),
          archetype_(archetypes()[index % archetypes().size()]),
          index_(index),
          seed_(mixed(options.seed, index, 0)),
          name_(fmt::format("{}-{:05}", archetype_.name, index / archetypes().size() + 1)),
          writer_(options.hub, name_, seed_) {
        SeededRandom random(seed_);
        minute_ = static_cast<std::uint32_t>(random.below(60));
        site_ = static_cast<std::uint32_t>(random.below(200));
        zone_ = std::chrono::hours(random.below(4));
    }

    const std::string& name() const { return name_; }
    RecordWriter& writer() { return writer_; }

    /// What it does of its own in the slot that begins at `begin`.
    std::vector<Act> live(Timestamp begin) {
        SeededRandom random(mixed(seed_, 1, static_cast<std::uint64_t>(begin.unix_seconds())));
        std::vector<Act> out;
        for (const auto& habit : common_habits())
            follow(habit, begin, random, out);
        for (const auto& habit : archetype_.habits)
            follow(habit, begin, random, out);
        const auto since = begin.unix_seconds() - options_.start.unix_seconds();
        if (since % kSnapshotSeconds / kSlotSeconds == minute_ / 5) {
            out.push_back({.kind = ActKind::Ports, .what = std::string(archetype_.listens), .at = begin});
            out.push_back({.kind = ActKind::Users, .what = std::string(archetype_.users), .at = begin});
        }
        if (updates_in(begin)) update(begin, random, out);
        std::ranges::stable_sort(out, {}, &Act::at);
        return out;
    }

    /// The slot in which its firmware is replaced.
    bool updates_in(Timestamp begin) const {
        if (options_.update_day == 0) return false;
        const auto at =
            options_.start.unix_seconds() + (options_.update_day - 1) * kDaySeconds + kUpdateHour * 3'600;
        return begin.unix_seconds() == at;
    }

  private:
    void follow(const Habit& habit, Timestamp begin, SeededRandom& random, std::vector<Act>& out) const {
        std::uint32_t count = 0;
        if (habit.every_minutes > 0) {
            const auto minute = begin.unix_seconds() / 60;
            const auto phase = (minute_ * 7 + habit.every_minutes) % habit.every_minutes;
            for (std::int64_t i = 0; i < kSlotSeconds / 60; ++i)
                count += (minute + i) % habit.every_minutes == phase;
        } else {
            const auto level = level_of(habit.rhythm, begin + zone_);
            if (level > 0) count = poisson(habit.per_hour * level * kSlotSeconds / 3'600.0, random);
        }
        if (count == 0) return;
        Act act{.kind = habit.kind,
                .what = filled(habit.what, random),
                .image = std::string(habit.image),
                .parent = std::string(habit.parent),
                .detail = std::string(habit.detail),
                .port = habit.port,
                .inbound = habit.inbound};
        const auto offset = static_cast<std::int64_t>(random.below(kSlotSeconds));
        act.at = begin + std::chrono::seconds(count > 1 ? kSlotSeconds - 1 : offset);
        if (count > 1 && habit.kind != ActKind::Login) {
            act.count = count;  // as an agent tells repeats of the same
            act.interval = std::chrono::seconds(kSlotSeconds - 1);
        }
        if (habit.kind == ActKind::Operation && habit.what == "ingress")
            act.count = 5 + static_cast<std::uint32_t>(random.below(2));
        out.push_back(std::move(act));
    }

    void update(Timestamp begin, SeededRandom& random, std::vector<Act>& out) const {
        const auto at = begin + std::chrono::seconds(random.below(kUpdateSpread));
        const auto add = [&](std::int64_t after, std::string_view line, std::string_view image,
                             std::string_view parent) {
            out.push_back({.what = std::string(line),
                           .image = std::string(image),
                           .parent = std::string(parent),
                           .at = at + std::chrono::seconds(after)});
        };
        add(0, "/usr/bin/swupdate -i /var/update/firmware.swu", "/usr/bin/swupdate", "/usr/bin/device-app");
        add(20, "fw_setenv boot_slot b", "/usr/bin/fw_setenv", "/usr/bin/swupdate");
        add(30, "reboot", "/sbin/reboot", "/usr/bin/swupdate");
        add(50, "/usr/lib/firmware-check/verify --slot b", "/usr/lib/firmware-check/verify", "/sbin/init");
    }

    std::string filled(std::string_view text, SeededRandom& random) const {
        std::string out(text);
        const auto replace = [&](std::string_view mark, const auto& value) {
            const auto at = out.find(mark);
            if (at != std::string::npos) out.replace(at, mark.size(), value());
        };
        replace("{n}", [&] { return std::to_string(1 + random.below(9)); });
        replace("{site}", [&] { return fmt::format("10.20.{}", site_); });
        replace("{host}", [&] { return std::to_string(20 + (index_ + random.below(5)) % 200); });
        return out;
    }

    const FleetOptions& options_;
    const Archetype& archetype_;
    std::uint32_t index_ = 0;
    std::uint64_t seed_ = 0;
    std::string name_;
    RecordWriter writer_;
    std::uint32_t minute_ = 0, site_ = 0;
    std::chrono::hours zone_{0};
};

class Fleet {
  public:
    explicit Fleet(const FleetOptions& options) : options_(options) {
        devices_.reserve(options.devices);
        for (std::uint32_t i = 0; i < options.devices; ++i)
            devices_.emplace_back(options_, i);
    }

    /// Gives each script a device and an hour in the last part of the run.
    void plan(std::string& truth) {
        SeededRandom random(mixed(options_.seed, 2, 0));
        const auto run = static_cast<std::int64_t>(options_.days) * kDaySeconds;
        const auto from = static_cast<std::int64_t>(kAttacksFrom * static_cast<double>(run));
        const auto first = static_cast<std::uint32_t>(random.below(options_.devices));
        for (std::size_t i = 0; i < options_.attacks.size(); ++i) {
            Assault assault{.script = find_script(options_.attacks[i]),
                            .device = static_cast<std::uint32_t>((first + i) % options_.devices)};
            auto at = options_.start +
                      std::chrono::seconds(from + static_cast<std::int64_t>(random.below(
                                                      static_cast<std::uint64_t>(run - from - 4 * 3'600))));
            schedule(assault, at, truth);
            assaults_.push_back(std::move(assault));
        }
    }

    void slot(Timestamp begin, std::string& out, FleetReport& report) {
        const auto end = begin + std::chrono::seconds(kSlotSeconds);
        std::vector<Line> lines;
        std::string text;
        const auto take = [&](const std::vector<Act>& acts, Timestamp received, Device& device) {
            text.clear();
            device.writer().write(acts, received, text);
            // A hub's record is received when it was made; the message last.
            for (std::size_t at = 0; at < text.size();) {
                const auto stop = text.find('\n', at) + 1;
                lines.push_back({text.substr(at, stop - at)});
                at = stop;
            }
        };
        for (auto& device : devices_) {
            const auto acts = device.live(begin);
            if (!acts.empty()) take(acts, end, device);
        }
        for (auto& assault : assaults_) {
            for (; assault.next < assault.acts.size() && assault.acts[assault.next].received < end;
                 ++assault.next) {
                const auto& timed = assault.acts[assault.next];
                take({timed.act}, timed.received, devices_[assault.device]);
            }
        }
        // Lines begin with their time: {"time":"2026-…Z", all of one length.
        std::ranges::stable_sort(lines, {},
                                 [](const Line& line) { return std::string_view(line.text).substr(0, 33); });
        for (const auto& line : lines)
            out += line.text;
        report.records += lines.size();
    }

    const std::vector<Device>& devices() const { return devices_; }

  private:
    struct Line {
        std::string text;
    };

    void schedule(Assault& assault, Timestamp at, std::string& truth) const {
        std::size_t number = 0;
        for (const auto& step : assault.script->steps) {
            const auto acts = acts_of(step, at);
            for (const auto& act : acts)  // a real-time profile tells within two seconds
                assault.acts.push_back({act, act.at + std::chrono::seconds(2)});
            ++number;
            if (step.alert.empty()) continue;
            JsonWriter json(truth);
            json.begin_object();
            json.member("device",
                        step.kind == ActKind::ControlPlane ? options_.hub : devices_[assault.device].name());
            json.member("script", assault.script->name).member("step", static_cast<std::int64_t>(number));
            json.member("alert", step.alert).member("start", to_iso8601(acts.front().at, 3));
            json.member("end", to_iso8601(acts.back().at, 3)).end_object();
            truth.push_back('\n');
        }
    }

    const FleetOptions& options_;
    std::vector<Device> devices_;
    std::vector<Assault> assaults_;
};

Result<void> check(const FleetOptions& options) {
    const auto wrong = [](std::string what) { return fail(Errc::InvalidArgument, std::move(what)); };
    if (options.devices < 1 || options.devices > FleetOptions::kDevicesMax)
        return wrong(fmt::format("a fleet has 1 to {} devices", FleetOptions::kDevicesMax));
    if (options.days < 1 || options.days > FleetOptions::kDaysMax)
        return wrong(fmt::format("a run has 1 to {} days", FleetOptions::kDaysMax));
    if (options.update_day > options.days) return wrong("the update's day is behind the run's end");
    if (options.start.unix_seconds() % kSlotSeconds != 0 || options.start.ticks < 0)
        return wrong("a run starts at a full five minutes, after 1970");
    for (const auto& name : options.attacks) {
        if (find_script(name) != nullptr) continue;
        std::string known;
        for (const auto& script : attack_scripts())
            known.append(known.empty() ? "" : ", ").append(script.name);
        return wrong(fmt::format("there is no attack \"{}\"; there are {}", name, known));
    }
    return {};
}

}  // namespace

Result<FleetReport> simulate_fleet(const FleetOptions& options, const TextSink& records,
                                   const TextSink& truth) {
    FIELDWATCH_TRY(check(options));
    Fleet fleet(options);
    FleetReport report;
    std::string text;
    fleet.plan(text);
    const auto slots = static_cast<std::int64_t>(options.days) * kDaySeconds / kSlotSeconds;
    for (std::int64_t slot = 0; slot < slots; ++slot) {
        const auto begin = options.start + std::chrono::seconds(slot * kSlotSeconds);
        if (fleet.devices().front().updates_in(begin)) {
            JsonWriter json(text);
            json.begin_object().member("event", "firmware-update").member("device", options.hub);
            json.member("alert", "IoT_X_FleetChange").member("start", to_iso8601(begin, 3));
            json.member("end", to_iso8601(begin + std::chrono::seconds(kSlotSeconds), 3)).end_object();
            text.push_back('\n');
        }
        std::string lines;
        fleet.slot(begin, lines, report);
        FIELDWATCH_TRY(records(lines));
    }
    FIELDWATCH_TRY(truth(text));
    return report;
}

}  // namespace fieldwatch::simulate
