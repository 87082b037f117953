// The closed word sets of command handling: what is a shell, an interpreter, a downloader. Plain linear
// search: the sets are small and asked once a segment.
#include <algorithm>
#include <array>

#include "detect/command/command.hpp"

namespace fieldwatch::detect {
namespace {

template <std::size_t N>
bool one_of(std::string_view word, const std::array<std::string_view, N>& words) {
    return std::ranges::find(words, word) != words.end();
}

constexpr std::array<std::string_view, 9> kShells{"sh",  "bash", "dash", "ash", "ksh",
                                                  "zsh", "csh",  "tcsh", "fish"};
constexpr std::array<std::string_view, 8> kWebUsers{"www-data", "apache", "httpd",  "nginx",
                                                    "lighttpd", "http",   "wwwrun", "_www"};
constexpr std::array<std::string_view, 16> kDownloaders{
    "wget", "curl", "fetch", "aria2c", "axel",  "ftp",          "tftp",        "ftpget",
    "lynx", "scp",  "sftp",  "lftp",   "wget2", "lwp-download", "lwp-request", "lwp-mirror"};

/// `name` without a version: python3.11 is python. Empty unless the rest is digits and dots.
bool versioned(std::string_view name, std::string_view base) {
    if (!name.starts_with(base)) return false;
    return name.find_first_not_of("0123456789.", base.size()) == std::string_view::npos;
}

}  // namespace

std::string_view to_string(Interpreter family) {
    switch (family) {
        case Interpreter::None:
            return "";
        case Interpreter::Shell:
            return "shell";
        case Interpreter::Python:
            return "python";
        case Interpreter::Perl:
            return "perl";
        case Interpreter::Ruby:
            return "ruby";
        case Interpreter::Php:
            return "php";
        case Interpreter::Node:
            return "node";
        case Interpreter::Lua:
            return "lua";
        case Interpreter::PowerShell:
            return "powershell";
        case Interpreter::Other:
            return "other";
    }
    return "";
}

std::span<const std::string_view> interpreter_names() {
    static const auto kNames = [] {
        std::array<std::string_view, static_cast<std::size_t>(Interpreter::Other) + 1> names;
        for (std::size_t i = 0; i < names.size(); ++i)
            names[i] = to_string(static_cast<Interpreter>(i));
        return names;
    }();
    return kNames;
}

bool is_shell(std::string_view name) {
    if (name.starts_with('-')) name.remove_prefix(1);  // a login shell's argv[0]
    return one_of(name, kShells);
}

bool is_web_user(std::string_view user) {
    return one_of(user, kWebUsers) || user.starts_with("tomcat");
}

bool is_downloader(std::string_view name) {
    return one_of(name, kDownloaders);
}

Interpreter interpreter_of(std::string_view name) {
    if (is_shell(name)) return Interpreter::Shell;
    if (versioned(name, "python") || versioned(name, "pypy")) return Interpreter::Python;
    if (versioned(name, "perl")) return Interpreter::Perl;
    if (versioned(name, "ruby")) return Interpreter::Ruby;
    if (versioned(name, "php") || name == "php-cgi") return Interpreter::Php;
    if (name == "node" || name == "nodejs") return Interpreter::Node;
    if (versioned(name, "lua") || name == "luajit") return Interpreter::Lua;
    if (name == "pwsh" || name == "powershell" || name == "pwsh.exe" || name == "powershell.exe")
        return Interpreter::PowerShell;
    return Interpreter::None;
}

Interpreter interpreter_of_extension(std::string_view file) {
    const auto dot = file.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return Interpreter::None;
    char lower[8] = {};
    const auto length = std::min(file.size() - dot - 1, sizeof lower);
    std::ranges::transform(file.substr(dot + 1, length), lower,
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto extension = std::string_view(lower, file.size() - dot - 1 > length ? 0 : length);
    if (extension == "py" || extension == "pyc" || extension == "pyw") return Interpreter::Python;
    if (extension == "pl" || extension == "pm") return Interpreter::Perl;
    if (extension == "rb") return Interpreter::Ruby;
    if (extension == "php" || extension == "phtml") return Interpreter::Php;
    if (extension == "js" || extension == "mjs" || extension == "cjs") return Interpreter::Node;
    if (extension == "lua") return Interpreter::Lua;
    if (extension == "ps1") return Interpreter::PowerShell;
    static constexpr std::array<std::string_view, 6> kShellExtensions{"sh",  "bash", "zsh",
                                                                      "ksh", "ash",  "dash"};
    if (one_of(extension, kShellExtensions)) return Interpreter::Shell;
    static constexpr std::array<std::string_view, 14> kDocuments{
        "jpg", "jpeg", "png", "gif", "pdf", "doc", "docx", "xls", "xlsx", "bmp", "ico", "mp3", "mp4", "svg"};
    if (one_of(extension, kDocuments)) return Interpreter::Other;
    return Interpreter::None;
}

bool in_temporary_directory(std::string_view path) {
    static constexpr std::array<std::string_view, 4> kDirectories{"/tmp", "/var/tmp", "/dev/shm", "/run/shm"};
    for (const auto directory : kDirectories) {
        if (path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/'))
            return true;
    }
    constexpr std::string_view kRunUser = "/run/user/";
    return path.starts_with(kRunUser) && path.size() > kRunUser.size();
}

namespace {

/// Whose home `~`, `~/x` or `~user/x` names; a bare `~` is root's, as spec/alerts.md section 6 has it.
std::optional<std::string_view> home_owner(std::string_view path) {
    if (!path.starts_with('~')) return std::nullopt;
    const auto user = path.substr(1, path.find('/') - 1);
    if (path.size() == 1 || user.empty() || path[1] == '/') return "root";
    const bool named = std::ranges::all_of(user, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
    return named ? std::optional(user) : std::nullopt;
}

}  // namespace

void normalise_path(std::string_view path, std::string& out) {
    out.clear();
    std::size_t kept = 0;  // components that `..` may remove
    if (const auto user = home_owner(path)) {
        out = *user == "root" ? "/root" : "/home/" + std::string(*user);
        kept = *user == "root" ? 1 : 2;
        path.remove_prefix(std::min(path.find('/'), path.size()));
    }
    const bool absolute = !out.empty() || path.starts_with('/');
    const std::size_t root = absolute ? 1 : 0;
    if (absolute && out.empty()) out.push_back('/');
    while (!path.empty()) {
        const auto slash = path.find('/');
        const auto part = path.substr(0, slash);
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == ".." && (kept > 0 || absolute)) {
            if (kept == 0) continue;  // above the root is the root
            const auto last = out.rfind('/');
            out.resize(last == std::string::npos ? 0 : std::max(last, root));
            --kept;
            continue;
        }
        if (!out.empty() && out.back() != '/') out.push_back('/');
        out.append(part);
        if (part != "..") ++kept;
    }
}

}  // namespace fieldwatch::detect
