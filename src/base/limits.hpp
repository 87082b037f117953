// The numbers that bound what comes from outside, each with where it comes from. Part-specific bounds stand
// beside their part.
#pragma once

#include <cstddef>

namespace fieldwatch::limits {

inline constexpr std::size_t message_bytes =
    262'144;                                   ///< device-to-cloud message, spec/security-messages.md 1.3
inline constexpr std::size_t json_depth = 16;  ///< nesting, spec/security-messages.md section 7
inline constexpr std::size_t events_per_message = 4'096;  ///< 64 bytes an event at the very least in 256 KiB
inline constexpr std::size_t payloads_per_event = 4'096;  ///< likewise
inline constexpr std::size_t id_bytes = 128;              ///< device and module ids, IoT Hub's own bound
inline constexpr std::size_t properties_per_message =
    512;  ///< names in a property bag; each costs at least 2 bytes of topic
inline constexpr std::size_t twin_section_bytes =
    32'768;                                           ///< desired or reported, spec/security-messages.md 1.3
inline constexpr std::size_t twin_depth = 10;         ///< IoT Hub's bound on twin nesting
inline constexpr std::size_t metric_series = 20'000;  ///< about 2 MiB of text a scrape

}  // namespace fieldwatch::limits
