// What reports do to indicators so that nobody follows them by accident, undone. Internal to intel.
#pragma once

#include <string>
#include <string_view>

namespace fieldwatch::detect {

/// `hxxps[:]//evil[.]example`, `evil(dot)example`, `192.0.2[.]1`, `evil\.example` as what they mean, in any
/// case; quotes, angle brackets and blanks around it taken off, those of Unicode too.
std::string refanged(std::string_view value);

}  // namespace fieldwatch::detect
