// What a single word of a command line is. Private to the command normaliser.
#pragma once

#include <string_view>

namespace fieldwatch::detect {

/// The last component of a path, without slashes at its end.
inline std::string_view basename_of(std::string_view path) {
    while (path.size() > 1 && path.back() == '/')
        path.remove_suffix(1);
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

inline bool is_option(std::string_view word) {
    return word.size() > 1 && word.front() == '-';
}

}  // namespace fieldwatch::detect
