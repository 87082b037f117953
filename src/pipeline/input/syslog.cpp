#include "pipeline/input/syslog.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr int kRepeatsMax = 100;  ///< of "message repeated N times": enough to reach any threshold
constexpr Ticks kSameAttempt = std::chrono::seconds(10);

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Takes the next word off `text`.
std::string_view word(std::string_view& text) {
    text = trimmed(text);
    const auto end = std::min(text.find(' '), text.size());
    const auto out = text.substr(0, end);
    text.remove_prefix(end);
    text = trimmed(text);
    return out;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

/// What stands behind `before`, up to `after` or the end; empty when `before` is not there.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
    const auto at = text.find(before);
    if (at == std::string_view::npos) return {};
    const auto rest = text.substr(at + before.size());
    return rest.substr(0, after.empty() ? rest.size() : std::min(rest.find(after), rest.size()));
}

/// `key=value` in PAM's and sudo's words.
std::string_view value_of(std::string_view text, std::string_view key) {
    for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        if (at > 0 && text[at - 1] != ' ') continue;
        const auto rest = text.substr(at + key.size());
        return rest.substr(0, std::min(rest.find_first_of(" ;"), rest.size()));
    }
    return {};
}

/// "Mar 27 13:06:56", with the year of `year` or one behind the time or before it.
std::optional<Timestamp> old_stamp(std::string_view& text, int year) {
    auto rest = text;
    const auto month = std::ranges::find(kMonths, word(rest)) - kMonths.begin();
    const auto day = number(word(rest));
    auto clock = word(rest);
    if (month == 12 || !day || *day < 1 || *day > 31) return std::nullopt;
    if (clock.size() == 4 && number(clock)) {  // "Mar 27 2017 13:06:56"
        year = *number(clock);
        clock = word(rest);
    }
    if (clock.ends_with(':')) clock.remove_suffix(1);
    const auto parsed = parse_iso8601(fmt::format("{:04}-{:02}-{:02}T{}Z", year, month + 1, *day, clock));
    if (!parsed) return std::nullopt;
    text = rest;
    return parsed->time;
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

std::string user_in(std::string_view text) {
    if (text.starts_with("invalid user ")) text.remove_prefix(13);
    if (text.starts_with("illegal user ")) text.remove_prefix(13);
    return std::string(trimmed(text));
}

/// "… for [invalid user ]NAME from ADDRESS port N ssh2"; the name may hold blanks, so its end is the last
/// "from".
std::optional<ToldLogin> sshd_login(std::string_view message) {
    ToldLogin told;
    const bool failed = message.starts_with("Failed password for ") ||
                        message.starts_with("Failed keyboard-interactive/pam for ") ||
                        message.starts_with("Failed keyboard-interactive for ");
    told.login.success = message.starts_with("Accepted ");
    if (!failed && !told.login.success) return std::nullopt;
    const auto method = between(message, failed ? "Failed " : "Accepted ", " for ");
    auto rest = message.substr(std::min(message.find(" for ") + 5, message.size()));
    const auto from = rest.rfind(" from ");
    if (from == std::string_view::npos) return std::nullopt;
    told.login.user = user_in(rest.substr(0, from));
    rest.remove_prefix(from + 6);
    told.login.address = word(rest);
    if (word(rest) == "port") told.login.port = word(rest);
    told.login.operation = "ssh " + std::string(method);
    told.login.executable = "/usr/sbin/sshd";
    return told;
}

std::optional<ToldLogin> dropbear_login(std::string_view message) {
    ToldLogin told;
    const bool bad = message.starts_with("Bad password attempt for ") ||
                     message.starts_with("Bad PAM password attempt for ");
    const bool nobody = message.starts_with("Login attempt for nonexistent user");
    told.login.success = message.find(" auth succeeded for ") != std::string_view::npos;
    if (!bad && !nobody && !told.login.success) return std::nullopt;
    told.login.user = between(message, "for '", "'");
    auto peer = between(message, "from ", "");
    if (const auto colon = peer.rfind(':'); colon != std::string_view::npos) {
        told.login.port = peer.substr(colon + 1);
        peer = peer.substr(0, colon);
    }
    if (peer.starts_with('<')) peer.remove_prefix(1);
    told.login.address = peer;
    told.login.operation = "ssh";
    told.login.executable = "/usr/sbin/dropbear";
    return told;
}

/// login of shadow, util-linux and busybox, at a console or behind telnetd.
std::optional<ToldLogin> console_login(std::string_view message) {
    ToldLogin told;
    told.login.operation = "login";
    told.login.executable = "/bin/login";
    const auto quoted = [&](std::string_view before) {
        auto text = between(message, before, "");
        if (text.starts_with('\'')) return text.substr(1, std::min(text.find('\'', 1), text.size()) - 1);
        return word(text);
    };
    std::string_view peer;
    if (message.starts_with("FAILED LOGIN")) {  // (1) on '/dev/tty1' [from '1.2.3.4'] FOR 'root', …
        told.login.user = quoted(" FOR ");
        peer = quoted(" from ");
        if (peer.empty()) peer = quoted(" FROM ");
    } else if (message.starts_with("invalid password for ")) {
        told.login.user = quoted("password for ");
        peer = quoted(" from ");
    } else if (message.starts_with("ROOT LOGIN") || message.starts_with("LOGIN ON ") ||
               message.starts_with("DIALUP AT ")) {
        told.login.success = true;
        told.login.user = message.starts_with("ROOT") ? "root" : quoted(" BY ");
        peer = quoted(" from ");
        if (peer.empty()) peer = quoted(" FROM ");
    } else if (message.find(" login on '") !=
               std::string_view::npos) {  // busybox: root login on 'pts/0' from '…'
        told.login.success = true;
        told.login.user = message.substr(0, message.find(" login on '"));
        peer = quoted(" from ");
    } else {
        return std::nullopt;
    }
    while (!told.login.user.empty() && told.login.user.back() == ',')
        told.login.user.pop_back();
    told.login.address = peer;
    return told;
}

std::optional<ToldLogin> vsftpd_login(std::string_view message) {
    ToldLogin told;
    told.login.success = message.find("OK LOGIN: Client ") != std::string_view::npos;
    if (!told.login.success && message.find("FAIL LOGIN: Client ") == std::string_view::npos)
        return std::nullopt;
    told.login.user = between(message, "[", "]");
    told.login.address = between(message, "Client \"", "\"");
    if (told.login.address.starts_with("::ffff:")) told.login.address.erase(0, 7);
    told.login.operation = "ftp";
    told.login.executable = "/usr/sbin/vsftpd";
    return told;
}

/// "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=1.2.3.4 user=root": a failure from
/// afar.
std::optional<ToldLogin> pam_login(std::string_view program, std::string_view message) {
    if (message.find("authentication failure;") == std::string_view::npos) return std::nullopt;
    const auto host = value_of(message, "rhost=");
    if (host.empty()) return std::nullopt;
    ToldLogin told;
    told.login.address = host;
    told.login.user = value_of(message, "user=");
    told.login.operation = "PAM:authentication";
    told.login.executable = std::string(program);
    told.from_pam = true;
    return told;
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

}  // namespace

Result<SyslogLine> parse_syslog_line(std::string_view text, int year) {
    text = trimmed(text);
    if (text.starts_with('<')) {
        const auto close = text.find('>');
        if (close == std::string_view::npos || close > 4 || !number(text.substr(1, close - 1)))
            return fail(Errc::Malformed, "no syslog line: the priority is not <number>");
        text.remove_prefix(close + 1);
        if (text.starts_with("1 ")) return parse_new(text.substr(2));
    }
    if (text.starts_with("1 ") && text.size() > 6 && text[6] == '-') return parse_new(text.substr(2));
    SyslogLine out;
    if (const auto time = old_stamp(text, year)) {
        out.time = *time;
    } else {
        auto rest = text;
        auto first = std::string(word(rest));
        auto parsed = parse_iso8601(first);
        if (!parsed) {  // "2026-11-23 01:02:03 host …"
            first += "T" + std::string(word(rest));
            std::ranges::replace(first, ',', '.');
            parsed = parse_iso8601(first);
        }
        if (!parsed)
            return fail(
                Errc::Malformed,
                "no syslog line: it begins neither with \"Mar 27 13:06:56\" nor with an ISO 8601 time");
        out.time = parsed->time;
        text = rest;
    }
    // busybox writes no host: "Mar 27 13:06:56 authpriv.info dropbear[1]: …" has its facility there instead.
    auto rest = text;
    const auto host = word(rest);
    if (host.ends_with(':') || host.find('[') != std::string_view::npos) {
        rest = text;
    } else {
        out.host = host;
        const auto dot = host.find('.');
        static constexpr std::array<std::string_view, 8> kLevels{"emerg", "alert",  "crit", "err",
                                                                 "warn",  "notice", "info", "debug"};
        const auto level = dot == std::string_view::npos ? std::string_view{} : host.substr(dot + 1);
        if (std::ranges::find(kLevels, level) != kLevels.end()) out.host.clear();
        // "host authpriv.info dropbear[1]: …" has both.
        auto behind = rest;
        const auto facility = word(behind);
        const auto second = facility.find('.');
        if (second != std::string_view::npos &&
            std::ranges::find(kLevels, facility.substr(second + 1)) != kLevels.end())
            rest = behind;
    }
    split_tag(rest, out);
    return out;
}

std::optional<ToldLogin> told_login(std::string_view program, std::string_view message) {
    int times = 1;
    if (message.starts_with("message repeated ")) {
        times = std::clamp(number(between(message, "message repeated ", " ")).value_or(1), 1, kRepeatsMax);
        message = between(message, "[ ", "");
        if (message.ends_with(']')) message.remove_suffix(1);
    }
    std::optional<ToldLogin> told;
    if (program.starts_with("sshd")) told = sshd_login(message);
    if (program == "dropbear") told = dropbear_login(message);
    if (program == "login" || program == "telnetd" || program == "in.telnetd") told = console_login(message);
    if (program == "vsftpd") told = vsftpd_login(message);
    if (!told) told = pam_login(program, message);
    if (told) told->times = times;
    return told;
}

Result<void> SyslogReader::read(std::string_view text, std::uint64_t number, const RecordSink& sink) {
    // Stamps without a year go on into the next one when December turns into January.
    const auto month =
        static_cast<int>(std::ranges::find(kMonths, trimmed(text).substr(0, 3)) - kMonths.begin());
    if (month < 12) {
        if (last_month_ - month > 6) ++year_;
        last_month_ = month;
    }
    auto line = FIELDWATCH_TRY(parse_syslog_line(text, year_));
    if (line.host.empty()) line.host = options_.device;
    line.host = clean_text(line.host);
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
    const auto told = told_login(line.program, line.message);
    if (!told) return;
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
        if (message.find("command not allowed") != std::string_view::npos) return;
    } else if (service_of(line.program) == "cron" && message.find(") CMD (") != std::string_view::npos) {
        process.command_line = trimmed(between(message, ") CMD (", ""));
        if (process.command_line.ends_with(')')) process.command_line.pop_back();
        process.user_name = between(message, "(", ")");
        process.parent_executable = "/usr/sbin/cron";
    } else {
        return;
    }
    process.executable = process.command_line.substr(0, process.command_line.find(' '));
    if (!process.executable.empty()) maker_.process(origin, process, sink);
}

}  // namespace fieldwatch::pipeline
