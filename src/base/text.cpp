#include "base/text.hpp"

#include "base/json_nesting.hpp"

namespace fieldwatch {

bool nests_deeper_than(std::size_t limit, std::string_view json) {
    JsonNesting nesting;
    for (const char c : json) {
        nesting.add(c);
        if (nesting.depth() > limit) return true;
    }
    return false;
}

}  // namespace fieldwatch
