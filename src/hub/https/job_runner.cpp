#include "hub/https/job_runner.hpp"

#include <algorithm>
#include <charconv>

#include "base/log.hpp"
#include "hub/https/configuration_content.hpp"
#include "hub/query/query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kJobs = "JobsOperations";
constexpr std::chrono::hours kJobKept{24 * 30};  // finished, as the public service keeps them
constexpr std::size_t kRowsRemovedMax = 500;     // of finished jobs, in one turn of a hub
constexpr int kCancelAttempts = 3;
constexpr std::int64_t kExecutionDefault = 3'600, kExecutionMax = 30 * 86'400;
constexpr std::chrono::milliseconds kTurn{100};
constexpr int kTurnsBetweenJobs = 10, kTurnsBetweenConfigurations = 50, kTurnsBetweenRemovals = 100;

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
    const auto limit = body.value("maxExecutionTimeInSeconds", Json());
    const bool is_time = limit.is_number_integer() && limit.get<std::int64_t>() >= 1 &&
                         limit.get<std::int64_t>() <= kExecutionMax;
    if (!limit.is_null() && !is_time)
        return fail(Errc::InvalidArgument, "maxExecutionTimeInSeconds is a whole number from 1 to 2592000");
    Json job{{"jobId", id},
             {"type", type},
             {"status", start > now ? "scheduled" : "queued"},
             {"queryCondition", text},
             {"createdTime", to_iso8601(now)},
             {"startTime", to_iso8601(start)},
             {"maxExecutionTimeInSeconds", is_time ? limit : Json(kExecutionDefault)},
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
    auto& registry = shared_.parts.registry;
    // The job may start, or end, between the look and the word: then it is looked at again.
    for (int attempt = 0; attempt < kCancelAttempts; ++attempt) {
        const auto document = registry.document(key_of(call.hub, id));
        if (!document) {
            log(call, "CancelJob", id, Json(), document);
            return api_error(404305, "there is no job " + id);
        }
        auto job = Json::parse(document->json, nullptr, false);
        if (is_over(job)) return json_response(200, job);
        job["status"] = "cancelled";
        job["endTime"] = to_iso8601(now());
        const auto kept =
            registry.put_document(key_of(call.hub, id), job.dump(), {.if_match = document->etag});
        if (!kept && kept.error().code == Errc::Conflict) continue;
        log(call, "CancelJob", id, job, kept);
        if (!kept) return std::unexpected(kept.error());
        return json_response(200, job);
    }
    return fail(Errc::Conflict, "the job changes; try again");
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
                if (turn % kTurnsBetweenRemovals == 0) remove_old(hub.name);
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
        run(hub, std::move(job), document.etag);
    }
}

/// Its devices' rows go first, so that a job that is there says which rows are still to go.
void JobRunner::remove_old(const model::HubName& hub) {
    auto& registry = shared_.parts.registry;
    std::size_t removed = 0;
    for (const auto& document :
         registry.documents(hub, "job", {.count_max = 10'000}).value_or(std::vector<registry::Document>{})) {
        const auto job = Json::parse(document.json, nullptr, false);
        const auto ended = parse_iso8601(job.value("endTime", ""));
        if (!is_over(job) || !ended || ended->time + Ticks(kJobKept) > now()) continue;
        const auto prefix = document.id + "|";
        const auto rows =
            registry.documents(hub, "devicejob", {.after = prefix, .count_max = kRowsRemovedMax});
        if (!rows) return;
        bool has_more = rows->size() == kRowsRemovedMax;
        for (const auto& row : *rows) {
            if (!row.id.starts_with(prefix)) {
                has_more = false;
                break;
            }
            if (stopping_ || removed >= kRowsRemovedMax) return;
            // A job whose own id holds the bar begins alike.
            if (Json::parse(row.json, nullptr, false).value("jobId", "") != document.id) continue;
            if (registry.remove_document({hub, "devicejob", row.id}, {})) ++removed;
        }
        if (has_more) continue;
        if (registry.remove_document(key_of(hub, document.id), document.etag)) ++removed;
    }
}

void JobRunner::log_twin(const model::Identity& device, std::string_view cause, std::string name) {
    Speaker speaker;
    speaker.identity = device;
    speaker.protocol.clear();
    Operation operation{.category = "C2DTwinOperations", .name = "update"};
    operation.properties.emplace_back(cause, std::move(name));
    shared_.log.append(operation, speaker);
}

void JobRunner::keep(const model::HubName& hub, const Json& job) {
    const auto done = shared_.parts.registry.put_document(
        key_of(hub, job.value("jobId", "")), job.dump(-1, ' ', false, Json::error_handler_t::replace), {});
    if (!done) log::error("hub", "keeping a job: " + done.error().message);
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
