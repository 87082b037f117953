#include "base/result.hpp"

#include <cstdio>
#include <cstdlib>

#include "base/assert.hpp"

namespace fieldwatch {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::Malformed:
            return "Malformed";
        case Errc::InvalidArgument:
            return "InvalidArgument";
        case Errc::TooLarge:
            return "TooLarge";
        case Errc::NotFound:
            return "NotFound";
        case Errc::AlreadyExists:
            return "AlreadyExists";
        case Errc::Unauthorized:
            return "Unauthorized";
        case Errc::Forbidden:
            return "Forbidden";
        case Errc::Conflict:
            return "Conflict";
        case Errc::Exhausted:
            return "Exhausted";
        case Errc::Unsupported:
            return "Unsupported";
        case Errc::Unavailable:
            return "Unavailable";
        case Errc::Timeout:
            return "Timeout";
        case Errc::Io:
            return "Io";
        case Errc::Corrupt:
            return "Corrupt";
        case Errc::Cancelled:
            return "Cancelled";
        case Errc::Internal:
            return "Internal";
    }
    return "Internal";
}

namespace detail {
void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "fieldwatch: assertion failed at %s:%d: %s\n", file, line, expression);
    std::abort();
}
}  // namespace detail

}  // namespace fieldwatch
