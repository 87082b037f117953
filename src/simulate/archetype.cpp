#include "simulate/archetype.hpp"

namespace fieldwatch::simulate {
namespace {

using enum ActKind;

constexpr Habit kCommon[] = {
    {Process, "/usr/sbin/CRON -f", "/usr/sbin/cron", "/usr/sbin/cron", "", 0, false, 0, 60},
    {Process, "/bin/sh -c cd / && run-parts --report /etc/cron.hourly", "/bin/sh", "/usr/sbin/cron", "", 0,
     false, 0, 60},
    {Process, "run-parts --report /etc/cron.daily", "/usr/bin/run-parts", "/bin/sh", "", 0, false, 0, 1'440},
    {Process, "/usr/sbin/logrotate /etc/logrotate.conf", "/usr/sbin/logrotate", "/bin/sh", "", 0, false, 0,
     1'440},
    {Process, "/bin/gzip /var/log/syslog.{n}", "/bin/gzip", "/usr/sbin/logrotate", "", 0, false, 0, 1'440},
    {Process, "/usr/bin/find /var/tmp -type f -mtime +7 -delete", "/usr/bin/find", "/bin/sh", "", 0, false, 0,
     1'440},
    {Process, "df -h /", "/bin/df", "/usr/lib/health/check.sh", "", 0, false, 0, 30},
    {Process, "cat /proc/meminfo", "/bin/cat", "/usr/lib/health/check.sh", "", 0, false, 0, 30},
    {Connection, "203.0.113.123", "/usr/sbin/ntpd", "", "", 123, false, 0, 60},
    {Connection, "{site}.1", "/usr/sbin/resolved", "", "", 53, false, 8},
    {Connection, "203.0.113.10", "/usr/bin/device-app", "", "", 8883, false, 1},
    {Operation, "ingress", "", "", "", 0, false, 0, 5},
    {Operation, "deviceConnect", "", "", "", 0, false, 0, 1'440},
    // An administrator logs in about once in ten days, looks round, and restarts something now and then.
    {Login, "{site}.5", "", "", "admin", 0, false, 0.012, 0, Rhythm::Business},
    {Process, "sudo systemctl restart device-app", "/usr/bin/sudo", "/bin/bash", "admin", 0, false, 0.006, 0,
     Rhythm::Business},
    {Process, "journalctl -u device-app --since today", "/usr/bin/journalctl", "/bin/bash", "admin", 0, false,
     0.012, 0, Rhythm::Business},
    {Process, "df -h", "/bin/df", "/bin/bash", "admin", 0, false, 0.006, 0, Rhythm::Business},
};

constexpr Habit kCamera[] = {
    {Process, "/usr/bin/recorder --segment /var/recordings/{n}.mp4", "/usr/bin/recorder",
     "/usr/bin/camera-daemon", "", 0, false, 6, 0, Rhythm::Day},
    {Process, "ffmpeg -i /var/recordings/{n}.mp4 -vframes 1 /var/recordings/{n}.jpg", "/usr/bin/ffmpeg",
     "/usr/bin/recorder", "", 0, false, 4, 0, Rhythm::Day},
    {Process, "/usr/bin/find /var/recordings -name *.mp4 -mtime +14 -delete", "/usr/bin/find", "/bin/sh", "",
     0, false, 0, 1'440},
    {Connection, "{site}.10", "/usr/bin/camera-daemon", "", "", 554, true, 3, 0, Rhythm::Day},
    {Connection, "203.0.113.20", "/usr/bin/recorder", "", "", 443, false, 5, 0, Rhythm::Day},
};

constexpr Habit kGateway[] = {
    {Process, "python3 /opt/collector/poll.py --bus {n}", "/usr/bin/python3", "/usr/bin/gateway-daemon",
     "app", 0, false, 12},
    {Process, "mosquitto_pub -h localhost -t site/{n}/status -m ok", "/usr/bin/mosquitto_pub", "/bin/sh",
     "app", 0, false, 0, 10},
    {Process, "opkg update", "/bin/opkg", "/bin/sh", "", 0, false, 0, 1'440},
    {Process, "tar czf /backup/config.tar.gz /etc/gateway", "/bin/tar", "/bin/sh", "", 0, false, 0, 1'440},
    {Connection, "{site}.{host}", "/usr/sbin/mosquitto", "", "", 1883, true, 20},
    {Connection, "{site}.{host}", "/usr/bin/python3", "", "", 502, false, 12},
    {Connection, "203.0.113.30", "/usr/bin/curl", "", "", 443, false, 1},
};

constexpr Habit kMeter[] = {
    {Process, "/usr/bin/measure --register {n}", "/usr/bin/measure", "/usr/bin/meterd", "", 0, false, 0, 15},
    {Process, "mmcli -m 0 --signal-get", "/usr/bin/mmcli", "/usr/lib/health/check.sh", "", 0, false, 0, 30},
    {Connection, "203.0.113.40", "/usr/bin/meterd", "", "", 4059, false, 0, 15},
};

constexpr Habit kPlc[] = {
    {Process, "/usr/bin/cycle-check --task {n}", "/usr/bin/cycle-check", "/opt/runtime/bin/control", "", 0,
     false, 0, 20},
    {Connection, "{site}.7", "/opt/runtime/bin/control", "", "", 502, true, 12, 0, Rhythm::Business},
    {Connection, "{site}.8", "/opt/runtime/bin/control", "", "", 4840, true, 2, 0, Rhythm::Business},
    {Login, "", "", "", "operator", 0, false, 0.004, 0, Rhythm::Business},
};

constexpr Habit kKiosk[] = {
    {Process, "/usr/lib/chromium/chromium --type=renderer --lang=de", "/usr/lib/chromium/chromium",
     "/usr/lib/chromium/chromium", "kiosk", 0, false, 15, 0, Rhythm::Business},
    {Process, "lp -d receipt /var/spool/receipt-{n}.pdf", "/usr/bin/lp", "/usr/bin/kiosk-app", "kiosk", 0,
     false, 6, 0, Rhythm::Business},
    {Process, "xset dpms force on", "/usr/bin/xset", "/usr/bin/kiosk-app", "kiosk", 0, false, 1, 0,
     Rhythm::Business},
    {Connection, "203.0.113.{n}", "/usr/lib/chromium/chromium", "", "", 443, false, 30, 0, Rhythm::Business},
    {Connection, "{site}.9", "/usr/bin/kiosk-app", "", "", 631, false, 4, 0, Rhythm::Business},
};

constexpr std::string_view kUsers = "root:0:root;daemon:1:daemon;admin:1000:admin,adm";

constexpr Archetype kArchetypes[] = {
    {"camera", kCamera, "10.0.0.5:554;127.0.0.1:22", kUsers},
    {"gateway", kGateway, "10.0.0.5:1883;127.0.0.1:22",
     "root:0:root;app:1001:app,dialout;admin:1000:admin,adm"},
    {"meter", kMeter, "127.0.0.1:22", kUsers},
    {"plc", kPlc, "10.0.0.5:502;10.0.0.5:4840", "root:0:root;operator:1002:operator;admin:1000:admin,adm"},
    {"kiosk", kKiosk, "127.0.0.1:631", "root:0:root;kiosk:1003:kiosk,video;admin:1000:admin,adm"},
};

}  // namespace

std::span<const Archetype> archetypes() {
    return kArchetypes;
}

std::span<const Habit> common_habits() {
    return kCommon;
}

double level_of(Rhythm rhythm, Timestamp local) {
    const auto seconds = local.unix_seconds();
    const auto hour = seconds / 3'600 % 24;
    const auto weekday = (seconds / 86'400 + 3) % 7;  // 1970-01-01 was a Thursday; Monday is 0
    switch (rhythm) {
        case Rhythm::Always:
            return 1;
        case Rhythm::Day:
            return hour >= 6 && hour < 22 ? 1.4 : 0.15;
        case Rhythm::Business:
            return weekday < 5 && hour >= 7 && hour < 18 ? 2.5 : 0.05;
        case Rhythm::Night:
            return hour >= 1 && hour < 5 ? 6 : 0;
    }
    return 1;
}

}  // namespace fieldwatch::simulate
