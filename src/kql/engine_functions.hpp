// Functions that the compiler's SQL calls and no SQL has: computed here, text in, text out, so that this
// folder names no engine. Whoever runs the SQL makes them known to its engine by name (ADR 0200).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fieldwatch::kql {

/// Pure: the same argument gives the same answer, on any thread. A null argument gives null without a call;
/// nullopt is null. Arguments that several values have to get through are one text of them.
struct EngineFunction {
    const char* name = nullptr;
    std::optional<std::string> (*compute)(std::string_view argument) = nullptr;
};
std::span<const EngineFunction> engine_functions();

/// Three more look at all rows of one call together, because the engine makes them in one step, which nothing
/// interrupts and no limit of its memory knows of. Each stops the query when Room says so.
inline constexpr const char* kConcat =
    "kql_concat";  ///< any number of texts: one after the other; of null null
inline constexpr const char* kWithin = "kql_within";  ///< a text: that text, once it is made
inline constexpr const char* kRoom = "kql_room";      ///< a BIGINT of bytes that will be made: that number

/// What the rows of one call may make: 16 MiB in a row, and 64 MiB together, which is 32 KiB in each of the
/// 2,048 rows of a step: as much as a field of an ingested row may have.
class Room {
  public:
    /// Why a row of so many bytes is too much; nullptr when it is not.
    const char* take(std::uint64_t bytes);

  private:
    std::uint64_t taken_ = 0;
};

}  // namespace fieldwatch::kql
