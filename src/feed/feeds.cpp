#include "feed/feeds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "feed/pull.hpp"

namespace fieldwatch::feed {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kFeedDocument = "intel-feed";
constexpr std::chrono::milliseconds kFeedLook{1'000};
constexpr Ticks kRetryMax =
    std::chrono::minutes(10);  ///< after a failure, or the feed's own period if shorter
constexpr std::uint64_t kFeedStateBytesMax = 16u << 20, kFeedFileBytesMax = 256u << 20;
constexpr std::size_t kBadShown = 20;

registry::DocumentKey feed_key(std::string_view name) {
    return {.hub = {}, .kind = std::string(kFeedDocument), .id = std::string(name)};
}

std::unexpected<Error> no_feed(const std::string& name) {
    return fail(Errc::NotFound, fmt::format("there is no feed \"{}\"", name));
}

Json time_json(const std::optional<Timestamp>& time) {
    return time ? Json(time->ticks) : Json(nullptr);
}
std::optional<Timestamp> time_in(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer()
               ? std::optional(Timestamp{found->get<std::int64_t>()})
               : std::nullopt;
}

}  // namespace

Feeds::Feeds(Parts parts)
    : parts_(std::move(parts)),
      runs_(parts_.metrics.counter("fieldwatch_intel_feed_pulls_total", "Pulls of indicator feeds")),
      failures_(parts_.metrics.counter("fieldwatch_intel_feed_failures_total", "Of them, those that failed")),
      failing_(parts_.metrics.gauge("fieldwatch_intel_feeds_failing",
                                    "Feeds whose last pull failed or left something out")) {}

Result<std::unique_ptr<Feeds>> Feeds::open(Parts parts) {
    std::unique_ptr<Feeds> out(new Feeds(std::move(parts)));
    out->interrupt_ = FIELDWATCH_TRY(net::Interrupt::create());
    FIELDWATCH_TRY(out->load());
    return out;
}

Feeds::~Feeds() {
    stop();
}

void Feeds::start() {
    thread_ = std::thread([this] { loop(); });
}

void Feeds::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    interrupt_->raise();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Feeds::loop() {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, kFeedLook, [this] { return stopping_; });
            if (stopping_) return;
        }
        const auto all = feeds();
        if (!all) continue;  // the registry says why in its own log
        for (const auto& feed : *all) {
            if (!feed.enabled || state_of(feed.name).next > parts_.clock.now()) continue;
            const std::lock_guard pulling(pulling_);
            pull(feed, false);
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
        }
    }
}

Result<std::vector<Feed>> Feeds::feeds() {
    std::vector<Feed> out;
    const auto documents =
        FIELDWATCH_TRY(parts_.registry.documents({}, kFeedDocument, {.after = {}, .count_max = kFeedsMax}));
    for (const auto& document : documents) {
        auto feed = read_feed(document.id, document.json);
        if (feed) {
            out.push_back(std::move(*feed));
            continue;
        }
        auto state = state_of(document.id);
        if (state.status.problem == feed.error().message) continue;
        state.status.problem = feed.error().message;
        keep(document.id, std::move(state));
        log::error("intel", fmt::format("the feed {} is left out: {}", document.id, feed.error().message));
    }
    return out;
}

/// Under pulling_. What came of it is in the state.
void Feeds::pull(const Feed& feed, bool may_shrink) {
    auto state = state_of(feed.name);
    const auto of = fmt::format("{} {}", to_string(feed.format), feed.url);
    if (state.of != of) {
        state.cursor = {};
        state.of = of;
    }
    auto& status = state.status;
    status.last_run = parts_.clock.now();
    ++status.runs;
    runs_.add();
    const auto path = parts_.directory + "/" + file_name(feed.name);
    std::optional<std::string> kept;
    if (feed.format == Format::Bundle) {
        if (status.last_change) kept.emplace();
    } else if (const auto bytes = read_file(parts_.files, path, kFeedFileBytesMax)) {
        kept = std::string(as_text(*bytes));
    }
    const auto done = [&]() -> Result<void> {
        auto pulled = FIELDWATCH_TRY((Pull{.feed = feed,
                                           .cursor = state.cursor,
                                           .kept = kept,
                                           .clock = parts_.clock,
                                           .interrupt = interrupt_.get()}
                                          .run()));
        if (pulled.text && pulled.text != kept) {
            const auto file = FIELDWATCH_TRY(parts_.import({.name = file_name(feed.name),
                                                            .text = std::move(*pulled.text),
                                                            .may_shrink = may_shrink || pulled.is_addition,
                                                            .is_bundle = feed.format == Format::Bundle}));
            const auto& warned = file.warnings;
            status.indicators = file.indicators.size();
            status.warnings =
                warned.prefixes.size() + warned.exact.size() + warned.names.size() + warned.substrings.size();
            status.skipped = file.skipped;
            status.bad.assign(file.bad.begin(), file.bad.begin() + static_cast<std::ptrdiff_t>(
                                                                       std::min(file.bad.size(), kBadShown)));
            status.last_change = parts_.clock.now();
        }
        state.cursor = std::move(pulled.cursor);
        status.problem = std::move(pulled.problem);
        return {};
    }();
    if (!done && done.error().code == Errc::Cancelled) return;
    state.next = parts_.clock.now() + (done ? feed.every : std::min(feed.every, kRetryMax));
    if (done) {
        status.last_success = parts_.clock.now();
    } else {
        ++status.failures;
        failures_.add();
        if (status.problem != done.error().message)
            log::warning("intel", fmt::format("the feed {} failed: {}", feed.name, done.error().message));
        status.problem = done.error().message;
    }
    keep(feed.name, std::move(state));
    save();
}

Result<std::vector<Feeds::Shown>> Feeds::list() {
    std::vector<Shown> out;
    for (auto& feed : FIELDWATCH_TRY(feeds())) {
        auto status = state_of(feed.name).status;
        out.push_back({std::move(feed), std::move(status)});
    }
    return out;
}

Result<Feeds::Shown> Feeds::get(const std::string& name) {
    for (auto& shown : FIELDWATCH_TRY(list())) {
        if (shown.feed.name == name) return std::move(shown);
    }
    return no_feed(name);
}

Result<Feeds::Shown> Feeds::put(const std::string& name, std::string_view json) {
    auto feed = FIELDWATCH_TRY(read_feed(name, json));
    const auto before = get(name);
    if (!before && before.error().code != Errc::NotFound) return std::unexpected(before.error());
    if (before && feed.authorization.empty() && is_same_server(before->feed, feed))
        feed.authorization = before->feed.authorization;
    if (!before && FIELDWATCH_TRY(feeds()).size() >= kFeedsMax)
        return fail(Errc::Exhausted, fmt::format("there are {} feeds already, which is the most", kFeedsMax));
    FIELDWATCH_TRY(parts_.registry.put_document(feed_key(name), to_json(feed, Secrets::Shown), {}));
    auto state = state_of(name);
    state.next = {0};
    keep(name, std::move(state));
    return get(name);
}

Result<void> Feeds::remove(const std::string& name) {
    static_cast<void>(FIELDWATCH_TRY(get(name)));
    const std::lock_guard pulling(pulling_);
    FIELDWATCH_TRY(parts_.registry.remove_document(feed_key(name), std::nullopt));
    {
        const std::lock_guard lock(mutex_);
        states_.erase(name);
    }
    save();
    const auto removed = parts_.remove(file_name(name));
    if (!removed && removed.error().code != Errc::NotFound) return removed;
    return {};
}

Result<Feeds::Shown> Feeds::run(const std::string& name, bool may_shrink) {
    const auto shown = FIELDWATCH_TRY(get(name));
    const std::unique_lock pulling(pulling_, std::try_to_lock);
    if (!pulling.owns_lock())
        return fail(Errc::Conflict, "a feed is being pulled just now; try again when it is done");
    pull(shown.feed, may_shrink);
    return get(name);
}

Feeds::State Feeds::state_of(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(name);
    return found == states_.end() ? State{} : found->second;
}

void Feeds::keep(const std::string& name, State state) {
    const std::lock_guard lock(mutex_);
    states_[name] = std::move(state);
    failing_.set(static_cast<double>(std::ranges::count_if(
        states_, [](const auto& entry) { return !entry.second.status.problem.empty(); })));
}

/// A file that is damaged costs what the feeds' servers need not say again.
Result<void> Feeds::load() {
    const auto read = [&](std::string_view text) -> Result<void> {
        try {
            return read_states(text);
        } catch (const Json::exception& error) {
            return fail(Errc::Corrupt, error.what());
        }
    };
    const auto problem =
        FIELDWATCH_TRY(read_expendable(parts_.files, parts_.state_file, kFeedStateBytesMax, read));
    if (problem.empty()) return {};
    const std::lock_guard lock(mutex_);
    states_.clear();
    log::warning("intel", problem + "; every feed is asked for all of it");
    return {};
}

/// {"version":1,"feeds":[{"name","of","next","etag","lastModified","addedAfter","lastRun",…}]}
Result<void> Feeds::read_states(std::string_view text) {
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object() || document.value("version", 0) != 1)
        return fail(Errc::Corrupt, "not the state of feeds, version 1");
    for (const auto& entry : document.value("feeds", Json::array())) {
        State state;
        state.of = entry.value("of", std::string());
        state.next = time_in(entry, "next").value_or(Timestamp{0});
        state.cursor = {.etag = entry.value("etag", std::string()),
                        .last_modified = entry.value("lastModified", std::string()),
                        .added_after = entry.value("addedAfter", std::string())};
        auto& status = state.status;
        status.last_run = time_in(entry, "lastRun");
        status.last_success = time_in(entry, "lastSuccess");
        status.last_change = time_in(entry, "lastChange");
        status.runs = entry.value("runs", std::uint64_t{0});
        status.failures = entry.value("failures", std::uint64_t{0});
        status.indicators = entry.value("indicators", std::size_t{0});
        status.warnings = entry.value("warnings", std::size_t{0});
        status.skipped = entry.value("skipped", std::uint64_t{0});
        status.problem = entry.value("problem", std::string());
        for (const auto& bad : entry.value("bad", Json::array()))
            status.bad.push_back({bad.value("line", std::size_t{0}), bad.value("why", std::string())});
        keep(entry.value("name", std::string()), std::move(state));
    }
    return {};
}

void Feeds::save() {
    Json all = Json::array();
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, state] : states_) {
            const auto& status = state.status;
            Json bad = Json::array();
            for (const auto& line : status.bad)
                bad.push_back({{"line", line.line}, {"why", line.why}});
            all.push_back({{"name", name},
                           {"of", state.of},
                           {"next", state.next.ticks},
                           {"etag", state.cursor.etag},
                           {"lastModified", state.cursor.last_modified},
                           {"addedAfter", state.cursor.added_after},
                           {"lastRun", time_json(status.last_run)},
                           {"lastSuccess", time_json(status.last_success)},
                           {"lastChange", time_json(status.last_change)},
                           {"runs", status.runs},
                           {"failures", status.failures},
                           {"indicators", status.indicators},
                           {"warnings", status.warnings},
                           {"skipped", status.skipped},
                           {"bad", std::move(bad)},
                           {"problem", status.problem}});
        }
    }
    const Json document{{"version", 1}, {"feeds", std::move(all)}};
    const auto text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (const auto done = replace_file(parts_.files, parts_.state_file, as_bytes(text)); !done)
        log::error("intel", done.error().message);
}

}  // namespace fieldwatch::feed
