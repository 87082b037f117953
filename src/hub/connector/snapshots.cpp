#include "hub/connector/snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"

namespace fieldwatch::hub {

namespace {

using SnapshotJson = nlohmann::json;

constexpr const char* kSnapshotKind = "snapshot";
constexpr std::string_view kKnownKind = "snapshot-identities";
constexpr std::size_t kConfigurationBytesMax = 1u << 20;
constexpr std::size_t kIdentityBytesMax = 256u << 10;
constexpr std::size_t kModulesMax = 100;
constexpr std::size_t kKnownChunk =
    2'000;  // names of at most 257 bytes: a document of the registry takes that
constexpr std::size_t kNestingMax = 64;
/// One commit for so many records: others who write wait for it, some milliseconds.
constexpr std::size_t kTransactionRecords = 500;
constexpr std::size_t kTransactionBytes = 4u << 20;
static_assert(kTransactionRecords <= registry::Registry::kPublishMax);

/// What detection reads of a hub's configuration; everything else, keys and connection strings among it, is
/// left out.
constexpr std::array kConfigurationMembers{"name",
                                           "location",
                                           "sku",
                                           "publicNetworkAccess",
                                           "minTlsVersion",
                                           "ipFilterRules",
                                           "networkRuleSets",
                                           "diagnosticSettings",
                                           "features",
                                           "certificates"};
constexpr std::array kIdentityMembers{"generationId",
                                      "etag",
                                      "deviceEtag",
                                      "status",
                                      "statusReason",
                                      "statusUpdateTime",
                                      "connectionState",
                                      "lastActivityTime",
                                      "authenticationType",
                                      "capabilities",
                                      "parentScopes",
                                      "deviceScope",
                                      "managedBy",
                                      "version",
                                      "tags",
                                      "properties",
                                      "createdTime",
                                      "createdTimeUtc"};

std::string written(const SnapshotJson& json) {
    return json.dump(-1, ' ', false, SnapshotJson::error_handler_t::replace);
}

Result<SnapshotJson> read_object(std::string_view text, std::size_t bytes_max, std::string_view what) {
    if (text.size() > bytes_max)
        return fail(Errc::TooLarge, fmt::format("{} has at most {} bytes", what, bytes_max));
    if (nests_deeper_than(kNestingMax, text))
        return fail(Errc::InvalidArgument, fmt::format("{} nests deeper than {}", what, kNestingMax));
    auto json = SnapshotJson::parse(text, nullptr, false);
    if (!json.is_object()) return fail(Errc::InvalidArgument, fmt::format("{} is a JSON object", what));
    return json;
}

std::string text_in_member(const SnapshotJson& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// What proves an identity, as fingerprints: equal secrets show, the secrets do not.
SnapshotJson fingerprints(const SnapshotJson& authentication, const std::string& secret) {
    SnapshotJson out = SnapshotJson::object();
    if (auto type = text_in_member(authentication, "type"); !type.empty()) out["type"] = std::move(type);
    for (const auto& [group, kind] :
         {std::pair{"symmetricKey", "Key"}, std::pair{"x509Thumbprint", "Thumbprint"}}) {
        if (!authentication.is_object() || !authentication.contains(group)) continue;
        auto& into = out[group] = SnapshotJson::object();
        for (const std::string place : {"primary", "secondary"}) {
            auto proof = text_in_member(authentication[group], (place + kind).c_str());
            if (kind == std::string_view("Thumbprint")) {
                std::erase(proof, ':');
                std::ranges::transform(proof, proof.begin(), [](char c) {
                    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
                });
            }
            into[place + "Fingerprint"] =
                proof.empty() ? SnapshotJson(nullptr)
                              : SnapshotJson(hex(hmac_sha256(as_bytes(secret), as_bytes(proof))));
        }
    }
    return out;
}

/// One device or module as a record of the log.
Result<model::Record> identity_record_of(const model::HubName& hub, const SnapshotJson& entry,
                                         std::string device, const std::string& secret) {
    if (!entry.is_object()) return fail(Errc::InvalidArgument, "an identity is a JSON object");
    if (auto own = text_in_member(entry, "deviceId"); !own.empty()) device = std::move(own);
    if (device.empty()) return fail(Errc::InvalidArgument, "/deviceId: is required");
    model::Record out{.kind = model::RecordKind::IdentityChange, .sender = {}, .properties = {}, .body = {}};
    out.sender.hub = hub;
    out.sender.device = FIELDWATCH_TRY(model::parse_device_id(device));
    SnapshotJson identity{{"deviceId", device}};
    if (const auto module = text_in_member(entry, "moduleId"); !module.empty()) {
        out.sender.module = FIELDWATCH_TRY(model::parse_module_id(module));
        identity["moduleId"] = module;
    }
    for (const auto* const member : kIdentityMembers) {
        if (const auto found = entry.find(member); found != entry.end()) identity[member] = *found;
    }
    if (const auto found = entry.find("authentication"); found != entry.end())
        identity["authentication"] = fingerprints(*found, secret);
    out.body = written({{"change", "update"}, {"identity", std::move(identity)}});
    return out;
}

/// The members that detection reads, of the document or of the `properties` around them.
Result<SnapshotJson> configuration_in(const SnapshotJson& given) {
    SnapshotJson body = SnapshotJson::object();
    for (const auto* const member : kConfigurationMembers) {
        const auto found = given.find(member);
        if (found != given.end()) {
            body[member] = *found;
        } else if (const auto wrapped = given.find("properties");
                   wrapped != given.end() && wrapped->is_object() && wrapped->contains(member)) {
            body[member] = (*wrapped)[member];
        }
    }
    if (body.empty())
        return fail(Errc::InvalidArgument, fmt::format("nothing in it is of a hub's configuration: {}",
                                                       fmt::join(kConfigurationMembers, ", ")));
    return body;
}

std::string name_of_sender(const model::Identity& sender) {
    return sender.module.empty() ? sender.device.value : sender.device.value + '/' + sender.module.value;
}

model::Record removal_of(const model::HubName& hub, const std::string& name) {
    const auto slash = name.find('/');  // in no id
    SnapshotJson identity{{"deviceId", name.substr(0, slash)}};
    model::Record out{.kind = model::RecordKind::IdentityChange, .sender = {}, .properties = {}, .body = {}};
    out.sender = {hub, model::DeviceId{name.substr(0, slash)}, {}};
    if (slash != std::string::npos) {
        out.sender.module = model::ModuleId{name.substr(slash + 1)};
        identity["moduleId"] = out.sender.module.value;
    }
    out.body = written({{"change", "delete"}, {"identity", std::move(identity)}});
    return out;
}

}  // namespace

Result<std::vector<model::Record>> identity_records(const model::HubName& hub, std::string_view line,
                                                    const std::string& secret) {
    const auto entry = FIELDWATCH_TRY(read_object(line, kIdentityBytesMax, "an identity"));
    std::vector<model::Record> out;
    out.push_back(FIELDWATCH_TRY(identity_record_of(hub, entry, {}, secret)));
    const auto modules = entry.find("modules");
    if (modules == entry.end() || !modules->is_array()) return out;
    if (modules->size() > kModulesMax)
        return fail(Errc::InvalidArgument, fmt::format("/modules: at most {} are allowed", kModulesMax));
    for (const auto& one : *modules) {
        if (text_in_member(one, "moduleId").empty())
            return fail(Errc::InvalidArgument, "/modules: each has a moduleId");
        out.push_back(FIELDWATCH_TRY(identity_record_of(hub, one, out.front().sender.device.value, secret)));
    }
    return out;
}

Result<std::string> configuration_for_log(std::string_view json) {
    return written(FIELDWATCH_TRY(
        configuration_in(FIELDWATCH_TRY(read_object(json, kConfigurationBytesMax, "a configuration")))));
}

Result<Snapshots::Last> Snapshots::last_of(const model::HubName& hub, const std::string& what) {
    const auto found = registry_.document({hub, kSnapshotKind, what});
    if (!found && found.error().code == Errc::NotFound) return Last{};
    if (!found) return std::unexpected(found.error());
    const auto json = SnapshotJson::parse(found->json, nullptr, false);
    return Last{.time = text_in_member(json, "snapshotTime"), .etag = found->etag};
}

Result<Timestamp> Snapshots::newer(std::string_view time, const Last& last) const {
    const auto parsed = parse_iso8601(time);
    if (!parsed)
        return fail(Errc::InvalidArgument,
                    "\"snapshotTime\" is required: when the snapshot was taken, in UTC and ISO 8601");
    if (parsed->time > clock_.now() + Ticks(std::chrono::minutes(5)))
        return fail(Errc::InvalidArgument, fmt::format("\"snapshotTime\" lies in the future: {}", time));
    const auto before = parse_iso8601(last.time);
    if (before && parsed->time < before->time)
        return fail(
            Errc::AlreadyExists,
            fmt::format("a later snapshot is here already, of {}; this one is of {}", last.time, time));
    return parsed->time;
}

Result<void> Snapshots::keep_last(const model::HubName& hub, const std::string& what, Timestamp time,
                                  const Last& last) {
    registry::DocumentCondition condition;
    if (last.etag == 0)
        condition.must_be_new = true;
    else
        condition.if_match = last.etag;
    const auto kept = registry_.put_document(
        {hub, kSnapshotKind, what}, written({{"v", 1}, {"snapshotTime", to_iso8601(time)}}), condition);
    if (kept) return {};
    if (kept.error().code == Errc::AlreadyExists || kept.error().code == Errc::Conflict)
        return fail(Errc::Conflict, "another snapshot came meanwhile: push this one again");
    return std::unexpected(kept.error());
}

Result<void> Snapshots::put_configuration(const model::HubName& name, std::string_view json,
                                          std::string_view time) {
    static_cast<void>(FIELDWATCH_TRY(registry_.hub(name)));
    const auto given = FIELDWATCH_TRY(read_object(json, kConfigurationBytesMax, "a configuration"));
    const auto last = FIELDWATCH_TRY(last_of(name, "configuration"));
    const auto own_time = text_in_member(given, "snapshotTime");
    const auto taken = FIELDWATCH_TRY(newer(time.empty() ? std::string_view(own_time) : time, last));
    FIELDWATCH_TRY(registry_.publish_configuration(name, written(FIELDWATCH_TRY(configuration_in(given)))));
    return keep_last(name, "configuration", taken, last);
}

Result<SnapshotReport> Snapshots::put_identities(const model::HubName& hub, std::string_view lines,
                                                 std::string_view time) {
    static_cast<void>(FIELDWATCH_TRY(registry_.hub(hub)));
    const auto last = FIELDWATCH_TRY(last_of(hub, "identities"));
    const auto taken = FIELDWATCH_TRY(newer(time, last));
    const auto secret = FIELDWATCH_TRY(secret_of(hub));
    SnapshotReport report;
    std::vector<model::Record> records;
    std::set<std::string> names;
    std::uint64_t number = 0;
    each_line(lines, [&](std::string_view line) {
        ++number;
        if (trimmed(line).empty()) return;
        auto read = identity_records(hub, line, secret);
        if (!read) {
            ++report.refused;
            if (report.refusals.size() < SnapshotReport::kListedMax)
                report.refusals.push_back({fmt::format("line {}", number), read.error().message});
            return;
        }
        for (auto& one : *read) {
            names.insert(name_of_sender(one.sender));
            if (records.size() <= kIdentitiesMax) records.push_back(std::move(one));
        }
    });
    if (records.size() > kIdentitiesMax)
        return fail(Errc::TooLarge, fmt::format("a snapshot has at most {} identities", kIdentitiesMax));
    report.accepted = records.size();
    if (records.empty()) return report;  // a file that is none removes nobody
    // Where a line could not be read, nobody knows who is missing.
    const auto before = FIELDWATCH_TRY(known(hub));
    for (const auto& name : before) {
        if (names.contains(name)) continue;
        if (report.refused > 0) {
            names.insert(name);
        } else {
            records.push_back(removal_of(hub, name));
            ++report.removed;
        }
    }
    FIELDWATCH_TRY(tell(records));
    FIELDWATCH_TRY(keep_known(hub, {names.begin(), names.end()}));
    FIELDWATCH_TRY(keep_last(hub, "identities", taken, last));
    return report;
}

Result<void> Snapshots::tell(std::vector<model::Record>& records) {
    const std::span<model::Record> all(records);
    for (std::size_t from = 0; from < all.size();) {
        auto to = from;
        for (std::size_t bytes = 0; to < all.size() && to - from < kTransactionRecords; ++to) {
            bytes += all[to].body.size();
            if (bytes > kTransactionBytes && to > from) break;
            all[to].received = clock_.now();
        }
        FIELDWATCH_TRY(registry_.publish_many(all.subspan(from, to - from)));
        from = to;
    }
    return {};
}

Result<std::string> Snapshots::secret_of(const model::HubName& hub) {
    const registry::DocumentKey key{hub, "snapshot-secret", "fingerprints"};
    auto found = registry_.document(key);
    if (!found && found.error().code == Errc::NotFound) {
        std::array<std::byte, 32> bytes;
        random_.fill(bytes);
        const auto made =
            registry_.put_document(key, written({{"v", 1}, {"secret", hex(bytes)}}), {.must_be_new = true});
        if (!made && made.error().code != Errc::AlreadyExists && made.error().code != Errc::Conflict)
            return std::unexpected(made.error());
        found = registry_.document(key);
    }
    if (!found) return std::unexpected(found.error());
    return text_in_member(SnapshotJson::parse(found->json, nullptr, false), "secret");
}

Result<std::vector<std::string>> Snapshots::known(const model::HubName& hub) {
    std::vector<std::string> out;
    for (const auto& part :
         FIELDWATCH_TRY(registry_.documents(hub, kKnownKind, {.after = {}, .count_max = 100}))) {
        const auto json = SnapshotJson::parse(part.json, nullptr, false);
        const auto names = json.is_object() ? json.find("names") : json.end();
        if (names == json.end() || !names->is_array()) continue;
        for (const auto& one : *names) {
            if (one.is_string()) out.push_back(one.get<std::string>());
        }
    }
    return out;
}

Result<void> Snapshots::keep_known(const model::HubName& hub, const std::vector<std::string>& names) {
    std::size_t part = 0;
    for (std::size_t at = 0; at < names.size(); at += kKnownChunk, ++part) {
        auto list = SnapshotJson::array();
        for (auto i = at; i < std::min(at + kKnownChunk, names.size()); ++i)
            list.push_back(names[i]);
        static_cast<void>(
            FIELDWATCH_TRY(registry_.put_document({hub, std::string(kKnownKind), std::to_string(part)},
                                                  written({{"v", 1}, {"names", std::move(list)}}), {})));
    }
    for (;; ++part) {  // of a larger one before
        const auto removed =
            registry_.remove_document({hub, std::string(kKnownKind), std::to_string(part)}, std::nullopt);
        if (!removed && removed.error().code == Errc::NotFound) return {};
        if (!removed) return removed;
    }
}

}  // namespace fieldwatch::hub
