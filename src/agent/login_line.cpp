#include "agent/login_line.hpp"

#include <algorithm>
#include <charconv>

namespace fieldwatch::agent {

namespace {

constexpr std::uint32_t kPidMax = 1U << 22;

/// The words after `sshd[123]: ` and the pid; nothing when another program wrote the line.
std::optional<std::string_view> message_of(std::string_view line, std::string_view program,
                                           std::uint32_t& pid) {
    for (auto at = line.find(program); at != std::string_view::npos; at = line.find(program, at + 1)) {
        if (at > 0 && line[at - 1] != ' ') continue;
        auto rest = line.substr(at + program.size());
        // OpenSSH 9.8 renamed the process that authenticates: `sshd-session[123]: `.
        if (rest.starts_with("-session")) rest.remove_prefix(8);
        if (!rest.starts_with('[')) continue;
        const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), pid);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        if (error != std::errc{} || pid > kPidMax || !rest.starts_with("]: ")) continue;
        return rest.substr(3);
    }
    return std::nullopt;
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

}  // namespace

std::optional<LoginLine> parse_login_line(std::string_view line) {
    LoginLine out;
    const auto message = message_of(line, "sshd", out.pid);
    if (!message) return std::nullopt;
    // `Accepted publickey for root from 192.0.2.1 port 22 ssh2: …`, `Failed password for invalid user x from
    // …`.
    out.success = message->starts_with("Accepted ");
    if (!out.success && !message->starts_with("Failed ")) return std::nullopt;
    const auto rest = message->substr(out.success ? 9 : 7);
    const auto method = rest.substr(0, std::min(rest.find(' '), rest.size()));
    const auto who = rest.substr(method.size());
    if (!who.starts_with(" for ") || !read_who(who.substr(5), out)) return std::nullopt;
    out.operation = "sshd:" + std::string(method);
    out.executable = "/usr/sbin/sshd";
    return out;
}

}  // namespace fieldwatch::agent
