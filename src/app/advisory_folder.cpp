#include "app/advisory_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/indicator_folder.hpp"
#include "detect/vulnerability/compact_form.hpp"

namespace fieldwatch::app {

namespace {

/// Of one file, compact: all releases of Debian are some 6 MiB.
constexpr std::uint64_t kAdvisoryBytesMax = 64u << 20;

/// Counts entries without holding them.
Result<std::size_t> entries_of(std::string_view name, std::string_view text) {
    detect::AdvisoryFile file;
    file.taker = [](detect::Advisory&&) {};
    FIELDWATCH_TRY(detect::read_advisories(name, text, file));
    return file.size();
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> read_advisory_folder(FileSystem& files,
                                                                              const std::string& directory) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto names = files.list(directory);
    if (!names && names.error().code == Errc::NotFound) return out;
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
        if (name.ends_with(".new")) continue;  // replace_file's, on its way
        const auto bytes = FIELDWATCH_TRY(read_file(files, directory + "/" + name, kAdvisoryBytesMax));
        out.emplace_back(name, as_text(bytes));
    }
    return out;
}

Result<void> AdvisoryFolder::check_room(const Import& import, const std::string& compact,
                                        std::size_t entries) {
    if (compact.size() > kAdvisoryBytesMax)
        return fail(Errc::TooLarge, import.name + ": more than 64 MiB are left of it; divide it");
    const auto names = parts_.files.list(parts_.directory).value_or(std::vector<std::string>{});
    const bool known = std::ranges::find(names, import.name) != names.end();
    if (!known && names.size() >= kFilesMax)
        return fail(Errc::TooLarge,
                    "there are 64 files of advisories already; several files can be imported "
                    "as one: vulnerabilities import --name NAME FILE…");
    if (!known || import.may_shrink) return {};
    const auto before = read_file(parts_.files, parts_.directory + "/" + import.name, kAdvisoryBytesMax);
    if (!before) return {};
    const auto old = entries_of(import.name, as_text(*before));
    if (old && *old >= kSmall && entries < *old / 2)
        return fail(Errc::Conflict, fmt::format("{} shrank from {} entries to {}: refused, the old file "
                                                "stays in force (--force takes it)",
                                                import.name, *old, entries));
    return {};
}

Result<AdvisoryFolder::Imported> AdvisoryFolder::import(Import import) {
    FIELDWATCH_TRY(check_content_name(import.name));
    detect::CompactForm form;
    FIELDWATCH_TRY(detect::read_advisories(import.name, import.text, form.file()));
    const auto& file = form.file();
    if (file.empty())
        return fail(
            Errc::InvalidArgument,
            fmt::format("{}: nothing in it can be matched{}", import.name,
                        file.bad.empty() ? "" : fmt::format("; {}: {}", file.bad[0].entry, file.bad[0].why)));
    const auto entries = file.size();
    Imported out{.source = {.name = import.name,
                            .format = file.format,
                            .advisories = file.count,
                            .statements = file.statements.size(),
                            .exploited = file.exploited.size(),
                            .probabilities = file.probabilities.size(),
                            .skipped = file.skipped,
                            .bad = file.bad}};
    const auto compact = std::move(form).text();
    out.bytes = compact.size();
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(check_room(import, compact, entries));
    FIELDWATCH_TRY(parts_.files.make_directories(parts_.directory));
    FIELDWATCH_TRY(replace_file(parts_.files, parts_.directory + "/" + import.name, as_bytes(compact)));
    parts_.changed();
    return out;
}

Result<void> AdvisoryFolder::remove(const std::string& name) {
    FIELDWATCH_TRY(check_content_name(name));
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(parts_.files.remove(parts_.directory + "/" + name));
    parts_.changed();
    return {};
}

}  // namespace fieldwatch::app
