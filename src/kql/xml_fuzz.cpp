// Any text ends in JSON or in none.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "kql/xml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(size ? reinterpret_cast<const char*>(data) : "", size);
    const auto json = fieldwatch::kql::xml_to_json(text);
    // What is no UTF-8 stays so: no column holds such a text.
    if (json && fieldwatch::is_utf8(text) && !nlohmann::json::accept(*json)) std::abort();
    return 0;
}
