#include "pipeline/input/auditd.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "pipeline/input/syscalls.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::size_t kFieldsMax = 4'096;
constexpr std::size_t kArgumentsBytesMax = 128u << 10;

std::optional<std::string> from_hex(std::string_view text) {
    if (text.empty() || text.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
        if (error != std::errc{} || end != text.data() + i + 2) return std::nullopt;
        out.push_back(static_cast<char>(value));
    }
    return out;
}

bool is_argument(std::string_view key) {
    return key.size() >= 2 && key[0] == 'a' && std::ranges::all_of(key.substr(1), [](char c) {
               return (c >= '0' && c <= '9') || c == '[' || c == ']';
           });
}

/// Fields whose value the kernel quotes when it is plain, and writes in hexadecimal when it is not.
bool is_encoded(std::string_view key) {
    static constexpr std::array<std::string_view, 12> kKeys{
        "proctitle", "name", "cwd", "comm", "exe", "acct", "cmd", "data", "path", "dir", "file", "key"};
    return std::ranges::find(kKeys, key) != kKeys.end();
}

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

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

/// a0 a1 … joined by blanks. A long argument comes in pieces: a1_len=9000 a1[0]=… a1[1]=….
std::string joined(const TextFields& arguments) {
    std::string out;
    std::string_view last;
    for (const auto& [key, value] : arguments) {
        if (!is_argument(key) || out.size() > kArgumentsBytesMax) continue;
        const auto name = std::string_view(key).substr(0, key.find('['));
        if (!out.empty() && name != last) out.push_back(' ');
        last = name;
        out += value;
    }
    return out;
}

/// The sockaddr of a SOCKADDR record: `saddr` in the machine's bytes, or an enriched record's interpretation.
std::optional<std::pair<std::string, std::string>> socket_address(const TextFields& fields) {
    if (auto address = text_of(fields, "laddr"); parse_ip(address))
        return std::pair(address, text_of(fields, "lport"));
    const auto bytes = from_hex(text_of(fields, "saddr"));
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

struct Stamp {
    Timestamp time;
    std::uint64_t serial = 0;
    std::size_t end = 0;  ///< behind the closing parenthesis
};

/// `audit(1551485405.594:7507)`, from `from` on.
std::optional<Stamp> stamp_of(std::string_view line) {
    const auto at = line.find("audit(");
    if (at == std::string_view::npos) return std::nullopt;
    const auto* next = line.data() + at + 6;
    const auto* const end = line.data() + line.size();
    const auto take = [&](auto& value, char after) {
        const auto read = std::from_chars(next, end, value);
        if (read.ec != std::errc{} || read.ptr == end || *read.ptr != after) return false;
        next = read.ptr + 1;
        return true;
    };
    std::uint64_t seconds = 0;
    std::uint64_t millis = 0;
    std::uint64_t serial = 0;
    if (!take(seconds, '.') || !take(millis, ':') || !take(serial, ')')) return std::nullopt;
    if (seconds > 253'402'300'799 || millis > 999) return std::nullopt;
    return Stamp{Timestamp::from_unix_millis(static_cast<std::int64_t>(seconds * 1000 + millis)), serial,
                 static_cast<std::size_t>(next - line.data())};
}

/// `key=value` before the stamp: node=…, type=….
std::string_view word_after(std::string_view text, std::string_view key) {
    for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        if (at != 0 && text[at - 1] != ' ' && text[at - 1] != ':') continue;
        const auto rest = text.substr(at + key.size());
        return rest.substr(0, rest.find(' '));
    }
    return {};
}

bool is_login_program(std::string_view executable) {
    const auto name = base_name(executable);
    static constexpr std::array<std::string_view, 8> kNames{"sshd",  "sshd-session", "sshd-auth", "dropbear",
                                                            "login", "in.telnetd",   "vsftpd",    "proftpd"};
    return std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

TextFields parse_audit_fields(std::string_view text) {
    TextFields out;
    std::size_t at = 0;
    while (at < text.size() && out.size() < kFieldsMax) {
        const char c = text[at];
        // 0x1D stands before what an enriched record adds; braces and commas enclose its socket address.
        if (c == ' ' || c == '\x1d' || c == ',' || c == '{' || c == '}' || c == '\'' || c == '\t') {
            ++at;
            continue;
        }
        const auto equals = text.find_first_of("= ", at);
        if (equals == std::string_view::npos) break;
        if (text[equals] == ' ') {  // a word by itself
            at = equals;
            continue;
        }
        const std::string key(text.substr(at, equals - at));
        at = equals + 1;
        if (at < text.size() && text[at] == '\'' && (key == "msg" || key == "SADDR")) continue;
        if (at < text.size() && (text[at] == '{' || (key == "msg" && text[at] == '\''))) continue;
        bool quoted = false;
        std::string value;
        if (at < text.size() && text[at] == '"') {
            const auto close = std::min(text.find('"', at + 1), text.size());
            value = text.substr(at + 1, close - at - 1);
            at = close + 1;
            quoted = true;
        } else {
            const auto end = std::min(text.find_first_of(" '\x1d", at), text.size());
            value = text.substr(at, end - at);
            at = end;
            while (!value.empty() && (value.back() == ',' || value.back() == '}'))
                value.pop_back();
        }
        if (!quoted && (is_encoded(key))) {
            if (auto decoded = from_hex(value)) value = std::move(*decoded);
        }
        out.emplace_back(key, std::move(value));
    }
    return out;
}

Result<void> AuditdReader::read(std::string_view line, std::uint64_t number, const RecordSink& sink) {
    const auto stamp = stamp_of(line);
    if (!stamp) {
        // Marks that ausearch and shippers write between events.
        if (line.starts_with("----") || line.starts_with("time->")) return {};
        return fail(Errc::Malformed, "no audit record: msg=audit(seconds.millis:serial) is missing");
    }
    const auto before = line.substr(0, stamp->end);
    auto type = std::string(word_after(before, "type="));
    if (type.empty()) {  // as the kernel log has it: audit: type=1400, or journald's: audit[123]: SYSCALL …
        return fail(Errc::Malformed, "no audit record: type= is missing");
    }
    auto device = std::string(word_after(before, "node="));
    if (device.empty()) device = options_.device;
    auto rest = line.substr(stamp->end);
    if (rest.starts_with(':')) rest.remove_prefix(1);
    auto fields = parse_audit_fields(rest);
    if (type == "EXECVE") {
        for (auto& [key, value] : fields) {
            // Arguments are in hexadecimal where they were not quoted; the parser cannot know an a0 of
            // SYSCALL.
            if (!is_argument(key) || rest.find(fmt::format(" {}=\"", key)) != std::string_view::npos)
                continue;
            if (auto decoded = from_hex(value)) value = std::move(*decoded);
        }
    }
    if (type == "SYSCALL" && !find(fields, "SYSCALL")) {
        if (const auto name = syscall_name(text_of(fields, "arch"), number_of(fields, "syscall"));
            !name.empty())
            fields.emplace_back("SYSCALL", name);
    }
    const Origin origin{.device = device, .time = stamp->time, .line = number};
    if (type == "USER_LOGIN" || type == "USER_AUTH") login(origin, type, fields, sink);
    auto shown = fields;
    shown.insert(shown.begin(), {"type", type});
    std::ranges::for_each(shown, [](auto& field) {
        if (field.first == "proctitle") std::ranges::replace(field.second, '\0', ' ');
    });
    maker_.sigma(origin, "auditd", shown, sink);

    auto group = std::ranges::find_if(groups_, [&](const Group& g) {
        return g.serial == stamp->serial && g.device == device && g.time == stamp->time;
    });
    if (group == groups_.end()) {
        if (type != "SYSCALL" && type != "EXECVE") return {};  // nothing to put together
        if (groups_.size() == kGroupsMax) {
            close(groups_.front(), sink);
            groups_.pop_front();
        }
        groups_.push_back({.device = device,
                           .serial = stamp->serial,
                           .time = stamp->time,
                           .line = number,
                           .syscall = {},
                           .arguments = {},
                           .socket = {},
                           .title = {},
                           .directory = {}});
        group = groups_.end() - 1;
    }
    add(*group, type, fields, number);
    // PROCTITLE is the last record of an event; EOE, where it is written, comes with nothing new.
    if (type == "PROCTITLE" || type == "EOE") {
        close(*group, sink);
        groups_.erase(group);
    }
    return {};
}

void AuditdReader::add(Group& group, std::string_view type, const TextFields& fields, std::uint64_t number) {
    if (type == "SYSCALL") group.syscall = fields;
    if (type == "EXECVE") {
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
    process.user_id = text_of(group.syscall, "uid");
    process.user_name = text_of(group.syscall, "UID");
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

void AuditdReader::finish(const RecordSink& sink) {
    for (auto& group : groups_)
        close(group, sink);
    groups_.clear();
}

}  // namespace fieldwatch::pipeline
