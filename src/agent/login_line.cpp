#include "agent/login_line.hpp"

#include <algorithm>
#include <charconv>

#include "agent/audit_text.hpp"
#include "agent/bpf/records.h"

namespace fieldwatch::agent {

namespace {

/// Programs whose PAM sessions are log-ins. sshd says more in a line of its own; cron and systemd's user
/// manager open sessions too, in which nobody logs in.
struct Program {
    std::string_view name;
    std::string_view executable;
};
constexpr Program kPrograms[] = {
    {"su", "/usr/bin/su"}, {"sudo", "/usr/bin/sudo"}, {"login", "/usr/bin/login"}};

constexpr std::uint32_t kNobody = 0xffffffff;  // as the kernel writes what is not set

/// A line's `program[123]: message`. The first `: ` ends the program's name: what follows is others' text.
struct Line {
    std::string_view program;
    std::uint32_t pid = 0;
    std::string_view message;
};
std::optional<Line> split_line(std::string_view line) {
    const auto end = line.find(": ");
    if (end == std::string_view::npos) return std::nullopt;
    Line out{.message = line.substr(end + 2)};
    out.program = line.substr(0, end);
    if (const auto blank = out.program.rfind(' '); blank != std::string_view::npos)
        out.program.remove_prefix(blank + 1);
    if (const auto bracket = out.program.find('['); bracket != std::string_view::npos) {
        const auto number = out.program.substr(bracket + 1);
        const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), out.pid);
        if (error != std::errc{} || out.pid > FW_PID_MAX || *stop != ']') return std::nullopt;
        out.program = out.program.substr(0, bracket);
    }
    while (out.message.starts_with(' '))
        out.message.remove_prefix(1);
    return out;
}

/// `… for [invalid user ]NAME from ADDRESS port PORT ssh2…`. The name is a stranger's text: the last ` from `
/// counts.
bool read_who(std::string_view rest, LoginLine& out) {
    const auto from = rest.rfind(" from ");
    if (from == std::string_view::npos) return false;
    auto user = rest.substr(0, from);
    if (user.starts_with("invalid user ")) user.remove_prefix(13);
    auto where = rest.substr(from + 6);
    const auto blank = std::min(where.find(' '), where.size());
    out.user = user;
    out.address = where.substr(0, blank);
    where.remove_prefix(blank);
    if (where.starts_with(" port ")) {
        where.remove_prefix(6);
        out.port = where.substr(0, std::min(where.find(' '), where.size()));
        if (!std::ranges::all_of(out.port, [](char c) { return c >= '0' && c <= '9'; })) out.port = {};
    }
    return true;
}

/// `Accepted publickey for root from 192.0.2.1 port 22 ssh2: …`, `Failed password for invalid user x from …`.
bool read_sshd(std::string_view message, LoginLine& out) {
    out.success = message.starts_with("Accepted ");
    if (!out.success && !message.starts_with("Failed ")) return false;
    const auto rest = message.substr(out.success ? 9 : 7);
    const auto method = rest.substr(0, std::min(rest.find(' '), rest.size()));
    const auto who = rest.substr(method.size());
    if (!who.starts_with(" for ") || !read_who(who.substr(5), out)) return false;
    out.operation = "sshd:" + std::string(method);
    out.executable = "/usr/sbin/sshd";
    return true;
}

/// `alice(uid=1000)`, in older releases of PAM `alice`.
std::string_view name_before_uid(std::string_view text) {
    return text.substr(0, std::min({text.find("(uid="), text.find(' '), text.size()}));
}

/// pam_unix's two lines: `pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)` and
/// `pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice
/// rhost=  user=root`.
bool read_pam(const Program& program, std::string_view message, LoginLine& out) {
    constexpr std::string_view kOpened = "session opened for user ";
    constexpr std::string_view kFailed = "authentication failure; ";
    if (!message.starts_with("pam_unix(")) return false;
    const auto end = message.find("): ");
    if (end == std::string_view::npos) return false;
    const auto kind = message.substr(0, end);
    const auto rest = message.substr(end + 3);
    if (kind.ends_with(":session") && rest.starts_with(kOpened)) {
        const auto who = rest.substr(kOpened.size());
        out.user = name_before_uid(who);
        if (const auto by = who.find(" by "); by != std::string_view::npos)
            out.by = name_before_uid(who.substr(by + 4));
        out.operation = "PAM:session_open";
        out.success = true;
    } else if (kind.ends_with(":auth") && rest.starts_with(kFailed)) {
        const auto values = rest.substr(kFailed.size());
        out.user = audit_field(values, "user");
        out.by = audit_field(values, "ruser");
        out.address = audit_field(values, "rhost");
        out.terminal = audit_field(values, "tty");
        out.operation = "PAM:authentication";
    } else {
        return false;
    }
    if (out.by == "LOGIN") out.by = {};  // login(1) itself
    out.executable = program.executable;
    return true;
}

}  // namespace

std::optional<LoginLine> parse_login_line(std::string_view text) {
    const auto line = split_line(text);
    if (!line) return std::nullopt;
    LoginLine out;
    out.pid = line->pid;
    // OpenSSH 9.8 renamed the process that authenticates.
    if (line->program == "sshd" || line->program == "sshd-session") {
        if (read_sshd(line->message, out)) return out;
        return std::nullopt;
    }
    for (const auto& program : kPrograms) {
        if (line->program == program.name && read_pam(program, line->message, out)) return out;
    }
    return std::nullopt;
}

std::optional<LoginLine> parse_audit_login(std::string_view record) {
    std::uint16_t type = 0;
    std::from_chars(record.data(), record.data() + record.size(), type);
    const bool is_authentication = type == kAuditUserAuth;
    if (!is_authentication && type != kAuditUserLogin) return std::nullopt;
    LoginLine out;
    out.executable = audit_text(record, "exe");
    out.user = audit_text(record, "acct");
    // sshd tells whom it knows by number, and by name only whom it turned away.
    const auto id = audit_field(record, "id");
    std::uint32_t uid = kNobody;
    const auto [stop, error] = std::from_chars(id.data(), id.data() + id.size(), uid);
    if (out.user.empty() && error == std::errc{} && stop == id.data() + id.size() && uid != kNobody)
        out.uid = uid;
    if (is_authentication &&
        (out.executable.ends_with("/sshd") || out.executable.ends_with("/sshd-session") ||
         out.executable.ends_with("/login"))) {
        return std::nullopt;  // the log-in's own record follows
    }
    if (out.executable.empty() || (out.user.empty() && !out.uid)) return std::nullopt;
    const auto pid = audit_field(record, "pid");
    std::from_chars(pid.data(), pid.data() + pid.size(), out.pid);
    if (out.pid > FW_PID_MAX) return std::nullopt;
    out.operation = audit_field(record, "op");
    if (out.operation.empty()) out.operation = "unknown";
    const auto known = [](std::string_view value) { return value == "?" ? std::string_view() : value; };
    out.address = known(audit_field(record, "addr"));
    out.terminal = known(audit_field(record, "terminal"));
    out.success = audit_field(record, "res") == "success";
    return out;
}

}  // namespace fieldwatch::agent
