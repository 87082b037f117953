// The ordinary lives of five kinds of devices: what each runs, whom it talks to, and when.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "simulate/record.hpp"

namespace fieldwatch::simulate {

/// When a habit happens, in the local time of the device's site.
enum class Rhythm : std::uint8_t {
    Always,
    Day,       ///< most between 6 and 22 o'clock, a tenth at night
    Business,  ///< Monday to Friday, 7 to 18 o'clock; hardly otherwise
    Night,     ///< 1 to 5 o'clock
};
/// By how much a habit's rate is multiplied at this time.
double level_of(Rhythm rhythm, Timestamp local);

/// Something that a device does again and again. In the texts `{n}` is a number up to 9, `{site}` the site's
/// network
/// (`10.20.3`), `{host}` one of its hosts, `{version}` the firmware's.
struct Habit {
    ActKind kind = ActKind::Process;
    std::string_view what, image, parent, detail;
    std::uint16_t port = 0;
    bool inbound = false;
    double per_hour = 0;              ///< Poisson, times the rhythm's level
    std::uint32_t every_minutes = 0;  ///< instead: regularly, at the device's own minute
    Rhythm rhythm = Rhythm::Always;
};

struct Archetype {
    std::string_view name;
    std::span<const Habit> habits;
    std::string_view listens;  ///< `address:port;…`
    std::string_view users;    ///< `name:id:group,…;…`
};

/// camera, gateway, meter, plc, kiosk.
std::span<const Archetype> archetypes();
/// What every device does besides: cron, log rotation, time, the hub, an administrator now and then.
std::span<const Habit> common_habits();

}  // namespace fieldwatch::simulate
