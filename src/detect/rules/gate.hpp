// Gates: cheap questions to a command line as it stands, one of which must say yes before a predicate over
// derived command fields (cmd.*, line.*) can hold. A line that opens no gate is never parsed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "detect/rules/fields.hpp"
#include "detect/rules/literal.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

/// A gate that no word opens, but what shape_of() says of a line.
inline constexpr std::string_view kTrailingBlankGate = "\n";

/// Words of which one must be in the line; nullopt when the predicate may hold whatever the line looks like.
std::optional<std::vector<NeededWord>> gates_of(const Predicate& predicate, CommandField field);

/// Tools whose use may bring text that the line does not show: every gate stands open then.
inline constexpr std::string_view kDecoders[] = {"base64", "openssl", "xxd"};

}  // namespace fieldwatch::detect
