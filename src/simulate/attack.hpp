// Attacks as scripts: what an intruder or a bot does to a device, step by step, and which alert each step
// must raise. Nothing of it is ever run: steps become records.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "simulate/record.hpp"

namespace fieldwatch::simulate {

/// `{evil}` in a text is the address that the indicators name, `{drop}` another outside one.
struct Step {
    std::uint32_t after_seconds = 0;  ///< the step before
    ActKind kind = ActKind::Process;
    std::string_view what, image, detail;
    std::string_view alert;  ///< AlertType that it must raise; empty: it only belongs to the story
    std::uint16_t port = 0;
    std::uint32_t times = 1;          ///< so often
    std::uint32_t every_seconds = 0;  ///< between two of them; `{i}` in the text is which one it is
    bool success = true;
};

struct AttackScript {
    std::string_view name, told;  ///< `told`: the story in a sentence
    std::span<const Step> steps;
};

std::span<const AttackScript> attack_scripts();
/// Null when there is none of that name.
const AttackScript* find_script(std::string_view name);

/// A step's acts from `start` on, in order; `start` moves to the last of them.
std::vector<Act> acts_of(const Step& step, Timestamp& start);

/// Indicators that the scripts' addresses and names stand in, as a CSV that `--intel` reads.
std::string_view indicators_csv();

}  // namespace fieldwatch::simulate
