#include "registry/snapshot.hpp"

#include "registry/entry_table.hpp"
#include "registry/twin_table.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kPage = 1'000;

Result<void> tell(Connection& database, const Entry& entry, const Telling& telling) {
    FIELDWATCH_TRY(add_to_outbox(database, identity_record(IdentityChange::Update, entry, telling)));
    const auto twin = FIELDWATCH_TRY(load_twin(database, entry.identity));
    const auto section = [&](std::string_view name, const std::string& document,
                             std::uint64_t version) -> Result<void> {
        if (document == "{}") return {};
        return add_to_outbox(database, twin_record(entry.identity, name, document, version, telling.now));
    };
    FIELDWATCH_TRY(section("tags", twin.tags_json, twin.etag));
    FIELDWATCH_TRY(section("desired", twin.desired_json, twin.desired_version));
    return section("reported", twin.reported_json, twin.reported_version);
}

}  // namespace

Result<void> tell_everything(Connection& database, const model::HubName& hub, const Telling& telling) {
    ListOptions page{.after = {}, .count_max = kPage};
    for (;;) {
        const auto devices = FIELDWATCH_TRY(load_devices(database, hub, page));
        for (const auto& device : devices) {
            FIELDWATCH_TRY(tell(database, device, telling));
            for (const auto& module : FIELDWATCH_TRY(load_modules(database, hub, device.identity.device)))
                FIELDWATCH_TRY(tell(database, module, telling));
        }
        if (devices.size() < kPage) return {};
        page.after = devices.back().identity.device.value;
    }
}

}  // namespace fieldwatch::registry
