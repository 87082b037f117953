// Composes the rule matcher and the detector classes of one shard. The order in which they are asked is part
// of the result: rules first, by rule id, then the classes in the order of observe_item.
#include "detect/engine.hpp"

#include <algorithm>

#include "detect/behaviour/device_detector.hpp"
#include "detect/behaviour/metric_detector.hpp"
#include "detect/behaviour/network_detector.hpp"
#include "detect/catalogue.hpp"
#include "detect/content.hpp"
#include "detect/custom/custom_alerts.hpp"
#include "detect/detector.hpp"
#include "detect/intel/command_source.hpp"
#include "detect/intel/suspicious_address.hpp"
#include "detect/lifecycle/alert_book.hpp"
#include "detect/login/login_detector.hpp"
#include "detect/posture/snapshot_parts.hpp"
#include "detect/rule_watcher.hpp"
#include "detect/rules/correlator.hpp"
#include "detect/rules/rule_probe.hpp"
#include "detect/scheduled/query_finding.hpp"
#include "detect/sequence/download_run.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::uint16_t kStateVersion = 1;
constexpr std::string_view kDownloadThenRun =
    "IoT_DownloadFileThenRun";  // A32, a rule: the better name for A24

model::RegistryChangeKind change_kind_of(model::RecordKind kind) {
    return kind == model::RecordKind::Twin             ? model::RegistryChangeKind::Twin
           : kind == model::RecordKind::IdentityChange ? model::RegistryChangeKind::Identity
                                                       : model::RegistryChangeKind::HubConfiguration;
}

class ShardEngine final : public Engine {
  public:
    explicit ShardEngine(ContentPtr content)
        : content_(std::move(content)), matcher_(content_->rules), correlator_(content_->rules) {}

    void observe(const model::Event& event, std::vector<model::Finding>& out) override {
        now_ = std::max(now_, event.received);
        auto context = make_context(out);
        catalogue_.receive(event, context);
        if (event.late) return;
        // Rules and single alerts are the device's own shard's; its hub's home only looks at the whole.
        if (event.role.owner) {
            for (const auto& item : event.items) {
                observe_item(event, item, context);
                device_behaviour_.observe(event, item, context);
                metrics_.observe(event, item, context);
            }
        }
        const auto* const whole = snapshot_parts_.whole(event);
        if (whole == nullptr) return;
        catalogue_.observe(*whole, context);
        if (event.role.owner) custom_.observe_list(*whole, context);
    }

    void observe_change(const model::RecordView& record, model::LogPosition position, model::ShardRole role,
                        std::vector<model::Finding>& out) override {
        now_ = std::max(now_, record.received);
        const model::RegistryChange change{.kind = change_kind_of(record.kind),
                                           .hub = record.hub,
                                           .device = record.device,
                                           .module = record.module,
                                           .time = record.received,
                                           .position = position,
                                           .body = record.body,
                                           .role = role};
        auto context = make_context(out);
        catalogue_.change(change, context);
        if (role.owner) custom_.observe_change(record, position, now_);
    }
    void observe_tick(Timestamp now, std::vector<model::Finding>& out) override {
        auto context = make_context(out);
        catalogue_.tick(context);
        custom_.observe_tick(now);
        correlator_.observe_tick(now);
    }
    void end_of_input() override {
        custom_.end_of_input();
        catalogue_.end_of_input();
        input_ended_ = true;
    }

    void advance(Timestamp now, std::vector<model::Finding>& out) override {
        now_ = std::max(now_, now);
        auto context = make_context(out);
        logins_.advance(context);
        snapshot_parts_.advance(now_);
        catalogue_.advance(context);
        custom_.advance(context);
        device_behaviour_.advance(context);
        metrics_.advance(context);
        if (input_ended_) {
            correlator_.finish(found_);
        } else {
            correlator_.advance(now_, found_);
        }
        raise_found(context);
        book_.advance(now_, out);
    }

    Result<void> decide(std::string_view hub, std::string_view alert_or_aggregate,
                        const model::AlertDecision& decision, std::vector<model::Finding>& out) override {
        now_ = std::max(now_, decision.at);
        auto dated = decision;
        dated.at = now_;
        return book_.decide(hub, alert_or_aggregate, dated, out);
    }

    Result<void> observe_query(const model::RecordView& record, model::LogPosition,
                               std::vector<model::Finding>& out) override {
        now_ = std::max(now_, record.received);
        auto alert = FIELDWATCH_TRY(alert_of_query_finding(record));
        if (!book_.knows(alert)) book_.raise(std::move(alert), Ticks{1}, now_, out);
        return {};
    }

    void observe_fact(const FleetFact& fact, Timestamp received, std::vector<model::Finding>& out) override {
        now_ = std::max(now_, received);
        auto context = make_context(out);
        correlator_.observe_fact(fact, found_);
        raise_found(context);
    }
    std::vector<FleetFact> take_facts() override { return correlator_.take_facts(); }

    void set_content(ContentPtr content) override {
        custom_.set_groups(*content_->settings.groups, *content->settings.groups, now_);
        content_ = std::move(content);
        matcher_ = Matcher(content_->rules);
        measuring_ = false;
        catalogue_.settings_changed();
        correlator_.set_rules(content_->rules);
    }

    void watch(Watch watch) override {
        watch_ = watch;
        probe_.reset();
        if (watch_.watcher != nullptr && watch_.clock != nullptr) probe_.emplace(*watch_.clock);
    }

    void save(Bytes& out) const override {
        ByteWriter writer(out);
        writer.u16(kStateVersion);
        writer.i64(now_.ticks);
        for_each_section([&](std::string_view name, const auto& detector) {
            Bytes section;
            ByteWriter section_writer(section);
            detector.save(section_writer);
            writer.text(name);
            writer.u16(kStateVersion);
            writer.u32(static_cast<std::uint32_t>(section.size()));
            writer.bytes(section);
            return true;
        });
    }

    Result<void> restore(ByteView state) override {
        ByteReader in(state);
        if (const auto version = FIELDWATCH_TRY(in.u16()); version != kStateVersion)
            return fail(Errc::Unsupported, "detection state of version " + std::to_string(version));
        now_ = FIELDWATCH_TRY(read_time(in));
        while (!in.empty()) {
            const auto name = FIELDWATCH_TRY(in.text());
            const auto version = FIELDWATCH_TRY(in.u16());
            const auto size = FIELDWATCH_TRY(in.u32());
            ByteReader section(FIELDWATCH_TRY(in.bytes(size)));
            if (version != kStateVersion)
                return fail(Errc::Unsupported, "section " + std::string(name) + " of another version");
            Result<void> done;
            for_each_section([&](std::string_view known, auto& detector) {
                if (known != name) return true;
                done = detector.restore(section);
                if (done && !section.empty())
                    done = fail(Errc::Corrupt, "bytes behind the end of section " + std::string(name));
                return false;
            });
            if (name == "open-ports") done = catalogue_.posture().restore_open_ports(section);
            if (!done) return done;  // a section of a detector that is gone is let be
        }
        return {};
    }

  private:
    Context make_context(std::vector<model::Finding>& out) {
        return {content_->settings,
                *content_->intel,
                *content_->advisories,
                catalogue_.hubs(),
                catalogue_.outages(),
                book_,
                catalogue_.posture(),
                now_,
                out};
    }

    void observe_item(const model::Event& event, const model::Item& item, Context& context) {
        std::pair<std::string_view, std::string_view> intel_fields[3];
        std::optional<IntelSnapshot::Hit> known;
        if (const auto* const connection = std::get_if<model::ConnectionCreate>(&item.payload))
            known = context.intel.find_address(connection->remote_address, now_);
        if (known) {
            intel_fields[0] = {"intel.category", known->category};
            intel_fields[1] = {"intel.indicator", known->value};
            intel_fields[2] = {"intel.source", known->source};
        }
        const ExtraFields extra = known ? ExtraFields(intel_fields) : ExtraFields();

        begin_item(event, item, extra);
        match(event, item, extra);
        const auto* const process = std::get_if<model::ProcessCreate>(&item.payload);
        const auto line = process == nullptr ? std::uint8_t{} : line_note();
        const auto source = (line & kMayHaveSource) == 0
                                ? std::nullopt
                                : known_source(context.intel, matcher_.command(), now_, values_);
        if (source) {  // the rules again, now that it is known where the command downloads from
            intel_fields[0] = {"intel.category", source->category};
            intel_fields[1] = {"intel.indicator", source->value};
            intel_fields[2] = {"intel.source", source->source};
            match(event, item, intel_fields);
        }
        end_item();
        bool login_is_new = true;
        const ExtraFields known_fields = source ? ExtraFields(intel_fields) : extra;
        const bool downloaded_and_ran = raise_hits(event, item, known_fields, context);
        correlator_.observe(event, item, hits_, known_fields, found_);
        raise_found(context);
        if (process != nullptr) {
            if ((line & kDownloads) != 0 || downloads_.waits(event, *process))
                downloads_.observe(event, item, *process, matcher_.command(), downloaded_and_ran, context);
            if ((line & kConcerns) != 0)
                catalogue_.observe_command(event, item, *process, matcher_.command(), context);
        } else if (const auto* const login = std::get_if<model::Login>(&item.payload)) {
            login_is_new = logins_.observe(event, item, *login, context);
        } else if (const auto* const connection = std::get_if<model::ConnectionCreate>(&item.payload)) {
            if (known) raise_suspicious(event, item, *connection, *known, context);
            network_.observe(event, item, *connection, context);
        } else if (const auto* const operation = std::get_if<model::Operation>(&item.payload)) {
            observe_operation(event, item, *operation, context);
        }
        custom_.observe(event, item, login_is_new, context);
    }

    // What of a command line is whose business. Lines come again, and are parsed once for it.
    enum LineNote : std::uint8_t { kRead = 1, kMayHaveSource = 2, kDownloads = 4, kConcerns = 8 };
    std::uint8_t line_note() {
        auto* const kept = matcher_.note();
        if (kept != nullptr && *kept != 0) return *kept;
        auto& command = matcher_.command();
        const auto note = static_cast<std::uint8_t>(kRead | (may_have_source(command) ? kMayHaveSource : 0) |
                                                    (DownloadRun::concerns(command) ? kDownloads : 0) |
                                                    (catalogue_.concerns(command) ? kConcerns : 0));
        if (kept != nullptr) *kept = note;
        return note;
    }

    void match(const model::Event& event, const model::Item& item, ExtraFields extra) {
        hits_.clear();
        absorbed_.clear();
        matcher_.match(event, item, hits_, extra, watch_.watcher == nullptr ? nullptr : &absorbed_);
    }

    // One item of so many is measured, so that measuring costs nothing to speak of.
    void begin_item(const model::Event& event, const model::Item& item, ExtraFields extra) {
        if (watch_.watcher == nullptr) return;
        watch_.watcher->item(event, item, extra);
        if (!probe_) return;
        measuring_ = ++items_seen_ % watch_.measure_one_in == 0;
        if (measuring_) matcher_.measure(&*probe_);
    }
    void end_item() {
        if (!measuring_) return;
        measuring_ = false;
        matcher_.measure(nullptr);
        for (const auto& [rule, spent] : probe_->take())
            watch_.watcher->cost(matcher_.rules().rules()[rule], spent);
        watch_.watcher->measured();
    }

    void tell(const RuleMeta& rule, HitFate fate, const model::Event& event, const model::Item& item) {
        if (watch_.watcher == nullptr) return;
        watch_.watcher->hit({.rule = rule,
                             .fate = fate,
                             .time = event.time,
                             .position = item.position,
                             .hub = event.hub,
                             .device = event.device});
    }
    void tell_absorbed(const model::Event& event, const model::Item& item) {
        const auto rules = matcher_.rules().rules();
        for (const auto& hit : absorbed_) {
            const auto& type = rules[hit.rule].alert_type;
            const auto by = std::ranges::find_if(hits_, [&](const RuleHit& other) {
                return std::ranges::find(rules[other.rule].absorbs, type) != rules[other.rule].absorbs.end();
            });
            watch_.watcher->hit({.rule = rules[hit.rule],
                                 .fate = HitFate::Absorbed,
                                 .time = event.time,
                                 .position = item.position,
                                 .hub = event.hub,
                                 .device = event.device,
                                 .by = by == hits_.end() ? std::string_view() : rules[by->rule].alert_type});
        }
    }
    /// Raises an alert of a rule, and tells what became of it.
    void raise(const RuleMeta& rule, model::Alert alert, Ticks suppression, Timestamp time,
               std::vector<model::Finding>& out) {
        if (watch_.watcher == nullptr) {
            book_.raise(std::move(alert), suppression, now_, out, rule.fleet);
            return;
        }
        const auto hub = alert.hub.value;
        const auto type = alert.type;
        const auto device = alert.compromised_entity;
        const auto discriminator = alert.discriminator;
        const auto newest = alert.evidence.empty() ? model::LogPosition{} : alert.evidence.back();
        const auto rows_before = out.size();
        book_.raise(std::move(alert), suppression, now_, out, rule.fleet);
        const auto* const row = out.size() > rows_before ? std::get_if<model::Alert>(&out.back()) : nullptr;
        WatchedHit hit{.rule = rule,
                       .fate = HitFate::Repeat,
                       .time = time,
                       .position = newest,
                       .hub = hub,
                       .device = device};
        if (row != nullptr && !row->update) {
            hit.fate = row->status == model::AlertStatus::Dismissed ? HitFate::Dismissed : HitFate::Raised;
            hit.alert = row->id;
        } else {
            hit.alert = book_.open_id(hub, type, device, discriminator);
        }
        watch_.watcher->hit(hit);
    }

    /// Raises what the rules said of an item; whether A32 was among it.
    bool raise_hits(const model::Event& event, const model::Item& item, ExtraFields extra, Context& context) {
        bool downloaded_and_ran = false;
        for (const auto& hit : hits_) {
            const auto& rule = matcher_.rules().rules()[hit.rule];
            if (rule.only_correlated) {
                tell(rule, HitFate::OnlyCorrelated, event, item);
                continue;
            }
            downloaded_and_ran |= rule.alert_type == kDownloadThenRun;
            const bool by_identity =
                rule.discriminator == Discriminator::Authentication && rule.component != "Agent";
            if (by_identity && !context.hubs.twin_data(event.hub)) {
                tell(rule, HitFate::NoTwinData, event, item);
                continue;
            }
            auto alert = make_alert(rule, hit, event, item, extra);
            if (rule.discriminator == Discriminator::Correlation) {
                // Each control-plane operation alerts once, however often its log says so: section 5.3.
                const bool named = !alert.discriminator.empty();
                if (named && book_.knows(alert)) {
                    tell(rule, HitFate::Repeat, event, item);
                    continue;
                }
                raise(rule, std::move(alert), Ticks{named ? 1 : 0}, event.time, context.out);
                continue;
            }
            raise(rule, std::move(alert), Ticks(std::chrono::seconds(rule.suppression_s)), event.time,
                  context.out);
        }
        tell_absorbed(event, item);
        return downloaded_and_ran;
    }

    void raise_found(Context& context) {
        const auto rules = matcher_.rules().rules();
        const auto correlations = matcher_.rules().correlations();
        for (const auto& found : found_) {
            const auto rule = std::ranges::find(correlations, found.rule, &Correlation::rule);
            const auto& meta = rules[found.rule];
            raise(meta, make_correlation_alert(meta, *rule, found),
                  Ticks(std::chrono::seconds(meta.suppression_s)), found.end, context.out);
        }
        found_.clear();
    }

    // Hub-side addresses count only while their collection is on: spec/hub-signals.md section 2.
    void observe_operation(const model::Event& event, const model::Item& item,
                           const model::Operation& operation, Context& context) {
        if (!context.hubs.address_collection(event.hub, context.settings) ||
            operation.category != "Connections" || operation.ip_address.empty())
            return;
        const auto known = context.intel.find_address(operation.ip_address, now_);
        if (!known) return;
        model::ConnectionCreate connection;
        connection.remote_address = operation.ip_address;
        connection.protocol = operation.protocol;
        connection.direction = model::Direction::In;
        raise_suspicious(event, item, connection, *known, context);
    }

    void raise_suspicious(const model::Event& event, const model::Item& item,
                          const model::ConnectionCreate& connection, const IntelSnapshot::Hit& known,
                          Context& context) {
        context.book.raise(suspicious_address(event, item, connection, known), context.settings.dedup_window,
                           now_, context.out);
    }

    // Names are part of the checkpoint format.
    template <class Visit>
    void for_each_section(Visit&& visit) const {
        visit_sections(*this, visit);
    }
    template <class Visit>
    void for_each_section(Visit&& visit) {
        visit_sections(*this, visit);
    }
    template <class Self, class Visit>
    static void visit_sections(Self& self, Visit& visit) {
        visit("alerts", self.book_) && visit("login", self.logins_) &&
            visit("download-run", self.downloads_) && visit("custom", self.custom_) &&
            visit("network-behaviour-2", self.network_) &&
            visit("device-behaviour", self.device_behaviour_) && visit("metrics", self.metrics_) &&
            visit("correlation", self.correlator_) && visit("snapshot-parts", self.snapshot_parts_) &&
            self.catalogue_.for_each_section(visit);
    }

    ContentPtr content_;
    Matcher matcher_;
    std::vector<RuleHit> hits_, absorbed_;
    Watch watch_;
    std::optional<RuleProbe> probe_;
    bool measuring_ = false;
    std::uint64_t items_seen_ = 0;
    std::vector<std::string_view> values_;  // scratch
    Correlator correlator_;
    std::vector<Correlator::Found> found_;
    bool input_ended_ = false;
    Timestamp now_{0};
    AlertBook book_;
    LoginDetector logins_;
    SnapshotParts snapshot_parts_;
    Catalogue catalogue_;
    DownloadRun downloads_;
    CustomAlerts custom_;
    NetworkDetector network_;
    DeviceDetector device_behaviour_;
    MetricDetector metrics_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(ContentPtr content) {
    return std::make_unique<ShardEngine>(std::move(content));
}

}  // namespace fieldwatch::detect
