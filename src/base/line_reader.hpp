// Lines of a stream whose length nobody vouches for.
#pragma once

#include <algorithm>
#include <istream>
#include <string>

namespace fieldwatch {

/// As std::getline(), but of a line longer than `bytes_max` one byte more is kept and no further: whoever
/// asks for its size sees that it is too long, and a text without line ends takes no memory.
inline bool read_line(std::istream& input, std::string& line, std::size_t bytes_max) {
    line.clear();
    char block[4'096];
    for (bool any = false;;) {
        input.getline(block, sizeof block);
        auto count = static_cast<std::size_t>(input.gcount());
        any = any || count > 0;
        const bool ended = !input.eof() && !input.fail();
        if (ended) --count;  // the line's end is counted, and not in the block
        line.append(block, std::min(count, bytes_max + 1 - std::min(line.size(), bytes_max + 1)));
        if (ended) return true;
        if (input.bad()) return false;
        if (input.eof()) {
            if (any) input.clear(std::ios::eofbit);
            return any;
        }
        input.clear();  // the block was full
    }
}

}  // namespace fieldwatch
