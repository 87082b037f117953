// Words out of a log line. Internal to input.
#pragma once

#include <charconv>
#include <optional>

#include "base/text.hpp"

namespace fieldwatch::pipeline {

/// Takes the next word off `text`.
inline std::string_view word(std::string_view& text) {
    text = trimmed(text);
    const auto end = std::min(text.find(' '), text.size());
    const auto out = text.substr(0, end);
    text.remove_prefix(end);
    text = trimmed(text);
    return out;
}

inline std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

/// What stands behind `before`, up to `after` or the end; empty when `before` is not there.
inline std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
    const auto at = text.find(before);
    if (at == std::string_view::npos) return {};
    const auto rest = text.substr(at + before.size());
    return rest.substr(0, after.empty() ? rest.size() : std::min(rest.find(after), rest.size()));
}

/// `key=value` in PAM's and sudo's words.
inline std::string_view value_of(std::string_view text, std::string_view key) {
    for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        if (at > 0 && text[at - 1] != ' ') continue;
        const auto rest = text.substr(at + key.size());
        return rest.substr(0, std::min(rest.find_first_of(" ;"), rest.size()));
    }
    return {};
}

}  // namespace fieldwatch::pipeline
