#include "app/advisory_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

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
    const auto names = folder_.names();
    const bool known = std::ranges::find(names, import.name) != names.end();
    if (!known && names.size() >= kFilesMax)
        return fail(Errc::TooLarge,
                    "there are 64 files of advisories already; several files can be imported "
                    "as one: vulnerabilities import --name NAME FILE…");
    if (!known || import.may_shrink) return {};
    const auto before = folder_.text_of(import.name, kAdvisoryBytesMax);
    const auto old = before ? entries_of(import.name, *before) : Result<std::size_t>(0);
    return check_shrink(import.name, old.value_or(0), entries, "--force takes it");
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
    FIELDWATCH_TRY(
        folder_.replace(import.name, compact, [&] { return check_room(import, compact, entries); }));
    return out;
}

}  // namespace fieldwatch::app
