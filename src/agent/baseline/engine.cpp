#include "agent/baseline/engine.hpp"

#include <regex.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "agent/collectors/proc.hpp"
#include "agent/directory.hpp"
#include "agent/inventory/packages.hpp"
#include "agent/inventory/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kFilesMax = 4'096;  // of one check
constexpr std::size_t kCheckedFileBytesMax = 1u << 20;
constexpr int kFoldersDeepMax = 8;

class Pattern {
  public:
    explicit Pattern(const std::string& text) {
        compiled_ = !text.empty() && ::regcomp(&expression_, text.c_str(), REG_EXTENDED | REG_NOSUB) == 0;
        is_empty_ = text.empty();
    }
    ~Pattern() {
        if (compiled_) ::regfree(&expression_);
    }
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;
    bool is_broken() const { return !compiled_ && !is_empty_; }
    bool matches(std::string_view text) const {
        return is_empty_ ||
               (compiled_ && ::regexec(&expression_, std::string(text).c_str(), 0, nullptr, 0) == 0);
    }

  private:
    regex_t expression_{};
    bool compiled_ = false;
    bool is_empty_ = true;
};

void walk(const std::string& folder, const Pattern& pattern, bool recursive, int depth,
          std::vector<std::string>& out) {
    const Directory directory(::opendir(folder.c_str()));
    while (directory && out.size() < kFilesMax) {
        const auto* entry = ::readdir(directory.get());
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        const auto path = folder + entry->d_name;
        if (entry->d_type == DT_DIR) {
            if (recursive && depth < kFoldersDeepMax) walk(path + "/", pattern, recursive, depth + 1, out);
        } else if (entry->d_type != DT_LNK && pattern.matches(name)) {
            out.push_back(path);
        }
    }
}

std::string octal_of(std::uint32_t mode) {
    std::string out;
    for (int shift = 9; shift >= 0; shift -= 3)
        out += static_cast<char>('0' + (mode >> shift & 7));
    return out;
}

bool same_text(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
    });
}

CheckOutcome passed_if(bool passed, std::string reason) {
    return {passed ? CheckResult::Pass : CheckResult::Fail, std::move(reason)};
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + text;
    return out;
}

}  // namespace

BaselineEngine::BaselineEngine(std::string root) : root_(std::move(root)) {
    const auto mounts = read_small(root_ + "/proc/self/mounts", kCheckedFileBytesMax);
    each_line(mounts, [this](std::string_view text) {
        std::vector<std::string_view> fields;
        while (fields.size() < 4 && !text.empty()) {
            const auto end = std::min(text.find(' '), text.size());
            fields.push_back(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        if (fields.size() == 4)
            mounts_.push_back({std::string(fields[1]), "," + std::string(fields[3]) + ","});
    });
    for (const auto& package : PackageReader(root_).read())
        packages_.push_back(package.name);
    std::ranges::sort(packages_);
}

std::vector<std::string> BaselineEngine::files_of(const Check& check) const {
    const bool on_names = check.kind != CheckKind::Line;
    const Pattern pattern(on_names ? check.pattern : std::string());
    std::vector<std::string> out;
    for (const auto& path : check.paths) {
        // A folder with no pattern is itself what is meant; with one, or of text files, its files are.
        const bool is_folder =
            path.ends_with('/') && (!check.pattern.empty() || check.kind == CheckKind::Setting);
        if (is_folder) {
            walk(root_ + path, pattern, check.recursive, 0, out);
        } else {
            out.push_back(root_ + path);
        }
    }
    std::ranges::sort(out);
    return out;
}

std::string BaselineEngine::name_of(const char* file, std::uint32_t id) const {
    const auto number = std::to_string(id);
    std::string name;
    const auto text = read_small(root_ + file, kCheckedFileBytesMax);
    each_line(text, [&](std::string_view one) {
        const auto first = one.find(':');
        const auto second = one.find(':', first + 1);
        if (second == std::string_view::npos || !name.empty()) return;
        if (one.substr(second + 1, one.find(':', second + 1) - second - 1) == number)
            name = one.substr(0, first);
    });
    return name;
}

CheckOutcome BaselineEngine::file(const Check& check) const {
    if (Pattern(check.pattern).is_broken()) return {CheckResult::Err, "the pattern does not compile"};
    std::string wrong;
    std::string unseen;
    bool exists = false;
    for (const auto& path : files_of(check)) {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            if (errno != ENOENT && errno != ENOTDIR && unseen.empty())
                unseen = path + ": " + std::strerror(errno);
            continue;
        }
        exists = true;
        if (check.kind == CheckKind::FileExists || !wrong.empty()) continue;
        if (check.kind == CheckKind::FilePermissions) {
            const auto mode = static_cast<std::uint32_t>(status.st_mode & 07777);
            if (mode & ~check.mode)
                wrong = path + " has mode " + octal_of(mode) + ", allowed is " + octal_of(check.mode);
            continue;
        }
        const bool owner = check.kind == CheckKind::FileOwner;
        const auto id = owner ? status.st_uid : status.st_gid;
        const auto name = name_of(owner ? "/etc/passwd" : "/etc/group", id);
        const auto is_it = [&](const std::string& one) { return one == std::to_string(id) || one == name; };
        if (!std::ranges::any_of(check.values, is_it))
            wrong = path + " belongs to " + (name.empty() ? std::to_string(id) : name) + ", allowed is " +
                    joined(check.values);
    }
    if (check.kind == CheckKind::FileExists) {
        if (!unseen.empty()) return {CheckResult::Err, unseen};
        return passed_if(exists == check.wanted,
                         joined(check.paths) + (exists ? " exists" : " does not exist"));
    }
    if (!wrong.empty()) return {CheckResult::Fail, wrong};
    return unseen.empty() ? CheckOutcome{} : CheckOutcome{CheckResult::Err, unseen};
}

CheckOutcome BaselineEngine::setting(const Check& check) const {
    std::string value;
    bool found = false;
    bool any_file = false;
    // A folder's files come first, as programs that read both take the first word said (sshd_config(5)).
    auto files = files_of(check);
    std::ranges::stable_sort(files, [](const auto& left, const auto& right) {
        return std::ranges::count(left, '/') > std::ranges::count(right, '/');
    });
    for (const auto& path : files) {
        if (::access(path.c_str(), R_OK) != 0) {
            if (errno == EACCES) return {CheckResult::Err, path + " cannot be read by the agent"};
            continue;
        }
        any_file = true;
        const auto text = read_small(path, kCheckedFileBytesMax);
        each_line(text, [&](std::string_view one) {
            one = trimmed(one);
            if (found || one.empty() || one[0] == '#') return;
            const auto end = check.separator == "=" ? one.find('=') : one.find_first_of(" \t=");
            if (end == std::string_view::npos || !same_text(trimmed(one.substr(0, end)), check.name)) return;
            value = trimmed(one.substr(end + 1));
            found = true;
        });
    }
    if (!any_file) return {};  // the program that the setting is of is not there
    if (!found) return passed_if(check.absent_passes, check.name + " is not set");
    if (check.minimum || check.maximum) {
        std::int64_t number = 0;
        const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        const bool is_number = error == std::errc{} && stop == value.data() + value.size();
        return passed_if(is_number && number >= check.minimum.value_or(INT64_MIN) &&
                             number <= check.maximum.value_or(INT64_MAX),
                         check.name + " is " + value);
    }
    const bool is_it =
        std::ranges::any_of(check.values, [&](const auto& one) { return same_text(one, value); });
    return passed_if(is_it, check.name + " is " + value + ", allowed is " + joined(check.values));
}

CheckOutcome BaselineEngine::line(const Check& check) const {
    const Pattern pattern(check.pattern);
    if (pattern.is_broken()) return {CheckResult::Err, "the pattern does not compile"};
    std::string unseen;
    for (const auto& path : check.paths) {
        std::vector<std::string> files;
        if (path.ends_with('/')) {
            walk(root_ + path, Pattern(""), false, 0, files);
        } else {
            files.push_back(root_ + path);
        }
        for (const auto& one : files) {
            if (::access(one.c_str(), R_OK) != 0) {
                if (errno == EACCES) unseen = one + " cannot be read by the agent";
                continue;
            }
            bool found = false;
            const auto text = read_small(one, kCheckedFileBytesMax);
            each_line(text, [&](std::string_view text_line) { found = found || pattern.matches(text_line); });
            if (found) return {};
        }
    }
    if (!unseen.empty()) return {CheckResult::Err, unseen};
    return {CheckResult::Fail, "no line of " + joined(check.paths) + " says so"};
}

CheckOutcome BaselineEngine::module_disabled(const Check& check) const {
    std::vector<std::string> files;
    for (const auto* folder :
         {"/etc/modprobe.d/", "/usr/lib/modprobe.d/", "/lib/modprobe.d/", "/run/modprobe.d/"})
        walk(root_ + folder, Pattern("[.]conf$"), false, 0, files);
    for (const auto& path : files) {
        bool disabled = false;
        const auto text = read_small(path, kCheckedFileBytesMax);
        each_line(text, [&](std::string_view one) {
            one = trimmed(one);
            for (const auto* program : {"/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false"})
                disabled = disabled || one == "install " + check.name + " " + program;
        });
        if (disabled) return {};
    }
    return {CheckResult::Fail, "modprobe would load " + check.name};
}

CheckOutcome BaselineEngine::service(const Check& check) const {
    const auto unit = check.name.find('.') == std::string::npos ? check.name + ".service" : check.name;
    if (read_link(root_ + "/etc/systemd/system/" + unit) == "/dev/null")
        return passed_if(!check.wanted, unit + " is masked");
    bool enabled = false;
    const auto system = root_ + "/etc/systemd/system/";
    const Directory directory(::opendir(system.c_str()));
    while (directory) {
        const auto* entry = ::readdir(directory.get());
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (!name.ends_with(".wants") && !name.ends_with(".requires")) continue;
        struct stat status{};
        enabled = enabled || ::lstat((system + entry->d_name + "/" + unit).c_str(), &status) == 0;
    }
    return passed_if(enabled == check.wanted, unit + (enabled ? " is enabled" : " is not enabled"));
}

CheckOutcome BaselineEngine::run(const Check& check) const {
    switch (check.kind) {
        case CheckKind::Sysctl: {
            auto path = check.name;
            std::ranges::replace(path, '.', '/');
            if (path.find("//") != std::string::npos) return {CheckResult::Err, "no such parameter"};
            const auto text = read_small(root_ + "/proc/sys/" + path, 256);
            const auto value = trimmed(text);
            if (value.empty()) return {};  // this kernel does not have what the parameter limits
            const bool is_it = std::ranges::find(check.values, value) != check.values.end();
            return passed_if(
                is_it, check.name + " is " + std::string(value) + ", allowed is " + joined(check.values));
        }
        case CheckKind::FilePermissions:
        case CheckKind::FileOwner:
        case CheckKind::FileGroup:
        case CheckKind::FileExists:
            return file(check);
        case CheckKind::Package: {
            const bool installed = std::ranges::binary_search(packages_, check.name);
            return passed_if(installed == check.wanted,
                             check.name + (installed ? " is installed" : " is not installed"));
        }
        case CheckKind::Service:
            return service(check);
        case CheckKind::MountOption:
        case CheckKind::Mount: {
            // The last mount on a path is the one that is seen.
            const auto found = std::find_if(mounts_.rbegin(), mounts_.rend(), [&](const Mount& one) {
                return one.path == check.paths.front();
            });
            if (check.kind == CheckKind::Mount)
                return passed_if(found != mounts_.rend(),
                                 check.paths.front() + " is no file system of its own");
            if (found == mounts_.rend()) return {};
            return passed_if(found->options.find("," + check.name + ",") != std::string::npos,
                             check.paths.front() + " is mounted without " + check.name);
        }
        case CheckKind::ModuleDisabled:
            return module_disabled(check);
        case CheckKind::Setting:
            return setting(check);
        case CheckKind::Line:
            return line(check);
    }
    return {CheckResult::Err, "no such check"};
}

std::vector<Observation> BaselineEngine::findings(const std::vector<Check>& checks) const {
    std::vector<Observation> out;
    for (const auto& check : checks) {
        auto outcome = run(check);
        if (outcome.result == CheckResult::Pass) continue;
        auto& one = out.emplace_back(Observation{.kind = FIELDWATCH_OS_BASELINE});
        one.text("Description", check.title);
        one.text("CceId", check.id);
        one.text("Result", outcome.result == CheckResult::Fail ? "Fail" : "Err");
        one.text("Error", std::move(outcome.reason));
        one.text("Severity", check.severity);
    }
    return out;
}

}  // namespace fieldwatch::agent
