#include "agent/audit_text.hpp"

#include <algorithm>
#include <charconv>

#include "agent/bpf/records.h"
#include "base/bytes.hpp"

namespace fieldwatch::agent {

namespace {

enum Type : std::uint16_t { kSyscall = 1300, kCwd = 1307, kExecve = 1309, kEnd = 1320 };  // linux/audit.h

std::uint32_t number_or(std::string_view text, std::uint32_t otherwise) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : otherwise;
}

/// The raw value of ` name=`, quotes included.
std::string_view raw_field(std::string_view record, std::string_view name) {
    const auto value = audit_field(record, name);
    if (value.data() == nullptr || value.data() == record.data()) return value;
    if (value.data()[-1] != '"') return value;
    // The closing quote may be missing: a record is cut wherever the kernel's buffer ended.
    return record.substr(static_cast<std::size_t>(value.data() - 1 - record.data()), value.size() + 2);
}

/// `SECONDS.MILLIS:SERIAL`, which is one event's name.
std::string_view serial_of(std::string_view record) {
    constexpr std::string_view kBegin = "audit(";
    if (!record.starts_with(kBegin)) return {};
    return record.substr(kBegin.size(), record.find(')') - kBegin.size());
}

}  // namespace

std::string_view audit_field(std::string_view record, std::string_view name) {
    for (auto at = record.find(name); at != std::string_view::npos; at = record.find(name, at + 1)) {
        const auto end = at + name.size();
        const bool begins = at == 0 || record[at - 1] == ' ' || record[at - 1] == '\'';
        if (!begins || end >= record.size() || record[end] != '=') continue;
        auto value = record.substr(end + 1);
        if (value.starts_with('"')) {
            value.remove_prefix(1);
            return value.substr(0, std::min(value.find('"'), value.size()));
        }
        return value.substr(0, std::min(value.find_first_of(" '"), value.size()));
    }
    return {};
}

std::string audit_value(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        return std::string(value.substr(1, value.size() - 2));
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    if (value.empty() || value.size() % 2 != 0 || !std::ranges::all_of(value, is_hex))
        return std::string(value);
    const auto bytes = from_hex(value);
    return bytes ? std::string(as_text(*bytes)) : std::string(value);
}

std::string audit_text(std::string_view record, std::string_view name) {
    return audit_value(raw_field(record, name));
}

void AuditExecs::append_arguments(Exec& exec, std::string_view record) {
    auto& arguments = exec.facts.arguments;
    while (!record.empty()) {
        const auto end = std::min(record.find(' '), record.size());
        auto token = record.substr(0, end);
        record.remove_prefix(std::min(end + 1, record.size()));
        // `a0="ls"`, `a1=2D6C`, and in pieces `a2_len=9000 a2[0]=…`; `argc=3` has no digit there.
        if (token.size() < 3 || token[0] != 'a' || token[1] < '0' || token[1] > '9') continue;
        std::size_t index = 0;
        const auto* stop = std::from_chars(token.data() + 1, token.data() + token.size(), index).ptr;
        token.remove_prefix(static_cast<std::size_t>(stop - token.data()));
        const auto equals = token.find('=');
        if (equals == std::string_view::npos || token.starts_with('_')) continue;
        if (index != exec.argument && !arguments.empty()) arguments += '\0';
        exec.argument = index;
        arguments += audit_value(token.substr(equals + 1));
        if (arguments.size() > FW_ARGS_MAX) arguments.resize(FW_ARGS_MAX);
    }
}

std::optional<ProcessFacts> AuditExecs::close(std::vector<Exec>::iterator exec) {
    std::optional<ProcessFacts> done;
    if (exec->has_arguments) done = std::move(exec->facts);
    open_.erase(exec);
    return done;
}

std::optional<ProcessFacts> AuditExecs::take(std::uint16_t type, std::string_view record) {
    const auto serial = serial_of(record).substr(0, 64);
    const auto exec = std::ranges::find(open_, serial, &Exec::serial);
    if (type == kSyscall) {
        ProcessFacts facts;
        facts.pid = number_or(audit_field(record, "pid"), 0);
        if (exec != open_.end() || facts.pid == 0 || audit_field(record, "success") != "yes") return {};
        facts.parent_pid = number_or(audit_field(record, "ppid"), 0);
        facts.uid = number_or(audit_field(record, "uid"), 0);
        facts.login_uid = number_or(audit_field(record, "auid"), 0xffffffff);
        facts.executable = audit_text(record, "exe").substr(0, FW_PATH_MAX);
        std::optional<ProcessFacts> done;
        if (open_.size() == kOpenMax) done = close(open_.begin());
        open_.push_back({.serial = std::string(serial), .facts = std::move(facts)});
        return done;
    }
    if (exec == open_.end()) return {};
    if (type == kEnd) return close(exec);
    if (type == kExecve) {
        exec->has_arguments = true;
        append_arguments(*exec, record);
    } else if (type == kCwd) {
        exec->facts.directory = audit_text(record, "cwd").substr(0, FW_PATH_MAX);
    }
    return {};
}

}  // namespace fieldwatch::agent
