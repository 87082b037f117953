// What a job does to its devices: one after another, until all are done, its time is over, or it is
// cancelled. Source: spec/iot-hub-protocols.md section 7.7.
#include <algorithm>
#include <future>

#include "base/log.hpp"
#include "hub/https/job_runner.hpp"
#include "hub/https/twin_query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kJobDevicesMax = 10'000;
constexpr std::size_t kMethodsAtOnce = 50;
constexpr std::chrono::milliseconds kLook{200};  // for a cancel, while methods are under way

registry::DocumentKey job_key(const model::HubName& hub, const Json& job) {
    return {hub, "job", job.value("jobId", "")};
}

void count(Json& counts, const char* name) {
    counts[name] = counts[name].get<int>() + 1;
}

}  // namespace

JobRunner::Halt JobRunner::halt(const Run& run) const {
    if (stopping_) return Halt::Stopping;
    const auto stored = shared_.parts.registry.document(job_key(run.hub, run.job));
    if (stored && Json::parse(stored->json, nullptr, false).value("status", "") == "cancelled")
        return Halt::Cancelled;
    return shared_.parts.clock.monotonic() >= run.until ? Halt::TimeOver : Halt::No;
}

void JobRunner::run(const model::HubName& hub, Json job, std::uint64_t etag) {
    job["status"] = "running";
    const auto begun = shared_.parts.clock.monotonic();
    const std::chrono::seconds limit(job.value("maxExecutionTimeInSeconds", std::int64_t{3'600}));
    if (const auto kept =
            shared_.parts.registry.put_document(job_key(hub, job), job.dump(), {.if_match = etag});
        !kept) {
        if (kept.error().code != Errc::Conflict)  // cancelled just now
            log::error("hub", "starting a job: " + kept.error().message);
        return;
    }
    Run run{.hub = hub,
            .job = std::move(job),
            .counts = {{"deviceCount", 0},
                       {"failedCount", 0},
                       {"succeededCount", 0},
                       {"runningCount", 0},
                       {"pendingCount", 0}},
            .until = begun + std::clamp<std::chrono::seconds>(limit, std::chrono::seconds(1),
                                                              std::chrono::hours(24 * 30))};
    const auto devices = select_devices(shared_, hub, run.job.value("queryCondition", "*"), kJobDevicesMax);
    if (!devices) {
        run.job["status"] = "failed";
        run.job["failureReason"] = devices.error().message;
    } else {
        run.counts["deviceCount"] = devices->size();
        const auto why = run.job["type"] == "scheduleDeviceMethod" ? call_methods(run, *devices)
                                                                   : update_twins(run, *devices);
        if (why == Halt::Stopping) return;  // told as interrupted at the next start
        if (why == Halt::TimeOver) run.job["failureReason"] = "maxExecutionTimeInSeconds is over.";
        run.job["status"] = run.counts["failedCount"] == 0 && why != Halt::TimeOver ? "completed" : "failed";
    }
    finish(run, begun);
}

void JobRunner::finish(Run& run, std::chrono::nanoseconds begun) {
    auto& job = run.job;
    auto& registry = shared_.parts.registry;
    job["deviceJobStatistics"] = run.counts;
    job["endTime"] = to_iso8601(now());
    for (;;) {
        const auto stored = registry.document(job_key(run.hub, job));
        if (!stored) break;
        // Cancelled meanwhile: what was done is done, the word stays.
        const auto before = Json::parse(stored->json, nullptr, false);
        if (before.value("status", "") == "cancelled") {
            job["status"] = "cancelled";
            job.erase("failureReason");
        }
        const auto kept = registry.put_document(job_key(run.hub, job),
                                                job.dump(-1, ' ', false, Json::error_handler_t::replace),
                                                {.if_match = stored->etag});
        if (!kept && kept.error().code == Errc::Conflict) continue;  // a cancel: there is but one
        if (!kept) log::error("hub", "keeping a job: " + kept.error().message);
        break;
    }
    Operation operation{.category = "JobsOperations",
                        .name = "jobCompleted",
                        .result = job["status"] == "failed" ? 400003 : 0,
                        .duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                           shared_.parts.clock.monotonic() - begun)
                                           .count()};
    operation.properties.emplace_back("jobId", job.value("jobId", ""));
    operation.properties.emplace_back("filter", job.value("queryCondition", ""));
    operation.properties.emplace_back("startTimeUtc", job.value("startTime", ""));
    Speaker speaker;
    speaker.identity.hub = run.hub;
    speaker.protocol.clear();
    shared_.log.append(operation, speaker);
}

/// The devices that the job did not come to.
void JobRunner::leave_undone(Run& run, std::span<const model::Identity> devices, Halt why) {
    for (const auto& device : devices) {
        if (stopping_) return;
        if (why == Halt::TimeOver) count(run.counts, "failedCount");
        keep_device(
            device, run.job,
            why == Halt::TimeOver
                ? DeviceEnd{.status = "failed",
                            .code = "JobExecutionTimeExceeded",
                            .problem = "maxExecutionTimeInSeconds was over before this device's turn."}
                : DeviceEnd{.status = "canceled", .code = {}, .problem = {}});
    }
}

JobRunner::Halt JobRunner::update_twins(Run& run, std::span<const model::Identity> devices) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (const auto why = halt(run); why != Halt::No) {
            leave_undone(run, devices.subspan(i), why);
            return why;
        }
        const auto problem = update_twin(devices[i], run.job);
        count(run.counts, problem.empty() ? "succeededCount" : "failedCount");
        keep_device(devices[i], run.job, DeviceEnd::of(problem));
    }
    return Halt::No;
}

std::string JobRunner::update_twin(const model::Identity& device, const Json& job) {
    const auto& patch = job["updateTwin"];
    const auto tags = patch.value("tags", Json()).dump();
    Json desired;
    if (const auto properties = patch.find("properties");
        properties != patch.end() && properties->is_object())
        desired = properties->value("desired", Json());
    const auto desired_text = desired.dump();
    registry::TwinUpdate update;
    if (tags != "null") update.tags_json = tags;
    if (!desired.is_null()) update.desired_json = desired_text;
    const auto done = shared_.parts.registry.update_twin(device, update);
    if (!done) return done.error().message;
    if (done->desired) devices_.desired_changed(device, *done->desired);
    log_twin(device, "jobId", job.value("jobId", ""));
    return {};
}

JobRunner::Halt JobRunner::call_methods(Run& run, std::span<const model::Identity> devices) {
    for (std::size_t first = 0; first < devices.size(); first += kMethodsAtOnce) {
        if (const auto why = halt(run); why != Halt::No) {
            leave_undone(run, devices.subspan(first), why);
            return why;
        }
        const auto some = devices.subspan(first, std::min(kMethodsAtOnce, devices.size() - first));
        if (call_some(run, some) == Halt::Stopping) return Halt::Stopping;
    }
    return Halt::No;
}

/// Waits for all of them: for an answer no longer than the job has left, for a device to come only until the
/// job is cancelled.
JobRunner::Halt JobRunner::call_some(Run& run, std::span<const model::Identity> devices) {
    using std::chrono::seconds;
    const auto& method = run.job["cloudToDeviceMethod"];
    const auto left =
        std::max(seconds(1), std::chrono::ceil<seconds>(run.until - shared_.parts.clock.monotonic()));
    const auto wanted = [&](const char* name, int otherwise, int least) {
        const auto found = method.find(name);
        const auto value = found != method.end() && found->is_number() ? found->get<int>() : otherwise;
        return std::min(std::clamp(seconds(value), seconds(least), seconds(300)), left);
    };
    const auto called_off = std::make_shared<std::atomic<bool>>(false);
    std::vector<std::future<MethodResult>> answers;
    for (const auto& device : devices) {
        auto promise = std::make_shared<std::promise<MethodResult>>();
        answers.push_back(promise->get_future());
        Speaker speaker;
        speaker.protocol.clear();
        shared_.methods.call({.identity = device,
                              .name = method.value("methodName", ""),
                              .payload_json = method.value("payload", Json()).dump(),
                              .response_timeout = wanted("responseTimeoutInSeconds", 30, 1),
                              .connect_timeout = wanted("connectTimeoutInSeconds", 0, 0),
                              .called_off = called_off},
                             speaker,
                             [promise](MethodResult result) { promise->set_value(std::move(result)); });
    }
    for (std::size_t i = 0; i < devices.size(); ++i) {
        while (answers[i].wait_for(kLook) != std::future_status::ready) {
            if (!*called_off && halt(run) == Halt::Cancelled) *called_off = true;
        }
        const auto result = answers[i].get();
        if (stopping_) return Halt::Stopping;
        if (result.error == kMethodCalledOff) {
            keep_device(devices[i], run.job, {.status = "canceled", .code = {}, .problem = {}});
            continue;
        }
        count(run.counts, result.error == 0 ? "succeededCount" : "failedCount");
        auto end = DeviceEnd::of(result.description);
        if (result.error == 0) {
            end.outcome = {
                {"deviceMethodResponse",
                 {{"status", result.status}, {"payload", Json::parse(result.payload_json, nullptr, false)}}}};
        }
        keep_device(devices[i], run.job, end);
    }
    return Halt::No;
}

/// A row of `FROM devices.jobs`. Of the first ten thousand: the bound of documents.
void JobRunner::keep_device(const model::Identity& device, const Json& job, const DeviceEnd& end) {
    const auto id = job.value("jobId", "");
    Json row{{"deviceId", device.device.value},
             {"jobId", id},
             {"jobType", job.value("type", "")},
             {"status", std::string(end.status)},
             {"startTimeUtc", job.value("startTime", "")},
             {"endTimeUtc", to_iso8601(now())},
             {"createdDateTimeUtc", job.value("createdTime", "")},
             {"lastUpdatedDateTimeUtc", to_iso8601(now())}};
    if (!end.code.empty()) row["error"] = {{"code", std::string(end.code)}, {"description", end.problem}};
    if (end.outcome.is_object()) row["outcome"] = end.outcome;
    const auto done =
        shared_.parts.registry.put_document({device.hub, "devicejob", id + "|" + device.device.value},
                                            row.dump(-1, ' ', false, Json::error_handler_t::replace), {});
    if (!done && done.error().code != Errc::Exhausted && done.error().code != Errc::TooLarge)
        log::error("hub", "keeping a job's row: " + done.error().message);
}

}  // namespace fieldwatch::hub
