// For the small agent: nothing throws there (it is built without exceptions), and the standard library's own
// handler would bring a demangler.
#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() {
    std::abort();
}
}  // namespace __gnu_cxx
