// Jobs over many devices (twin updates, methods) and automatic configurations, at their time.
// Source: spec/iot-hub-protocols.md section 7.7.
#pragma once

#include <atomic>
#include <span>
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
    /// Finished jobs, with their devices' rows, thirty days after their end.
    void remove_old(const model::HubName& hub);

    // job_runs.cpp
    struct Run {
        model::HubName hub;
        Json job, counts;
        std::chrono::nanoseconds until{0};  ///< monotonic: begin and maxExecutionTimeInSeconds
    };
    enum class Halt : std::uint8_t { No, Cancelled, TimeOver, Stopping };
    /// How the job ended for one device.
    struct DeviceEnd {
        std::string_view status = "completed";
        std::string_view code;  ///< "" = no error
        std::string problem;
        Json outcome;
        static DeviceEnd of(const std::string& problem) {
            if (problem.empty()) return {.status = "completed", .code = {}, .problem = {}, .outcome = {}};
            return {
                .status = "failed", .code = "JobRunPreconditionFailed", .problem = problem, .outcome = {}};
        }
    };
    /// `etag`: of the document as it was when the job was due.
    void run(const model::HubName& hub, Json job, std::uint64_t etag);
    /// Why the next device must not be begun.
    Halt halt(const Run& run) const;
    Halt update_twins(Run& run, std::span<const model::Identity> devices);
    Halt call_methods(Run& run, std::span<const model::Identity> devices);
    Halt call_some(Run& run, std::span<const model::Identity> devices);
    void leave_undone(Run& run, std::span<const model::Identity> devices, Halt why);
    void finish(Run& run, std::chrono::nanoseconds begun);
    /// Applied to each device: "" or what went wrong.
    std::string update_twin(const model::Identity& device, const Json& job);
    /// An update of the hub's own doing, and what made it do so.
    void log_twin(const model::Identity& device, std::string_view cause, std::string name);
    void apply_configurations(const model::HubName& hub);
    void keep(const model::HubName& hub, const Json& job);
    void keep_device(const model::Identity& device, const Json& job, const DeviceEnd& end);
    Timestamp now() const { return shared_.parts.clock.now(); }

    Shared& shared_;
    Devices& devices_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace fieldwatch::hub
