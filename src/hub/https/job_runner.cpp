#include "hub/https/job_runner.hpp"

#include <algorithm>
#include <charconv>
#include <future>

#include "base/log.hpp"
#include "hub/https/configuration_content.hpp"
#include "hub/https/twin_query.hpp"
#include "hub/query/query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kJobs = "JobsOperations";
constexpr std::size_t kJobDevicesMax = 10'000;
constexpr std::size_t kMethodsAtOnce = 50;
constexpr std::chrono::milliseconds kTurn{100};
constexpr int kTurnsBetweenJobs = 10, kTurnsBetweenConfigurations = 50;

registry::DocumentKey key_of(const model::HubName& hub, const std::string& id) {
    return {hub, "job", id};
}

bool is_over(const Json& job) {
    const auto status = job.value("status", "");
    return status == "completed" || status == "failed" || status == "cancelled";
}

Result<Json> read_job(Call& call, const std::string& id, Timestamp now) {
    const auto body = FIELDWATCH_TRY(parse_body(call));
    const auto type = body.is_object() ? body.value("type", Json()) : Json();
    if (type != "scheduleDeviceMethod" && type != "scheduleUpdateTwin")
        return fail(Errc::InvalidArgument, "type is scheduleDeviceMethod or scheduleUpdateTwin");
    const bool methods = type == "scheduleDeviceMethod";
    const auto what = body.value(methods ? "cloudToDeviceMethod" : "updateTwin", Json());
    if (!what.is_object() || (methods && !what.value("methodName", Json()).is_string()))
        return fail(Errc::InvalidArgument,
                    methods ? "cloudToDeviceMethod has a methodName" : "updateTwin is a twin");
    const auto condition = body.value("queryCondition", Json());
    const auto text = condition.is_string() ? condition.get<std::string>() : std::string("*");
    if (text != "*") static_cast<void>(FIELDWATCH_TRY(query::parse_condition(text)));
    auto start = now;
    if (const auto given = body.value("startTime", Json());
        given.is_string() && !given.get<std::string>().empty()) {
        const auto parsed = parse_iso8601(given.get<std::string>());
        if (!parsed) return fail(Errc::InvalidArgument, "startTime is no ISO 8601 time");
        start = std::max(parsed->time, now);
    }
    const auto limit = body.value("maxExecutionTimeInSeconds", Json(3'600));
    Json job{{"jobId", id},
             {"type", type},
             {"status", start > now ? "scheduled" : "queued"},
             {"queryCondition", text},
             {"createdTime", to_iso8601(now)},
             {"startTime", to_iso8601(start)},
             {"maxExecutionTimeInSeconds", limit.is_number_integer() ? limit : Json(3'600)},
             {methods ? "cloudToDeviceMethod" : "updateTwin", what}};
    return job;
}

}  // namespace

JobRunner::JobRunner(Shared& shared, Devices& devices)
    : shared_(shared), devices_(devices), thread_([this] { loop(); }) {}

JobRunner::~JobRunner() {
    stop();
}

void JobRunner::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

Answer JobRunner::answer(Call& call) {
    if (call.path.size() < 3) return api_error(404305, "a job has an id");
    const auto& id = call.path[2];
    if (call.at(2, "query") && call.path.size() == 3 && call.is("GET")) return list(call);
    if (call.path.size() == 3 && call.is("PUT")) return put(call, id);
    if (call.path.size() == 4 && call.at(3, "cancel") && call.is("POST")) return cancel(call, id);
    if (call.path.size() != 3 || !call.is("GET"))
        return api_error(404002, "there is nothing at this address");
    const auto document = shared_.parts.registry.document(key_of(call.hub, id));
    log(call, "ReadJob", id, Json(), document);
    if (!document) return api_error(404305, "there is no job " + id);
    return json_response(200, Json::parse(document->json, nullptr, false));
}

Answer JobRunner::put(Call& call, const std::string& id) {
    const auto job = read_job(call, id, now());
    const auto kept =
        job ? shared_.parts.registry.put_document(key_of(call.hub, id), job->dump(), {.must_be_new = true})
            : Result<registry::Document>(std::unexpected(job.error()));
    log(call, "CreateJob", id, job ? *job : Json(), kept);
    if (!kept) return std::unexpected(kept.error());
    return json_response(200, *job);
}

Answer JobRunner::cancel(Call& call, const std::string& id) {
    const auto document = shared_.parts.registry.document(key_of(call.hub, id));
    if (!document) {
        log(call, "CancelJob", id, Json(), document);
        return api_error(404305, "there is no job " + id);
    }
    auto job = Json::parse(document->json, nullptr, false);
    if (is_over(job)) return json_response(200, job);
    job["status"] = "cancelled";
    job["endTime"] = to_iso8601(now());
    const auto kept =
        shared_.parts.registry.put_document(key_of(call.hub, id), job.dump(), {.must_exist = true});
    log(call, "CancelJob", id, job, kept);
    if (!kept) return std::unexpected(kept.error());
    return json_response(200, job);
}

void JobRunner::log(const Call& call, std::string_view name, const std::string& id, const Json& job,
                    const Result<registry::Document>& done) const {
    const bool is_missing = !done && done.error().code == Errc::NotFound;
    Operation operation{.category = kJobs,
                        .name = name,
                        .result = done         ? 0
                                  : is_missing ? 404305
                                               : error_code(done.error(), false),
                        .description = done ? std::string_view() : std::string_view(done.error().message)};
    operation.properties.emplace_back("jobId", id);
    for (const auto& [member, told] : {std::pair{"type", "jobType"}, std::pair{"queryCondition", "filter"},
                                       std::pair{"startTime", "startTimeUtc"}}) {
        if (job.is_object()) operation.properties.emplace_back(told, job.value(member, ""));
    }
    auto by = call.speaker;
    by.identity = call.identity("");
    shared_.log.append(operation, by);
}

Answer JobRunner::list(Call& call) {
    log(call, "ReadManyJobs", "", Json(), registry::Document{});
    const auto type = call.request.parameter("jobType").value_or("");
    const auto status = call.request.parameter("jobStatus").value_or("");
    std::size_t page = 100;
    if (const auto header = call.request.header("x-ms-max-item-count"); !header.empty()) {
        std::from_chars(header.data(), header.data() + header.size(), page);
        page = std::clamp<std::size_t>(page, 1, 1'000);
    }
    Json out = Json::array();
    std::string last;
    bool more = false;
    const auto after = std::string(call.request.header("x-ms-continuation"));
    for (const auto& document : FIELDWATCH_TRY(
             shared_.parts.registry.documents(call.hub, "job", {.after = after, .count_max = 10'000}))) {
        const auto job = Json::parse(document.json, nullptr, false);
        if ((!type.empty() && job.value("type", "") != type) ||
            (!status.empty() && job.value("status", "") != status))
            continue;
        if (out.size() >= page) {
            more = true;
            break;
        }
        out.push_back(job);
        last = document.id;
    }
    auto response = json_response(200, out);
    response.headers.emplace_back("x-ms-item-type", "jobResponse");
    if (more) response.headers.emplace_back("x-ms-continuation", last);
    return response;
}

void JobRunner::loop() {
    for (int turn = 0; !stopping_; ++turn) {
        std::this_thread::sleep_for(kTurn);
        if (turn % kTurnsBetweenJobs != 0) continue;
        const auto hubs = shared_.parts.registry.hubs();
        if (!hubs) continue;
        for (const auto& hub : *hubs) {
            if (stopping_) return;
            try {
                if (turn == 0) fail_interrupted(hub.name);
                run_due(hub.name);
                if (turn % kTurnsBetweenConfigurations == 0) apply_configurations(hub.name);
            } catch (const std::exception& problem) {  // the JSON library's, of a stored document
                log::error("hub", "running jobs: " + std::string(problem.what()));
            }
        }
    }
}

/// Half-done methods must not be called twice, so nothing that a restart interrupted is taken up again.
void JobRunner::fail_interrupted(const model::HubName& hub) {
    const auto documents = shared_.parts.registry.documents(hub, "job", {.count_max = 10'000});
    if (!documents) return;
    for (const auto& document : *documents) {
        auto job = Json::parse(document.json, nullptr, false);
        if (job.value("status", "") != "running") continue;
        job["status"] = "failed";
        job["failureReason"] = "The hub was restarted while the job ran.";
        job["endTime"] = to_iso8601(now());
        keep(hub, job);
    }
}

void JobRunner::run_due(const model::HubName& hub) {
    const auto documents = shared_.parts.registry.documents(hub, "job", {.count_max = 10'000});
    if (!documents) return;
    for (const auto& document : *documents) {
        auto job = Json::parse(document.json, nullptr, false);
        const auto status = job.value("status", "");
        if (status != "queued" && status != "scheduled") continue;
        const auto start = parse_iso8601(job.value("startTime", ""));
        if (start && start->time > now()) continue;
        run(hub, std::move(job));
    }
}

void JobRunner::run(const model::HubName& hub, Json job) {
    job["status"] = "running";
    keep(hub, job);
    Json counts{{"deviceCount", 0},
                {"failedCount", 0},
                {"succeededCount", 0},
                {"runningCount", 0},
                {"pendingCount", 0}};
    const auto begun = shared_.parts.clock.monotonic();
    const auto devices = select_devices(shared_, hub, job.value("queryCondition", "*"), kJobDevicesMax);
    if (!devices) {
        job["status"] = "failed";
        job["failureReason"] = devices.error().message;
    } else {
        counts["deviceCount"] = devices->size();
        if (job["type"] == "scheduleDeviceMethod") {
            call_methods(*devices, job, counts);
        } else {
            for (const auto& device : *devices) {
                if (stopping_) return;  // told as interrupted at the next start
                const auto problem = update_twin(device, job);
                const char* const count = problem.empty() ? "succeededCount" : "failedCount";
                counts[count] = counts[count].get<int>() + 1;
                keep_device(device, job, problem, {});
            }
        }
        job["status"] = counts["failedCount"] == 0 ? "completed" : "failed";
    }
    job["deviceJobStatistics"] = counts;
    job["endTime"] = to_iso8601(now());
    // Cancelled meanwhile: what was done is done, the word stays.
    const auto stored = shared_.parts.registry.document(key_of(hub, job["jobId"]));
    if (stored && Json::parse(stored->json, nullptr, false).value("status", "") == "cancelled")
        job["status"] = "cancelled";
    keep(hub, job);
    Operation operation{.category = kJobs,
                        .name = "jobCompleted",
                        .result = job["status"] == "failed" ? 400003 : 0,
                        .duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                           shared_.parts.clock.monotonic() - begun)
                                           .count()};
    operation.properties.emplace_back("jobId", job.value("jobId", ""));
    operation.properties.emplace_back("filter", job.value("queryCondition", ""));
    operation.properties.emplace_back("startTimeUtc", job.value("startTime", ""));
    Speaker speaker;
    speaker.identity.hub = hub;
    speaker.protocol.clear();
    shared_.log.append(operation, speaker);
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

void JobRunner::log_twin(const model::Identity& device, std::string_view cause, std::string name) {
    Speaker speaker;
    speaker.identity = device;
    speaker.protocol.clear();
    Operation operation{.category = "C2DTwinOperations", .name = "update"};
    operation.properties.emplace_back(cause, std::move(name));
    shared_.log.append(operation, speaker);
}

void JobRunner::call_methods(const std::vector<model::Identity>& devices, const Json& job, Json& counts) {
    const auto& method = job["cloudToDeviceMethod"];
    const auto seconds = [&](const char* name, int otherwise) {
        const auto found = method.find(name);
        return std::chrono::seconds(found != method.end() && found->is_number() ? found->get<int>()
                                                                                : otherwise);
    };
    for (std::size_t first = 0; first < devices.size() && !stopping_; first += kMethodsAtOnce) {
        const auto end = std::min(first + kMethodsAtOnce, devices.size());
        std::vector<std::future<MethodResult>> answers;
        for (auto i = first; i < end; ++i) {
            auto promise = std::make_shared<std::promise<MethodResult>>();
            answers.push_back(promise->get_future());
            Speaker speaker;
            speaker.protocol.clear();
            shared_.methods.call(
                {.identity = devices[i],
                 .name = method.value("methodName", ""),
                 .payload_json = method.value("payload", Json()).dump(),
                 .response_timeout = std::clamp(seconds("responseTimeoutInSeconds", 30),
                                                std::chrono::seconds(1), std::chrono::seconds(300)),
                 .connect_timeout = std::clamp(seconds("connectTimeoutInSeconds", 0), std::chrono::seconds(0),
                                               std::chrono::seconds(300))},
                speaker, [promise](MethodResult result) { promise->set_value(std::move(result)); });
        }
        for (auto i = first; i < end; ++i) {
            const auto result = answers[i - first].get();
            const char* const count = result.error == 0 ? "succeededCount" : "failedCount";
            counts[count] = counts[count].get<int>() + 1;
            Json outcome;
            if (result.error == 0) {
                outcome = {{"deviceMethodResponse",
                            {{"status", result.status},
                             {"payload", Json::parse(result.payload_json, nullptr, false)}}}};
            }
            keep_device(devices[i], job, result.description, outcome);
        }
    }
}

void JobRunner::keep(const model::HubName& hub, const Json& job) {
    const auto done = shared_.parts.registry.put_document(
        key_of(hub, job.value("jobId", "")), job.dump(-1, ' ', false, Json::error_handler_t::replace), {});
    if (!done) log::error("hub", "keeping a job: " + done.error().message);
}

/// A row of `FROM devices.jobs`. Of the first ten thousand: the bound of documents.
void JobRunner::keep_device(const model::Identity& device, const Json& job, const std::string& problem,
                            const Json& outcome) {
    const auto id = job.value("jobId", "");
    Json row{{"deviceId", device.device.value},
             {"jobId", id},
             {"jobType", job.value("type", "")},
             {"status", problem.empty() ? "completed" : "failed"},
             {"startTimeUtc", job.value("startTime", "")},
             {"endTimeUtc", to_iso8601(now())},
             {"createdDateTimeUtc", job.value("createdTime", "")},
             {"lastUpdatedDateTimeUtc", to_iso8601(now())}};
    if (!problem.empty()) row["error"] = {{"code", "JobRunPreconditionFailed"}, {"description", problem}};
    if (outcome.is_object()) row["outcome"] = outcome;
    const auto done =
        shared_.parts.registry.put_document({device.hub, "devicejob", id + "|" + device.device.value},
                                            row.dump(-1, ' ', false, Json::error_handler_t::replace), {});
    if (!done && done.error().code != Errc::Exhausted && done.error().code != Errc::TooLarge)
        log::error("hub", "keeping a job's row: " + done.error().message);
}

void JobRunner::apply_configurations(const model::HubName& hub) {
    std::size_t failed = 0;
    std::string problem;
    for (const auto& change : pending_configuration(shared_, hub)) {
        const auto done =
            shared_.parts.registry.update_twin(change.identity, {.desired_json = change.patch_json});
        if (!done) {
            if (failed++ == 0) problem = change.identity.device.value + ": " + done.error().message;
            continue;
        }
        if (done->desired) devices_.desired_changed(change.identity, *done->desired);
        log_twin(change.identity, "cause", "configuration");
    }
    if (failed > 0)
        log::warning("hub", "the configurations of " + hub.value + " could not be written to " +
                                std::to_string(failed) + " twins; the first: " + problem);
}

}  // namespace fieldwatch::hub
