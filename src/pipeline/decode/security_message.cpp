#include "pipeline/decode/security_message.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/json_text.hpp"
#include "base/limits.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr std::size_t kIdCharacters = 36;

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(
        utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string at_event(std::size_t index, std::string_view field = {}) {
    auto out = fmt::format("/Events/{}", index);
    if (!field.empty()) json::append_pointer(out, field.substr(0, 100));
    return out;
}

/// Milliseconds as STRICT has them, more only where the device sent more.
int digits_of(Timestamp time) {
    return time.ticks % 10'000 == 0 ? 3 : 7;
}

/// The local clock with its true offset, which C and C# agents hide behind a false Z or no zone at all.
std::string local_text(const ParsedTime& local, const ParsedTime& utc) {
    constexpr std::int64_t kTicksPerMinute = 600'000'000;
    const bool true_zone = local.has_zone && !local.is_z;
    const auto wall = local.time + Ticks{true_zone ? local.offset_minutes * kTicksPerMinute : 0};
    auto minutes = true_zone
                       ? local.offset_minutes
                       : ((wall - utc.time).count() + (wall >= utc.time ? 1 : -1) * kTicksPerMinute / 2) /
                             kTicksPerMinute;
    if (minutes < -14 * 60 || minutes > 14 * 60)
        minutes = 0;  // no such zone: the stamps are of different moments
    auto text = to_iso8601(wall, digits_of(wall));
    text.pop_back();
    const auto size = minutes < 0 ? -minutes : minutes;
    // By hand: it is done for every event, and a format string costs more than all of its digits.
    const auto two = [&](std::int64_t value) {
        text += static_cast<char>('0' + value / 10);
        text += static_cast<char>('0' + value % 10);
    };
    text += minutes < 0 ? '-' : '+';
    two(size / 60);
    text += ':';
    two(size % 60);
    return text;
}

}  // namespace

const DecodedMessage& SecurityMessageDecoder::decode(const model::RecordView& record,
                                                     model::LogPosition position,
                                                     const DecodeOptions& options) {
    arena_.reset();
    problems_.clear();
    refusals_.clear();
    event_count_ = 0;
    out_ = {};
    options_ = options;
    record_ = &record;
    position_ = position;
    position_.item = 0;
    const auto* const events = read_envelope(record);
    if (events == nullptr || problems_.fatal() > 0 || (options.strict && problems_.compat() > 0)) {
        refusals_.push_back({0, problems_.sentence(0, options.strict)});
    } else {
        for (std::size_t i = 0; i < events->elements.size(); ++i)
            read_event(events->elements[i], i);
        if (options.whole_message && !refusals_.empty()) event_count_ = 0;
    }
    out_.events = std::span(events_).first(event_count_);
    out_.refusals = refusals_;
    out_.problems = &problems_;
    out_.item_count = position_.item;
    return out_;
}

const json::Value* SecurityMessageDecoder::read_envelope(const model::RecordView& record) {
    const auto parsed = reader_.parse(record.body);
    if (!parsed) {
        problems_.add(ProblemClass::Fatal, "", parsed.error().message);
        return nullptr;
    }
    const auto& root = **parsed;
    if (!root.is(json::Type::Object)) {
        problems_.add(ProblemClass::Fatal, "",
                      fmt::format("the body is {}; an object is needed", json::to_string(root.type)));
        return nullptr;
    }
    const json::Value *version = nullptr, *agent = nullptr, *schema = nullptr, *events = nullptr;
    for (const auto& [key, value] : root.members) {
        if (key == "AgentVersion") {
            version = &value;
        } else if (key == "AgentId") {
            agent = &value;
        } else if (key == "MessageSchemaVersion") {
            schema = &value;
        } else if (key == "Events") {
            events = &value;
        } else {
            std::string pointer;
            json::append_pointer(pointer, key.substr(0, 100));
            problems_.add(ProblemClass::Fatal, std::move(pointer), "the envelope has no such property");
        }
    }
    const auto need_text = [&](const json::Value* value, std::string_view name) {
        if (value != nullptr && value->is(json::Type::String)) return true;
        problems_.add(ProblemClass::Fatal, fmt::format("/{}", name),
                      value == nullptr
                          ? "is required"
                          : fmt::format("is {}; a string is needed", json::to_string(value->type)));
        return false;
    };
    if (need_text(version, "AgentVersion")) agent_version_ = version->text;
    if (need_text(agent, "AgentId") && characters(agent->text) != kIdCharacters)
        problems_.add(ProblemClass::Fatal, "/AgentId", "must have 36 characters");
    if (need_text(schema, "MessageSchemaVersion") && schema->text != "1.0")
        problems_.add(ProblemClass::Fatal, "/MessageSchemaVersion", "must be \"1.0\"");
    if (events == nullptr || !events->is(json::Type::Array)) {
        problems_.add(ProblemClass::Fatal, "/Events",
                      events == nullptr ? "is required" : "an array is needed");
        return nullptr;
    }
    if (events->elements.empty())
        problems_.add(ProblemClass::Fatal, "/Events", "must have at least one event");
    if (events->elements.size() > limits::events_per_message)
        problems_.add(ProblemClass::Fatal, "/Events",
                      fmt::format("has {} events; at most {} are allowed", events->elements.size(),
                                  limits::events_per_message));
    return events;
}

void SecurityMessageDecoder::read_event(const json::Value& event, std::size_t index) {
    const auto listed = problems_.list().size();
    const auto fatal = problems_.fatal();
    const auto compat = problems_.compat();
    const auto kept_events = event_count_;
    const auto kept_items = position_.item;
    Common common;
    if (read_common(event, index, common)) {
        const auto* const schema = legal_schema(common, index);
        const auto time = read_times(common, index);
        if (schema != nullptr) {
            const auto emptiness = check_emptiness(common, *schema, index);
            if (emptiness == Emptiness::Benign && !options_.strict) {
                ++out_.benign;
            } else if (time && emptiness != Emptiness::Benign) {
                emit(common, *schema, *time, emptiness == Emptiness::Empty, index);
            }
        }
    }
    if (problems_.fatal() == fatal && !(options_.strict && problems_.compat() != compat)) return;
    event_count_ = kept_events;
    position_.item = kept_items;
    refusals_.push_back({static_cast<std::uint32_t>(index), problems_.sentence(listed, options_.strict)});
}

bool SecurityMessageDecoder::read_common(const json::Value& event, std::size_t index, Common& out) {
    if (!event.is(json::Type::Object)) {
        problems_.add(ProblemClass::Fatal, at_event(index),
                      fmt::format("is {}; an object is needed", json::to_string(event.type)));
        return false;
    }
    struct Row {
        std::string_view name;
        json::Type type;
        const json::Value* Common::* field;
    };
    static constexpr Row kRows[] = {
        {"Id", json::Type::String, &Common::id},
        {"TimestampLocal", json::Type::String, &Common::local},
        {"TimestampUTC", json::Type::String, &Common::utc},
        {"Category", json::Type::String, &Common::category},
        {"Name", json::Type::String, &Common::name},
        {"EventType", json::Type::String, &Common::type},
        {"IsEmpty", json::Type::Boolean, &Common::is_empty},
        {"PayloadSchemaVersion", json::Type::String, &Common::version},
        {"Payload", json::Type::Array, &Common::payload},
    };
    const auto before = problems_.fatal();
    for (const auto& [key, value] : event.members) {
        const auto* const row =
            std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == key; });
        if (row == std::end(kRows)) {
            problems_.add(ProblemClass::Fatal, at_event(index, key), "an event has no such property");
        } else if (!value.is(row->type)) {
            problems_.add(
                ProblemClass::Fatal, at_event(index, key),
                fmt::format("is {}; {} is needed", json::to_string(value.type), json::to_string(row->type)));
        } else {
            out.*(row->field) = &value;
        }
    }
    for (const auto& row : kRows) {
        if (out.*(row.field) == nullptr && event.find(row.name) == nullptr)
            problems_.add(ProblemClass::Fatal, at_event(index, row.name), "is required");
    }
    if (out.id != nullptr && characters(out.id->text) != kIdCharacters)
        problems_.add(ProblemClass::Fatal, at_event(index, "Id"), "must have 36 characters");
    if (out.payload != nullptr && out.payload->elements.size() > limits::payloads_per_event)
        problems_.add(ProblemClass::Fatal, at_event(index, "Payload"),
                      fmt::format("has {} payloads; at most {} are allowed", out.payload->elements.size(),
                                  limits::payloads_per_event));
    return problems_.fatal() == before;
}

const PayloadSchema* SecurityMessageDecoder::legal_schema(const Common& common, std::size_t index) {
    const bool version_2 = common.version->text == "2.0";
    if (!version_2 && common.version->text != "1.0") {
        problems_.add(ProblemClass::Fatal, at_event(index, "PayloadSchemaVersion"),
                      "must be \"1.0\", or \"2.0\" for the kinds that have it");
        return nullptr;
    }
    const auto* const schema = find_schema(common.name->text, version_2);
    if (schema == nullptr) {
        problems_.add(ProblemClass::Fatal, at_event(index, "Name"),
                      version_2 ? "is not the name of a kind of schema 2.0"
                                : "is not the name of a kind of schema 1.0");
        return nullptr;
    }
    if (version_2)
        problems_.add(ProblemClass::Compat, at_event(index, "PayloadSchemaVersion"),
                      "is of the newer generation");
    const bool heartbeat = schema->kind == model::EventKind::Heartbeat;
    if (heartbeat && !version_2)
        problems_.add(ProblemClass::Compat, at_event(index, "Name"), "is sent by the RTOS module only");
    if (common.type->text != schema->type && !(heartbeat && common.type->text == "Operational")) {
        problems_.add(ProblemClass::Fatal, at_event(index, "EventType"),
                      fmt::format("must be {} for {}", schema->type, schema->name));
        return nullptr;
    }
    const std::string_view cadence = schema->cadence == Cadence::Periodic ? "Periodic" : "Triggered";
    if (common.category->text == cadence) return schema;
    if (common.category->text == "Aggregated" && schema->aggregates) {
        problems_.add(ProblemClass::Compat, at_event(index, "Category"),
                      "Aggregated is sent by field agents; the schema has Triggered");
        return schema;
    }
    problems_.add(ProblemClass::Fatal, at_event(index, "Category"),
                  fmt::format("must be {} for {}", cadence, schema->name));
    return nullptr;
}

// The effective rule of spec/security-messages.md section 3.1.
SecurityMessageDecoder::Emptiness SecurityMessageDecoder::check_emptiness(const Common& common,
                                                                          const PayloadSchema& schema,
                                                                          std::size_t index) {
    const bool said_empty = common.is_empty->boolean;
    const bool has_payload = !common.payload->elements.empty();
    if (schema.cadence == Cadence::Triggered) {
        if (said_empty && !has_payload && schema.kind == model::EventKind::ConfigurationError) {
            problems_.add(options_.strict ? ProblemClass::Fatal : ProblemClass::Note,
                          at_event(index, "IsEmpty"),
                          "a triggered event is never empty; the C agent says so after a twin update");
            return Emptiness::Benign;
        }
        if (said_empty)
            problems_.add(ProblemClass::Fatal, at_event(index, "IsEmpty"),
                          "a triggered event is never empty");
        if (!said_empty && !has_payload)
            problems_.add(ProblemClass::Fatal, at_event(index, "Payload"), "must have at least one payload");
        return Emptiness::Full;
    }
    if (schema.kind == model::EventKind::Heartbeat && has_payload)
        problems_.add(ProblemClass::Fatal, at_event(index, "Payload"), "a heartbeat has none");
    if (said_empty && has_payload)
        problems_.add(ProblemClass::Note, at_event(index, "IsEmpty"),
                      "is true beside a payload; taken as false");
    if (!said_empty && !has_payload)
        problems_.add(ProblemClass::Fatal, at_event(index, "Payload"), "is empty although IsEmpty is false");
    return has_payload ? Emptiness::Full : Emptiness::Empty;
}

std::optional<Timestamp> SecurityMessageDecoder::read_times(const Common& common, std::size_t index) {
    const auto utc = parse_iso8601(common.utc->text);
    const auto local = common.local->text == common.utc->text ? utc : parse_iso8601(common.local->text);
    if (!utc)
        problems_.add(ProblemClass::Fatal, at_event(index, "TimestampUTC"), "is not a time that can be read");
    if (!local)
        problems_.add(ProblemClass::Fatal, at_event(index, "TimestampLocal"),
                      "is not a time that can be read");
    if (!utc || !local) return std::nullopt;
    tail_.clear();
    JsonWriter(tail_)
        .member("EventId", common.id->text)
        .member("TimestampLocal", local_text(*local, *utc))
        .member("TimestampUTC", to_iso8601(utc->time, digits_of(utc->time)));
    return utc->time;
}

model::Event& SecurityMessageDecoder::next_event() {
    if (event_count_ == events_.size()) events_.emplace_back();
    auto& event = events_[event_count_++];
    auto items = std::move(event.items);
    items.clear();
    event = {};
    event.items = std::move(items);
    return event;
}

void SecurityMessageDecoder::emit(const Common& common, const PayloadSchema& schema, Timestamp device_time,
                                  bool is_empty, std::size_t index) {
    const auto begin = [&]() -> model::Event& {
        auto& event = next_event();
        event.kind = schema.kind;
        event.name = schema.name;
        event.category = schema.cadence == Cadence::Periodic ? "Periodic" : "Triggered";
        event.type = common.type->text == schema.type ? schema.type : "Operational";
        event.id = common.id->text;
        event.agent_version = agent_version_;
        event.is_empty = is_empty;
        event.time = event.device_time = event.window_start = event.window_end = device_time;
        event.received = record_->received;
        event.hub = record_->hub;
        event.device = record_->device;
        event.module = record_->module;
        event.position = position_;
        return event;
    };
    auto& event = begin();
    if (is_empty) {
        tail_.insert(tail_.begin(), '{');
        tail_ += '}';
        event.details_json = arena_.copy(tail_);
        ++position_.item;
        return;
    }
    const auto payloads = common.payload->elements;
    event.items.resize(payloads.size());
    repeats_.resize(payloads.size());
    bool repeated = schema.version_2 && schema.cadence == Cadence::Triggered;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        repeats_[i] = payloads_.decode(schema, payloads[i], {index, i}, tail_, event.items[i]);
        event.items[i].position = position_;
        ++position_.item;
        repeated |= repeats_[i].count > 1 || repeats_[i].start;
    }
    const auto apply = [&](model::Event& single, std::size_t payload) {
        single.hit_count = repeats_[payload].count;
        single.window_end = repeats_[payload].end.value_or(device_time);
        single.window_start = std::min(repeats_[payload].start.value_or(device_time), single.window_end);
        if (std::holds_alternative<model::ProcessTerminate>(single.items.front().payload))
            single.kind = model::EventKind::ProcessTerminate;
    };
    if (payloads.size() == 1) return apply(event, 0);
    if (!repeated) return;
    // Each payload has a count and a window of its own, an event has one: such an event becomes one event a
    // payload.
    const auto items = std::move(event.items);
    --event_count_;
    for (std::size_t i = 0; i < items.size(); ++i) {
        auto& single = begin();
        single.items.assign(1, items[i]);
        single.position = items[i].position;
        apply(single, i);
    }
}

}  // namespace fieldwatch::pipeline
