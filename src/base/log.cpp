#include "base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/printable.hpp"

namespace fieldwatch::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::Debug:
            return spdlog::level::debug;
        case Level::Info:
            return spdlog::level::info;
        case Level::Warning:
            return spdlog::level::warn;
        case Level::Error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

spdlog::logger& logger() {
    static const auto instance = [] {
        auto out = std::make_shared<spdlog::logger>("fieldwatch",
                                                    std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        out->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
        out->flush_on(spdlog::level::debug);
        return out;
    }();
    return *instance;
}

}  // namespace

void set_level(Level level) {
    logger().set_level(to_spdlog(level));
}

void write(Level level, std::string_view area, std::string_view message) {
    logger().log(to_spdlog(level), "{}: {}", area, printable(message));
}

}  // namespace fieldwatch::log
