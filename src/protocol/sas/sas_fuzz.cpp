// Any text is a token, a connection string, a resource, or an error.
#include "base/bytes.hpp"
#include "protocol/sas/connection_string.hpp"
#include "protocol/sas/token.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto token = sas::parse_token(text)) {
        static_cast<void>(sas::verify(*token, "AAAA"));
        static_cast<void>(sas::parse_resource(token->resource));
    }
    if (const auto connection = sas::parse_connection_string(text)) {
        static_cast<void>(sas::parse_connection_string(sas::format(*connection)));
    }
    static_cast<void>(sas::parse_resource(text));
    return 0;
}
