#include "app/indicator_folder.hpp"

#include <fmt/format.h>

namespace fieldwatch::app {

namespace {

constexpr std::uint64_t kFileBytesMax = 256u << 20;

std::size_t size_of(const detect::IndicatorFile& file) {
    const auto& warnings = file.warnings;
    return file.indicators.size() + warnings.prefixes.size() + warnings.exact.size() + warnings.names.size() +
           warnings.substrings.size();
}

}  // namespace

Result<detect::IndicatorFile> IndicatorFolder::import(Import import) {
    FIELDWATCH_TRY(check_content_name(import.name));
    auto file = FIELDWATCH_TRY(detect::parse_indicators(import.name, import.text));
    if (size_of(file) == 0)
        return fail(
            Errc::InvalidArgument,
            fmt::format(
                "{}: no indicators that can be matched{}", import.name,
                file.bad.empty() ? "" : fmt::format("; line {}: {}", file.bad[0].line, file.bad[0].why)));
    FIELDWATCH_TRY(folder_.replace(import.name, import.text, [&]() -> Result<void> {
        if (import.may_shrink) return {};
        const auto before = folder_.text_of(import.name, kFileBytesMax);
        const auto old = before ? detect::parse_indicators(import.name, *before)
                                : Result<detect::IndicatorFile>(detect::IndicatorFile{});
        return check_shrink(import.name, old ? size_of(*old) : 0, size_of(file),
                            "--force takes it, of a feed --accept-shrink");
    }));
    return file;
}

}  // namespace fieldwatch::app
