#include "detect/intel/command_source.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

bool may_fetch(const Segment& segment) {
    constexpr std::string_view kFetchers[] = {"lynx", "sftp", "git", "ftp", "tftp", "ftpget"};
    return segment.has(Fact::Downloads) || segment.has(Fact::RunsCode) ||
           std::ranges::find(kFetchers, segment.name) != std::end(kFetchers);
}

}  // namespace

bool may_have_source(CommandLine& command) {
    return std::ranges::any_of(command.segments(), may_fetch);
}

std::optional<IntelSnapshot::Hit> known_source(const IntelSnapshot& intel, CommandLine& command,
                                               Timestamp now, std::vector<std::string_view>& scratch) {
    if (intel.size() == 0) return std::nullopt;
    for (const auto& segment : command.segments()) {
        if (!may_fetch(segment)) continue;
        scratch.clear();
        command.list(segment, CommandList::Urls, scratch);
        for (const auto url : scratch) {
            if (auto hit = intel.find_url(url, now)) return hit;
        }
        scratch.clear();
        command.list(segment, CommandList::Hosts, scratch);
        for (const auto host : scratch) {
            auto hit = intel.find_address(host, now);
            if (!hit) hit = intel.find_domain(host, now);
            if (hit) return hit;
        }
    }
    return std::nullopt;
}

}  // namespace fieldwatch::detect
