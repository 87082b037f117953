#include "pipeline/input/audit_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::size_t kFieldsMax = 4'096;

/// Fields whose value the kernel quotes when it is plain, and writes in hexadecimal when it is not.
bool is_encoded(std::string_view key) {
    static constexpr std::array<std::string_view, 12> kKeys{
        "proctitle", "name", "cwd", "comm", "exe", "acct", "cmd", "data", "path", "dir", "file", "key"};
    return std::ranges::find(kKeys, key) != kKeys.end();
}

struct RecordType {
    int number;
    std::string_view name;
};

/// Of linux/audit.h and audit-userspace's msg_typetab: the records that rules ask for, and those of an event.
constexpr std::array<RecordType, 48> kTypes{{
    {1006, "LOGIN"},         {1100, "USER_AUTH"},
    {1101, "USER_ACCT"},     {1102, "USER_MGMT"},
    {1103, "CRED_ACQ"},      {1104, "CRED_DISP"},
    {1105, "USER_START"},    {1106, "USER_END"},
    {1107, "USER_AVC"},      {1108, "USER_CHAUTHTOK"},
    {1109, "USER_ERR"},      {1110, "CRED_REFR"},
    {1112, "USER_LOGIN"},    {1113, "USER_LOGOUT"},
    {1114, "ADD_USER"},      {1115, "DEL_USER"},
    {1116, "ADD_GROUP"},     {1117, "DEL_GROUP"},
    {1123, "USER_CMD"},      {1124, "USER_TTY"},
    {1126, "CHUSER_ID"},     {1127, "GRP_AUTH"},
    {1130, "SERVICE_START"}, {1131, "SERVICE_STOP"},
    {1200, "DAEMON_START"},  {1201, "DAEMON_END"},
    {1202, "DAEMON_ABORT"},  {1203, "DAEMON_CONFIG"},
    {1300, "SYSCALL"},       {1302, "PATH"},
    {1303, "IPC"},           {1304, "SOCKETCALL"},
    {1305, "CONFIG_CHANGE"}, {1306, "SOCKADDR"},
    {1307, "CWD"},           {1309, "EXECVE"},
    {1318, "OBJ_PID"},       {1319, "TTY"},
    {1320, "EOE"},           {1321, "BPRM_FCAPS"},
    {1325, "NETFILTER_CFG"}, {1326, "SECCOMP"},
    {1327, "PROCTITLE"},     {1330, "KERN_MODULE"},
    {1334, "BPF"},           {1400, "AVC"},
    {1701, "ANOM_ABEND"},    {2404, "CRYPTO_KEY_USER"},
}};

/// Takes a number of one to `digits_max` digits off `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, std::size_t digits_max) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + std::min(text.size(), digits_max), value);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take_char(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

/// The date of `ausearch -i`, as the machine's locale writes it: 03/02/2019, 03/02/19, 02.03.2019,
/// 2019-03-02. With slashes the month comes first unless it cannot.
std::optional<std::string> take_date(std::string_view& text) {
    const auto first = take_number(text, 4);
    if (!first || text.empty()) return std::nullopt;
    const char between = text.front();
    if (between != '/' && between != '.' && between != '-') return std::nullopt;
    text.remove_prefix(1);
    const auto second = take_number(text, 2);
    if (!second || !take_char(text, between)) return std::nullopt;
    const auto third = take_number(text, 4);
    if (!third) return std::nullopt;
    if (*first > 99) return fmt::format("{:04}-{:02}-{:02}", *first, *second, *third);
    const auto year = *third < 100 ? *third + 2000 : *third;
    const bool day_first = between != '/' || *first > 12;
    return fmt::format("{:04}-{:02}-{:02}", year, day_first ? *second : *first, day_first ? *first : *second);
}

/// Behind `audit(`: seconds.millis, or a date and a time of day.
std::optional<Timestamp> take_time(std::string_view& text, bool& interpreted) {
    auto raw = text;
    const auto seconds = take_number(raw, 20);
    if (seconds && take_char(raw, '.')) {
        const auto millis = take_number(raw, 20);
        if (millis && raw.starts_with(':')) {
            if (*seconds > 253'402'300'799 || *millis > 999) return std::nullopt;
            text = raw;
            return Timestamp::from_unix_millis(static_cast<std::int64_t>(*seconds * 1000 + *millis));
        }
    }
    const auto date = take_date(text);
    if (!date || !take_char(text, ' ')) return std::nullopt;
    const auto clock = text.substr(0, text.rfind(':', text.find(')')));
    const auto parsed = parse_iso8601(*date + "T" + std::string(trimmed(clock)) + "Z");
    if (!parsed) return std::nullopt;
    text.remove_prefix(clock.size());
    interpreted = true;
    return parsed->time;
}

/// The next argument of an exec: `a2`, whole or in pieces, and `a3` too behind a piece of `a2`.
struct ArgumentPlace {
    std::size_t next = 0;
    bool in_pieces = false;

    bool takes(std::string_view key) const {
        if (key == "argc" || key.ends_with("_len")) return true;
        const auto name = key.substr(0, key.find('['));
        return name == fmt::format("a{}", next) || (in_pieces && name == fmt::format("a{}", next + 1));
    }
    void took(std::string_view key) {
        if (!is_audit_argument(key)) return;
        if (key.substr(0, key.find('[')) != fmt::format("a{}", next)) ++next;
        in_pieces = key.ends_with(']');
        if (!in_pieces) ++next;
    }
};

/// Whether a key of an interpreted record begins `text`: a word, then `=`. Within an exec only the next
/// argument is one: what somebody passes as `--uid=0` is no field. 0 where none does.
std::size_t key_length(std::string_view type, std::string_view text, const ArgumentPlace& place) {
    const auto in_word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '[' || c == ']';
    };
    const auto length = static_cast<std::size_t>(std::ranges::find_if_not(text, in_word) - text.begin());
    if (length == 0 || length == text.size() || text[length] != '=') return 0;
    return type != "EXECVE" || place.takes(text.substr(0, length)) ? length : 0;
}

}  // namespace

std::optional<std::string> audit_hex(std::string_view text) {
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

bool is_audit_argument(std::string_view key) {
    return key.size() >= 2 && key[0] == 'a' && std::ranges::all_of(key.substr(1), [](char c) {
               return (c >= '0' && c <= '9') || c == '[' || c == ']';
           });
}

std::optional<AuditStamp> audit_stamp(std::string_view line) {
    const auto at = line.find("audit(");
    if (at == std::string_view::npos) return std::nullopt;
    auto text = line.substr(at + 6);
    AuditStamp out;
    const auto time = take_time(text, out.interpreted);
    if (!time || !take_char(text, ':')) return std::nullopt;
    const auto serial = take_number(text, 20);
    if (!serial || !take_char(text, ')')) return std::nullopt;
    out.time = *time;
    out.serial = *serial;
    out.end = line.size() - text.size();
    return out;
}

std::string_view audit_word(std::string_view head, std::string_view key) {
    for (auto at = head.find(key); at != std::string_view::npos; at = head.find(key, at + 1)) {
        if (at != 0 && head[at - 1] != ' ' && head[at - 1] != ':') continue;
        const auto rest = head.substr(at + key.size());
        return rest.substr(0, rest.find(' '));
    }
    return {};
}

std::string audit_type(std::string_view head) {
    const auto word = audit_word(head, "type=");
    auto digits = word;
    if (digits.starts_with("UNKNOWN[")) digits.remove_prefix(8);
    const auto number = take_number(digits, 5);
    if (!number) return std::string(word);
    const auto known = std::ranges::find(kTypes, static_cast<int>(*number), &RecordType::number);
    return known == kTypes.end() ? std::string(word) : std::string(known->name);
}

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
            if (auto decoded = audit_hex(value)) value = std::move(*decoded);
        }
        out.emplace_back(key, std::move(value));
    }
    return out;
}

TextFields parse_interpreted_fields(std::string_view type, std::string_view text) {
    constexpr std::string_view kAround = " \t\r\n{}'\"\x1d";
    TextFields out;
    ArgumentPlace place;
    while (!text.empty() && out.size() < kFieldsMax) {
        text = text.substr(std::min(text.find_first_not_of(kAround), text.size()));
        auto length = key_length(type, text, place);
        if (length == 0) {  // a word by itself
            text = text.substr(std::min(text.find(' '), text.size()));
            continue;
        }
        const std::string key(text.substr(0, length));
        text.remove_prefix(length + 1);
        if (key == "msg" || key == "saddr") {  // holds fields of its own
            if (text.starts_with('\'') || text.starts_with('{')) continue;
        }
        if (type == "EXECVE") place.took(key);
        std::size_t end = text.size();
        // A title is one value to its end, whatever stands in it.
        for (auto at = text.find(' '); type != "PROCTITLE" && at != std::string_view::npos;
             at = text.find(' ', at + 1)) {
            length = key_length(type, text.substr(at + 1), place);
            if (length == 0) continue;
            end = at;
            break;
        }
        out.emplace_back(key, std::string(type == "EXECVE" || type == "PROCTITLE"
                                              ? trimmed(text.substr(0, end))
                                              : trimmed(text.substr(0, end), kAround)));
        text.remove_prefix(end);
    }
    return out;
}

}  // namespace fieldwatch::pipeline
