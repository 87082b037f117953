// Whether a device is watched at all: A49 its first message, A35 its silence, R19 an agent that is missing.
// spec/alerts.md section 7.3, spec/recommendations.md section 4.
#pragma once

#include <set>
#include <utility>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. Judges the devices of its own partition.
class AgentPresence final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 65'536;
    static constexpr std::size_t kModulesMax = 16;  ///< names kept of one device

    std::string_view section() const override { return "agent-presence"; }
    void receive(const model::Event& event, Context& context) override;
    void identity(const IdentityDocument& identity, const model::RegistryChange& change,
                  Context& context) override;
    void advance(Context& context) override;
    void tick(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Device {
        std::string hub, name;
        bool known = false;  ///< the registry has spoken of it
        bool enabled = true;
        Timestamp created;
        Timestamp first_message, last_message;  ///< 0 = none yet
        Timestamp due;                          ///< when R19 is judged again; 0 = not
        Timestamp silent_since;                 ///< of the open A35; 0 = none
        std::vector<std::string> modules;       ///< security modules that exist
        std::vector<std::string> reporting;     ///< modules that sent a message, ever
        model::LogPosition evidence;            ///< newest record of the registry about it
        Timestamp evidence_time;
        model::LogPosition last_position;
    };
    Device& device_of(std::string_view hub, std::string_view name);
    void owe(Device& device, Timestamp due);
    void judge(Device& device, Context& context);
    void listen(Context& context);
    template <class Concerns>
    void find_silent(Timestamp since, Concerns concerns, Context& context);
    void raise_onboarded(const model::Event& event, Context& context) const;
    void raise_silent(Device& device, Context& context) const;

    BoundedTable<Device> devices_{kDevicesMax};
    std::set<std::pair<std::int64_t, std::string>> due_;     // by time, then key
    Timestamp looked_{0};                                    // for silence
    Timestamp heard_{0}, listening_since_{0}, listened_{0};  // for silence that records alone show
};

}  // namespace fieldwatch::detect
