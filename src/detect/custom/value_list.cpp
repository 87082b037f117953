#include "detect/custom/value_list.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// Linear in the text for each star: a greedy match that goes back to the last star only.
bool glob(std::string_view pattern, std::string_view text) {
    std::size_t at = 0, star = pattern.npos, kept = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            kept = i;
        } else if (at < pattern.size() && pattern[at] == text[i]) {
            ++at;
            ++i;
        } else if (star != pattern.npos) {
            at = star + 1;
            i = ++kept;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == pattern.npos;
}

/// `C:\Windows\notepad.exe` or `\\host\share\a.exe`: no other system's paths begin so.
bool is_windows_path(std::string_view path) {
    if (path.starts_with(R"(\\)")) return true;
    const auto letter = path.empty() ? '\0' : static_cast<char>(path[0] | 0x20);
    return path.size() > 2 && letter >= 'a' && letter <= 'z' && path[1] == ':' &&
           (path[2] == '\\' || path[2] == '/');
}

bool holds(const IpPrefix& range, const IpAddress& address) {
    if (range.address.is_v4 != address.is_v4) return false;
    const std::size_t whole = range.length / 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, range.address.bytes.begin()))
        return false;
    const auto rest = range.length % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF00 >> rest);
    return (address.bytes[whole] & mask) == (range.address.bytes[whole] & mask);
}

}  // namespace

Result<ValueList> ValueList::ranges(const std::vector<std::string>& values) {
    ValueList out;
    for (const auto& value : values) {
        const auto range = fieldwatch::parse_prefix(value);
        if (!range)
            return fail(Errc::InvalidArgument, "\"" + value + "\" is not an IP address or CIDR range");
        out.ranges_.push_back(*range);
    }
    return out;
}

ValueList ValueList::texts(const std::vector<std::string>& values) {
    ValueList out;
    for (const auto& value : values) {
        if (value.find('*') != value.npos) {
            out.patterns_.push_back(value);
            out.lower_patterns_.push_back(lower(value));
        }
        out.texts_.insert(value);
        out.lower_.insert(lower(value));
    }
    return out;
}

bool ValueList::has_address(IpAddress address) const {
    address = address.unmapped();
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const IpPrefix& range) { return holds(range, address); });
}

bool ValueList::has_name(std::string_view name) const {
    return texts_.contains(name);
}

bool ValueList::has_name_any_case(std::string_view name) const {
    return lower_.contains(lower(name));
}

bool ValueList::has_process(std::string_view path) const {
    const bool windows = is_windows_path(path);
    const auto folded = windows ? lower(path) : std::string();
    if (windows) path = folded;
    const auto* const slashes = windows ? "\\/" : "/";
    const auto name =
        path.substr(path.find_last_of(slashes) + 1);  // npos + 1 is 0: a path without a slash is a name
    const auto& texts = windows ? lower_ : texts_;
    if (texts.contains(path) || texts.contains(name)) return true;
    const auto& patterns = windows ? lower_patterns_ : patterns_;
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return glob(pattern, pattern.find_first_of(slashes) == pattern.npos ? name : path);
    });
}

}  // namespace fieldwatch::detect
