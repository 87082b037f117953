// Identities, twins, hub configuration, settings: what people decide. Who they are: registry/accounts.hpp.
// SQLite embedded (WAL, synchronous=FULL). Every change is versioned and leaves an outbox row in the same
// transaction, which app pumps into the journal (design 3a).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"
#include "model/record.hpp"
#include "registry/commands.hpp"

namespace fieldwatch::registry {

struct Keys {
    std::string primary, secondary;  ///< base64 of 32 random bytes
};
enum class AuthType : std::uint8_t { Sas, X509Thumbprint, X509Ca };

struct Policy {
    std::string name;
    Keys keys;
    bool registry_read = false, registry_write = false, service_connect = false, device_connect = false;
};

struct Hub {
    model::HubName name;
    std::string workspace;  ///< workspace id (UUID text)
    bool security_enabled = true;
    bool store_raw_events = true;
    bool mask_addresses = false;  ///< false = full addresses kept ("IP data collection" on)
    bool twin_data = true;
    std::string host_names;          ///< comma list of names that SAS scopes may use for this hub
    std::string configuration_json;  ///< spec/hub-signals.md section 5
    std::vector<Policy> policies;
    std::uint64_t etag = 0;
    Timestamp created;
};

struct Twin {
    std::string tags_json = "{}";     ///< devices only
    std::string desired_json = "{}";  ///< without $version
    std::string reported_json = "{}";
    std::uint64_t desired_version = 1, reported_version = 1;
    std::uint64_t etag = 1;     ///< 1 + writes of services
    std::uint64_t version = 1;  ///< grows with every change of any part
    /// `$lastUpdated` of the section, of every object and every value in it.
    std::string desired_metadata_json = "{}", reported_metadata_json = "{}";
    std::string model_id;  ///< of the device's last connection
};

/// A device, or a module of one when identity.module is set.
struct Entry {
    model::Identity identity;
    AuthType auth = AuthType::Sas;
    Keys keys;  ///< Sas
    /// Of the device's certificate; of X509Ca the primary one names the enrollment authority (a document of
    /// kind "enrollment-authority") that a provisioned device's chain may end at, "" = the hub's own alone.
    std::string primary_thumbprint, secondary_thumbprint;
    bool enabled = true;
    bool iot_edge = false;  ///< capabilities.iotEdge
    std::string status_reason;
    std::string generation_id;
    std::uint64_t etag = 1;
    Timestamp created, status_updated;
    /// As last kept by keep_presences(); ticks 0 = never. Reading only.
    Timestamp connection_changed, last_activity;
};

/// When an identity came or went, and was last heard of.
struct Presence {
    model::Identity identity;
    bool connected = false;
    Timestamp changed, active;  ///< ticks 0 = not known: what is kept stays
};

struct ListOptions {
    std::string after;  ///< device id to continue behind, "" = from the start
    std::size_t count_max = 1'000;
};

/// The result of a twin change: what to tell subscribers.
struct TwinChange {
    std::uint64_t version = 0;
    std::string patch_json;  ///< as applied, removed members null, without $version
};

/// A service's write, of one part or several at once.
struct TwinUpdate {
    std::optional<std::string_view> tags_json, desired_json;
    bool replaces = false;  ///< what is given is the whole part, not a merge patch of it
    std::optional<std::uint64_t> if_match;
};
struct TwinUpdated {
    Twin twin;                          ///< as it is now
    std::optional<TwinChange> desired;  ///< what to tell subscribers
};
struct TwinEntry {
    Entry entry;
    Twin twin;
};

/// A JSON document of a hub with a name and a version; `kind` says what it is ("certificate", "job", …).
struct DocumentKey {
    model::HubName hub;
    std::string kind, id;
};
struct Document {
    std::string id, json;
    std::uint64_t etag = 1;
    Timestamp created, updated;
};
struct DocumentCondition {
    bool must_be_new = false, must_exist = false;
    std::optional<std::uint64_t> if_match;
};

struct OutboxRow {
    std::uint64_t sequence = 0;  ///< registry sequence; the pump is idempotent by it
    model::Record record;  ///< IdentityChange, Twin, HubConfiguration, ControlPlane, AlertState or Content
};

/// All calls are synchronous and short; any thread (one writer inside, readers do not wait for it). A call
/// returns when its transaction is durable. Errors: NotFound, AlreadyExists, Conflict (etag),
/// InvalidArgument, TooLarge, Io.
class Registry {
  public:
    virtual ~Registry() = default;

    virtual Result<Hub> create_hub(
        Hub hub) = 0;  ///< makes the five default policies and a workspace when none is named
    virtual Result<Hub> hub(const model::HubName& name) = 0;
    virtual Result<std::vector<Hub>> hubs() = 0;
    virtual Result<Hub> update_hub(const Hub& hub, std::optional<std::uint64_t> if_match) = 0;

    virtual Result<Entry> create(Entry entry) = 0;  ///< makes keys when empty; a module needs its device
    /// Many in one transaction, each by itself: an outcome per entry, in order; one that fails changes
    /// nothing. At most 1,000 a call.
    virtual Result<std::vector<Result<Entry>>> create_many(std::vector<Entry> entries) = 0;
    virtual Result<Entry> get(const model::Identity& identity) = 0;
    virtual Result<std::vector<Entry>> devices(const model::HubName& hub, const ListOptions& options) = 0;
    virtual Result<std::vector<Entry>> modules(const model::HubName& hub, const model::DeviceId& device) = 0;
    virtual Result<Entry> update(const Entry& entry, std::optional<std::uint64_t> if_match) = 0;
    /// A device with its modules, twins and messages. Errors also: Conflict (`if_match`).
    virtual Result<void> remove(const model::Identity& identity,
                                std::optional<std::uint64_t> if_match = std::nullopt) = 0;
    /// Entries with their twins behind `after`, in order of device and module: devices alone, or modules
    /// alone.
    enum class Which : std::uint8_t { Devices, Modules };
    virtual Result<std::vector<TwinEntry>> twin_entries(const model::Identity& after, Which which,
                                                        std::size_t count_max) = 0;
    struct DeviceCounts {
        std::uint64_t total = 0, enabled = 0;
    };
    virtual Result<DeviceCounts> count_devices(const model::HubName& hub) = 0;
    /// In one transaction; those of identities that are gone meanwhile are left out.
    virtual Result<void> keep_presences(std::span<const Presence> presences) = 0;
    /// At a server's start: who was connected when the last one ended is so no more, from now on.
    virtual Result<void> end_presences() = 0;

    virtual Result<Twin> twin(const model::Identity& identity) = 0;
    /// Whether a patch may be one of desired properties at all, whatever the twin holds. Errors: those of
    /// merge_twin.
    virtual Result<void> check_desired(std::string_view patch_json) const = 0;
    /// RFC 7396 merge patch; `$version` and `$metadata` at the top of a document are ignored. Errors also:
    /// TooLarge above limits::twin_section_bytes, Malformed, Conflict (base_version).
    virtual Result<TwinChange> patch_desired(const model::Identity& identity,
                                             std::string_view patch_json) = 0;
    virtual Result<TwinChange> replace_desired(const model::Identity& identity,
                                               std::string_view document_json) = 0;
    /// `base_version`: the version the device patched from, when it said so.
    virtual Result<TwinChange> patch_reported(const model::Identity& identity, std::string_view patch_json,
                                              std::optional<std::uint64_t> base_version) = 0;
    virtual Result<void> patch_tags(const model::Identity& identity, std::string_view patch_json) = 0;
    virtual Result<TwinUpdated> update_twin(const model::Identity& identity, const TwinUpdate& update) = 0;
    virtual Result<void> set_model_id(const model::Identity& identity, std::string_view model_id) = 0;

    virtual CommandStore& commands() = 0;

    /// Errors: NotFound, AlreadyExists, Conflict, TooLarge, Exhausted.
    virtual Result<Document> document(const DocumentKey& key) = 0;
    virtual Result<std::vector<Document>> documents(const model::HubName& hub, std::string_view kind,
                                                    const ListOptions& options) = 0;
    virtual Result<Document> put_document(const DocumentKey& key, std::string_view json,
                                          DocumentCondition condition) = 0;
    virtual Result<void> remove_document(const DocumentKey& key, std::optional<std::uint64_t> if_match) = 0;

    virtual Result<std::optional<std::string>> setting(std::string_view key) = 0;
    virtual Result<void> set_setting(std::string_view key, std::string_view value) = 0;

    /// Adds a record to the outbox by itself: a person's dismissal, a configuration change.
    virtual Result<void> publish(const model::Record& record) = 0;
    /// Many in one transaction, in order: all of them or none. At most kPublishMax a call.
    static constexpr std::size_t kPublishMax = 1'000;
    virtual Result<void> publish_many(std::span<const model::Record> records) = 0;
    /// Tells of a configuration that a hub has elsewhere, a JSON object, with what this server does with the
    /// hub beside it. Errors: NotFound, Malformed.
    virtual Result<void> publish_configuration(const model::HubName& hub,
                                               std::string_view configuration_json) = 0;
    virtual Result<std::vector<OutboxRow>> outbox(std::size_t count_max) = 0;
    virtual Result<void> outbox_done(std::uint64_t up_to_sequence) = 0;

    /// Grows with every committed change of hubs, identities, documents and settings, not with twins and
    /// messages; lets caches know when to look again.
    virtual std::uint64_t change_count() const = 0;
};

/// Opens or creates `path`, migrating older schema versions. `clock` and `random` outlive it.
Result<std::unique_ptr<Registry>> open(const std::string& path, const Clock& clock, Random& random);

}  // namespace fieldwatch::registry
