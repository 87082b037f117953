// Any text as a path: it ends in a path or an error, and a path says itself back and can be asked.
#include <cstdint>
#include <cstdlib>

#include "hub/metric_path.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto path = hub::MetricPath::parse(text);
    if (!path) return 0;
    const auto written = path->text();
    if (written.size() <= hub::MetricPath::kBytesMax) {
        const auto again = hub::MetricPath::parse(written);
        if (!again || again->text() != written) std::abort();
    }
    json::Reader reader;
    const auto body = reader.parse(R"({"a":{"b":[1,2.5,"x"]},"c":7,"":[[3]]})");
    if (!body) std::abort();
    static_cast<void>(path->number_in(**body));
    return 0;
}
