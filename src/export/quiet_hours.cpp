#include "export/quiet_hours.hpp"

#include <fmt/format.h>

namespace fieldwatch::exports {

namespace {

constexpr int kMinutesOfDay = 24 * 60;

/// "22:00" at `at`; nullopt for what is no time of a day.
std::optional<int> clock_at(std::string_view text, std::size_t at) {
    const auto digit = [&](std::size_t i) { return text[at + i] - '0'; };
    if (text.size() < at + 5 || text[at + 2] != ':') return std::nullopt;
    for (const std::size_t i : {0u, 1u, 3u, 4u})
        if (digit(i) < 0 || digit(i) > 9) return std::nullopt;
    const int hour = digit(0) * 10 + digit(1), minute = digit(3) * 10 + digit(4);
    if (hour > 23 || minute > 59) return std::nullopt;
    return hour * 60 + minute;
}

}  // namespace

Result<QuietHours> QuietHours::parse(std::string_view text) {
    const auto wrong = [&] {
        return fail(
            Errc::InvalidArgument,
            fmt::format("quiet hours are like 22:00-06:00, or 22:00-06:00+01:00 where the clock is ahead of "
                        "UTC; they are \"{}\"",
                        text.substr(0, 40)));
    };
    QuietHours out;
    const auto from = clock_at(text, 0), to = clock_at(text, 6);
    if (!from || !to || text[5] != '-' || *from == *to) return wrong();
    out.from = *from;
    out.to = *to;
    const auto zone = text.substr(11);
    if (zone.empty() || zone == "Z") return out;
    const auto ahead = clock_at(zone, 1);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || !ahead || *ahead > 14 * 60) return wrong();
    out.offset = zone[0] == '-' ? -*ahead : *ahead;
    return out;
}

std::string QuietHours::text() const {
    auto out = fmt::format("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
    const int ahead = offset < 0 ? -offset : offset;
    if (offset != 0) out += fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+', ahead / 60, ahead % 60);
    return out;
}

std::optional<Timestamp> QuietHours::end_of(Timestamp now) const {
    const auto seconds = now.unix_millis() / 1'000;
    const auto minutes = seconds / 60 + offset;
    const auto of_day = static_cast<int>(((minutes % kMinutesOfDay) + kMinutesOfDay) % kMinutesOfDay);
    const bool quiet = from < to ? of_day >= from && of_day < to : of_day >= from || of_day < to;
    if (!quiet) return std::nullopt;
    const int left = (to - of_day + kMinutesOfDay) % kMinutesOfDay;
    return Timestamp::from_unix_seconds((seconds / 60 + left) * 60);
}

}  // namespace fieldwatch::exports
