// Jobs over many devices (twin updates, methods) and automatic configurations, at their time.
// Source: spec/iot-hub-protocols.md section 7.7.
#pragma once

#include <atomic>
#include <thread>

#include "hub/devices.hpp"
#include "hub/https/call.hpp"

namespace fieldwatch::hub {

/// Jobs and configurations are documents of the registry; a thread of its own looks once a second for what is
/// due.
class JobRunner {
  public:
    JobRunner(Shared& shared, Devices& devices);
    ~JobRunner();

    /// PUT, GET, cancel and query below /jobs/v2. Any thread.
    Answer answer(Call& call);
    void stop();

  private:
    Answer put(Call& call, const std::string& id);
    Answer cancel(Call& call, const std::string& id);
    Answer list(Call& call);
    /// Who asked for it: of what a job then does to devices, the log names the job alone.
    void log(const Call& call, std::string_view name, const std::string& id, const Json& job,
             const Result<registry::Document>& done) const;
    void loop();
    void fail_interrupted(const model::HubName& hub);
    void run_due(const model::HubName& hub);
    void run(const model::HubName& hub, Json job);
    /// Applied to each device: "" or what went wrong.
    std::string update_twin(const model::Identity& device, const Json& job);
    /// An update of the hub's own doing, and what made it do so.
    void log_twin(const model::Identity& device, std::string_view cause, std::string name);
    void call_methods(const std::vector<model::Identity>& devices, const Json& job, Json& counts);
    void apply_configurations(const model::HubName& hub);
    void keep(const model::HubName& hub, const Json& job);
    void keep_device(const model::Identity& device, const Json& job, const std::string& problem,
                     const Json& outcome);
    Timestamp now() const { return shared_.parts.clock.now(); }

    Shared& shared_;
    Devices& devices_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace fieldwatch::hub
