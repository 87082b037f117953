// Any line, and any message below $SYS, is an event or nothing; a pattern that passes maps any topic.
#include "base/assert.hpp"
#include "base/text.hpp"
#include "hub/connector/broker_log.hpp"
#include "hub/connector/settings.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    hub::BrokerLog log;
    each_line(text, [&](std::string_view line) {
        const auto event = log.mosquitto_line(line);
        FIELDWATCH_ASSERT(!event || !event->name.empty());
        static_cast<void>(log.message("$SYS/brokers/n/clients/c/connected", line));
        static_cast<void>(log.message("$SYS/brokers/n/clients/c/disconnected", line));
        if (!hub::check_pattern(line)) return;
        const hub::TopicMapping mapping{.pattern = std::string(line)};
        FIELDWATCH_ASSERT(mapping.filter().find('{') == std::string::npos);
        static_cast<void>(mapping.device_of(text));
    });
    static_cast<void>(hub::read_connector("x", text));
    return 0;
}
