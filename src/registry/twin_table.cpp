#include "registry/twin_table.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "registry/entry_table.hpp"
#include "registry/twin_document.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::string_view kColumns =
    "tags, desired, reported, desired_version, reported_version, etag, version, desired_metadata, "
    "reported_metadata, model_id";

Twin twin_of(const Statement& row, int first) {
    return Twin{.tags_json = row.text(first),
                .desired_json = row.text(first + 1),
                .reported_json = row.text(first + 2),
                .desired_version = row.count(first + 3),
                .reported_version = row.count(first + 4),
                .etag = row.count(first + 5),
                .version = row.count(first + 6),
                .desired_metadata_json = row.text(first + 7),
                .reported_metadata_json = row.text(first + 8),
                .model_id = row.text(first + 9)};
}

/// Changes one part in memory; what to tell subscribers.
Result<TwinChange> change_part(Twin& twin, const TwinWrite& write, std::string_view json, Timestamp now) {
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
    if (is_tags) return TwinChange{twin.etag + 1, write.replaces ? document : std::move(merged.patch_json)};
    ++version;
    auto& metadata = is_reported ? twin.reported_metadata_json : twin.desired_metadata_json;
    MetadataStamp stamp{.now = now, .version = std::nullopt, .replaces = write.replaces};
    if (!is_reported) stamp.version = version;
    metadata = stamp_metadata(metadata, write.replaces ? document : merged.patch_json, stamp);
    return TwinChange{version, write.replaces ? document : std::move(merged.patch_json)};
}

Result<void> store(Connection& database, const model::Identity& identity, const Twin& twin) {
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "UPDATE twins SET tags = ?, desired = ?, reported = ?, desired_version = ?, reported_version = ?, "
        "etag = ?, version = ?, desired_metadata = ?, reported_metadata = ?, model_id = ? "
        "WHERE hub = ? AND device = ? AND module = ?",
        twin.tags_json, twin.desired_json, twin.reported_json, twin.desired_version, twin.reported_version,
        twin.etag, twin.version, twin.desired_metadata_json, twin.reported_metadata_json, twin.model_id,
        identity.hub.value, identity.device.value, identity.module.value)));
    return {};
}

Result<void> tell(Connection& database, const model::Identity& identity, TwinSection section,
                  const Twin& twin, Timestamp now) {
    switch (section) {
        case TwinSection::Tags:
            return add_to_outbox(database, twin_record(identity, "tags", twin.tags_json, twin.etag, now));
        case TwinSection::Desired:
            return add_to_outbox(
                database, twin_record(identity, "desired", twin.desired_json, twin.desired_version, now));
        case TwinSection::Reported:
            return add_to_outbox(
                database, twin_record(identity, "reported", twin.reported_json, twin.reported_version, now));
    }
    return {};
}

}  // namespace

Result<Twin> load_twin(Connection& database, const model::Identity& identity) {
    auto row = FIELDWATCH_TRY(database.query(
        "SELECT " + std::string(kColumns) + " FROM twins WHERE hub = ? AND device = ? AND module = ?",
        identity.hub.value, identity.device.value, identity.module.value));
    if (!FIELDWATCH_TRY(row.step())) {
        return fail(Errc::NotFound, "there is no twin of " + identity.device.value +
                                        (identity.module.empty() ? "" : "/" + identity.module.value) +
                                        " at the hub " + identity.hub.value);
    }
    return twin_of(row, 0);
}

Result<TwinChange> write_twin(Connection& database, const model::Identity& identity, const TwinWrite& write,
                              std::string_view json, Timestamp now) {
    auto twin = FIELDWATCH_TRY(load_twin(database, identity));
    auto change = FIELDWATCH_TRY(change_part(twin, write, json, now));
    if (write.section != TwinSection::Reported) ++twin.etag;  // spec/iot-hub-protocols.md section 7.4
    ++twin.version;
    FIELDWATCH_TRY(store(database, identity, twin));
    FIELDWATCH_TRY(tell(database, identity, write.section, twin, now));
    return change;
}

Result<TwinUpdated> update_twin(Connection& database, const model::Identity& identity,
                                const TwinUpdate& update, Timestamp now) {
    TwinUpdated out{.twin = FIELDWATCH_TRY(load_twin(database, identity)), .desired = std::nullopt};
    if (update.if_match && *update.if_match != out.twin.etag)
        return fail(Errc::Conflict, "the twin was changed meanwhile");
    if (!update.tags_json && !update.desired_json) return out;
    if (update.tags_json) {
        static_cast<void>(FIELDWATCH_TRY(change_part(
            out.twin, {.section = TwinSection::Tags, .replaces = update.replaces}, *update.tags_json, now)));
    }
    if (update.desired_json) {
        out.desired = FIELDWATCH_TRY(
            change_part(out.twin, {.section = TwinSection::Desired, .replaces = update.replaces},
                        *update.desired_json, now));
    }
    ++out.twin.etag;
    ++out.twin.version;
    FIELDWATCH_TRY(store(database, identity, out.twin));
    if (update.tags_json) FIELDWATCH_TRY(tell(database, identity, TwinSection::Tags, out.twin, now));
    if (update.desired_json) FIELDWATCH_TRY(tell(database, identity, TwinSection::Desired, out.twin, now));
    return out;
}

Result<void> write_model_id(Connection& database, const model::Identity& identity,
                            std::string_view model_id) {
    static_cast<void>(FIELDWATCH_TRY(
        database.change("UPDATE twins SET model_id = ? WHERE hub = ? AND device = ? AND module = ?", model_id,
                        identity.hub.value, identity.device.value, identity.module.value)));
    return {};
}

Result<std::vector<TwinEntry>> load_twin_entries(Connection& database, const model::Identity& after,
                                                 Registry::Which which, std::size_t count_max) {
    const bool modules = which == Registry::Which::Modules;
    auto rows = FIELDWATCH_TRY(database.query(
        "SELECT device, module, " + std::string(kColumns) + " FROM twins WHERE hub = ? AND " +
            (modules ? "module <> '' AND (device, module) > (?, ?)"
                     : "module = '' AND (device, module) > (?, ?)") +
            " ORDER BY device, module LIMIT ?",
        after.hub.value, after.device.value, after.module.value, std::min<std::size_t>(count_max, 10'000)));
    std::vector<TwinEntry> out;
    while (FIELDWATCH_TRY(rows.step())) {
        TwinEntry one;
        one.entry.identity = {after.hub, model::DeviceId{rows.text(0)}, model::ModuleId{rows.text(1)}};
        one.twin = twin_of(rows, 2);
        out.push_back(std::move(one));
    }
    for (auto& one : out)
        one.entry = FIELDWATCH_TRY(load_entry(database, one.entry.identity));
    return out;
}

}  // namespace fieldwatch::registry
