// Snapshots of a hub elsewhere: its configuration and its identities, pushed as documents, into the log of
// the hub of ours that it is attached as. Source: spec/hub-signals.md sections 4, 5 and 7;
// docs/connectors.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "protocol/diagnostic/records.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct SnapshotReport {
    std::uint64_t accepted = 0, refused = 0;
    std::uint64_t removed = 0;                  ///< were in the snapshot before, and are not in this one
    std::vector<diagnostic::Refusal> refusals;  ///< the first kListedMax of them
    static constexpr std::size_t kListedMax = 100;
};

/// One line of `identities.jsonl` as records of the log: a device with its modules, or a module. Keys and
/// thumbprints are fingerprints under `secret`. Errors: InvalidArgument, TooLarge.
Result<std::vector<model::Record>> identity_records(const model::HubName& hub, std::string_view line,
                                                    const std::string& secret);
/// What of `hub.json` enters the log: JSON of the members that detection reads. Errors likewise.
Result<std::string> configuration_for_log(std::string_view json);

/// Any thread; each call reads the registry anew. Everything outlives it.
class Snapshots {
  public:
    static constexpr std::size_t kIdentitiesMax = 10'000;  ///< devices and modules of one snapshot

    Snapshots(registry::Registry& registry, const Clock& clock, Random& random)
        : registry_(registry), clock_(clock), random_(random) {}

    /// `hub.json`. Of it only what detection reads is kept, so that no key comes into the log. Errors:
    /// InvalidArgument, TooLarge, NotFound (the hub), AlreadyExists when a later one is here.
    Result<void> put_configuration(const model::HubName& hub, std::string_view json, std::string_view time);
    /// `identities.jsonl`: a device, with its modules and twin, or a module a line. Keys and thumbprints
    /// become fingerprints, and are kept nowhere. It is whole: who was in the one before and is not in this
    /// one was removed. Errors likewise; Conflict when another one came meanwhile.
    Result<SnapshotReport> put_identities(const model::HubName& hub, std::string_view lines,
                                          std::string_view time);

  private:
    struct Last {
        std::string time;  ///< "" = none yet
        std::uint64_t etag = 0;
    };
    Result<Timestamp> newer(std::string_view time, const Last& last) const;
    Result<Last> last_of(const model::HubName& hub, const std::string& what);
    Result<void> keep_last(const model::HubName& hub, const std::string& what, Timestamp time,
                           const Last& last);
    /// Durable when it returns; a failure leaves the batches before it told.
    Result<void> tell(std::vector<model::Record>& records);
    Result<std::string> secret_of(const model::HubName& hub);
    Result<std::vector<std::string>> known(const model::HubName& hub);
    Result<void> keep_known(const model::HubName& hub, const std::vector<std::string>& names);

    registry::Registry& registry_;
    const Clock& clock_;
    Random& random_;
};

}  // namespace fieldwatch::hub
