// A request line's target and a Host header, split at the first zero byte: read or refused. A path that is
// read holds neither control characters nor broken UTF-8, and only our own names are ours.
#include <algorithm>
#include <cstdint>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "net/http.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto split = std::min(text.find('\0'), text.size());
    net::HttpRequest request;
    request.target = text.substr(0, split);
    if (net::read_target(request)) {
        FIELDWATCH_ASSERT(request.path.starts_with('/') && is_utf8(request.path));
        FIELDWATCH_ASSERT(
            std::ranges::none_of(request.path, [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
        FIELDWATCH_ASSERT(request.query.size() <= request.target.size());
        for (const auto& [name, value] : request.query) {
            FIELDWATCH_ASSERT(is_utf8(name) && is_utf8(value));
            FIELDWATCH_ASSERT(request.parameter(name).has_value());
        }
    }
    const auto host = text.substr(std::min(split + 1, text.size()));
    if (net::host_is_ours(host, {"fieldwatch.example"})) {
        // A name, an address, a port: nothing that a URL could go on with.
        FIELDWATCH_ASSERT(host.find('/') == host.npos && host.find('@') == host.npos);
    }
    const auto refusal = net::error_response(400, "BadRequest", text);
    FIELDWATCH_ASSERT(refusal.body.find('\n') == refusal.body.npos);
    return 0;
}
