// Which hub this device belongs to, as its provisioning service said last: kept in the state folder, used at
// once at a start, and asked for again when that hub will not have us (spec/agent.md section 3).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/provisioning/ask_schedule.hpp"
#include "agent/provisioning/provisioning_client.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

/// Where the assignment lies, in the state folder (docs/formats/agent-assignment.md).
inline constexpr const char* kAssignmentFile = "assignment";

/// The assignment as it is kept, of that service and registration.
std::string format_assignment(const ProvisionedDevice& device, const ProvisioningOptions& of);
/// Errors: Malformed; NotFound when it is of another service, scope or registration.
Result<ProvisionedDevice> read_assignment(std::string_view text, const ProvisioningOptions& of);

/// One thread; never blocks but for the resolver. While nobody answers, the last assignment stands.
class Provisioner {
  public:
    struct Handlers {
        /// The service has named a hub; `before` is the one that stood, "" = none.
        std::function<void(const ProvisionedDevice& device, const std::string& before)> assigned;
        std::function<void()> asking;
        std::function<void(const Error&, std::chrono::seconds next)> failed;
    };
    struct Parts {
        FileSystem& files;  ///< paths are relative to the state folder
        const Clock& clock;
        Random& random;
    };
    Provisioner(ProvisioningOptions options, Handlers handlers, const Parts& parts);

    /// Reads what is kept; `configured` stands where nothing is, its hub "" = none.
    ProvisionedDevice begin(ProvisionedDevice configured);
    void hub_lost(bool refused);
    void hub_serves();

    void advance();
    int fd() const { return client_ ? client_->fd() : -1; }
    short wanted_events() const { return client_ ? client_->wanted_events() : short{0}; }
    std::int64_t wake_ns() const { return client_ ? client_->wake_ns() : schedule_.due_ns(); }

    /// For the status: assigned, asking, or why the last answer names no hub.
    std::string state() const;

  private:
    void take(const ProvisionedDevice& device);
    std::int64_t now_ns() const { return parts_.clock.monotonic().count(); }

    ProvisioningOptions options_;
    Handlers handlers_;
    Parts parts_;
    AskSchedule schedule_;
    std::unique_ptr<ProvisioningClient> client_;  // while it is asked
    ProvisionedDevice device_;
    std::string last_error_;
};

}  // namespace fieldwatch::agent
