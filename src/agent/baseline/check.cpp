#include "agent/baseline/check.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/embedded.hpp"
#include "base/hash.hpp"

namespace fieldwatch::agent {

using nlohmann::json;

namespace {

constexpr std::size_t kTextBytesMax = 512;
constexpr std::size_t kListMax = 32;

constexpr std::pair<std::string_view, CheckKind> kKinds[] = {{"sysctl", CheckKind::Sysctl},
                                                             {"file-permissions", CheckKind::FilePermissions},
                                                             {"file-owner", CheckKind::FileOwner},
                                                             {"file-group", CheckKind::FileGroup},
                                                             {"file-exists", CheckKind::FileExists},
                                                             {"package", CheckKind::Package},
                                                             {"service", CheckKind::Service},
                                                             {"mount-option", CheckKind::MountOption},
                                                             {"mount", CheckKind::Mount},
                                                             {"module-disabled", CheckKind::ModuleDisabled},
                                                             {"setting", CheckKind::Setting},
                                                             {"line", CheckKind::Line}};

/// Reads the members of one check; the first that is wrong is named.
struct Reader {
    const json& object;
    std::string problem{};

    void text(const char* key, std::string& out, bool required = false) {
        const auto found = object.find(key);
        if (found == object.end()) {
            if (required) complain(key);
            return;
        }
        if (!found->is_string() || found->get_ref<const std::string&>().size() > kTextBytesMax)
            return complain(key);
        out = found->get<std::string>();
        if (out.find('\0') != std::string::npos) complain(key);
    }
    void texts(const char* key, std::vector<std::string>& out) {
        const auto found = object.find(key);
        if (found == object.end()) return;
        if (found->is_string()) {
            out.push_back(found->get<std::string>());
            return;
        }
        if (!found->is_array() || found->size() > kListMax) return complain(key);
        for (const auto& one : *found) {
            if (!one.is_string() || one.get_ref<const std::string&>().size() > kTextBytesMax)
                return complain(key);
            out.push_back(one.get<std::string>());
        }
    }
    void boolean(const char* key, bool& out) {
        const auto found = object.find(key);
        if (found == object.end()) return;
        if (!found->is_boolean()) return complain(key);
        out = found->get<bool>();
    }
    void number(const char* key, std::optional<std::int64_t>& out) {
        const auto found = object.find(key);
        if (found == object.end()) return;
        if (!found->is_number_integer()) return complain(key);
        out = found->get<std::int64_t>();
    }
    void complain(const char* key) {
        if (problem.empty()) problem = key;
    }
};

bool read_octal(const std::string& text, std::uint32_t& out) {
    out = 0;
    if (text.empty() || text.size() > 5) return false;
    for (const char c : text) {
        if (c < '0' || c > '7') return false;
        out = out * 8 + static_cast<std::uint32_t>(c - '0');
    }
    return out <= 07777;
}

Result<Check> parse_check(const json& object) {
    static constexpr std::string_view kSeverities[] = {"Critical", "Important", "Warning", "Informational"};
    if (!object.is_object()) return fail(Errc::Malformed, "a check is an object");
    Reader reader{object};
    Check check;
    std::string kind;
    std::string mode;
    std::string absent = "fail";
    reader.text("id", check.id, true);
    reader.text("title", check.title, true);
    reader.text("severity", check.severity, true);
    reader.text("check", kind, true);
    reader.texts("path", check.paths);
    reader.text("name", check.name);
    reader.text("key", check.name);
    reader.text("option", check.name);
    reader.texts("values", check.values);
    reader.texts("names", check.values);
    reader.text("pattern", check.pattern);
    reader.text("separator", check.separator);
    reader.text("mode", mode);
    reader.text("absent", absent);
    reader.boolean("recursive", check.recursive);
    for (const auto* key : {"installed", "enabled", "exists"})
        reader.boolean(key, check.wanted);
    reader.number("minimum", check.minimum);
    reader.number("maximum", check.maximum);
    const auto* found = std::ranges::find(kKinds, kind, [](const auto& one) { return one.first; });
    if (found == std::end(kKinds)) {
        reader.complain("check");
    } else {
        check.kind = found->second;
    }
    check.absent_passes = absent == "pass";
    if (std::ranges::find(kSeverities, check.severity) == std::end(kSeverities)) reader.complain("severity");
    if (check.kind == CheckKind::FilePermissions && !read_octal(mode, check.mode)) reader.complain("mode");
    const bool needs_path = check.kind == CheckKind::FilePermissions || check.kind == CheckKind::FileOwner ||
                            check.kind == CheckKind::FileGroup || check.kind == CheckKind::FileExists ||
                            check.kind == CheckKind::Mount || check.kind == CheckKind::MountOption ||
                            check.kind == CheckKind::Setting || check.kind == CheckKind::Line;
    const auto is_absolute = [](const std::string& path) { return path.starts_with('/'); };
    if (needs_path ? check.paths.empty() || !std::ranges::all_of(check.paths, is_absolute)
                   : check.name.empty())
        reader.complain(needs_path ? "path" : "name");
    if (!reader.problem.empty())
        return fail(Errc::InvalidArgument, "check " + check.id.substr(0, 64) + ": " + reader.problem);
    return check;
}

std::string hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const auto byte : bytes) {
        out += kDigits[std::to_integer<unsigned>(byte) >> 4];
        out += kDigits[std::to_integer<unsigned>(byte) & 15];
    }
    return out;
}

}  // namespace

Result<std::vector<Check>> parse_checks(std::string_view text) {
    if (text.size() > kCheckFileBytesMax) return fail(Errc::TooLarge, "file of checks");
    if (std::ranges::count(text, '[') > 8'192 || std::ranges::count(text, '{') > 8'192)
        return fail(Errc::TooLarge, "too many checks");
    const auto root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object())
        return fail(Errc::Malformed, "the checks are no JSON object");
    const auto format = root.find("format");
    if (format == root.end() || *format != 1) return fail(Errc::Malformed, "the checks' format is not 1");
    const auto checks = root.find("checks");
    if (checks == root.end() || !checks->is_array()) return fail(Errc::Malformed, "the checks are no array");
    if (checks->size() > kChecksMax) return fail(Errc::TooLarge, "too many checks");
    std::vector<Check> out;
    for (const auto& one : *checks)
        out.push_back(FIELDWATCH_TRY(parse_check(one)));
    return out;
}

std::string_view built_in_checks() {
    return embedded_file("src/agent/baseline/debian-12.json");
}

Result<std::vector<Check>> load_custom_checks(const std::string& path, const std::string& sha256,
                                              const std::string& folder) {
    if (!path.starts_with(folder + "/") || path.find('/', folder.size() + 1) != std::string::npos)
        return fail(Errc::Forbidden, "custom checks lie in " + folder);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return fail(Errc::NotFound, path + " cannot be opened");
    struct stat status{};
    Bytes content(kCheckFileBytesMax + 1);
    std::size_t size = 0;
    const bool is_sound =
        ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) == 0;
    while (is_sound && size < content.size()) {
        const auto got = ::read(file, content.data() + size, content.size() - size);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(file);
    if (!is_sound) return fail(Errc::Forbidden, path + " is no file, or may be written by anyone");
    if (size > kCheckFileBytesMax) return fail(Errc::TooLarge, path);
    content.resize(size);
    const auto digest = fieldwatch::sha256(content);
    auto wanted = sha256;
    std::ranges::transform(wanted, wanted.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    if (hex(std::as_bytes(std::span(digest))) != wanted)
        return fail(Errc::Corrupt, path + " has another hash");
    return parse_checks(as_text(content));
}

}  // namespace fieldwatch::agent
