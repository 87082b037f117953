// What comes of a connector's source, into the hub it is attached to: messages, operations and diagnostic
// records, counted, with devices registered that nobody had heard of.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "hub/connector/feed.hpp"
#include "hub/connector/record_import.hpp"
#include "hub/ingress.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct IntakeCounts {
    std::uint64_t messages = 0, security_messages = 0, operations = 0;
    std::uint64_t passed_over = 0;  ///< of a kind that nothing here is made of
    std::uint64_t refused = 0;      ///< that could not be used
    std::string last_refusal;       ///< "" = none yet
    Timestamp last_received;        ///< ticks 0 = never
};

/// A message as its source brought it.
struct ForeignMessage {
    std::string_view device, module;
    std::span<const mqtt::Property> properties;
    std::string_view body;
    Stamps stamps;
    bool security = false;              ///< whatever its properties say
    std::optional<Timestamp> enqueued;  ///< when its hub took it; never later than now
    std::string_view protocol = "Mqtt";
};
/// An operation that a source tells of.
struct ForeignOperation {
    std::string_view device, module, address, protocol = "Mqtt";
    Operation operation;
    Timestamp time;
};

/// One thread, but for counts().
class Intake {
  public:
    /// Devices that a connector may register; one that makes up names fills no registry.
    static constexpr std::size_t kDevicesMax = 10'000;

    struct Parts {
        registry::Registry& registry;
        journal::Writer& journal;
        std::uint32_t partition_count;
        const Clock& clock;
        const OperationLog& log;
    };
    Intake(Parts parts, ImportTarget target, bool register_devices);

    /// Errors are those of the log, after which nothing more can be taken; what is wrong with a message is
    /// counted and no error.
    Result<void> message(const ForeignMessage& message);
    Result<void> operation(const ForeignOperation& operation);
    Result<void> diagnostics(std::string_view document);
    void refuse(std::string why);
    void pass_over();

    Result<void> settle();  ///< all of it is on disk
    void tell_ingress();    ///< what was counted for the operation log; once a minute and at the end
    Timestamp now() const { return parts_.clock.now(); }
    std::chrono::nanoseconds monotonic() const { return parts_.clock.monotonic(); }

    IntakeCounts counts() const;  ///< any thread

  private:
    Result<model::Identity> identity_of(std::string_view device, std::string_view module);
    void note(const model::Identity& identity);
    void count(std::uint64_t IntakeCounts::* which);

    const Parts parts_;
    const ImportTarget target_;
    const bool register_devices_;
    Feed feed_;
    RecordImport import_;
    IngressTable ingress_;
    model::Record scratch_;
    std::set<std::string, std::less<>> noted_;  ///< device NUL module, at most kDevicesMax
    mutable std::mutex mutex_;
    IntakeCounts counts_;
};

}  // namespace fieldwatch::hub
