#include "agent/resident.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <charconv>
#include <string>

#include "agent/collectors/proc.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kSmapsBytesMax = 1 << 20;  // some 60 mappings of 1 KiB each, and room

bool hex(std::string_view text, std::size_t& out) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
    return error == std::errc{} && stop == text.data() + text.size();
}

/// An address line begins with a lower-case hexadecimal number, a property with a capital.
bool begins_entry(std::string_view line) {
    return !line.empty() && ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f'));
}

}  // namespace

bool is_clean_file_mapping(std::string_view entry, std::string_view maps, std::size_t& begin,
                           std::size_t& end) {
    const auto line = entry.substr(0, entry.find('\n'));
    const auto dash = line.find('-');
    const auto blank = line.find(' ');
    if (dash == std::string_view::npos || blank == std::string_view::npos || dash > blank) return false;
    if (!hex(line.substr(0, dash), begin) || !hex(line.substr(dash + 1, blank - dash - 1), end)) return false;
    const auto known = maps.find(line.substr(0, blank + 1));
    if (known == std::string_view::npos || (known > 0 && maps[known - 1] != '\n')) return false;
    const auto rights = line.substr(blank + 1, 4);
    if (rights.size() != 4 || rights[1] == 'w' || rights[3] != 'p') return false;
    if (line.find(" /") == std::string_view::npos) return false;
    for (const std::string_view name : {"\nAnonymous:", "\nSwap:", "\nLocked:"}) {
        const auto at = entry.find(name);
        if (at == std::string_view::npos) return false;
        const auto value = entry.substr(at + name.size(), entry.find('\n', at + 1) - at - name.size());
        if (value.find_first_of("123456789") != std::string_view::npos) return false;
    }
    return begin < end;
}

std::size_t give_back_memory() {
    ::malloc_trim(0);
    const auto smaps = read_small("/proc/self/smaps", kSmapsBytesMax);
    const auto maps = read_small("/proc/self/maps", kSmapsBytesMax);
    std::size_t given = 0;
    std::string_view rest = smaps;
    while (!rest.empty()) {
        auto next = rest.find('\n');
        while (next != std::string_view::npos && !begins_entry(rest.substr(next + 1)))
            next = rest.find('\n', next + 1);
        const auto size = next == std::string_view::npos ? rest.size() : next + 1;
        std::size_t begin = 0;
        std::size_t end = 0;
        // The kernel counts before any page is dropped, and nothing of ours writes to such a mapping
        // meanwhile.
        if (is_clean_file_mapping(rest.substr(0, size), maps, begin, end) &&
            ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0) {
            given += end - begin;
        }
        rest.remove_prefix(size);
    }
    return given;
}

}  // namespace fieldwatch::agent
