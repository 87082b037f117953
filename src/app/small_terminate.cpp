// For the small agent: nothing throws there (it is built without exceptions), and the standard library's own
// handler would bring a demangler. Its assertions, which stay, say what and where as they fail, but not in
// which function: the signatures of 120 templates are 20 KB of text.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() {
    std::abort();
}
}  // namespace __gnu_cxx

namespace std {
void __glibcxx_assert_fail(const char* file, int /*line*/, const char* /*function*/,
                           const char* condition) noexcept {
    for (const char* text : {file, ": assertion failed: ", condition, "\n"})
        if (text && ::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
    std::abort();
}
}  // namespace std
