#include "agent/accounts.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "agent/collectors/proc.hpp"
#include "base/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kAccountsMax = 4'096;

bool number(std::string_view text, std::uint32_t& out) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && stop == text.data() + text.size();
}

std::string stamp_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return "-";
    return std::to_string(status.st_ino) + "." + std::to_string(status.st_mtim.tv_sec) + "." +
           std::to_string(status.st_mtim.tv_nsec) + "." + std::to_string(status.st_size);
}

}  // namespace

std::optional<AccountIds> find_account(std::string_view passwd, std::string_view name) {
    std::optional<AccountIds> out;
    each_line(passwd, [&](std::string_view line) {
        const auto fields = split(line, ':');
        AccountIds ids;
        if (out || fields.size() < 4 || fields[0] != name) return;
        if (number(fields[2], ids.uid) && number(fields[3], ids.gid)) out = ids;
    });
    return out;
}

void Accounts::refresh() {
    const auto stamp = stamp_of(passwd_path_) + "|" + stamp_of(group_path_);
    if (stamp == stamp_) return;
    stamp_ = stamp;
    names_.clear();
    each_line(read_small(passwd_path_, 1u << 20), [this](std::string_view line) {
        const auto fields = split(line, ':');
        std::uint32_t uid = 0;
        if (fields.size() < 4 || names_.size() >= kAccountsMax) return;
        const auto text = fields[2];
        if (std::from_chars(text.data(), text.data() + text.size(), uid).ec == std::errc{})
            names_.emplace(uid, fields[0]);
    });
}

std::string Accounts::name_of(std::uint32_t uid) {
    if (stamp_.empty()) refresh();
    const auto found = names_.find(uid);
    return found == names_.end() ? std::string() : found->second;
}

bool Accounts::changed() {
    refresh();
    const bool changed = seen_stamp_ != stamp_;
    seen_stamp_ = stamp_;
    return changed;
}

std::vector<Observation> Accounts::snapshot() {
    struct Group {
        std::string name, id;
        std::vector<std::string> members;
    };
    std::vector<Group> groups;
    each_line(read_small(group_path_, 1u << 20), [&](std::string_view line) {
        const auto fields = split(line, ':');
        if (fields.size() < 4 || groups.size() >= kAccountsMax) return;
        Group group{std::string(fields[0]), std::string(fields[2]), {}};
        for (const auto member : split(fields[3], ',')) {
            if (!member.empty()) group.members.emplace_back(member);
        }
        groups.push_back(std::move(group));
    });
    std::vector<Observation> out;
    each_line(read_small(passwd_path_, 1u << 20), [&](std::string_view line) {
        const auto fields = split(line, ':');
        if (fields.size() < 7 || out.size() >= kAccountsMax) return;
        std::string names, ids;
        const auto append = [&](const std::string& name, std::string_view id) {
            names += (ids.empty() ? "" : ";") + name;
            ids.append(ids.empty() ? "" : ";").append(id);
        };
        const auto primary = std::ranges::find(groups, fields[3], &Group::id);
        append(primary == groups.end() ? std::string(fields[3]) : primary->name, fields[3]);
        for (const auto& group : groups) {
            if (group.id != fields[3] && std::ranges::find(group.members, fields[0]) != group.members.end()) {
                append(group.name, group.id);
            }
        }
        Observation user{.kind = FIELDWATCH_LOCAL_USERS};
        user.text("UserName", std::string(fields[0]));
        user.text("UserId", std::string(fields[2]));
        user.text("GroupNames", names);
        user.text("GroupIds", ids);
        user.extra("Shell", std::string(fields[6]));
        user.extra("HomeDirectory", std::string(fields[5]));
        out.push_back(std::move(user));
    });
    return out;
}

}  // namespace fieldwatch::agent
