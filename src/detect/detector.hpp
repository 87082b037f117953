// What the small detector classes share: the interface that the engine asks them by, what they see of the
// content, and where their findings go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/json_text.hpp"
#include "detect/command/command.hpp"
#include "detect/lifecycle/alert_book.hpp"
#include "detect/lifecycle/recommendation_book.hpp"
#include "detect/registry_document.hpp"
#include "detect/settings.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

class AdvisoryTable;
class IntelSnapshot;
class HubSwitches;
class Outages;

/// Handed to a detector for one call.
struct Context {
    const Settings& settings;
    const IntelSnapshot& intel;
    const AdvisoryTable& advisories;
    const HubSwitches& hubs;
    const Outages& outages;
    AlertBook& book;
    RecommendationBook& posture;
    Timestamp now;  ///< log time
    std::vector<model::Finding>& out;
};

/// A detection that Sigma cannot say. One strand; state is bounded by the class. Asked in a fixed order.
class Detector {
  public:
    virtual ~Detector() = default;

    /// Names its state in checkpoints (docs/formats/checkpoint.md); empty for a detector without any.
    virtual std::string_view section() const { return {}; }

    /// An event of any source, before its age is judged: only for what receipt alone proves.
    virtual void receive(const model::Event&, Context&) {}
    /// An event in time for detection. Of periodic kinds only the newest comes, and whole: SnapshotParts.
    virtual void observe(const model::Event&, Context&) {}
    /// Whether a command line holds anything for observe_command(): follows from the line alone.
    virtual bool concerns(CommandLine&) const { return false; }
    /// A process item of it whose line concerns some detector.
    virtual void observe_command(const model::Event&, const model::Item&, const model::ProcessCreate&,
                                 CommandLine&, Context&) {}
    virtual void identity(const IdentityDocument&, const model::RegistryChange&, Context&) {}
    virtual void twin(const TwinDocument&, const model::RegistryChange&, Context&) {}
    virtual void hub(const HubDocument&, const model::RegistryChange&, Context&) {}
    /// Log time has moved on: windows close.
    virtual void advance(Context&) {}
    /// The log itself says that time passed, so that what did not come is truly absent. Recorded input has
    /// none of these.
    virtual void tick(Context&) {}

    virtual void save(ByteWriter&) const {}
    virtual Result<void> restore(ByteReader&) { return {}; }
};

/// Names of a built-in alert type that is not a rule: spec/alerts.md section 7.
struct AlertType {
    std::string_view rule_id, type, display_name, description, intent;
    model::Severity severity;
    std::string_view techniques, remediation;  ///< techniques joined by commas; one remediation step
};

/// An alert of a device about one item: names, entity, times, hit count and evidence filled in.
model::Alert device_alert(const AlertType& type, const model::Event& event,
                          const model::LogPosition& evidence);

/// Writes the Entities array of an alert, spec/alerts.md section 2.2: the device first (none when there is
/// neither hub nor device), `$id` from "1" on.
class EntityWriter {
  public:
    EntityWriter(std::string& out, std::string_view hub, std::string_view device);
    /// Members of one entity; those without a value stay away.
    EntityWriter& add(std::string_view type,
                      std::initializer_list<std::pair<std::string_view, std::string_view>> members);
    void end() { json_.end_array(); }

  private:
    JsonWriter json_;
    int count_ = 0;
};

/// The extended properties that every alert about one connection has: both ends, direction, protocol.
JsonWriter& write_ends(JsonWriter& json, const model::ConnectionCreate& connection);

/// Texts as a JSON array: nested data are JSON text inside a string (spec/alerts.md section 2.3).
std::string json_list(const std::vector<std::string>& texts);

/// ASCII letters in lower case: names of hubs, protocols and kinds are compared so.
std::string lower_case(std::string_view text);

/// `hub NUL device`: the key of a device's state.
std::string device_key(std::string_view hub, std::string_view device);

}  // namespace fieldwatch::detect
