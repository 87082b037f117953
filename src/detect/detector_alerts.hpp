// The alert types that are no rules but come of detector classes: which class raises one, and of what
// evidence. For people who ask why there was no alert.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::detect {

struct DetectorAlert {
    std::string_view rule_id, type;  ///< as in the class itself: fieldwatch-a06, IoT_Bruteforce_Success
    std::string_view detector;       ///< what the class watches, in a few words
    std::string_view needs;          ///< a sentence: the events and conditions that make it speak
    bool needs_behaviour = false;    ///< speaks only with the setting `behaviour`
};

/// By rule id or alert type; nullopt for what no detector class raises. A custom alert (`IoT_CA_…`) is one of
/// the class that judges security groups.
std::optional<DetectorAlert> find_detector_alert(std::string_view wanted);

}  // namespace fieldwatch::detect
