#include "app/content_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwatch::app {

namespace {

constexpr std::size_t kSmall = 20;  ///< a file of fewer entries may lose any number of them

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

Result<void> ContentFolder::replace(const std::string& name, std::string_view text, const Check& check) {
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(check());
    FIELDWATCH_TRY(files_.make_directories(directory_));
    FIELDWATCH_TRY(replace_file(files_, directory_ + "/" + name, as_bytes(text)));
    changed_();
    return {};
}

Result<void> ContentFolder::remove(const std::string& name) {
    FIELDWATCH_TRY(check_content_name(name));
    const std::lock_guard lock(mutex_);
    FIELDWATCH_TRY(files_.remove(directory_ + "/" + name));
    changed_();
    return {};
}

std::optional<std::string> ContentFolder::text_of(const std::string& name, std::uint64_t bytes_max) const {
    const auto bytes = read_file(files_, directory_ + "/" + name, bytes_max);
    return bytes ? std::optional(std::string(as_text(*bytes))) : std::nullopt;
}

std::vector<std::string> ContentFolder::names() const {
    return files_.list(directory_).value_or(std::vector<std::string>{});
}

Result<void> check_shrink(const std::string& name, std::size_t before, std::size_t now,
                          std::string_view unless) {
    if (before < kSmall || now >= before / 2) return {};
    return fail(Errc::Conflict,
                fmt::format("{} shrank from {} entries to {}: refused, the old file stays in force ({})",
                            name, before, now, unless));
}

}  // namespace fieldwatch::app
