#include "pipeline/input/syslog.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "pipeline/input/line_words.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr Ticks kSameAttempt = std::chrono::seconds(10);
constexpr int kRepeatsMax = 100;  ///< of "last message repeated N times"

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr std::array<std::string_view, 7> kWeekdays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 10> kLevels{"emerg", "alert",   "crit",   "err",  "error",
                                                   "warn",  "warning", "notice", "info", "debug"};

/// "authpriv.info": busybox and OpenWrt write it before the program.
bool is_priority(std::string_view word) {
    const auto dot = word.find('.');
    return dot != std::string_view::npos && std::ranges::find(kLevels, word.substr(dot + 1)) != kLevels.end();
}

/// "Mar 27 13:06:56", with the year of `year` or one behind the time or before it. logread has the weekday in
/// front and the year behind: "Tue Mar 27 13:06:56 2018".
std::optional<Timestamp> old_stamp(std::string_view& text, int year) {
    auto rest = text;
    auto first = word(rest);
    const bool weekday = std::ranges::find(kWeekdays, first) != kWeekdays.end();
    if (weekday) first = word(rest);
    const auto month = std::ranges::find(kMonths, first) - kMonths.begin();
    const auto day = number(word(rest));
    auto clock = word(rest);
    if (month == 12 || !day || *day < 1 || *day > 31) return std::nullopt;
    if (clock.size() == 4 && number(clock)) {  // "Mar 27 2017 13:06:56"
        year = *number(clock);
        clock = word(rest);
    } else if (weekday) {
        auto behind = rest;
        const auto last = word(behind);
        if (last.size() == 4 && number(last)) {
            year = *number(last);
            rest = behind;
        }
    }
    if (clock.ends_with(':')) clock.remove_suffix(1);
    const auto parsed = parse_iso8601(fmt::format("{:04}-{:02}-{:02}T{}Z", year, month + 1, *day, clock));
    if (!parsed) return std::nullopt;
    text = rest;
    return parsed->time;
}

/// "2026-11-23T01:02:03.5+01:00", "2026-11-23 01:02:03,5", and the journal's "Mon 2026-11-23 01:02:03 UTC". A
/// zone that is a name is taken as UTC: its offset depends on where it was said.
std::optional<Timestamp> iso_stamp(std::string_view& text) {
    auto rest = text;
    auto first = std::string(word(rest));
    const bool weekday = std::ranges::find(kWeekdays, first) != kWeekdays.end();
    if (weekday) first = word(rest);
    auto parsed = parse_iso8601(first);
    if (!parsed) {
        first += "T" + std::string(word(rest));
        std::ranges::replace(first, ',', '.');
        parsed = parse_iso8601(first);
        auto behind = rest;
        const auto zone = word(behind);
        const bool named = !zone.empty() && zone.size() <= 5 &&
                           std::ranges::all_of(zone, [](char c) { return c >= 'A' && c <= 'Z'; });
        if (parsed && (weekday ? named : zone == "UTC" || zone == "GMT")) rest = behind;
    }
    if (!parsed) return std::nullopt;
    text = rest;
    return parsed->time;
}

/// The journal's "1704164645.123456".
std::optional<Timestamp> unix_stamp(std::string_view& text) {
    auto rest = text;
    const auto first = word(rest);
    std::uint64_t seconds = 0;
    std::uint64_t micros = 0;
    const auto* const end = first.data() + first.size();
    const auto whole = std::from_chars(first.data(), end, seconds);
    if (whole.ec != std::errc{} || whole.ptr == end || *whole.ptr != '.' || seconds < 100'000'000 ||
        seconds > 253'402'300'799)
        return std::nullopt;
    const auto part = std::from_chars(whole.ptr + 1, end, micros);
    if (part.ec != std::errc{} || part.ptr != end || end - whole.ptr != 7) return std::nullopt;
    text = rest;
    return Timestamp::from_unix_millis(static_cast<std::int64_t>(seconds * 1000 + micros / 1000));
}

/// `sshd[1291]: message`; a tag ends at the colon, or at the first blank where there is none.
void split_tag(std::string_view text, SyslogLine& out) {
    const auto end = text.find_first_of(":[ ");
    if (end == std::string_view::npos || end == 0 || text[end] == ' ') {
        out.message = text;
        return;
    }
    auto program = text.substr(0, end);
    program.remove_prefix(program.rfind('/') + 1);
    auto rest = text.substr(end);
    if (rest.front() == '[') {
        const auto close = rest.find(']');
        if (close == std::string_view::npos) {
            out.message = text;
            return;
        }
        out.process_id = number(rest.substr(1, close - 1)).value_or(0);
        rest.remove_prefix(close + 1);
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    // "sshd(pam_unix)[123]: …" names its module behind the program.
    const auto module = program.find('(');
    out.program = program.substr(0, module);
    out.message = trimmed(rest);
    if (module != std::string_view::npos)
        out.message = std::string(program.substr(module + 1)) + " " + out.message;
}

/// Behind a version: stamp host program pid id [data] message. RFC 5424 section 6.
Result<SyslogLine> parse_new(std::string_view text) {
    SyslogLine out;
    const auto time = parse_iso8601(word(text));
    if (!time) return fail(Errc::Malformed, "no syslog line: the stamp of RFC 5424 cannot be read");
    out.time = time->time;
    const auto or_nothing = [](std::string_view value) { return value == "-" ? std::string_view{} : value; };
    out.host = or_nothing(word(text));
    out.program = or_nothing(word(text));
    out.program.erase(0, out.program.rfind('/') + 1);
    out.process_id = number(word(text)).value_or(0);
    word(text);  // the message's id
    while (text.starts_with('[')) {
        bool quoted = false;
        std::size_t at = 1;
        for (; at < text.size() && (quoted || text[at] != ']'); ++at) {
            if (text[at] == '\\')
                ++at;
            else if (text[at] == '"')
                quoted = !quoted;
        }
        text.remove_prefix(std::min(at + 1, text.size()));
    }
    if (text.starts_with("- ") || text == "-") text.remove_prefix(1);
    if (text.starts_with(" ")) text = trimmed(text);
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    out.message = text;
    return out;
}

/// Sigma's name for a program's log.
std::string_view service_of(std::string_view program) {
    if (program.starts_with("sshd")) return "sshd";
    if (program == "sudo") return "sudo";
    if (program == "CRON" || program == "cron" || program == "crond" || program == "crontab" ||
        program == "anacron")
        return "cron";
    if (program == "vsftpd") return "vsftpd";
    if (program.starts_with("clam") || program == "freshclam") return "clamav";
    if (program == "guacd" || program.starts_with("guacamole")) return "guacamole";
    static constexpr std::array<std::string_view, 9> kAuth{
        "su", "login", "pkexec", "polkitd", "passwd", "useradd", "gdm", "dropbear", "systemd-logind"};
    return std::ranges::find(kAuth, program) != kAuth.end() ? "auth" : "syslog";
}

/// What the kernel, auditd's relays and the journal say of audit's records.
bool is_audit_line(const SyslogLine& line) {
    static constexpr std::array<std::string_view, 4> kRelays{"kernel", "audispd", "audisp-syslog", "auditd"};
    if (line.program == "audit") return true;
    return std::ranges::find(kRelays, line.program) != kRelays.end() &&
           line.message.find("type=") != std::string::npos &&
           line.message.find("audit(") != std::string::npos;
}

}  // namespace

Result<SyslogLine> parse_syslog_line(std::string_view text, int year) {
    text = trimmed(text);
    if (text.starts_with('<')) {
        const auto close = text.find('>');
        if (close > 4 || !number(text.substr(1, close - 1)))
            return fail(Errc::Malformed, "no syslog line: the priority is not <number>");
        text.remove_prefix(close + 1);
        if (text.starts_with("1 ")) return parse_new(text.substr(2));
    }
    if (text.starts_with("1 ") && text.size() > 6 && text[6] == '-') return parse_new(text.substr(2));
    SyslogLine out;
    auto time = old_stamp(text, year);
    if (!time) time = iso_stamp(text);
    if (!time) time = unix_stamp(text);
    if (!time)
        return fail(Errc::Malformed,
                    "no syslog line: it begins neither with \"Mar 27 13:06:56\" nor with an ISO 8601 time");
    out.time = *time;
    // busybox writes no host: "Mar 27 13:06:56 authpriv.info dropbear[1]: …" has its facility there instead.
    auto rest = text;
    const auto host = word(rest);
    if (host.ends_with(':') || host.find('[') != std::string_view::npos) {
        rest = text;
    } else if (!is_priority(host)) {
        out.host = host;
        // "host authpriv.info dropbear[1]: …" has both.
        auto behind = rest;
        if (is_priority(word(behind))) rest = behind;
    }
    split_tag(rest, out);
    return out;
}

/// One entry of `journalctl -o json`. Errors: Malformed.
Result<SyslogLine> SyslogReader::journal_entry(std::string_view text) {
    const auto* const root = FIELDWATCH_TRY(
        json_.parse(text, {.bytes_max = options_.line_bytes_max, .depth_max = limits::json_depth}));
    SyslogLine out;
    std::uint64_t micros = 0;
    const auto stamp = root->text_of("__REALTIME_TIMESTAMP");
    const auto read = std::from_chars(stamp.data(), stamp.data() + stamp.size(), micros);
    if (read.ec != std::errc{} || micros / 1'000'000 > 253'402'300'799)
        return fail(Errc::Malformed, "/__REALTIME_TIMESTAMP: microseconds as text are needed");
    out.time = Timestamp::from_unix_millis(static_cast<std::int64_t>(micros / 1000));
    out.host = root->text_of("_HOSTNAME");
    for (const std::string_view key : {"SYSLOG_IDENTIFIER", "_COMM"}) {
        if (out.program.empty()) out.program = root->text_of(key);
    }
    out.program.erase(0, out.program.rfind('/') + 1);
    for (const std::string_view key : {"SYSLOG_PID", "_PID"}) {
        if (out.process_id == 0) out.process_id = pipeline::number(root->text_of(key)).value_or(0);
    }
    if (const auto* const message = root->find("MESSAGE"); message && message->is(json::Type::Array)) {
        for (const auto& byte : message->elements)  // what is no UTF-8 comes as numbers
            out.message.push_back(static_cast<char>(byte.integer));
    } else {
        out.message = root->text_of("MESSAGE");
    }
    if (out.program == "audit") {  // "SYSCALL arch=…"; its stamp is in other members
        const auto blank = std::min(out.message.find(' '), out.message.size());
        const auto serial = root->text_of("_AUDIT_ID");
        out.audit_record =
            fmt::format("node={} type={} msg=audit({}.{:03}:{}):{}", out.host.empty() ? "-" : out.host,
                        out.message.substr(0, blank), micros / 1'000'000, micros / 1000 % 1000,
                        serial.empty() ? "0" : serial, out.message.substr(blank));
    }
    return out;
}

Result<SyslogLine> SyslogReader::line_of(std::string_view text) {
    if (text.starts_with('{')) return journal_entry(text);
    // Stamps without a year go on into the next one when December turns into January.
    const auto month =
        static_cast<int>(std::ranges::find(kMonths, trimmed(text).substr(0, 3)) - kMonths.begin());
    if (month < 12) {
        if (last_month_ - month > 6) ++year_;
        last_month_ = month;
    }
    return parse_syslog_line(text, year_);
}

Result<void> SyslogReader::read(std::string_view text, std::uint64_t number, const RecordSink& sink) {
    auto line = FIELDWATCH_TRY(line_of(text));
    if (line.host.empty()) line.host = options_.device;
    line.host = clean_text(line.host);
    if (!line.audit_record.empty()) return audit_.read(line.audit_record, number, sink);
    if (is_audit_line(line)) return audit_.read(text, number, sink);
    const Origin origin{.device = line.host, .time = line.time, .line = number};
    TextFields fields{{"program", line.program}, {"host", line.host}, {"message", line.message}};
    if (line.program == "sudo") {
        for (const std::string_view key : {"TTY", "PWD", "USER"}) {
            if (const auto value = value_of(line.message, std::string(key) + "="); !value.empty())
                fields.emplace_back(key, value);
        }
        if (const auto value = between(line.message, "COMMAND=", ""); !value.empty())
            fields.emplace_back("COMMAND", value);
    }
    maker_.sigma(origin, service_of(line.program), fields, sink);
    login(origin, line, sink);
    command(origin, line, sink);
    return {};
}

void SyslogReader::login(const Origin& origin, const SyslogLine& line, const RecordSink& sink) {
    auto told = told_login(line.program, line.message);
    // "last message repeated 3 times": old daemons count what came twice, under their own name or the
    // program's.
    static constexpr std::string_view kRepeated = "last message repeated ";
    if (const auto at = line.message.find(kRepeated);
        at == 0 || (at != std::string::npos && line.program.empty())) {
        const auto last = last_told_.find(line.host);
        const auto times = pipeline::number(between(line.message, kRepeated, " "));
        if (last == last_told_.end() || !times) return;
        for (int i = 0; i < std::min(*times, kRepeatsMax); ++i)
            maker_.login(origin, last->second, sink);
        return;
    }
    if (!told) {
        last_told_.erase(line.host);
        return;
    }
    if (last_told_.size() >= kTalksMax) last_told_.clear();
    last_told_.insert_or_assign(line.host, told->login);
    const auto talk = fmt::format("{}/{}/{}", line.host, line.program, line.process_id);
    const auto before = told_by_pam_.find(talk);
    const bool same = before != told_by_pam_.end() && line.time - before->second <= kSameAttempt;
    if (before != told_by_pam_.end()) told_by_pam_.erase(before);
    if (same && !told->from_pam && !told->login.success) return;
    if (told->from_pam && line.process_id != 0) {
        if (told_by_pam_.size() >= kTalksMax) told_by_pam_.clear();
        told_by_pam_.emplace(talk, line.time);
    }
    for (int i = 0; i < told->times; ++i)
        maker_.login(origin, told->login, sink);
}

/// What sudo and cron say they run: "pi : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/sh x", "(root) CMD
/// (…)".
void SyslogReader::command(const Origin& origin, const SyslogLine& line, const RecordSink& sink) {
    RecordedProcess process;
    const std::string_view message = line.message;
    if (line.program == "sudo" && message.find("COMMAND=") != std::string_view::npos) {
        process.command_line = between(message, "COMMAND=", "");
        process.user_name = value_of(message, "USER=");
        process.working_directory = value_of(message, "PWD=");
        process.parent_executable = "/usr/bin/sudo";
        // A reason before the fields ("3 incorrect password attempts ; TTY=…") says that it was refused.
        const auto first = trimmed(between(message, " : ", " ;"));
        if (first.find('=') == std::string_view::npos) return;
    } else if (service_of(line.program) == "cron" && message.find(") CMD (") != std::string_view::npos) {
        process.command_line = trimmed(between(message, ") CMD (", ""));
        if (process.command_line.ends_with(')')) process.command_line.pop_back();
        process.user_name = between(message, "(", ")");
        process.parent_executable = "/usr/sbin/cron";
    } else if (line.program == "crond" && message.starts_with("USER ") &&
               message.find(" cmd ") != std::string_view::npos) {  // busybox: USER root pid 812 cmd /bin/x
        process.command_line = trimmed(between(message, " cmd ", ""));
        process.user_name = between(message, "USER ", " ");
        process.parent_executable = "/usr/sbin/crond";
    } else {
        return;
    }
    process.executable = process.command_line.substr(0, process.command_line.find(' '));
    if (!process.executable.empty()) maker_.process(origin, process, sink);
}

}  // namespace fieldwatch::pipeline
