// What of a destination's findings leaves, where that hangs on what left before: one alert of an incident,
// one row of a state. Remembered in memory only: after a restart one more may leave, and never one less.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bounded_table.hpp"
#include "export/destination.hpp"

namespace fieldwatch::exports {

/// One strand.
class Selection {
  public:
    static constexpr std::size_t kRemembered = 10'000;  ///< incidents, and alerts: a megabyte of each

    explicit Selection(const Destination& destination)
        : destination_(destination), incidents_(kRemembered), states_(kRemembered) {}

    /// Whether a finding of the row `sequence` leaves, given those that left and those of this batch before
    /// it.
    bool wants(const Finding& finding, std::uint64_t sequence);
    /// Rows up to here are done: what left of them is remembered, the rest of the batch is not.
    void settle(std::uint64_t up_to_sequence);

  private:
    struct Left {
        std::uint64_t sequence = 0;
        std::string incident, alert;  ///< "" = it says nothing of one
        model::Severity severity = model::Severity::Informational;
        std::string state;
    };
    bool joins_what_left(const std::string& incident, model::Severity severity) const;
    bool said(const std::string& alert, const std::string& state) const;
    bool left_before(const std::string& alert) const;

    const Destination& destination_;
    BoundedTable<model::Severity> incidents_;  ///< the most severe alert that left, by the incident's id
    BoundedTable<std::string> states_;         ///< the last state that left, by the alert's id
    std::vector<Left> batch_;
};

}  // namespace fieldwatch::exports
