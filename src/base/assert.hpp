// What only our own bug can break. Always compiled in; says where and aborts. A peer who can trip one has
// found a vulnerability.
#pragma once

namespace fieldwatch::detail {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define FIELDWATCH_ASSERT(expression)    \
    ((expression) ? static_cast<void>(0) \
                  : ::fieldwatch::detail::assertion_failed(#expression, __FILE__, __LINE__))
