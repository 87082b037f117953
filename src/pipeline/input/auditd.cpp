#include "pipeline/input/auditd.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "pipeline/input/audit_fields.hpp"
#include "pipeline/input/syscalls.hpp"
#include "pipeline/input/syslog.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::size_t kArgumentsBytesMax = 128u << 10;

const std::string* find(const TextFields& fields, std::string_view key) {
    const auto at = std::ranges::find(fields, key, &std::pair<std::string, std::string>::first);
    return at == fields.end() ? nullptr : &at->second;
}

std::string text_of(const TextFields& fields, std::string_view key) {
    const auto* value = find(fields, key);
    return value && *value != "?" && *value != "(null)" ? *value : std::string();
}

std::int64_t number_of(const TextFields& fields, std::string_view key) {
    std::int64_t value = 0;
    if (const auto* text = find(fields, key))
        std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
}

bool failed(const TextFields& fields) {
    const auto* success = find(fields, "success");
    return success && *success == "no";
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Interpreted records name the user where others number it.
void set_user(const TextFields& fields, std::string& id, std::string& name) {
    id = text_of(fields, "uid");
    name = text_of(fields, "UID");
    if (is_number(id) || id.empty()) return;
    name = id;
    id = id == "root" ? "0" : "";
}

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

/// `a12[3]` as (12, 3): the place of an argument, or of its piece.
std::pair<int, int> place_of(std::string_view key) {
    std::pair<int, int> out;
    std::from_chars(key.data() + 1, key.data() + key.size(), out.first);
    if (const auto piece = key.find('['); piece != std::string_view::npos)
        std::from_chars(key.data() + piece + 1, key.data() + key.size(), out.second);
    return out;
}

/// a0 a1 … joined by blanks. A long argument comes in pieces, a1_len=9000 a1[0]=… a1[1]=…; a long list in
/// several records, which ausearch shows last to first.
std::string joined(TextFields arguments) {
    std::erase_if(arguments, [](const auto& field) { return !is_audit_argument(field.first); });
    std::ranges::stable_sort(arguments, {}, [](const auto& field) { return place_of(field.first); });
    std::string out;
    std::optional<int> last;
    for (const auto& [key, value] : arguments) {
        if (out.size() > kArgumentsBytesMax) break;
        const int place = place_of(key).first;
        if (last && *last != place) out.push_back(' ');
        last = place;
        out += value;
    }
    return out;
}

/// The sockaddr of a SOCKADDR record: `saddr` in the machine's bytes, or an enriched record's interpretation.
std::optional<std::pair<std::string, std::string>> socket_address(const TextFields& fields) {
    if (auto address = text_of(fields, "laddr"); parse_ip(address))
        return std::pair(address, text_of(fields, "lport"));
    const auto bytes = audit_hex(text_of(fields, "saddr"));
    if (!bytes || bytes->size() < 8) return std::nullopt;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>((*bytes)[i]); };
    const auto port = std::to_string(at(2) << 8 | at(3));
    IpAddress address;
    if ((at(0) | at(1)) == 2) {
        std::copy_n(bytes->begin() + 4, 4, address.bytes.begin());
    } else if ((at(0) | at(1)) == 10 && bytes->size() >= 24) {
        address.is_v4 = false;
        std::copy_n(bytes->begin() + 8, 16, address.bytes.begin());
    } else {
        return std::nullopt;
    }
    return std::pair(address.text(), port);
}

bool is_login_program(std::string_view executable) {
    const auto name = base_name(executable);
    static constexpr std::array<std::string_view, 8> kNames{"sshd",  "sshd-session", "sshd-auth", "dropbear",
                                                            "login", "in.telnetd",   "vsftpd",    "proftpd"};
    return std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

std::optional<AuditdReader::Line> AuditdReader::take_apart(std::string_view text) const {
    Line out;
    const auto stamp = audit_stamp(text);
    const auto head = text.substr(0, stamp ? stamp->end : 0);
    // What a relay wrote before it: "Nov 10 08:19:44 pi audispd: type=…".
    const bool relayed = !stamp || (!head.starts_with("type=") && !head.starts_with("node="));
    const auto relay = relayed ? parse_syslog_line(text, options_.first_year) : fail(Errc::NotFound, "");
    out.device = std::string(audit_word(head, "node="));
    if (out.device.empty() && relay) out.device = clean_text(relay->host);
    if (out.device.empty()) out.device = options_.device;
    std::string_view rest;
    if (stamp) {
        out.time = stamp->time;
        out.serial = stamp->serial;
        out.type = audit_type(head);
        rest = trimmed(text.substr(stamp->end), " :");
        out.fields = stamp->interpreted ? parse_interpreted_fields(out.type, rest) : parse_audit_fields(rest);
    } else {
        // The journal keeps the stamp to itself: "… pi audit[812]: SYSCALL arch=…".
        if (!relay || relay->program != "audit") return std::nullopt;
        out.time = relay->time;
        rest = relay->message;
        out.type = std::string(rest.substr(0, rest.find(' ')));
        rest.remove_prefix(out.type.size());
        out.fields = parse_audit_fields(rest);
    }
    if (out.type == "EXECVE" && !(stamp && stamp->interpreted)) {
        for (auto& [key, value] : out.fields) {
            // Arguments are in hexadecimal where they were not quoted; the parser cannot know an a0 of
            // SYSCALL.
            if (!is_audit_argument(key) || text.find(fmt::format(" {}=\"", key)) != std::string_view::npos)
                continue;
            if (auto decoded = audit_hex(value)) value = std::move(*decoded);
        }
    }
    return out;
}

Result<void> AuditdReader::read(std::string_view text, std::uint64_t number, const RecordSink& sink) {
    auto line = take_apart(text);
    if (!line) {
        // Marks that ausearch and shippers write between events.
        if (text.starts_with("----")) return finish(sink), Result<void>{};
        if (text.starts_with("time->")) return {};
        return fail(Errc::Malformed, "no audit record: msg=audit(seconds.millis:serial) is missing");
    }
    if (line->type.empty()) return fail(Errc::Malformed, "no audit record: type= is missing");
    auto& fields = line->fields;
    const std::string_view type = line->type;
    if (type == "SYSCALL" && !find(fields, "SYSCALL")) {
        std::string name(syscall_name(text_of(fields, "arch"), number_of(fields, "syscall")));
        // An interpreted record names the call where others number it.
        if (name.empty()) name = text_of(fields, "syscall");
        if (is_number(name)) name.clear();
        if (!name.empty()) fields.emplace_back("SYSCALL", std::move(name));
    }
    const Origin origin{.device = line->device, .time = line->time, .line = number};
    if (type == "USER_LOGIN" || type == "USER_AUTH") login(origin, type, fields, sink);
    if (type == "USER_CMD") command(origin, fields, sink);
    auto shown = fields;
    shown.insert(shown.begin(), {"type", line->type});
    std::ranges::for_each(shown, [](auto& field) {
        if (field.first == "proctitle") std::ranges::replace(field.second, '\0', ' ');
    });
    maker_.sigma(origin, "auditd", shown, sink);
    gather(*line, number, sink);
    return {};
}

void AuditdReader::gather(const Line& line, std::uint64_t number, const RecordSink& sink) {
    // Records without a serial belong to the last event that began.
    const auto same = [&](const Group& g) {
        return g.serial == line.serial && g.device == line.device &&
               (line.serial == 0 || g.time == line.time);
    };
    auto group = std::ranges::find_if(groups_, same);
    if (group != groups_.end() && line.serial == 0 && line.type == "SYSCALL") {
        close(*group, sink);
        groups_.erase(group);
        group = groups_.end();
    }
    if (group == groups_.end()) {
        static constexpr std::array<std::string_view, 3> kBehind{"CWD", "SOCKADDR", "PROCTITLE"};
        const bool reversed = std::ranges::find(kBehind, line.type) != kBehind.end();
        if (line.type != "SYSCALL" && line.type != "EXECVE" && !reversed) return;  // nothing to put together
        if (groups_.size() == kGroupsMax) {
            close(groups_.front(), sink);
            groups_.pop_front();
        }
        groups_.push_back({.device = line.device,
                           .serial = line.serial,
                           .time = line.time,
                           .line = number,
                           .reversed = reversed,
                           .syscall = {},
                           .arguments = {},
                           .socket = {},
                           .title = {},
                           .directory = {}});
        group = groups_.end() - 1;
    }
    add(*group, line.type, line.fields, number);
    // PROCTITLE is the last record of an event; EOE, where it is written, comes with nothing new. ausearch
    // shows an event from its end: there SYSCALL is the last.
    if (group->reversed ? line.type == "SYSCALL" : line.type == "PROCTITLE" || line.type == "EOE") {
        close(*group, sink);
        groups_.erase(group);
    }
}

void AuditdReader::add(Group& group, std::string_view type, const TextFields& fields, std::uint64_t number) {
    if (type == "SYSCALL") group.syscall = fields;
    if (type == "EXECVE") {
        audits_execs_ = true;
        group.arguments.insert(group.arguments.end(), fields.begin(), fields.end());
        group.is_exec = true;
        group.line = number;
    }
    if (type == "CWD") group.directory = text_of(fields, "cwd");
    if (type == "SOCKADDR") group.socket = fields;
    if (type == "PROCTITLE") {
        group.title = text_of(fields, "proctitle");
        std::ranges::replace(group.title, '\0', ' ');
    }
}

void AuditdReader::close(Group& group, const RecordSink& sink) {
    const auto name = text_of(group.syscall, "SYSCALL");
    if (failed(group.syscall) && name != "connect") return;
    if (group.is_exec || name == "execve" || name == "execveat") return exec(group, sink);
    if (name == "connect" || name == "accept" || name == "accept4") connect(group, sink);
}

void AuditdReader::exec(const Group& group, const RecordSink& sink) {
    RecordedProcess process;
    process.command_line = joined(group.arguments);
    if (process.command_line.empty()) process.command_line = group.title;
    process.executable = text_of(group.syscall, "exe");
    if (process.executable.empty())
        process.executable = process.command_line.substr(0, process.command_line.find(' '));
    if (process.executable.empty()) return;
    set_user(group.syscall, process.user_id, process.user_name);
    process.working_directory = group.directory;
    process.process_id = number_of(group.syscall, "pid");
    process.parent_process_id = number_of(group.syscall, "ppid");
    const auto parent = programs_.find(fmt::format("{}/{}", group.device, process.parent_process_id));
    if (parent != programs_.end()) {
        process.parent_executable = parent->second.executable;
        process.parent_command_line = parent->second.command_line;
    }
    maker_.process({.device = group.device, .time = group.time, .line = group.line}, process, sink);
    remember(group.device, process.process_id, {process.executable, process.command_line});
}

void AuditdReader::remember(const std::string& device, std::int64_t process, Program program) {
    if (process == 0) return;
    auto key = fmt::format("{}/{}", device, process);
    if (programs_.insert_or_assign(key, std::move(program)).second) program_order_.push_back(std::move(key));
    if (program_order_.size() <= kProcessesMax) return;
    programs_.erase(program_order_.front());
    program_order_.pop_front();
}

void AuditdReader::connect(const Group& group, const RecordSink& sink) {
    const auto address = socket_address(group.socket);
    if (!address) return;
    RecordedConnection connection;
    connection.remote_address = address->first;
    connection.remote_port = address->second.empty() ? "0" : address->second;
    connection.executable = text_of(group.syscall, "exe");
    connection.command_line = group.title;
    connection.user_id = text_of(group.syscall, "uid");
    if (!is_number(connection.user_id)) connection.user_id.clear();
    connection.process_id = number_of(group.syscall, "pid");
    connection.in = text_of(group.syscall, "SYSCALL") != "connect";
    maker_.connection({.device = group.device, .time = group.time, .line = group.line}, connection, sink);
}

/// A log-in over the network is told by USER_AUTH and by USER_LOGIN; one at the device by USER_LOGIN. What
/// sudo, su, cron and the desktop authenticate is no log-in.
void AuditdReader::login(const Origin& origin, std::string_view type, const TextFields& fields,
                         const RecordSink& sink) {
    RecordedLogin login;
    login.executable = text_of(fields, "exe");
    login.address = text_of(fields, "addr");
    if (login.address.empty()) login.address = text_of(fields, "hostname");
    if (!is_login_program(login.executable)) return;
    if (type == "USER_AUTH" && login.address.empty()) return;
    login.user = text_of(fields, "acct");
    if (login.user.empty()) login.user = text_of(fields, "id");
    login.operation = text_of(fields, "op");
    if (login.operation.empty()) login.operation = "login";
    login.process_id = number_of(fields, "pid");
    const auto result = text_of(fields, "res");
    login.success = result == "success" || result == "yes" || result == "1";
    maker_.login(origin, login, sink);
}

/// What sudo ran, where the log does not tell of programs themselves.
void AuditdReader::command(const Origin& origin, const TextFields& fields, const RecordSink& sink) {
    const auto result = text_of(fields, "res");
    if (audits_execs_ || !(result == "success" || result == "yes" || result == "1")) return;
    RecordedProcess process;
    process.command_line = text_of(fields, "cmd");
    process.executable = process.command_line.substr(0, process.command_line.find(' '));
    if (process.executable.empty()) return;
    process.user_id = "0";
    process.user_name = "root";
    process.working_directory = text_of(fields, "cwd");
    process.parent_executable = "/usr/bin/sudo";
    maker_.process(origin, process, sink);
}

void AuditdReader::finish(const RecordSink& sink) {
    for (auto& group : groups_)
        close(group, sink);
    groups_.clear();
}

}  // namespace fieldwatch::pipeline
