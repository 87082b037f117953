// Functions that the compiler's SQL calls and no SQL has: computed here, text in, text out, so that this
// folder names no engine. Whoever runs the SQL makes them known to its engine by name (ADR 0200).
#pragma once

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

}  // namespace fieldwatch::kql
