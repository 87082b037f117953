// A user's name inside a text, as a purge takes it out: of rows, of what waits to leave and of the log's
// records alike. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::workspace {

/// The text with kPurged for the name wherever it stands as a whole word (base/words.hpp), as it is or as
/// JSON escapes it; nullopt when it stands nowhere. Of a JSON object or array only the values that are
/// strings are looked at, decoded, and JSON inside of them likewise: its numbers, true, false, null and the
/// names of its members stay, and so does every byte of a value without the name.
std::optional<std::string> without_name(std::string_view text, std::string_view name);

}  // namespace fieldwatch::workspace
