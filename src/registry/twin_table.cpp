#include "registry/twin_table.hpp"

#include "base/limits.hpp"
#include "registry/twin_document.hpp"

namespace fieldwatch::registry {

Result<Twin> load_twin(Connection& database, const model::Identity& identity) {
    auto row = FIELDWATCH_TRY(
        database.query("SELECT tags, desired, reported, desired_version, reported_version, etag FROM twins "
                       "WHERE hub = ? AND device = ? AND module = ?",
                       identity.hub.value, identity.device.value, identity.module.value));
    if (!FIELDWATCH_TRY(row.step())) {
        return fail(Errc::NotFound, "there is no twin of " + identity.device.value +
                                        (identity.module.empty() ? "" : "/" + identity.module.value) +
                                        " at the hub " + identity.hub.value);
    }
    return Twin{.tags_json = row.text(0),
                .desired_json = row.text(1),
                .reported_json = row.text(2),
                .desired_version = row.count(3),
                .reported_version = row.count(4),
                .etag = row.count(5)};
}

Result<TwinChange> write_twin(Connection& database, const model::Identity& identity, const TwinWrite& write,
                              std::string_view json, Timestamp now) {
    auto twin = FIELDWATCH_TRY(load_twin(database, identity));
    const bool is_tags = write.section == TwinSection::Tags;
    const bool is_reported = write.section == TwinSection::Reported;
    auto& document = is_tags ? twin.tags_json : is_reported ? twin.reported_json : twin.desired_json;
    auto& version = is_reported ? twin.reported_version : twin.desired_version;
    if (write.base_version && *write.base_version != version) {
        return fail(Errc::Conflict, "the section has version " + std::to_string(version) + ", not " +
                                        std::to_string(*write.base_version));
    }
    const auto bytes_max = is_tags ? kTagsBytes : limits::twin_section_bytes;
    auto merged = FIELDWATCH_TRY(write.replaces ? replace_twin(json, bytes_max)
                                                : merge_twin(document, json, bytes_max));
    document = std::move(merged.document_json);
    if (!is_tags) ++version;
    if (!is_reported) ++twin.etag;  // counts service-side writes, spec/iot-hub-protocols.md section 7.4
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "UPDATE twins SET tags = ?, desired = ?, reported = ?, desired_version = ?, reported_version = ?, "
        "etag = ? WHERE hub = ? AND device = ? AND module = ?",
        twin.tags_json, twin.desired_json, twin.reported_json, twin.desired_version, twin.reported_version,
        twin.etag, identity.hub.value, identity.device.value, identity.module.value)));
    const auto told_version = is_tags ? twin.etag : version;
    FIELDWATCH_TRY(add_to_outbox(database, twin_record(identity,
                                                       is_tags       ? "tags"
                                                       : is_reported ? "reported"
                                                                     : "desired",
                                                       document, told_version, now)));
    return TwinChange{told_version, write.replaces ? document : std::move(merged.patch_json)};
}

}  // namespace fieldwatch::registry
