#include "detect/lifecycle/alert_book.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

/// Of our own names: RFC 4122 section 4.3 asks for a name space id, any fixed one.
constexpr Uuid kAlertNames{
    {0x4f, 0x1d, 0x2b, 0x0e, 0x6a, 0x57, 0x4c, 0x0b, 0x9a, 0x1e, 0x7d, 0x33, 0x52, 0xc8, 0x90, 0x11}};

std::string join(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (const auto part : parts) {
        out += part;
        out += '\0';
    }
    return out;
}

std::string alert_key(const model::Alert& alert) {
    return join({alert.hub.value, alert.type, alert.compromised_entity, alert.discriminator});
}

/// Design 3a: name-based UUID of (hub, type, entity, discriminator, RowId of the first evidence).
Uuid alert_id(const model::Alert& alert) {
    const auto first = alert.evidence.empty() ? model::LogPosition{} : alert.evidence.front();
    return Uuid::named(kAlertNames, alert_key(alert) + model::row_id(alert.hub.value, first).text());
}

std::string utc_date(Timestamp time) {
    return to_iso8601(time, 0).substr(0, 10);
}

std::string aggregate_key(std::string_view hub, std::string_view type, Timestamp start) {
    return join({hub, std::string(type) + "/" + utc_date(start)});
}

bool is_open(const model::Alert& alert) {
    return alert.status == model::AlertStatus::New || alert.status == model::AlertStatus::InProgress;
}

void add_member(std::string& object, std::string_view key, std::string_view value) {
    if (object.size() < 2) object = "{}";
    object.pop_back();
    if (object.size() > 1) object += ',';
    JsonWriter(object).member(key, value);
    object += '}';
}

using Json = nlohmann::ordered_json;

constexpr const char* kNotes = "Notes";
constexpr const char* kAssignedTo = "AssignedTo";  ///< the user whose alert it is
constexpr const char* kIncident = "IncidentId";    ///< of the alerts of an incident, from the second on

/// The notes of an alert's properties; an empty list where there are none.
Json notes_of(const std::string& properties) {
    if (properties.find("\"Notes\":") == std::string::npos) return Json::array();
    const auto object = Json::parse(properties, nullptr, /*allow_exceptions=*/false);
    const auto found = object.is_object() ? object.find(kNotes) : object.end();
    return found != object.end() && found->is_array() ? *found : Json::array();
}

std::string incident_of(const std::string& properties) {
    if (properties.find(std::string("\"") + kIncident + "\":") == std::string::npos) return {};
    const auto object = Json::parse(properties, nullptr, /*allow_exceptions=*/false);
    return object.is_object() ? object.value(kIncident, "") : std::string();
}

std::string assignee_of(const std::string& properties) {
    if (properties.find(std::string("\"") + kAssignedTo + "\":") == std::string::npos) return {};
    const auto object = Json::parse(properties, nullptr, /*allow_exceptions=*/false);
    return object.is_object() ? object.value(kAssignedTo, "") : std::string();
}

/// "" = nobody: the member goes.
void set_assignee(std::string& properties, const std::string& name) {
    auto object = Json::parse(properties, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) object = Json::object();
    object.erase(kAssignedTo);
    if (!name.empty()) object[kAssignedTo] = name;
    properties = object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void set_notes(std::string& properties, Json notes) {
    if (notes.empty()) return;
    auto object = Json::parse(properties, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) object = Json::object();
    object[kNotes] = std::move(notes);
    properties = object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_note(std::string& properties, const model::AlertDecision& decision) {
    auto notes = notes_of(properties);
    auto note = Json{{"Time", to_iso8601(decision.at)}, {"By", decision.by}};
    if (decision.status) note["Status"] = to_string(*decision.status);
    for (const auto& [name, text] :
         {std::pair{"Reason", &decision.reason}, std::pair{"Comment", &decision.comment},
          std::pair{"Feedback", &decision.feedback}}) {
        if (!text->empty()) note[name] = *text;
    }
    if (decision.assignee) note[kAssignedTo] = *decision.assignee;
    notes.push_back(std::move(note));
    if (notes.size() > AlertBook::kNotesMax) notes.erase(notes.begin());
    set_notes(properties, std::move(notes));
}

/// A repeat counts in the properties too, where readers of the table look for it. Inside of texts the name's
/// quotes are escaped, so that it is found nowhere else.
void set_hits(std::string& properties, std::int64_t hits) {
    constexpr std::string_view kHits = "\"HitCount\":";
    const auto at = properties.find(kHits);
    if (at == std::string::npos) return;
    const auto begin = at + kHits.size();
    const auto end = properties.find_first_not_of("0123456789", begin);
    if (end == begin || end == std::string::npos) return;
    properties.replace(begin, end - begin, std::to_string(hits));
}

/// Whether what happens again is more of an alert: spec/alerts.md section 3 wants a new one on a later date
/// than that of an alert that is closed.
bool takes_more(const model::Alert& held, const model::Alert& again) {
    return is_open(held) || utc_date(held.start) == utc_date(again.start);
}

/// Properties become the newer's; what people and the book itself have added stays.
void take_properties(model::Alert& held, const model::Alert& newer) {
    auto notes = notes_of(held.extended_json);
    const auto incident = incident_of(held.extended_json);
    const auto assignee = assignee_of(held.extended_json);
    held.extended_json = newer.extended_json;
    if (!incident.empty()) add_member(held.extended_json, kIncident, incident);
    if (!assignee.empty()) add_member(held.extended_json, kAssignedTo, assignee);
    set_notes(held.extended_json, std::move(notes));
}

}  // namespace

void AlertBook::raise(model::Alert alert, Ticks suppression, Timestamp now, std::vector<model::Finding>& out,
                      bool grows) {
    auto key = alert_key(alert);
    if (suppression.count() <= 0) key += model::row_id(alert.hub.value, alert.evidence.front()).text();
    if (auto* const open = open_.find(key);
        open != nullptr && suppression.count() > 0 && open->suppression.count() > 0 &&
        alert.start <= open->anchor + open->suppression && alert.end >= open->anchor - open->suppression &&
        takes_more(open->alert, alert)) {
        auto& held = open->alert;
        held.start = std::min(held.start, alert.start);
        held.end = std::max(held.end, alert.end);
        held.hit_count += alert.hit_count;
        for (const auto& position : alert.evidence)
            add_evidence(held.evidence, position);
        if (grows) {
            take_properties(held, alert);
            held.entities_json = alert.entities_json;
        }
        if (now >= open->last_row + kUpdateInterval) {
            incidents_.extend(held);
            settle(*open);
            emit(*open, now, out);
        } else {
            owe(*open, key);
        }
        return;
    }
    // The last word about an alert that this one takes the place of, or pushes out.
    const auto say_last = [&](Open& old) {
        if (old.due == 0) return;
        settle(old);
        emit(old, now, out);
    };
    auto& open = open_.get(key, [&](auto& entry) { say_last(entry.second); });
    if (!open.alert.type.empty()) say_last(open);
    alert.id = alert_id(alert);
    alert.update = false;
    alert.status = dismissed_.find(aggregate_key(alert.hub.value, alert.type, alert.start)) != nullptr
                       ? model::AlertStatus::Dismissed
                       : model::AlertStatus::New;
    const auto joined = incidents_.join(alert, key);
    if (joined.shared) add_member(alert.extended_json, kIncident, joined.incident.text());
    open.anchor = alert.start;
    open.suppression = suppression;
    open.due = 0;
    open.alert = std::move(alert);
    emit(open, now, out);
    open.alert.update = true;
    if (!joined.tell.empty()) tell(joined.tell, joined.incident, now, out);
}

/// The first alert of an incident learns of the second.
void AlertBook::tell(std::string_view key, const Uuid& incident, Timestamp now,
                     std::vector<model::Finding>& out) {
    auto* const first = open_.find(key);
    if (first == nullptr || first->alert.id != incident) return;
    add_member(first->alert.extended_json, kIncident, incident.text());
    settle(*first);
    emit(*first, now, out);
}

void AlertBook::restate(const model::Alert& newer, Timestamp now, std::vector<model::Finding>& out) {
    const auto key = alert_key(newer);
    auto* const open = open_.find(key);
    if (open == nullptr) return;
    auto& held = open->alert;
    held.hit_count = newer.hit_count;
    take_properties(held, newer);
    for (const auto& position : newer.evidence)
        add_evidence(held.evidence, position);
    if (now >= open->last_row + kUpdateInterval) {
        settle(*open);
        emit(*open, now, out);
    } else {
        owe(*open, key);
    }
}

void AlertBook::emit(Open& open, Timestamp now, std::vector<model::Finding>& out) {
    open.last_row = now;
    open.alert.processed = now;
    if (open.alert.update) set_hits(open.alert.extended_json, open.alert.hit_count);
    out.emplace_back(open.alert);
}

void AlertBook::owe(Open& open, std::string_view key) {
    if (open.due != 0) return;
    open.due = next_due_++;
    due_.emplace(std::pair{(open.last_row + kUpdateInterval).ticks, open.due}, key);
}

void AlertBook::settle(Open& open) {
    if (open.due == 0) return;
    due_.erase({(open.last_row + kUpdateInterval).ticks, open.due});
    open.due = 0;
}

void AlertBook::advance(Timestamp now, std::vector<model::Finding>& out) {
    while (!due_.empty() && due_.begin()->first.first <= now.ticks) {
        const auto key = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        if (auto* const open = open_.find(key)) {
            open->due = 0;
            emit(*open, now, out);
        }
    }
}

std::optional<Uuid> AlertBook::open_id(std::string_view hub, std::string_view type, std::string_view entity,
                                       std::string_view discriminator) const {
    const auto* const open = open_.peek(join({hub, type, entity, discriminator}));
    return open != nullptr && is_open(open->alert) ? std::optional(open->alert.id) : std::nullopt;
}

bool AlertBook::knows(const model::Alert& alert) const {
    return open_.peek(alert_key(alert)) != nullptr;
}

void AlertBook::resolve(std::string_view hub, std::string_view type, std::string_view entity,
                        std::string_view discriminator, Timestamp now, std::vector<model::Finding>& out) {
    auto* const open = open_.find(join({hub, type, entity, discriminator}));
    if (open == nullptr || !is_open(open->alert)) return;
    settle(*open);
    open->alert.status = model::AlertStatus::Resolved;
    open->suppression = {};
    emit(*open, now, out);
}

void AlertBook::absorb(std::string_view hub, std::string_view type, std::string_view entity,
                       std::string_view discriminator, std::string_view correlation_key, Timestamp now,
                       std::vector<model::Finding>& out) {
    auto* const open = open_.find(join({hub, type, entity, discriminator}));
    if (open == nullptr || !is_open(open->alert)) return;
    settle(*open);
    open->alert.status = model::AlertStatus::Resolved;
    open->suppression = {};
    add_member(open->alert.extended_json, "CorrelationKey", correlation_key);
    emit(*open, now, out);
}

Result<void> AlertBook::decide(std::string_view hub, std::string_view alert_or_aggregate,
                               const model::AlertDecision& decision, std::vector<model::Finding>& out) {
    const auto id = Uuid::parse(alert_or_aggregate);
    const auto aggregate = join({hub, alert_or_aggregate});
    bool known = false;
    for (auto& [key, open] : open_) {
        const bool meant =
            id ? open.alert.id == *id && open.alert.hub.value == hub
               : aggregate_key(open.alert.hub.value, open.alert.type, open.alert.start) == aggregate;
        known |= meant;
        const bool changes = decision.status && open.alert.status != *decision.status;
        if (!meant || (!changes && !decision.says_something())) continue;
        if (!id && !is_open(open.alert))
            continue;  // a resolved alert stays resolved when its aggregate is dismissed
        settle(open);
        if (decision.status) open.alert.status = *decision.status;
        if (decision.assignee) set_assignee(open.alert.extended_json, *decision.assignee);
        if (decision.says_something()) add_note(open.alert.extended_json, decision);
        emit(open, decision.at, out);
    }
    if (!id && decision.status == model::AlertStatus::Dismissed) dismissed_.get(aggregate) = 1;
    if (id && !known)
        return fail(Errc::NotFound, "alert " + id->text() + " can no longer be changed: it is none of the " +
                                        std::to_string(kOpenMax) + " that said something last");
    return {};
}

void AlertBook::save(ByteWriter& out) const {
    out.u64(next_due_);
    out.u64(open_.evictions());
    out.u32(static_cast<std::uint32_t>(open_.size()));
    for (const auto& [key, open] : open_) {
        out.text(key);
        write(out, open.alert);
        out.i64(open.anchor.ticks);
        out.i64(open.last_row.ticks);
        out.i64(open.suppression.count());
        out.u64(open.due);
    }
    out.u64(dismissed_.evictions());
    out.u32(static_cast<std::uint32_t>(dismissed_.size()));
    for (const auto& entry : dismissed_)
        out.text(entry.first);
    incidents_.save(out);
}

Result<void> AlertBook::restore(ByteReader& in) {
    open_.clear();
    dismissed_.clear();
    due_.clear();
    next_due_ = FIELDWATCH_TRY(in.u64());
    open_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto open_count = FIELDWATCH_TRY(read_count(in, kOpenMax));
    for (std::uint32_t i = 0; i < open_count; ++i) {
        const auto key = FIELDWATCH_TRY(in.text());
        auto& open = open_.get(key);
        open.alert = FIELDWATCH_TRY(read_alert(in));
        open.anchor = FIELDWATCH_TRY(read_time(in));
        open.last_row = FIELDWATCH_TRY(read_time(in));
        open.suppression = Ticks{FIELDWATCH_TRY(read_amount(in))};
        open.due = FIELDWATCH_TRY(in.u64());
        if (open.due != 0) due_.emplace(std::pair{(open.last_row + kUpdateInterval).ticks, open.due}, key);
    }
    dismissed_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto dismissed_count = FIELDWATCH_TRY(read_count(in, kDismissedMax));
    for (std::uint32_t i = 0; i < dismissed_count; ++i)
        dismissed_.get(FIELDWATCH_TRY(in.text())) = 1;
    // Checkpoints from before there were incidents end here.
    return in.empty() ? Result<void>{} : incidents_.restore(in);
}

}  // namespace fieldwatch::detect
