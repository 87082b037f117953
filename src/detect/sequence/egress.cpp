#include "detect/sequence/egress.hpp"

#include "detect/command/address.hpp"

namespace fieldwatch::detect {

namespace {

constexpr AlertType kEgress{"fieldwatch-a25",
                            "IoT_EgressData",
                            "Potential loss of data detected",
                            "The device sent more bytes to an outside address than is allowed.",
                            "Exfiltration",
                            model::Severity::Medium,
                            "T1048,T1041",
                            "Ask the user who ran the command whether it was legitimate and is expected on "
                            "this device; if not, escalate to the information security team"};

}  // namespace

void Egress::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::ConnectionCreate || context.settings.egress_bytes == 0) return;
    const AddressSettings addresses{context.settings.test_mode, context.settings.local_suffixes};
    for (const auto& item : event.items) {
        const auto* const flow = std::get_if<model::ConnectionCreate>(&item.payload);
        if (flow == nullptr || flow->bytes_out <= context.settings.egress_bytes ||
            !is_external(flow->remote_address, addresses))
            continue;
        auto alert = device_alert(kEgress, event, item.position);
        alert.discriminator = flow->remote_address;
        JsonWriter json(alert.extended_json);
        write_ends(json.begin_object(), *flow)
            .member("Bytes Out", flow->bytes_out)
            .member("Bytes Allowed", context.settings.egress_bytes)
            .member_if("Executable", flow->executable)
            .member_if("CommandLine", flow->command_line)
            .member("DeviceId", event.device)
            .end_object();
        EntityWriter(alert.entities_json, event.hub, event.device)
            .add("ip", {{"Address", flow->remote_address}})
            .end();
        context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
    }
}

}  // namespace fieldwatch::detect
