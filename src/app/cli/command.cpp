#include "app/cli/operations.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::app {

namespace {

std::string profile_path() {
    if (const char* named = std::getenv("FIELDWATCH_PROFILE"); named != nullptr) return named;
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr) {
        return std::string(config) + "/fieldwatch/profile.json";
    }
    const char* home = std::getenv("HOME");
    return std::string(home == nullptr ? "/root" : home) + "/.config/fieldwatch/profile.json";
}

/// Characters as a terminal counts them: one a code point, none for our own colours; right for what devices
/// usually send.
std::size_t width_of(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\033') {
            i = std::min(text.find('m', i), text.size() - 1);
        } else {
            count += (text[i] & 0xC0) != 0x80 ? 1 : 0;
        }
    }
    return count;
}

std::string cut(std::string_view text, std::size_t width) {
    std::string out;
    std::size_t count = 0;
    for (const char c : text) {
        if ((c & 0xC0) != 0x80 && ++count > width) {
            while (!out.empty() && (out.back() & 0xC0) == 0x80)
                out.pop_back();
            if (!out.empty()) out.pop_back();
            return out + "…";
        }
        out += c;
    }
    return out;
}

std::size_t terminal_width() {
    winsize size{};
    if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return SIZE_MAX;
    return size.ws_col;
}

bool is_quantity(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return true;
    return text.starts_with('-') && text.size() > 1 &&
           text.find_first_not_of("0123456789.:", 1) == std::string_view::npos;
}

std::string csv_cell(std::string_view text) {
    std::string out(text);
    // A spreadsheet runs a cell that begins like a formula (spec/portal.md P9); a negative number or timespan
    // is none.
    if (!out.empty() && std::string_view("=+-@\t\r").find(out.front()) != std::string_view::npos &&
        !is_quantity(out))
        out.insert(0, "'");
    if (out.find_first_of(",\"\n\r") == std::string::npos) return out;
    std::string quoted = "\"";
    for (const char c : out) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

}  // namespace

void add_session_options(CLI::App& command, Session& session) {
    command.add_option("--server", session.server,
                       "The server's address; default: what ./start wrote into the profile");
    command.add_option("--token", session.token, "API token; default: the profile's")
        ->envname("FIELDWATCH_TOKEN");
    command.add_option("--format", session.format, "How to print: table, json or csv")
        ->check(CLI::IsMember({"table", "json", "csv"}))
        ->capture_default_str();
}

void add_hub_option(CLI::App& command, Session& session) {
    command.add_option("--hub", session.hub, "The hub's name; default: the profile's");
}

Result<void> complete(Session& session) {
    if (!session.server.empty() && !session.token.empty() && !session.hub.empty()) return {};
    const auto path = profile_path();
    const auto bytes = read_file(posix_file_system(), path, 1u << 16);
    if (!bytes) {
        if (!session.server.empty()) return {};
        return fail(
            Errc::NotFound,
            fmt::format(
                "no server is known: give --server URL --token TOKEN, or run ./start, which writes {}",
                path));
    }
    const auto profile = nlohmann::json::parse(as_text(*bytes), nullptr, false);
    if (!profile.is_object()) return fail(Errc::Malformed, fmt::format("{} is not a JSON object", path));
    const auto take = [&](const char* key, std::string& into) {
        if (into.empty() && profile.contains(key) && profile[key].is_string())
            into = profile[key].get<std::string>();
    };
    // A token belongs to its server: it is not sent to another one.
    const bool same_server = session.server.empty() || session.server == profile.value("server", "");
    take("server", session.server);
    if (same_server) take("token", session.token);
    take("hub", session.hub);
    if (session.server.empty())
        return fail(Errc::NotFound, fmt::format("{} names no server: give --server URL", path));
    return {};
}

Result<nlohmann::json> profile_of(const Session& session) {
    const auto path = profile_path();
    const auto bytes = read_file(posix_file_system(), path, 1u << 16);
    if (!bytes)
        return fail(Errc::NotFound, fmt::format("there is no profile at {}, which ./start writes", path));
    auto profile = nlohmann::json::parse(as_text(*bytes), nullptr, false);
    if (!profile.is_object()) return fail(Errc::Malformed, fmt::format("{} is not a JSON object", path));
    if (profile.value("server", "") != session.server)
        return fail(Errc::NotFound, fmt::format("{} is of another server than {}", path, session.server));
    return profile;
}

Result<nlohmann::json> call(const Session& session, std::string_view method, const std::string& target,
                            const nlohmann::json* body) {
    return call_text(session, method, target, body == nullptr ? std::string() : body->dump());
}

Result<nlohmann::json> call_text(const Session& session, std::string_view method, const std::string& target,
                                 std::string_view body) {
    const auto text = FIELDWATCH_TRY(call_bytes(session, method, target, body));
    auto answer = nlohmann::json::parse(text.empty() ? "null" : text, nullptr, false);
    if (answer.is_discarded()) return fail(Errc::Malformed, "the server's answer is not JSON");
    return answer;
}

/// How long a command waits for a server that has too much to do: a window of its bound of queries, twice.
constexpr std::chrono::seconds kPatience{60};

Result<net::HttpReply> answered(const Session& session, std::string_view method, const std::string& target,
                                std::string_view body,
                                std::vector<std::pair<std::string, std::string>> headers) {
    net::HttpClient client({.url = FIELDWATCH_TRY(net::parse_url(session.server)),
                            .bearer_token = session.token,
                            .headers = std::move(headers)});
    auto reply = FIELDWATCH_TRY(client.request(method, target, body));
    // Refused, and nothing done: it is asked again when the server says so, unless that is long.
    for (auto left = kPatience; reply.status == 429;) {
        const std::chrono::seconds pause(std::atoi(std::string(reply.header("retry-after")).c_str()));
        if (pause.count() < 1 || pause > left) break;
        left -= pause;
        fmt::print(stderr, "the server has too much to do; asking again in {} s\n", pause.count());
        std::this_thread::sleep_for(pause);
        reply = FIELDWATCH_TRY(client.request(method, target, body));
    }
    if (reply.status >= 200 && reply.status < 300) return reply;
    const auto answer = nlohmann::json::parse(reply.body, nullptr, false);
    std::string sentence = fmt::format("the server answered {}", reply.status);
    if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
        const auto& error = answer["error"];
        if (error.contains("innererror") && error["innererror"].is_object()) {
            sentence = error["innererror"].value("message", error.value("message", sentence));
        } else {
            sentence = error.value("message", sentence);
        }
    }
    const auto code = reply.status == 400   ? Errc::InvalidArgument
                      : reply.status == 401 ? Errc::Unauthorized
                      : reply.status == 403 ? Errc::Forbidden
                      : reply.status == 404 ? Errc::NotFound
                      : reply.status == 409 ? Errc::AlreadyExists
                      : reply.status == 412 ? Errc::Conflict
                                            : Errc::Unavailable;
    return fail(code, sentence);
}

Result<std::string> call_bytes(const Session& session, std::string_view method, const std::string& target,
                               std::string_view body) {
    return std::move(FIELDWATCH_TRY(answered(session, method, target, body, {})).body);
}

Result<nlohmann::json> call_pages(const Session& session, std::string_view method, const std::string& target,
                                  const nlohmann::json& body) {
    constexpr std::string_view kContinuation = "x-ms-continuation";
    constexpr std::size_t kItemsMax = 1'000'000;
    auto all = nlohmann::json::array();
    for (std::string after;;) {
        std::vector<std::pair<std::string, std::string>> headers;
        if (!after.empty()) headers.emplace_back(kContinuation, after);
        const auto reply = FIELDWATCH_TRY(answered(session, method, target, body.dump(), std::move(headers)));
        auto page = nlohmann::json::parse(reply.body, nullptr, false);
        if (!page.is_array()) return fail(Errc::Malformed, "the server's answer is no list");
        for (auto& one : page)
            all.push_back(std::move(one));
        const auto next = std::ranges::find(
            reply.headers, kContinuation, [](const auto& header) { return std::string_view(header.first); });
        if (next == reply.headers.end() || next->second.empty()) return all;
        if (next->second == after || all.size() > kItemsMax)
            return fail(Errc::Malformed, "the server's list has no end");
        after = next->second;
    }
}

int report(const Error& error) {
    std::fprintf(stderr, "fieldwatch: %s\n", error.message.c_str());
    return error.code == Errc::InvalidArgument || error.code == Errc::Malformed ? kUsedWrongly : kFailed;
}

void TextTable::print() const {
    std::vector<std::size_t> widths;
    for (const auto& heading : headings_)
        widths.push_back(width_of(heading));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i]));
        }
    }
    const auto room = terminal_width();
    std::size_t before_last = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
        before_last += widths[i] + 2;
    if (!widths.empty() && room != SIZE_MAX && before_last + 20 < room) {
        widths.back() = std::min(widths.back(), room - before_last);
    }
    const auto print_row = [&](const std::vector<std::string>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
            const bool last = i + 1 == widths.size();
            const auto cell = width_of(row[i]) > widths[i] ? cut(row[i], widths[i]) : row[i];
            line += cell;
            if (!last) line.append(widths[i] - width_of(cell) + 2, ' ');
        }
        std::puts(line.c_str());
    };
    print_row(headings_);
    for (const auto& row : rows_)
        print_row(row);
}

void TextTable::print_csv() const {
    const auto print_row = [](const std::vector<std::string>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += (i == 0 ? "" : ",") + csv_cell(row[i]);
        std::puts(line.c_str());
    };
    print_row(headings_);
    for (const auto& row : rows_)
        print_row(row);
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F, two bytes each, command a terminal like their escape sequences do.
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
        if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
            out += fmt::format("\\x{:02x}", next);
            ++i;
        } else if (byte < 0x20 || byte == 0x7F) {
            out += byte == '\t' ? " " : fmt::format("\\x{:02x}", byte);
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string to_end_of_line(std::string first, std::string_view text) {
    const auto width = terminal_width();
    const auto taken = width_of(first);
    first += width == SIZE_MAX ? std::string(text) : cut(text, width > taken ? width - taken : 1);
    return first;
}

std::string text_of(const nlohmann::json& object, const char* key) {
    if (!object.contains(key) || object[key].is_null()) return "";
    return object[key].is_string() ? printable(object[key].get<std::string>()) : object[key].dump();
}

std::string short_time(const nlohmann::json& object, const char* key) {
    auto text = text_of(object, key).substr(0, 19);
    if (text.size() > 10) text[10] = ' ';
    return text.empty() ? "never" : text;
}

bool on_terminal() {
    return isatty(STDOUT_FILENO) != 0;
}

std::string coloured_severity(std::string_view severity) {
    if (!on_terminal() || std::getenv("NO_COLOR") != nullptr) return std::string(severity);
    const char* colour = severity == "High" ? "\033[31m" : severity == "Medium" ? "\033[33m" : "\033[36m";
    return fmt::format("{}{}\033[0m", colour, severity);
}

}  // namespace fieldwatch::app
