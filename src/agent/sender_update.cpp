// The sender's part in an update of the agent itself: agent/update/.
#include "agent/agent_log.hpp"
#include "agent/sender.hpp"

namespace fieldwatch::agent {

void Sender::open_updates() {
    const auto& update = config_.update;
    updater_ = std::make_unique<Updater>(
        Updater::Options{.key = update.key,
                         .slots_directory = update.slots_directory,
                         .package = Version::parse(kAgentVersion).value_or(Version{}),
                         .tls = {.ca_pem = update.ca_file.empty() ? config_.ca_pem : update.ca_pem}},
        Updater::Handlers{.changed =
                              [this](const UpdateStatus& status) {
                                  // What root, or nobody, does with a device's programs is worth an event.
                                  writer_.diagnose(status.reason.empty() ? "Information" : "Warning",
                                                   "update: " + status.version + " " + status.state +
                                                       (status.reason.empty() ? "" : ", " + status.reason));
                                  hub_.report(format_update_status(config_.object_name, status));
                              },
                          .restart =
                              [] {
                                  say(Severity::Information, "update: ending, so that it can be started");
                                  request_stop();
                              }},
        clock_, random_);
}

/// Both halves work and the hub answers: what is on trial has passed.
void Sender::tell_trial() {
    if (has_twin_ && hub_.is_ready() && collector_.ready != 0) updater_->connected();
}

}  // namespace fieldwatch::agent
