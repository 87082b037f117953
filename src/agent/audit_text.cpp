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

void AuditExecs::append_arguments(std::string_view record) {
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
        if (index != argument_ && !facts_.arguments.empty()) facts_.arguments += '\0';
        argument_ = index;
        facts_.arguments += audit_value(token.substr(equals + 1));
        if (facts_.arguments.size() > FW_ARGS_MAX) facts_.arguments.resize(FW_ARGS_MAX);
    }
}

std::optional<ProcessFacts> AuditExecs::take(std::uint16_t type, std::string_view record) {
    const auto serial = serial_of(record);
    std::optional<ProcessFacts> done;
    if (is_exec_ && succeeded_ && (type == kEnd || serial != serial_)) done = std::move(facts_);
    if (done || serial != serial_) {
        is_exec_ = succeeded_ = false;
        facts_ = {};
        argument_ = 0;
        serial_ = serial.substr(0, 64);
    }
    if (type == kSyscall) {
        facts_.pid = number_or(audit_field(record, "pid"), 0);
        facts_.parent_pid = number_or(audit_field(record, "ppid"), 0);
        facts_.uid = number_or(audit_field(record, "uid"), 0);
        facts_.login_uid = number_or(audit_field(record, "auid"), 0xffffffff);
        facts_.executable = audit_value(raw_field(record, "exe")).substr(0, FW_PATH_MAX);
        succeeded_ = audit_field(record, "success") == "yes" && facts_.pid != 0;
    } else if (type == kExecve && serial == serial_) {
        is_exec_ = true;
        append_arguments(record);
    } else if (type == kCwd && serial == serial_) {
        facts_.directory = audit_value(raw_field(record, "cwd")).substr(0, FW_PATH_MAX);
    }
    return done;
}

}  // namespace fieldwatch::agent
