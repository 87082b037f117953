#include "detect/posture/packages.hpp"

#include <algorithm>

#include "detect/vulnerability/version_order.hpp"

namespace fieldwatch::detect {

void Packages::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::SBoM || context.settings.vulnerabilities.empty()) return;
    const auto& list = context.settings.vulnerabilities;
    std::string found_list;
    JsonWriter json(found_list);
    json.begin_array();
    std::size_t count = 0;
    for (const auto& item : event.items) {
        const auto* const package = std::get_if<model::OtherPayload>(&item.payload);
        if (package == nullptr) continue;
        const auto name = model::find(package->fields, "Name");
        const auto version = model::find(package->fields, "Version");
        const auto from = std::ranges::lower_bound(list, name, {}, &Settings::Vulnerability::package);
        for (auto at = from; at != list.end() && at->package == name; ++at) {
            if (!at->fixed.empty() && compare_dpkg_versions(version, at->fixed) >= 0) continue;
            if (++count > kFindingsMax) continue;
            json.begin_object()
                .member("Name", name)
                .member("Version", version)
                .member("FixedVersion", at->fixed)
                .member("Id", at->id)
                .end_object();
        }
    }
    json.end_array();
    RecommendationBook::Assessment found{.type = "IoT_X_VulnerablePackage",
                                         .hub = event.hub,
                                         .device = event.device,
                                         .health = count > 0 ? Health::Unhealthy : Health::Healthy,
                                         .time = event.time,
                                         .additional_json = {},
                                         .evidence = {event.position}};
    JsonWriter(found.additional_json).begin_object().member("Packages", found_list).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

}  // namespace fieldwatch::detect
