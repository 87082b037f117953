// Any text ends in a query or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kql/kql.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::kql;
    static const Catalog kCatalog{
        {{.name = "T",
          .source_sql = "t",
          .columns = {{.name = "TimeGenerated", .type = ColumnType::DateTime, .sql = "time"},
                      {.name = "DeviceId", .type = ColumnType::String, .sql = "device"},
                      {.name = "N", .type = ColumnType::Long, .sql = "n"},
                      {.name = "D", .type = ColumnType::Dynamic, .sql = "d"}}}}};
    const std::string_view text(size ? reinterpret_cast<const char*>(data) : "", size);
    const auto result = compile(text, kCatalog, {});
    if (!result && (result.error().message.empty() || result.error().line == 0)) std::abort();
    if (result && result->sql.empty()) std::abort();
    return 0;
}
