#include "app/indicator_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwatch::app {

namespace {

constexpr std::uint64_t kFileBytesMax = 256u << 20;

std::size_t size_of(const detect::IndicatorFile& file) {
    const auto& warnings = file.warnings;
    return file.indicators.size() + warnings.prefixes.size() + warnings.exact.size() + warnings.names.size() +
           warnings.substrings.size();
}

}  // namespace

Result<void> check_content_name(std::string_view name) {
    const bool good = !name.empty() && name.size() <= 128 && name.front() != '.' && !name.ends_with(".new") &&
                      std::all_of(name.begin(), name.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                 c == '-' || c == '_' || c == '.';
                      });
    if (good) return {};
    return fail(Errc::InvalidArgument,
                "the name of an imported file has 1 to 128 letters, digits, - _ and ., begins with no . and "
                "does not end in .new");
}

Result<detect::IndicatorFile> IndicatorFolder::import(Import import) {
    FIELDWATCH_TRY(check_content_name(import.name));
    auto file = FIELDWATCH_TRY(detect::parse_indicators(import.name, import.text));
    if (size_of(file) == 0)
        return fail(
            Errc::InvalidArgument,
            fmt::format(
                "{}: no indicators that can be matched{}", import.name,
                file.bad.empty() ? "" : fmt::format("; line {}: {}", file.bad[0].line, file.bad[0].why)));
    const std::lock_guard lock(mutex_);
    const auto path = parts_.directory + "/" + import.name;
    if (const auto before = read_file(parts_.files, path, kFileBytesMax); before && !import.may_shrink) {
        const auto old = detect::parse_indicators(import.name, as_text(*before));
        if (old && size_of(*old) >= kSmall && size_of(file) < size_of(*old) / 2)
            return fail(Errc::Conflict,
                        fmt::format("{} shrank from {} entries to {}: refused, the old file "
                                    "stays in force (--force takes it, of a feed --accept-shrink)",
                                    import.name, size_of(*old), size_of(file)));
    }
    FIELDWATCH_TRY(parts_.files.make_directories(parts_.directory));
    FIELDWATCH_TRY(replace_file(parts_.files, path, as_bytes(import.text)));
    parts_.changed();
    return file;
}

Result<void> IndicatorFolder::remove(const std::string& name) {
    FIELDWATCH_TRY(check_content_name(name));
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(parts_.files.remove(parts_.directory + "/" + name));
    parts_.changed();
    return {};
}

}  // namespace fieldwatch::app
