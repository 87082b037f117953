// Small work on SQL text, for the emitter.
#pragma once

#include <string>
#include <string_view>

namespace fieldwatch::kql {

inline bool is_one_operand(std::string_view sql) {
    const auto is_word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    std::size_t at = 0;
    while (at < sql.size() && is_word(sql[at]))
        ++at;
    if (at == sql.size()) return true;
    if (sql[at] != '(') return false;
    std::size_t depth = 0;
    for (bool text = false; at < sql.size(); ++at) {
        if (sql[at] == '\'') text = !text;
        if (text) continue;
        if (sql[at] == '(') ++depth;
        if (sql[at] == ')' && --depth == 0) return at + 1 == sql.size();
    }
    return false;
}

inline std::string quoted_sql(std::string_view text) {
    std::string out;
    for (const char c : text)
        out.append(c == '\'' ? 2 : 1, c);
    return out;
}

}  // namespace fieldwatch::kql
