#include "pipeline/why_detector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "detect/content.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

namespace {

/// What of one alert type came of a device's events, and which events there were.
class DetectorEye {
  public:
    DetectorEye(const WhyRequest& request, const detect::DetectorAlert& detector)
        : request_(request), detector_(detector) {}

    void look(const Outcome& outcome) {
        for (const auto* const event : outcome.events) {
            if (event->device == request_.device && event->time <= request_.at + request_.within)
                ++counts_[std::string(model::to_string(event->kind))];
        }
        for (const auto& finding : outcome.findings) {
            if (const auto* const alert = std::get_if<model::Alert>(&finding)) look(*alert);
        }
    }

    Why take() {
        Why out;
        out.rule_id = detector_.rule_id;
        out.rule_title = detector_.type;
        out.events = std::move(events_);
        for (const auto& event : out.events) {
            if (event.stage <= out.stage) continue;
            out.stage = event.stage;
            out.sentence = event.sentence;
        }
        if (out.events.empty()) explain_absence(out);
        return out;
    }
    void set_behaviour(bool on) { behaviour_ = on; }

  private:
    void look(const model::Alert& alert) {
        if (alert.type != detector_.type || alert.compromised_entity != request_.device ||
            alert.end < request_.at - request_.within || alert.start > request_.at + request_.within ||
            events_.size() >= Why::kEventsMax)
            return;
        const bool dismissed = alert.status == model::AlertStatus::Dismissed;
        WhyEvent event{.time = alert.start,
                       .name = alert.type,
                       .stage = alert.update ? WhyStage::Repeat
                                : dismissed  ? WhyStage::Dismissed
                                             : WhyStage::Raised,
                       .sentence = {},
                       .explanation = {},
                       .alert = alert.id};
        event.sentence = alert.update
                             ? fmt::format("alert {} took it up", alert.id.text())
                             : fmt::format("it raised alert {}{}", alert.id.text(),
                                           dismissed ? ", dismissed at once: a person dismissed the type "
                                                       "for that day"
                                                     : "");
        events_.push_back(std::move(event));
    }

    void explain_absence(Why& out) const {
        out.stage = counts_.empty() ? WhyStage::NoRecord : WhyStage::Condition;
        std::string had;
        for (const auto& [kind, count] : counts_)
            had += fmt::format("{}{} {}", had.empty() ? "" : ", ", kind, count);
        out.sentence = fmt::format(
            "no rule, but the detector for {} raises it, and raised none. {} Of the device there was, from a "
            "day before "
            "on: {}",
            detector_.detector, detector_.needs, had.empty() ? "nothing" : had);
        if (detector_.needs_behaviour && !behaviour_)
            out.sentence += ". The setting `behaviour` is off: nothing is learnt of devices";
        if (detector_.needs_behaviour && behaviour_)
            out.sentence += ". What it had learnt before that day is not in this answer";
    }

    const WhyRequest& request_;
    const detect::DetectorAlert& detector_;
    bool behaviour_ = false;
    std::map<std::string, std::uint64_t> counts_;  // by kind: some twenty
    std::vector<WhyEvent> events_;
};

}  // namespace

Result<Why> why_detector(const History& history, const WhyStretch& stretch, ContentStore& contents,
                         const WhyRequest& request, const detect::DetectorAlert& detector) {
    ShardCore core(FIELDWATCH_TRY(contents.get(stretch.content)), stretch.content,
                   [&](std::string_view named) { return contents.get(named); },
                   {.decode = {}, .partition_count = stretch.count, .watch = {}});
    DetectorEye eye(request, detector);
    Outcome outcome;
    const auto visit = [&](const model::RecordView& record, std::uint64_t offset) -> Result<bool> {
        if (!record.hub.empty() && record.hub != request.hub) return true;
        if (!record.device.empty() && record.device != request.device) return true;
        FIELDWATCH_TRY(
            core.process(record, {.partition = stretch.partition, .offset = offset, .item = 0}, outcome));
        eye.look(outcome);
        return true;
    };
    FIELDWATCH_TRY(history.read(stretch.begin, stretch.end, visit));
    const std::string in_force(core.content_hash());
    eye.set_behaviour(FIELDWATCH_TRY(contents.get(in_force))->settings.behaviour);
    auto out = eye.take();
    out.content = in_force;
    return out;
}

}  // namespace fieldwatch::pipeline
