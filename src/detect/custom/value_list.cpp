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
        if (value.find('*') != value.npos) out.patterns_.push_back(value);
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
    const auto name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0: a path without a slash is a name
    if (texts_.contains(path) || texts_.contains(name)) return true;
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
        return glob(pattern, pattern.find('/') == pattern.npos ? name : path);
    });
}

}  // namespace fieldwatch::detect
