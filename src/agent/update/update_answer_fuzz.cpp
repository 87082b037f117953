// Whatever a server answers and a twin calls a URL: read, or refused, within its bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/update/https.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto head = read_answer_head(text); head && *head) {
        if ((*head)->bytes > size || (*head)->bytes < 4 || (*head)->length > (1ULL << 40)) std::abort();
    }
    if (const auto url = parse_https_url(text)) {
        if (url->host.empty() || url->port == 0 || !url->target.starts_with('/')) std::abort();
        if ((url->target + url->authority).find_first_of(" \r\n") != std::string::npos) std::abort();
    }
    return 0;
}
