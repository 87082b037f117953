// Copies that cost nothing where the file system has hard links.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fieldwatch {

/// A second name for a file that nobody changes in place; its bytes where that cannot be.
/// Errors: AlreadyExists, NotFound, Io.
Result<void> link_or_copy(const std::string& from, const std::string& to);

}  // namespace fieldwatch
