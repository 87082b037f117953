#include "app/scheduled_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "portal/result_json.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kLook{1'000};
constexpr Ticks kRowsSettle =
    std::chrono::seconds(2);  ///< a window is asked when its rows had time to be committed
constexpr Ticks kRetry = std::chrono::seconds(30);  ///< after a query that failed
constexpr std::int64_t kCatchUpMax = 48;            ///< windows that passed while nobody asked
constexpr std::int64_t kAgainMax = 24;              ///< windows that are asked again for what came late
constexpr std::size_t kRulesMax = 1'000;            ///< of one hub
constexpr std::size_t kRowsMax = 10'000;            ///< of one window
constexpr std::size_t kFindingsMax = 100;           ///< of one window
constexpr std::size_t kRaisedMax = 4'096;           ///< entities remembered of one rule
constexpr std::size_t kRunsKept = 100;              ///< of one rule: some hours at a period of minutes
constexpr std::size_t kSampleRows = 3, kSampleBytes = 4'000, kValueBytes = 256;
constexpr milliseconds kQueryTime{30'000};
constexpr std::uint64_t kStateBytesMax = 64u << 20;

Timestamp whole_period(Timestamp time, Ticks period) {
    return {time.ticks - time.ticks % period.count()};
}

std::string sentence_of(const workspace::QueryError& error) {
    return error.line == 0 ? error.message
                           : fmt::format("line {}, column {}: {}", error.line, error.column, error.message);
}

/// The places of the columns that name entities. Errors: InvalidArgument for one that the result lacks.
Result<std::vector<std::size_t>> entity_columns(const detect::ScheduledRule& rule,
                                                const workspace::ResultTable& table) {
    std::vector<std::size_t> out;
    for (const auto& [kind, column] : rule.entities) {
        const auto found = std::ranges::find(table.columns, column, &workspace::Column::name);
        if (found == table.columns.end())
            return fail(
                Errc::InvalidArgument,
                fmt::format("\"entities\": the query's result has no column \"{}\" for {}", column, kind));
        out.push_back(static_cast<std::size_t>(found - table.columns.begin()));
    }
    return out;
}

std::string row_json(const workspace::ResultTable& table, const std::vector<workspace::Value>& row) {
    std::string out = "{";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (i > 0) out += ',';
        out += Json(table.columns[i].name).dump() + ':' + portal::cell_json(row[i], table.columns[i].type);
    }
    return out + '}';
}

/// A cell as the name of an entity: its text, without what is behind the bound.
std::string entity_value(const workspace::Value& cell, workspace::ColumnType type) {
    const auto json = Json::parse(portal::cell_json(cell, type), nullptr, /*allow_exceptions=*/false);
    auto text = json.is_string() ? json.get<std::string>() : json.is_null() ? std::string() : json.dump();
    auto bytes = std::min(text.size(), kValueBytes);
    while (bytes < text.size() && bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80)
        --bytes;  // not within a character
    text.resize(bytes);
    return text;
}

/// Rows that name the same entities, by these, in the order of their names: the same rows, the same findings.
std::vector<detect::QueryFinding> grouped(const detect::ScheduledRule& rule,
                                          const workspace::ResultTable& table,
                                          const std::vector<std::size_t>& columns) {
    std::map<std::string, detect::QueryFinding> groups;
    std::map<std::string, std::vector<std::string>> samples;
    for (const auto& row : table.rows) {
        detect::QueryFinding finding;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            auto value = entity_value(row[columns[i]], table.columns[columns[i]].type);
            if (!value.empty()) finding.entities.emplace_back(rule.entities[i].first, std::move(value));
        }
        const auto key = finding.key();
        auto& group = groups.try_emplace(key, std::move(finding)).first->second;
        ++group.rows;
        if (auto& sample = samples[key]; sample.size() < kSampleRows) sample.push_back(row_json(table, row));
    }
    std::vector<detect::QueryFinding> out;
    for (auto& [key, group] : groups) {
        if (group.rows <= rule.threshold) continue;
        std::string sample = "[";
        for (const auto& row : samples[key]) {
            if (sample.size() + row.size() > kSampleBytes) break;
            sample += (sample.size() > 1 ? "," : "") + row;
        }
        group.sample_json = sample + "]";
        out.push_back(std::move(group));
    }
    return out;
}

}  // namespace

ScheduledQueries::ScheduledQueries(Parts parts)
    : parts_(std::move(parts)),
      runs_(parts_.metrics.counter("fieldwatch_scheduled_queries_total",
                                   "Windows that scheduled queries asked")),
      failures_(
          parts_.metrics.counter("fieldwatch_scheduled_query_failures_total", "Of them, those that failed")),
      unhealthy_(parts_.metrics.gauge("fieldwatch_scheduled_rules_unhealthy",
                                      "Scheduled rules whose last attempt failed")) {}

Result<std::unique_ptr<ScheduledQueries>> ScheduledQueries::open(Parts parts) {
    std::unique_ptr<ScheduledQueries> out(new ScheduledQueries(std::move(parts)));
    FIELDWATCH_TRY(out->load());
    return out;
}

ScheduledQueries::~ScheduledQueries() {
    stop();
}

void ScheduledQueries::start() {
    thread_ = std::thread([this] { run(); });
}

void ScheduledQueries::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void ScheduledQueries::changed() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_all();
}

void ScheduledQueries::run() {
    std::uint64_t seen = 0;
    std::vector<Due> known;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, kLook, [this] { return stopping_ || woken_; });
            woken_ = false;
            if (stopping_) break;
        }
        if (const auto changes = parts_.registry.change_count(); changes != seen || known.empty()) {
            seen = changes;
            known = rules();
        }
        bool ran = false;
        for (const auto& due : known) {
            ran |= turn(due);
            const std::lock_guard lock(mutex_);
            if (stopping_) break;
        }
        if (ran) {
            count_unhealthy();
            save();
        }
    }
}

/// All rules of all hubs whose Security is on. One that can no longer be read shows as unhealthy.
std::vector<ScheduledQueries::Due> ScheduledQueries::rules() {
    std::vector<Due> out;
    std::set<Key> there;
    for (const auto& hub : parts_.registry.hubs().value_or(std::vector<registry::Hub>{})) {
        const auto documents =
            parts_.registry.documents(hub.name, portal::kScheduledRuleKind, {.count_max = kRulesMax});
        if (!documents) continue;
        for (const auto& document : *documents) {
            there.insert({hub.name.value, document.id});
            auto rule = detect::parse_scheduled_rule(document.id, document.json);
            if (!rule) {
                auto state = state_of({hub.name.value, document.id});
                state.health.problem = rule.error().message;
                keep({hub.name.value, document.id}, std::move(state));
            } else if (rule->enabled && hub.security_enabled) {
                out.push_back({hub, std::move(*rule), document.etag});
            }
        }
    }
    const std::lock_guard lock(mutex_);
    std::erase_if(states_, [&](const auto& entry) { return !there.contains(entry.first); });
    return out;
}

/// Asks what is due of one rule; whether anything was.
bool ScheduledQueries::turn(const Due& due) {
    const Key key{due.hub.name.value, due.rule.id};
    auto state = state_of(key);
    const auto now = parts_.clock.now();
    const auto newest = whole_period(now - kRowsSettle, due.rule.period);
    // Another rule than before: what it would have said is not asked for. Or the clock was ahead for a while,
    // and there is nothing to wait for until then.
    const bool ahead = state.cursor > now + due.rule.period || state.retry > now + kRetry;
    if (ahead && state.version == due.version)
        log::warning("scheduled",
                     fmt::format("the rule {} of hub {} had asked for {}, which is yet to come: it begins "
                                 "anew",
                                 due.rule.id, due.hub.name.value, to_iso8601(state.cursor, 0)));
    if (state.version != due.version || ahead) {
        state.version = due.version;
        state.begin = newest;
        state.cursor = newest - due.rule.period;
        state.retry = {0};
    }
    if (newest <= state.cursor || now < state.retry) return false;
    const auto period = due.rule.period;
    const auto again = std::min(due.rule.lateness.count() / period.count(), kAgainMax);
    // Windows that ended a little before, for what came late; then those that nobody asked for yet.
    auto end = std::min(state.cursor + period, newest - again * period);
    end = std::max({end, state.begin, newest - kCatchUpMax * period});
    for (; end <= newest; end = end + period) {
        if (!ask(due, end, state)) break;
    }
    keep(key, std::move(state));
    return true;
}

bool ScheduledQueries::ask(const Due& due, Timestamp end, State& state) {
    const auto started = parts_.clock.monotonic();
    auto& health = state.health;
    health.last_run = parts_.clock.now();
    ++health.runs;
    runs_.add();
    const auto found = window(due.hub, due.rule, end);
    const auto written =
        found ? write(due, *found, state) : Result<std::uint64_t>(std::unexpected(found.error()));
    health.last_ms = std::chrono::duration_cast<milliseconds>(parts_.clock.monotonic() - started).count();
    if (state.runs.size() == kRunsKept) state.runs.pop_front();
    auto& run = state.runs.emplace_back(portal::ScheduledRun{
        .ran = *health.last_run, .window_end = end, .ms = health.last_ms, .problem = {}});
    if (!written) {
        run.problem = written.error().message;
        ++health.failures;
        failures_.add();
        if (health.problem != written.error().message)
            log::warning("scheduled", fmt::format("the rule {} of hub {} failed: {}", due.rule.id,
                                                  due.hub.name.value, written.error().message));
        health.problem = written.error().message;
        state.retry = parts_.clock.now() + kRetry;
        return false;
    }
    health.findings += *written;
    health.last_rows = found->rows;
    health.problem.clear();
    if (found->truncated)
        health.problem = fmt::format("only the first {} rows of the window were looked at", kRowsMax);
    if (found->left_out > 0)
        health.problem = fmt::format("{} findings beyond the {} of one window were left out", found->left_out,
                                     kFindingsMax);
    run.rows = found->rows;
    run.findings = *written;
    run.problem = health.problem;
    state.cursor = std::max(state.cursor, end);
    health.last_window = state.cursor;
    return true;
}

/// Into the outbox: what was not written yet and is not suppressed. How many.
Result<std::uint64_t> ScheduledQueries::write(const Due& due, const portal::ScheduledTrial& found,
                                              State& state) {
    const auto kept = std::max({due.rule.suppression, due.rule.lateness, due.rule.period}) + due.rule.period;
    for (auto& [key, ends] : state.raised)
        std::erase_if(ends, [&](Timestamp end) { return end + kept < found.to; });
    std::erase_if(state.raised, [](const auto& entry) { return entry.second.empty(); });
    std::uint64_t count = 0;
    for (const auto& finding : found.findings) {
        auto& ends = state.raised[hash128(as_bytes(finding.key())).text()];
        const bool silent = std::ranges::any_of(ends, [&](Timestamp end) {
            const auto apart = end > found.to ? end - found.to : found.to - end;
            return apart.count() == 0 || apart < due.rule.suppression;
        });
        if (silent) continue;
        FIELDWATCH_TRY(parts_.registry.publish(
            detect::query_finding_record(due.hub.name, due.rule, due.version, finding, parts_.clock.now())));
        ends.push_back(found.to);
        ++count;
    }
    while (state.raised.size() > kRaisedMax)  // the log's own reader knows what it was told before
        state.raised.erase(state.raised.begin());
    return count;
}

Result<portal::ScheduledTrial> ScheduledQueries::window(const registry::Hub& hub,
                                                        const detect::ScheduledRule& rule, Timestamp end) {
    auto* const workspace = parts_.workspace(hub.workspace);
    if (workspace == nullptr)
        return fail(Errc::Unavailable, fmt::format("the workspace of hub {} is not open", hub.name.value));
    portal::ScheduledTrial out{.from = end - rule.window, .to = end, .findings = {}};
    const auto answer = workspace->query({.text = rule.query,
                                          .from = out.from,
                                          .to = out.to,
                                          .now = out.to,
                                          .timeout = kQueryTime,
                                          .rows_max = kRowsMax});
    if (!answer) return fail(Errc::InvalidArgument, "the query: " + sentence_of(answer.error()));
    if (answer->tables.empty()) return out;
    if (answer->tables.size() > 1)
        return fail(Errc::InvalidArgument,
                    "the query: a rule looks at one table, not at several (fork, facet)");
    const auto& table = answer->tables.front();
    const auto columns = FIELDWATCH_TRY(entity_columns(rule, table));
    out.rows = static_cast<std::int64_t>(table.rows.size());
    out.truncated = answer->truncated;
    out.findings = grouped(rule, table, columns);
    if (out.findings.size() > kFindingsMax) {
        out.left_out = out.findings.size() - kFindingsMax;
        out.findings.resize(kFindingsMax);
    }
    for (auto& finding : out.findings) {
        finding.from = out.from;
        finding.to = out.to;
        // A name that no device can have is not one: the finding is the hub's then.
        std::erase_if(finding.entities, [](const auto& entity) {
            return entity.first == "device" && !model::parse_device_id(entity.second);
        });
    }
    return out;
}

Result<portal::ScheduledTrial> ScheduledQueries::trial(const registry::Hub& hub,
                                                       const detect::ScheduledRule& rule) {
    return window(hub, rule, whole_period(parts_.clock.now(), rule.period));
}

portal::ScheduledHealth ScheduledQueries::health(std::string_view hub, std::string_view rule) {
    return state_of({std::string(hub), std::string(rule)}).health;
}

std::vector<portal::ScheduledRun> ScheduledQueries::runs(std::string_view hub, std::string_view rule) {
    const auto kept = state_of({std::string(hub), std::string(rule)}).runs;
    return {kept.rbegin(), kept.rend()};
}

ScheduledQueries::State ScheduledQueries::state_of(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(key);
    return found == states_.end() ? State{} : found->second;
}

void ScheduledQueries::keep(const Key& key, State state) {
    const std::lock_guard lock(mutex_);
    states_[key] = std::move(state);
}

void ScheduledQueries::count_unhealthy() {
    const std::lock_guard lock(mutex_);
    unhealthy_.set(static_cast<double>(std::ranges::count_if(
        states_, [](const auto& entry) { return !entry.second.health.problem.empty(); })));
}

/// A file that is damaged costs what the rules had still to catch up with, not the server.
Result<void> ScheduledQueries::load() {
    const auto read = [&](std::string_view text) -> Result<void> {
        try {
            return read_states(text);
        } catch (const Json::exception& error) {
            return fail(Errc::Corrupt, error.what());
        }
    };
    const auto problem =
        FIELDWATCH_TRY(read_expendable(parts_.files, parts_.state_file, kStateBytesMax, read));
    if (problem.empty()) return {};
    states_.clear();
    log::warning("scheduled", problem + "; every rule begins anew with its next window");
    return {};
}

/// {"version":1,"rules":[{"hub","rule","version","cursor","raised":{entities: [ends]},…}]}
Result<void> ScheduledQueries::read_states(std::string_view text) {
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object() || document.value("version", 0) != 1)
        return fail(Errc::Corrupt, "not the state of scheduled queries, version 1");
    for (const auto& rule : document.value("rules", Json::array())) {
        State state{.begin = {rule.value("begin", std::int64_t{0})},
                    .cursor = {rule.value("cursor", std::int64_t{0})},
                    .retry = {0},
                    .version = rule.value("version", std::uint64_t{0}),
                    .raised = {},
                    .health = {}};
        state.health.findings = rule.value("findings", std::uint64_t{0});
        state.health.runs = rule.value("runs", std::uint64_t{0});
        state.health.failures = rule.value("failures", std::uint64_t{0});
        state.health.problem = rule.value("problem", std::string());
        if (state.cursor.ticks != 0) state.health.last_window = state.cursor;
        for (const auto& entry : rule.value("raised", Json::array())) {
            auto& ends = state.raised[entry.value("entities", std::string())];
            for (const auto& end : entry.value("ends", Json::array()))
                ends.push_back({end.get<std::int64_t>()});
        }
        states_[{rule.value("hub", std::string()), rule.value("rule", std::string())}] = std::move(state);
    }
    return {};
}

void ScheduledQueries::save() {
    Json rules = Json::array();
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, state] : states_) {
            Json raised = Json::array();
            for (const auto& [entities, ends] : state.raised) {
                Json times = Json::array();
                for (const auto end : ends)
                    times.push_back(end.ticks);
                raised.push_back({{"entities", entities}, {"ends", std::move(times)}});
            }
            rules.push_back({{"hub", key.first},
                             {"rule", key.second},
                             {"version", state.version},
                             {"begin", state.begin.ticks},
                             {"cursor", state.cursor.ticks},
                             {"runs", state.health.runs},
                             {"findings", state.health.findings},
                             {"failures", state.health.failures},
                             {"problem", state.health.problem},
                             {"raised", std::move(raised)}});
        }
    }
    const Json document{{"version", 1}, {"rules", std::move(rules)}};
    const auto text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (const auto done = replace_file(parts_.files, parts_.state_file, as_bytes(text)); !done)
        log::error("scheduled", done.error().message);
}

}  // namespace fieldwatch::app
