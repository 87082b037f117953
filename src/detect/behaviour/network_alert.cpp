#include "detect/behaviour/network_alert.hpp"

#include "base/json_text.hpp"
#include "detect/behaviour/evidence_query.hpp"

namespace fieldwatch::detect {

model::Alert network_alert(const NetworkAlert& what, const model::Event& event, const model::Item& item,
                           const Flow& flow, bool learned) {
    auto alert = device_alert(what.type, event, item.position);
    alert.description = what.description;
    alert.discriminator = what.discriminator;
    const auto remote = flow.remote.text();
    JsonWriter extended(alert.extended_json);
    extended.begin_object()
        .member("DeviceId", event.device)
        .member("Remote Address", remote)
        .member("Remote Port", std::to_string(flow.port))
        .member("Protocol", to_string(flow.transport))
        .member("Baseline", learned ? "device" : "learning");
    extended.key("Contributions").begin_array().begin_object().member("feature", what.feature);
    extended.key("observed").real(what.observed);
    extended.key("expected").begin_array().real(0).real(what.expected_most).end_array();
    extended.end_object().end_array();
    extended.member(
        kEvidenceQueryKey,
        evidence_query(FlowRows{
            .device = event.device, .flow = flow, .since = what.since, .one_address = what.one_address}));
    extended.end_object();
    EntityWriter(alert.entities_json, event.hub, event.device).add("ip", {{"Address", remote}}).end();
    return alert;
}

}  // namespace fieldwatch::detect
