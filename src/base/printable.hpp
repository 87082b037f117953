// Text of a stranger in a line of a log.
#pragma once

#include <string>
#include <string_view>

namespace fieldwatch {

/// `text` in one line that a terminal only prints: control characters (C0, DEL and, as UTF-8, C1) become
/// `\xNN`, each byte by itself. So whoever names a file or a device writes no log line of his own.
std::string printable(std::string_view text);

}  // namespace fieldwatch
