#include "detect/posture/baseline.hpp"

namespace fieldwatch::detect {

void Baseline::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::OSBaseline) return;
    auto& counts = devices_.get(device_key(event.hub, event.device));
    if (counts.snapshot != event.id) {
        counts = {};
        counts.snapshot = event.id;
    }
    for (const auto& item : event.items) {
        const auto* const check = std::get_if<model::BaselineCheck>(&item.payload);
        if (check == nullptr) continue;
        const auto result = lower_case(check->result);
        const auto severity = lower_case(check->severity);
        if (result.starts_with("err")) {
            ++counts.error;
        } else if (result == "fail") {
            ++(severity == "critical"        ? counts.critical
               : severity == "important"     ? counts.important
               : severity == "informational" ? counts.informational
                                             : counts.warning);
        }
    }
    const auto total =
        counts.error + counts.critical + counts.important + counts.informational + counts.warning;
    RecommendationBook::Assessment found{.type = "IoT_Baseline",
                                         .hub = event.hub,
                                         .device = event.device,
                                         .health = total > 0 ? Health::Unhealthy : Health::Healthy,
                                         .time = event.time,
                                         .additional_json = {},
                                         .evidence = {event.position}};
    JsonWriter(found.additional_json)
        .begin_object()
        .member("SnapshotId", counts.snapshot)
        .member("TotalFailedRules", std::to_string(total))
        .member("TotalRulesFailedDuoToError", std::to_string(counts.error))
        .member("TotalInformationalFailedRules", std::to_string(counts.informational))
        .member("TotalCriticalFailedRules", std::to_string(counts.critical))
        .member("TotalWarningFailedRules", std::to_string(counts.warning))
        .member("TotalImportantFailedRules", std::to_string(counts.important))
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void Baseline::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, counts] : devices_) {
        out.text(key);
        out.text(counts.snapshot);
        for (const auto count :
             {counts.error, counts.informational, counts.critical, counts.warning, counts.important})
            out.i64(count);
    }
}

Result<void> Baseline::restore(ByteReader& in) {
    devices_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& counts = devices_.get(FIELDWATCH_TRY(in.text()));
        counts.snapshot = FIELDWATCH_TRY(read_text(in));
        for (auto* number :
             {&counts.error, &counts.informational, &counts.critical, &counts.warning, &counts.important})
            *number = FIELDWATCH_TRY(read_amount(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
