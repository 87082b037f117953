#include "pipeline/why.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "detect/content.hpp"
#include "detect/detector_alerts.hpp"
#include "detect/rules/correlation.hpp"
#include "pipeline/history.hpp"
#include "pipeline/shard_core.hpp"
#include "pipeline/why_detector.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr Ticks kWithinMax = std::chrono::hours(1);
constexpr std::size_t kSeenMax = 4'096;  ///< events around the time asked for; further ones are not looked at

/// The rule that is meant: by id, name, title, or as the only one of its alert type. Null for none.
Result<const detect::RuleMeta*> find_rule(const detect::Content& content, std::string_view wanted) {
    const detect::RuleMeta* found = nullptr;
    std::string others;
    for (const auto& rule : content.rules->rules()) {
        if (rule.origin.id == wanted || rule.name == wanted || rule.origin.title == wanted) return &rule;
        if (rule.alert_type != wanted) continue;
        others += (others.empty() ? "" : ", ") + rule.origin.id;
        if (found != nullptr) continue;
        found = &rule;
    }
    if (found != nullptr && others.size() > found->origin.id.size())
        return fail(Errc::InvalidArgument,
                    "several rules raise " + std::string(wanted) + ": ask for one of " + others);
    return found;
}

bool has_rule(const detect::Content& content, std::string_view id) {
    return std::ranges::any_of(content.rules->rules(),
                               [&](const auto& rule) { return rule.origin.id == id; });
}

/// What a rule is asked with, of one content version.
class Asked {
  public:
    /// Whether the version has the rule.
    static Result<Asked> create(ContentStore& contents, const std::string& hash, const std::string& id) {
        Asked out;
        const auto content = FIELDWATCH_TRY(contents.get(hash));
        const auto rules = content->rules->rules();
        const auto meta = std::ranges::find(rules, id, [](const auto& rule) { return rule.origin.id; });
        if (meta == rules.end()) return out;
        out.has_rule = true;
        out.meta = *meta;
        const auto place = static_cast<std::uint32_t>(meta - rules.begin());
        const auto correlations = content->rules->correlations();
        const auto correlation = std::ranges::find(correlations, place, &detect::Correlation::rule);
        if (correlation != correlations.end()) {
            out.timespan = correlation->timespan;
            for (const auto read : correlation->reads)
                out.reads.emplace(rules[read].origin.id, 0);
            return out;
        }
        const auto sources = FIELDWATCH_TRY(contents.sources(hash));
        std::vector<detect::RuleError> errors;
        const auto documents = detect::parse_sigma_files(detect::source_files(sources.rule_files),
                                                         detect::source_files(sources.word_lists), errors);
        out.explainer.emplace(
            FIELDWATCH_TRY(detect::RuleExplainer::create(documents, id, content->rules->options())));
        return out;
    }

    bool has_rule = false;
    detect::RuleMeta meta;
    std::optional<detect::RuleExplainer> explainer;  ///< none for a correlation
    Ticks timespan{0};
    std::map<std::string, std::uint64_t> reads;  ///< of a correlation: hits of the rules it reads
};

WhyStage stage_of(detect::HitFate fate) {
    switch (fate) {
        case detect::HitFate::Raised:
            return WhyStage::Raised;
        case detect::HitFate::Dismissed:
            return WhyStage::Dismissed;
        case detect::HitFate::Repeat:
            return WhyStage::Repeat;
        case detect::HitFate::Absorbed:
            return WhyStage::Absorbed;
        case detect::HitFate::OnlyCorrelated:
        case detect::HitFate::NoTwinData:
            return WhyStage::Held;
    }
    return WhyStage::Held;
}

std::string sentence_of(const detect::WatchedHit& hit) {
    switch (hit.fate) {
        case detect::HitFate::Raised:
            return fmt::format("it raised alert {}", hit.alert->text());
        case detect::HitFate::Dismissed:
            return fmt::format(
                "it raised alert {}, dismissed at once: a person dismissed the type {} for that day",
                hit.alert->text(), hit.rule.alert_type);
        case detect::HitFate::Repeat:
            return fmt::format("{} took it up: the same thing within {} is no new alert",
                               hit.alert ? "alert " + hit.alert->text() : "an alert that is no longer open",
                               to_iso8601_duration(std::chrono::seconds(hit.rule.suppression_s)));
        case detect::HitFate::Absorbed:
            return fmt::format("{} says more of the same event and absorbs {}",
                               hit.by.empty() ? "another rule" : hit.by, hit.rule.alert_type);
        case detect::HitFate::OnlyCorrelated:
            return "the rule matched; a correlation reads it, and by itself it raises nothing";
        case detect::HitFate::NoTwinData:
            return "the rule matched; it names identities, and the hub's twin data are switched off";
    }
    return {};
}

/// Sees every item of the device around the time asked for, and what the rule made of it.
class Eye final : public detect::RuleWatcher {
  public:
    Eye(const WhyRequest& request, std::string id, Asked& asked)
        : request_(request), id_(std::move(id)), asked_(asked) {}

    /// From here on the rule is in force, or not.
    void set_in_force(bool in_force) { in_force_ = in_force; }

    void item(const model::Event& event, const model::Item& item, detect::ExtraFields extra) override {
        if (!is_near(event.time) || seen_.size() >= kSeenMax) return;
        WhyEvent out{.time = event.time,
                     .name = std::string(event.name),
                     .sentence = {},
                     .explanation = {},
                     .alert = std::nullopt};
        if (out.name.empty()) out.name = model::to_string(event.kind);
        if (asked_.explainer) {
            out.explanation = asked_.explainer->explain(event, item, extra);
            out.stage = out.explanation.of_source ? WhyStage::Condition : WhyStage::LogSource;
            out.sentence = out.explanation.sentence;
        } else {
            out.stage = WhyStage::Condition;
            out.sentence = "no group of events satisfied the correlation with this one";
        }
        if (!in_force_) {
            out.sentence = fmt::format("the rule was not in force then; as it is, it {}: {}",
                                       out.explanation.fires ? "would fire" : "would not fire", out.sentence);
            out.stage = WhyStage::NotInForce;
        }
        places_[item.position] = seen_.size();
        seen_.push_back(std::move(out));
    }
    void hit(const detect::WatchedHit& hit) override {
        if (const auto read = asked_.reads.find(hit.rule.origin.id);
            read != asked_.reads.end() && hit.time >= request_.at - asked_.timespan &&
            hit.time <= request_.at + request_.within)
            ++read->second;
        if (hit.rule.origin.id != id_) return;
        const auto place = places_.find(hit.position);
        if (place == places_.end()) return;
        auto& event = seen_[place->second];
        event.stage = std::max(event.stage, stage_of(hit.fate));
        event.sentence = sentence_of(hit);
        event.alert = hit.alert;
    }

    /// What did not come to the rules.
    void add(Timestamp time, std::string name, WhyStage stage, std::string sentence) {
        if (!is_near(time) || seen_.size() >= kSeenMax) return;
        seen_.push_back({.time = time,
                         .name = std::move(name),
                         .stage = stage,
                         .sentence = std::move(sentence),
                         .explanation = {},
                         .alert = std::nullopt});
    }
    bool is_near(Timestamp time) const {
        return time >= request_.at - request_.within && time <= request_.at + request_.within;
    }
    std::vector<WhyEvent> take() { return std::move(seen_); }

  private:
    const WhyRequest& request_;
    std::string id_;
    Asked& asked_;
    bool in_force_ = false;
    std::vector<WhyEvent> seen_;
    std::map<model::LogPosition, std::size_t> places_;
};

/// What of a record did not come to the rules: refused, seen before, too late.
void note_losses(const model::RecordView& record, const Outcome& outcome, const LossLedger& before,
                 const LossLedger& after, Eye& eye) {
    for (const auto& finding : outcome.findings) {
        if (const auto* const letter = std::get_if<model::DeadLetter>(&finding))
            eye.add(record.received, {}, WhyStage::Refused, letter->reason);
    }
    if (after.duplicates > before.duplicates)
        eye.add(
            record.received, {}, WhyStage::Duplicate,
            fmt::format("{} events of the message had come before", after.duplicates - before.duplicates));
    for (const auto* event : outcome.events) {
        if (event->late)
            eye.add(event->time, std::string(event->name), WhyStage::Late,
                    "the event came too late for detection and was only stored");
    }
}

/// At most so many, by time.
void keep_nearest(std::vector<WhyEvent>& events, Timestamp at) {
    // Those that the rule looks at first; of each kind the nearest.
    const auto rank = [at](const WhyEvent& event) {
        const bool is_meant = event.stage > WhyStage::LogSource || event.explanation.of_source;
        return std::pair(!is_meant, std::abs((event.time - at).count()));
    };
    std::ranges::stable_sort(events, {}, rank);
    if (events.size() > Why::kEventsMax) events.resize(Why::kEventsMax);
    std::ranges::stable_sort(events, {}, &WhyEvent::time);
}

std::string summary(const Why& out, const Asked& asked, const WhyRequest& request) {
    if (out.events.empty())
        return fmt::format("nothing of {} in the journal within {} of {}", request.device,
                           to_iso8601_duration(request.within), to_iso8601(request.at, 0));
    if (!asked.reads.empty() && out.stage < WhyStage::Absorbed) {
        std::string counts;
        for (const auto& [id, count] : asked.reads)
            counts += fmt::format("{}{} matched {} times", counts.empty() ? "" : ", ", id, count);
        return fmt::format("no group of events satisfied the correlation: in {} before, {}",
                           to_iso8601_duration(asked.timespan), counts);
    }
    // The nearest of those that came furthest.
    const WhyEvent* best = nullptr;
    for (const auto& event : out.events) {
        if (event.stage != out.stage) continue;
        if (best == nullptr ||
            std::abs((event.time - request.at).count()) < std::abs((best->time - request.at).count()))
            best = &event;
    }
    return best->sentence;
}

}  // namespace

std::string_view to_string(WhyStage stage) {
    constexpr std::string_view kNames[] = {"no-record",    "refused",    "duplicate", "late",
                                           "not-in-force", "log-source", "condition", "absorbed",
                                           "held",         "dismissed",  "repeat",    "raised"};
    return kNames[static_cast<std::size_t>(stage)];
}

Result<Why> why(journal::Reader& reader, std::uint32_t partition_count, ContentStore& contents,
                const WhyRequest& request) {
    if (request.within <= Ticks{0} || request.within > kWithinMax)
        return fail(Errc::InvalidArgument, "\"within\" is a duration up to PT1H");
    const model::HubName hub{request.hub};
    const auto partition = model::partition_of(hub, {request.device}, partition_count);
    const History history(reader, partition);
    const auto begin = FIELDWATCH_TRY(history.offset_at(request.at - request.within - kWarmUp));
    const auto end = FIELDWATCH_TRY(history.offset_at(request.at + request.within + kRunOut));
    const auto around = FIELDWATCH_TRY(history.offset_at(request.at + request.within));

    auto hash = FIELDWATCH_TRY(history.content_at(begin));
    if (hash.empty()) hash = request.content_in_force;
    Why out;
    out.content = FIELDWATCH_TRY(history.content_at(around));
    if (out.content.empty()) out.content = hash;
    const auto then = FIELDWATCH_TRY(contents.get(out.content));
    const auto now = FIELDWATCH_TRY(contents.get(request.content_in_force));
    const auto* meta = FIELDWATCH_TRY(find_rule(*then, request.rule));
    if (meta == nullptr) meta = FIELDWATCH_TRY(find_rule(*now, request.rule));
    if (const auto detector = detect::find_detector_alert(request.rule); meta == nullptr && detector)
        return why_detector(
            history,
            {.begin = begin, .end = end, .partition = partition, .count = partition_count, .content = hash},
            contents, request, *detector);
    if (meta == nullptr)
        return fail(Errc::NotFound,
                    fmt::format("no rule has the id, name, title or alert type '{}'", request.rule));
    out.rule_id = meta->origin.id;
    out.rule_title = meta->origin.title;

    auto asked = FIELDWATCH_TRY(Asked::create(contents, out.content, out.rule_id));
    if (!asked.has_rule)
        asked = FIELDWATCH_TRY(Asked::create(contents, request.content_in_force, out.rule_id));

    Eye eye(request, out.rule_id, asked);
    eye.set_in_force(has_rule(*FIELDWATCH_TRY(contents.get(hash)), out.rule_id));
    ShardCore core(FIELDWATCH_TRY(contents.get(hash)), hash,
                   [&](std::string_view named) { return contents.get(named); },
                   {.decode = {}, .partition_count = partition_count, .watch = {.watcher = &eye}});
    Outcome outcome;
    const auto visit = [&](const model::RecordView& record, std::uint64_t offset) -> Result<bool> {
        if (!record.hub.empty() && record.hub != request.hub) return true;
        if (!record.device.empty() && record.device != request.device) return true;
        const auto before = core.losses();
        FIELDWATCH_TRY(core.process(record, {.partition = partition, .offset = offset, .item = 0}, outcome));
        if (record.device == request.device) note_losses(record, outcome, before, core.losses(), eye);
        if (record.kind == model::RecordKind::Content)
            eye.set_in_force(has_rule(*FIELDWATCH_TRY(contents.get(core.content_hash())), out.rule_id));
        return true;
    };
    FIELDWATCH_TRY(history.read(begin, end, visit));

    out.events = eye.take();
    keep_nearest(out.events, request.at);
    for (const auto& event : out.events)
        out.stage = std::max(out.stage, event.stage);
    out.sentence = summary(out, asked, request);
    return out;
}

}  // namespace fieldwatch::pipeline
