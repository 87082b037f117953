// Which directory each command of a line runs in: the event's own, moved by the `cd` in front.
#include <algorithm>

#include "detect/command/command.hpp"
#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

bool changes_directory(const Segment& segment) {
    return segment.name == "cd" || segment.name == "pushd" || segment.name == "chdir";
}

}  // namespace

std::string_view CommandLine::normalise(std::string_view path, std::string_view directory) {
    if (path.empty()) return path;
    if (path.front() != '/' && path.front() != '~' && !directory.empty()) {
        buffer_.assign(directory);
        buffer_.push_back('/');
        buffer_.append(path);
    } else if (path.find("//") == std::string_view::npos && path.find("./") == std::string_view::npos &&
               path.front() != '~' && !path.ends_with("/.") && !path.ends_with("..") &&
               (path.size() == 1 || path.back() != '/')) {
        return path;  // already normal
    } else {
        buffer_.assign(path);
    }
    std::string out;
    normalise_path(buffer_, out);
    return arena_.copy(out);
}

/// Where a `cd` leads; empty when only the device knows: `cd`, `cd -`, `cd "$HOME"`, or from an unknown
/// place.
std::string_view CommandLine::entered(const Segment& change, std::string_view from) {
    for (const auto word : argv(change).subspan(std::min<std::size_t>(1, change.argv_count))) {
        if (is_option(word)) continue;
        if (word.empty() || word == "-" || word.find_first_of("$`*?") != std::string_view::npos) return {};
        const bool known = word.front() == '/' || word.front() == '~';
        return known || !from.empty() ? normalise(word, from) : std::string_view{};
    }
    return {};
}

/// Of `cd /tmp || cd /var/run` the first is taken: loaders name the likeliest place first.
void CommandLine::place(std::size_t first, std::int32_t parent) {
    const bool inner = parent >= 0 && static_cast<std::size_t>(parent) < first;
    const auto* const outer = inner ? &segments_[static_cast<std::size_t>(parent)] : nullptr;
    // Where a command begins on another machine is not known here.
    auto directory = outer == nullptr               ? working_directory_
                     : is_remote_shell(outer->name) ? std::string_view{}
                                                    : outer->directory;
    for (auto i = first; i < segments_.size(); ++i) {
        auto& segment = segments_[i];
        segment.directory = directory;
        if (!changes_directory(segment)) continue;
        const bool otherwise =
            segment.before == Operator::Or && i > first && changes_directory(segments_[i - 1]);
        if (!otherwise) directory = entered(segment, directory);
    }
}

}  // namespace fieldwatch::detect
