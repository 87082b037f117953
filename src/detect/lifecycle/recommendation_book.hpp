// The life of recommendations: states, not occurrences. Detectors say how a device or hub stands; the book
// decides whether that is a new row. spec/recommendations.md section 1.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "detect/outages.hpp"
#include "detect/settings.hpp"
#include "detect/state.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// Names of a recommendation: the catalogue of spec/recommendations.md sections 2 to 5.
struct RecommendationType {
    std::string_view type, display_name, description, component, control;
    model::Severity severity;
    std::string_view remediation;  ///< steps, a line each
    bool from_twin_data = false;   ///< needs identities or twins: off while the hub's twin collection is
    bool extension = false;        ///< ours: off in strict mode
    bool from_snapshot = false;    ///< of what a device tells periodically: Unknown when it no longer does
};
std::span<const RecommendationType> recommendation_types();
/// The catalogue's entry; the name must be in it.
const RecommendationType& recommendation_type(std::string_view type);

enum class Health : std::uint8_t { Healthy, Unhealthy, NotApplicable, Unknown };
std::string_view to_string(Health health);

/// One strand. Holds what is or was unhealthy, at most kStatesMax (about 64 MiB at 1 KiB each); the one
/// untouched longest is forgotten first, counted: it would be discovered again.
class RecommendationBook {
  public:
    static constexpr std::size_t kStatesMax = 65'536;

    struct Assessment {
        std::string_view type, hub, device;  ///< device empty for a hub's own
        std::string_view component = {};     ///< of the device, where each is a recommendation of its own
        Health health = Health::Unknown;
        Timestamp time;               ///< of the evidence
        std::string additional_json;  ///< of an unhealthy one: an object, values strings
        std::vector<model::LogPosition> evidence;
        std::optional<model::Severity> severity = std::nullopt;  ///< where it differs from the catalogue's
    };
    /// NotApplicable resolves like Healthy; Unknown changes nothing at once, see expire().
    void assess(Assessment assessment, const Settings& settings, Timestamp now,
                std::vector<model::Finding>& out);
    bool is_active(std::string_view type, std::string_view hub, std::string_view device) const;

    /// Resolves what must no longer be generated, with the reason OffByPolicy.
    void retire(const std::function<bool(const RecommendationType&, std::string_view hub)>& is_off,
                Timestamp now, std::vector<model::Finding>& out);
    /// Resolves what a device no longer sends snapshots about, with the reason Unknown: what was so two days
    /// ago (`posture.freshness`) says nothing of now. Time in which the server stood still does not count.
    void expire(const Settings& settings, const Outages& outages, Timestamp now,
                std::vector<model::Finding>& out);
    /// Says again what is active at a hub: nobody heard of it while the hub's Security was off.
    void repeat(std::string_view hub, Timestamp now, std::vector<model::Finding>& out);
    /// What is still active is written again once a UTC day, as a snapshot row.
    void advance(const Settings& settings, Timestamp now, std::vector<model::Finding>& out);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);
    /// The section `open-ports` of earlier checkpoints, which held the state of R01 alone.
    Result<void> restore_open_ports(ByteReader& in);

  private:
    struct State {
        std::string type, hub, device, component;
        bool active = false;
        std::optional<model::Severity> severity;
        Timestamp first_evaluated, discovered, changed;
        Timestamp seen;  ///< log time of the newest assessment
        std::string additional_json;
        std::vector<model::LogPosition> evidence;
    };
    static model::Recommendation make(const State& state, Timestamp now);
    static model::Recommendation close(State& state, std::string_view reason, Timestamp now);
    static bool is_off(const RecommendationType& type, const Settings& settings);

    BoundedTable<State> states_{kStatesMax};
    std::int64_t day_ = -1;  ///< UTC day of the last daily rows
    Timestamp looked_{0};    ///< for what expires
};

}  // namespace fieldwatch::detect
