// Lines of a series, as strangers write them.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "pipeline/series_run.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::istringstream input(std::string(reinterpret_cast<const char*>(data), size));
    std::size_t lines = 0;
    const auto report = fieldwatch::pipeline::run_series(
        input, "fuzz", [&](std::string_view line) { lines += !line.empty(); });
    // Every record is scored or a dead letter; an alert is a line more.
    if (!report || lines != report->records + report->alerts) __builtin_trap();
    return 0;
}
