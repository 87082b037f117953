#include "agent/interpreter.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "agent/collectors/proc.hpp"
#include "agent/login_line.hpp"
#include "agent/redaction/redactor.hpp"
#include "base/text.hpp"

namespace fieldwatch::agent {

namespace {

/// A field of NUL-padded text that may lack its zero.
template <std::size_t N>
std::string_view padded(const char (&text)[N]) {
    return {text, static_cast<std::size_t>(std::find(text, text + N, '\0') - text)};
}

/// /proc tells a process's start in hundredths of a second.
bool is_same_start(std::uint64_t a, std::uint64_t b) {
    constexpr std::uint64_t kTickNs = 10'000'000;
    return a == 0 || b == 0 || a / kTickNs == b / kTickNs;
}

}  // namespace

std::string join_reversed(std::string_view names) {
    std::string out;
    auto parts = split(names, '\0');
    std::ranges::reverse(parts);
    for (const auto part : parts) {
        if (!part.empty()) out.append("/").append(part);
    }
    return out;
}

std::string container_id(std::string_view cgroup) {
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    std::size_t run = 0;
    for (std::size_t i = 0; i < cgroup.size(); ++i) {
        run = is_hex(cgroup[i]) ? run + 1 : 0;
        if (run == 64) return std::string(cgroup.substr(i - 63, 64));
    }
    return {};
}

std::string address_text(const std::uint8_t* address, std::uint8_t family) {
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(family == 4 ? AF_INET : AF_INET6, address, text, sizeof text);
    return text;
}

const Interpreter::Known* Interpreter::find(std::uint32_t pid, std::uint64_t time_ns,
                                            std::uint64_t start_ns) {
    if (pid == 0) return nullptr;
    const auto found = processes_.find(pid);
    if (found != processes_.end()) {
        const auto& known = found->second;
        const bool had_ended = known.ended_ns != 0 && known.ended_ns < time_ns;
        if (!had_ended && is_same_start(known.start_ns, start_ns)) return &known;
    }
    ProcessFacts facts;  // ran before the agent, or was forked and runs no program of its own
    if (!read_process("/proc", pid, facts) || !is_same_start(facts.start_ns, start_ns)) return nullptr;
    remember(pid, {facts.start_ns, 0, facts.parent_pid, facts.executable,
                   Redactor::built_in().redact_arguments(facts.arguments)});
    return &processes_.find(pid)->second;
}

void Interpreter::remember(std::uint32_t pid, Known known) {
    const auto [entry, added] = processes_.insert_or_assign(pid, std::move(known));
    if (!added) return;
    order_.push_back(pid);
    if (order_.size() <= kProcessesMax) return;
    processes_.erase(order_.front());
    order_.pop_front();
}

Observation Interpreter::exec(const fw_exec_head& head, std::string_view text) {
    const auto next = [&](std::size_t size) {
        const auto part = text.substr(0, size);
        text.remove_prefix(part.size());
        return part;
    };
    const bool reversed = head.flags & FW_PATHS_REVERSED;
    const auto path = [&](std::size_t size) {
        return reversed ? join_reversed(next(size)) : std::string(next(size));
    };
    const auto executable = path(head.executable_size);
    const auto parent_executable = path(head.parent_size);
    const auto directory = path(head.directory_size);
    const auto cgroup = next(head.cgroup_size);
    auto command_line = Redactor::built_in().redact_arguments(next(head.arguments_size));
    if (head.flags & FW_ARGS_TRUNCATED) command_line += "…[truncated]";

    // A shell's forked child has no command line of its own until it runs a program: it is its parent's.
    const auto* parent = find(head.parent_pid, head.time_ns);
    if (!parent) parent = find(head.grandparent_pid, head.time_ns);
    const auto parent_command_line = parent ? parent->command_line : std::string();
    const auto* grandparent = find(head.grandparent_pid, head.time_ns);
    const auto grandparent_executable = grandparent ? grandparent->executable : std::string();
    remember(head.pid, {head.start_ns, 0, head.parent_pid, executable, command_line});

    Observation out{.kind = FIELDWATCH_PROCESS_CREATE,
                    .time_unix_ms = static_cast<std::int64_t>(head.time_ns / 1'000'000),
                    .pid = head.pid};
    out.text("Executable", executable.empty() ? "/" : executable);
    out.integer("ProcessId", head.pid, Fold::Zero);
    out.integer("ParentProcessId", head.parent_pid, Fold::Zero);
    out.text("UserId", std::to_string(head.uid));
    if (const auto name = accounts_.name_of(head.uid); !name.empty()) out.text("UserName", name);
    out.text("CommandLine", command_line);
    out.extra("ParentExecutable", parent_executable);
    out.extra("ParentCommandLine", parent_command_line);
    out.extra("GrandparentExecutable", grandparent_executable);
    out.extra("WorkingDirectory", directory.empty() && reversed ? "/" : directory);
    out.extra("ContainerId", container_id(cgroup));
    // A path of another mount namespace names another file here, which the inode tells but for chance.
    if (head.mount_namespace != 0) {
        out.extra("MountNamespace", std::to_string(head.mount_namespace));
    } else if (const auto& hash = images_.of(executable, head.executable_inode, clock_.monotonic().count());
               !hash.empty()) {
        out.extra("Hash", hash);
        out.extra("HashAlgorithm", "SHA256");
    }
    if (head.network_namespace != 0) out.extra("NetworkNamespace", std::to_string(head.network_namespace));
    if (head.login_uid != 0xffffffff) out.extra("LoginUid", std::to_string(head.login_uid));
    return out;
}

std::optional<Observation> Interpreter::exit(const fw_exit& record) {
    const auto found = processes_.find(record.pid);
    if (found == processes_.end() || !is_same_start(found->second.start_ns, record.start_ns))
        return std::nullopt;
    found->second.ended_ns = record.time_ns;
    // What is known from /proc alone, by its hundredths of a second, was not told as begun either.
    if (record.start_ns != 0 && found->second.start_ns != record.start_ns) return std::nullopt;
    Observation out{.kind = FIELDWATCH_PROCESS_TERMINATE,
                    .time_unix_ms = static_cast<std::int64_t>(record.time_ns / 1'000'000),
                    .pid = record.pid};
    out.text("Executable", found->second.executable);
    out.integer("ProcessId", record.pid, Fold::Zero);
    out.integer("ExitStatus", record.status);
    return out;
}

Observation Interpreter::connection(const fw_connection& record) {
    const bool inbound = record.direction == FW_IN;
    Observation out{.kind = FIELDWATCH_CONNECTION_CREATE,
                    .time_unix_ms = static_cast<std::int64_t>(record.time_ns / 1'000'000),
                    .pid = record.pid};
    const auto* process = find(record.pid, record.time_ns, record.start_ns);
    out.text("RemoteAddress", address_text(record.remote, record.family));
    out.text("RemotePort", std::to_string(record.remote_port), inbound ? Fold::Zero : Fold::Key);
    out.text("LocalAddress", address_text(record.local, record.family));
    out.text("LocalPort", std::to_string(record.local_port), inbound ? Fold::Key : Fold::Omit);
    out.text("Direction", inbound ? "In" : "Out");
    out.text("Protocol", record.protocol == 17 ? "udp" : "tcp");
    out.integer("ProcessId", record.pid, Fold::Zero);
    if (record.pid != 0) out.text("UserId", std::to_string(record.uid));
    out.text("Executable", process && !process->executable.empty() ? process->executable : "unknown");
    if (process) out.text("CommandLine", process->command_line);
    if (record.outcome == FW_FAILED) out.extra("Outcome", "Failed");
    if (!inbound) out.extra("DnsName", std::string(names_.of(record.remote, record.family)));
    return out;
}

void Interpreter::names(const fw_dns& record) {
    names_.take(std::as_bytes(std::span(record.data)).first(record.size));
}

std::optional<Observation> Interpreter::once(Observation observation, LoginSource source) {
    std::string identity;
    for (const auto& field : observation.fields) {
        const std::string_view name = field.name;
        if (name == "UserName" || name == "RemoteAddress" || name == "Result") identity += field.text + "|";
    }
    if (!logins_.is_new(identity, static_cast<std::size_t>(source), observation.time_unix_ms))
        return std::nullopt;
    return observation;
}

std::optional<Observation> Interpreter::login(const fw_login& record) {
    const auto user = padded(record.user);
    const auto terminal = padded(record.terminal);
    const bool over_ssh = terminal.starts_with("ssh") || record.family != 0;
    Observation out{.kind = FIELDWATCH_LOGIN,
                    .time_unix_ms = static_cast<std::int64_t>(record.time_ns / 1'000'000),
                    .pid = record.pid};
    out.integer("ProcessId", record.pid);
    out.text("UserName", user.empty() ? "unknown" : std::string(user));
    out.text("Operation", over_ssh ? "sshd" : "login");
    out.text("Executable", over_ssh ? "/usr/sbin/sshd" : "/bin/login");
    if (record.family != 0) out.text("RemoteAddress", address_text(record.remote, record.family));
    out.text("Result", record.result == FW_LOGIN_SUCCESS ? "Success" : "Fail");
    out.extra("Terminal", std::string(terminal));
    return once(std::move(out), LoginSource::Records);
}

std::optional<Observation> Interpreter::log_line(const fw_log_line& record) {
    const std::string_view line(record.line, record.size);
    const bool is_audit = record.source == FW_LOG_AUDIT;
    const auto login = is_audit ? parse_audit_login(line) : parse_login_line(line);
    if (!login) return std::nullopt;
    Observation out{.kind = FIELDWATCH_LOGIN,
                    .time_unix_ms = static_cast<std::int64_t>(record.time_ns / 1'000'000),
                    .pid = login->pid};
    out.integer("ProcessId", login->pid);
    auto user = login->uid ? accounts_.name_of(*login->uid) : login->user;
    if (user.empty()) user = login->uid ? std::to_string(*login->uid) : "unknown";
    out.text("UserName", std::move(user));
    out.text("Operation", login->operation);
    out.text("Executable", login->executable);
    if (fieldwatch_is_ip(login->address.data(), login->address.size())) {
        out.text("RemoteAddress", std::string(login->address));
        if (!login->port.empty()) out.text("RemotePort", std::string(login->port));
    }
    out.text("Result", login->success ? "Success" : "Fail");
    out.extra("ByUserName", std::string(login->by));
    out.extra("Terminal", std::string(login->terminal));
    return once(std::move(out), is_audit ? LoginSource::Audit : LoginSource::Lines);
}

Observation Interpreter::port(const fw_port& record) {
    Observation out{.kind = FIELDWATCH_LISTENING_PORTS, .pid = record.pid};
    const auto family = record.family == 6 ? "6" : "";
    out.text("Protocol", (record.protocol == 17 ? "udp" : "tcp") + std::string(family));
    out.text("LocalPort", std::to_string(record.port));
    out.text("LocalAddress", address_text(record.local, record.family));
    out.text("RemoteAddress", record.family == 6 ? "::" : "0.0.0.0");
    out.text("RemotePort", "*");
    if (record.pid != 0) out.extra("Pid", std::to_string(record.pid));
    out.extra("Executable", std::string(record.executable, record.executable_size));
    return out;
}

}  // namespace fieldwatch::agent
