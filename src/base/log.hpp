// The server's log: one line a fact, on standard error. Never secrets, never a whole command line of a
// device.
#pragma once

#include <string_view>

namespace fieldwatch::log {

enum class Level { Debug, Info, Warning, Error };

void set_level(Level level);
void write(Level level, std::string_view area, std::string_view message);

inline void debug(std::string_view area, std::string_view message) {
    write(Level::Debug, area, message);
}
inline void info(std::string_view area, std::string_view message) {
    write(Level::Info, area, message);
}
inline void warning(std::string_view area, std::string_view message) {
    write(Level::Warning, area, message);
}
inline void error(std::string_view area, std::string_view message) {
    write(Level::Error, area, message);
}

}  // namespace fieldwatch::log
