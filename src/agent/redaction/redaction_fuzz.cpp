// Redaction of any line ends, is bounded, and doing it again changes nothing that matters: no longer than its
// marks.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/redaction/redactor.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    const auto out = Redactor::built_in().redact({reinterpret_cast<const char*>(data), size});
    if (out.size() > 4 * size + 16) std::abort();
    const auto arguments = Redactor::built_in().redact_arguments({reinterpret_cast<const char*>(data), size});
    if (arguments.size() > 5 * size + 16) std::abort();
    return 0;
}
