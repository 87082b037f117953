// The detectors that Sigma cannot say, as one: what the engine asks beside its rules. Knows which there are,
// in which order they are asked, and how their state is kept.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"
#include "detect/hub_switches.hpp"
#include "detect/outages.hpp"

namespace fieldwatch::detect {

/// One strand.
class Catalogue {
  public:
    Catalogue();

    void receive(const model::Event& event, Context& context);
    void observe(const model::Event& event, Context& context);
    /// Whether a line concerns any of them.
    bool concerns(CommandLine& command) const;
    void observe_command(const model::Event& event, const model::Item& item,
                         const model::ProcessCreate& process, CommandLine& command, Context& context);
    /// What cannot be read says so as a dead letter.
    void change(const model::RegistryChange& change, Context& context);
    void advance(Context& context);
    void tick(Context& context);
    /// Recorded input is over: what does not come from here on is not absent.
    void end_of_input() { input_ended_ = true; }
    void settings_changed() { settings_changed_ = true; }

    const HubSwitches& hubs() const { return hubs_; }
    const Outages& outages() const { return outages_; }
    RecommendationBook& posture() { return posture_; }

    /// Calls `visit(name, part)` for every part with state until it returns false. Names are part of the
    /// checkpoint format.
    template <class Visit>
    bool for_each_section(Visit&& visit) const {
        return visit_sections(*this, visit);
    }
    template <class Visit>
    bool for_each_section(Visit&& visit) {
        return visit_sections(*this, visit);
    }

  private:
    /// The newest snapshot of each kind of a device: an older one says nothing about now.
    class Snapshots {
      public:
        static constexpr std::size_t kMax = 262'144;  ///< four kinds of a shard's devices
        bool is_newest(const model::Event& event);
        void save(ByteWriter& out) const;
        Result<void> restore(ByteReader& in);

      private:
        BoundedTable<std::int64_t> times_{kMax};
        std::string key_;
    };

    template <class Self, class Visit>
    static bool visit_sections(Self& self, Visit& visit) {
        if (!visit("recommendations", self.posture_) || !visit("hub-switches", self.hubs_) ||
            !visit("snapshots", self.snapshots_) || !visit("outages", self.outages_))
            return false;
        for (auto& detector : self.detectors_) {
            if (!detector->section().empty() && !visit(detector->section(), *detector)) return false;
        }
        return true;
    }

    HubSwitches hubs_;
    Outages outages_;
    RecommendationBook posture_;
    Snapshots snapshots_;
    std::vector<std::unique_ptr<Detector>> detectors_;
    bool settings_changed_ = false;
    bool input_ended_ = false;
};

}  // namespace fieldwatch::detect
