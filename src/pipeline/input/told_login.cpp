// Who logged in or failed to, in the words of the daemon that let them.
#include <algorithm>

#include "pipeline/input/line_words.hpp"
#include "pipeline/input/syslog.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr int kRepeatsMax = 100;  ///< of "message repeated N times": enough to reach any threshold

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
    // What PAM refused behind keyboard-interactive: "error: PAM: Authentication failure for root from
    // 203.0.113.5".
    static constexpr std::string_view kRefused = "error: PAM: Authentication failure for ";
    if (message.starts_with(kRefused)) {
        auto rest = message.substr(kRefused.size());
        const auto from = rest.rfind(" from ");
        if (from == std::string_view::npos) return std::nullopt;
        told.login.user = user_in(rest.substr(0, from));
        rest.remove_prefix(from + 6);
        told.login.address = word(rest);
        told.login.operation = "ssh keyboard-interactive/pam";
        told.login.executable = "/usr/sbin/sshd";
        return told;
    }
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

/// Pure-FTPd: "(?@203.0.113.5) [WARNING] Authentication failed for user [admin]", "… [INFO] pi is now logged
/// in".
std::optional<ToldLogin> pureftpd_login(std::string_view message) {
    ToldLogin told;
    const auto who = between(message, "(", ")");
    const auto at = who.rfind('@');
    if (!message.starts_with('(') || at == std::string_view::npos) return std::nullopt;
    told.login.success = message.ends_with(" is now logged in");
    if (told.login.success) {
        told.login.user = trimmed(between(message, "] ", " is now logged in"));
    } else if (message.find("Authentication failed for user [") != std::string_view::npos) {
        told.login.user = between(message, "user [", "]");
    } else {
        return std::nullopt;
    }
    told.login.address = who.substr(at + 1);
    told.login.operation = "ftp";
    told.login.executable = "/usr/sbin/pure-ftpd";
    return told;
}

/// ProFTPD: "host (203.0.113.5[203.0.113.5]) - USER pi (Login failed): Incorrect password", "… - USER pi:
/// Login successful.", "… - USER eve: no such user found from 203.0.113.5 …".
std::optional<ToldLogin> proftpd_login(std::string_view message) {
    ToldLogin told;
    const auto user = between(message, " USER ", "");
    if (user.empty()) return std::nullopt;
    told.login.success = message.find(": Login successful") != std::string_view::npos;
    if (!told.login.success && message.find("(Login failed)") == std::string_view::npos &&
        message.find(": no such user found") == std::string_view::npos)
        return std::nullopt;
    told.login.user = user.substr(0, std::min(user.find_first_of(": ("), user.size()));
    const auto peer = between(message, "(", ")");
    told.login.address = between(peer, "[", "]");
    if (told.login.address.starts_with("::ffff:")) told.login.address.erase(0, 7);
    told.login.operation = "ftp";
    told.login.executable = "/usr/sbin/proftpd";
    return told;
}

/// OpenWrt's page: "luci: failed login on / for root from 203.0.113.5".
std::optional<ToldLogin> luci_login(std::string_view message) {
    ToldLogin told;
    told.login.success = message.starts_with("accepted login on ");
    if (!told.login.success && !message.starts_with("failed login on ")) return std::nullopt;
    told.login.user = between(message, " for ", " from ");
    auto peer = between(message, " from ", "");
    told.login.address = word(peer);
    told.login.operation = "http";
    told.login.executable = "/www/cgi-bin/luci";
    return told;
}

}  // namespace

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
    if (program == "pure-ftpd") told = pureftpd_login(message);
    if (program == "proftpd") told = proftpd_login(message);
    if (program == "luci" || program == "uhttpd") {  // uhttpd: "[info] luci: failed login on …"
        if (const auto at = message.find("luci: "); at != std::string_view::npos)
            message.remove_prefix(at + 6);
        told = luci_login(message);
    }
    if (!told) told = pam_login(program, message);
    if (told) told->times = times;
    return told;
}

}  // namespace fieldwatch::pipeline
