#include "pipeline/shard_core.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "detect/rules/fleet_fact.hpp"

namespace fieldwatch::pipeline {

namespace {
// 1 had no registry sequence, 2 no seen operations, 3 no facts of the fleet.
constexpr std::uint16_t kStateVersion = 4;
constexpr std::uint32_t kPartitionsMax = 65'536;
constexpr std::size_t kRegistryBodyBytesMax = 1u << 20;  ///< a hub's configuration has at most 256 KiB
constexpr std::string_view kRegistrySequence = "registry-sequence";

/// The number under which the registry's outbox gave this record; none for a record of another origin. Asked
/// of the kinds that only the registry writes: a device may name a property of its message as it likes.
std::optional<std::uint64_t> registry_sequence(const model::RecordView& record) {
    switch (record.kind) {
        case model::RecordKind::ControlPlane:
        case model::RecordKind::Twin:
        case model::RecordKind::IdentityChange:
        case model::RecordKind::HubConfiguration:
        case model::RecordKind::AlertState:
        case model::RecordKind::QueryFinding:
            break;
        default:
            return std::nullopt;
    }
    for (const auto& [name, value] : record.properties) {
        if (name != kRegistrySequence) continue;
        std::uint64_t sequence = 0;
        const auto* const end = value.data() + value.size();
        const auto read = std::from_chars(value.data(), end, sequence);
        if (read.ec == std::errc{} && read.ptr == end) return sequence;
    }
    return std::nullopt;
}

template <class Section>
void save_section(ByteWriter& out, const Section& section) {
    Bytes bytes;
    ByteWriter writer(bytes);
    section.save(writer);
    out.u32(static_cast<std::uint32_t>(bytes.size()));
    out.bytes(bytes);
}
template <class Section>
Result<void> restore_section(ByteReader& in, Section& section) {
    const auto size = FIELDWATCH_TRY(in.u32());
    ByteReader bytes(FIELDWATCH_TRY(in.bytes(size)));
    FIELDWATCH_TRY(section.restore(bytes));
    if (!bytes.empty()) return fail(Errc::Corrupt, "bytes behind the end of a section");
    return {};
}

/// Every counter of the ledger, in the order in which they are saved.
template <class Ledger, class Visit>
void for_each_counter(Ledger& l, Visit&& visit) {
    for (auto* counter : {&l.messages, &l.events, &l.duplicates, &l.id_reuse, &l.late, &l.refused_messages,
                          &l.refused_events, &l.compat, &l.benign, &l.operations, &l.refused_operations})
        visit(*counter);
}
}  // namespace

ShardCore::ShardCore(detect::ContentPtr content, std::string content_hash, ContentLookup lookup,
                     Options options)
    : options_(options),
      lookup_(std::move(lookup)),
      content_hash_(std::move(content_hash)),
      engine_(detect::make_engine(std::move(content))) {
    engine_->watch(options_.watch);
}

Result<void> ShardCore::process(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    out.events.clear();
    out.operations = {};
    out.findings.clear();
    out.facts.clear();
    FIELDWATCH_TRY(dispatch(record, position, out));
    tell_fleet(position, out);
    return {};
}

Result<void> ShardCore::dispatch(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    now_ = std::max(now_, record.received);
    if (record.kind == model::RecordKind::Tick || now_ >= advanced_ + kAdvanceInterval) advance(now_, out);
    if (const auto sequence = registry_sequence(record)) {
        // The outbox is pumped at least once, in order: what came before comes again only after a crash.
        if (*sequence <= registry_sequence_) {
            ++losses_.repeated_changes;
            return {};
        }
        registry_sequence_ = *sequence;
    }
    switch (record.kind) {
        case model::RecordKind::SecurityMessage:
            security_message(record, position, out);
            return {};
        case model::RecordKind::Operation:
        case model::RecordKind::ControlPlane:
        case model::RecordKind::SigmaEvent:
            operations(record, position, out);
            return {};
        case model::RecordKind::Content: {
            const auto body = control_reader_.parse(record.body);
            if (!body) return in_context("content record", body.error());
            return switch_content((*body)->text_of("hash"));
        }
        case model::RecordKind::AlertState:
            alert_state(record, position, out);
            return {};
        case model::RecordKind::QueryFinding:
            if (const auto found = engine_->observe_query(record, position, out.findings); !found)
                dead_letter(record, position, found.error().message, out);
            return {};
        case model::RecordKind::FleetFact:
            fleet_fact(record, position, out);
            return {};
        case model::RecordKind::Twin:
        case model::RecordKind::IdentityChange:
        case model::RecordKind::HubConfiguration:
            registry_change(record, position, out);
            return {};
        case model::RecordKind::Tick:
            engine_->observe_tick(record.received, out.findings);
            return {};
        case model::RecordKind::Telemetry:  // a stream of its own; custom alerts read its condensed
                                            // operations
            return {};
    }
    return {};
}

void ShardCore::run_on(Timestamp now, Outcome& out) {
    out.events.clear();
    out.operations = {};
    out.findings.clear();
    out.facts.clear();
    now_ = std::max(now_, now);
    engine_->end_of_input();
    advance(now_, out);
    tell_fleet({}, out);
}

/// A shard tells at least once: after a restart it tells again what it had told since its checkpoint.
void ShardCore::fleet_fact(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    const auto read = detect::read_fleet_fact(record);
    if (!read) return dead_letter(record, position, read.error().message, out);
    const auto& origin = read->origin;
    const auto place = std::pair(origin.offset, origin.number);
    const auto [seen, first] = facts_seen_.try_emplace(origin.partition, place);
    if (!first && place <= seen->second) {
        ++losses_.repeated_facts;
        return;
    }
    seen->second = place;
    engine_->observe_fact(read->fact, now_, out.findings);
}

void ShardCore::tell_fleet(model::LogPosition position, Outcome& out) {
    std::uint32_t number = 0;
    for (auto facts = engine_->take_facts(); !facts.empty(); facts = engine_->take_facts()) {
        for (const auto& fact : facts) {
            if (options_.is_whole) {
                engine_->observe_fact(fact, now_, out.findings);
                continue;
            }
            const detect::FactOrigin origin{
                .partition = position.partition, .offset = position.offset, .number = number++};
            out.facts.push_back(
                {.partition = model::fleet_partition_of(fact.hub, fact.group_key(), options_.partition_count),
                 .record = detect::fleet_fact_record(fact, origin, now_)});
        }
    }
}

void ShardCore::advance(Timestamp now, Outcome& out) {
    advanced_ = now;
    engine_->advance(now, out.findings);
}

void ShardCore::security_message(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    ++losses_.messages;
    const auto& decoded = messages_.decode(record, position, options_.decode);
    losses_.benign += decoded.benign;
    losses_.compat += decoded.problems->compat();
    for (const auto& refusal : decoded.refusals)
        dead_letter(record, position, refusal.reason, out);
    if (decoded.events.empty() && !decoded.refusals.empty()) {
        ++losses_.refused_messages;
    } else {
        losses_.refused_events += decoded.refusals.size();
    }
    identity_.assign(record.hub).append(1, '\0').append(record.device).append(1, '\0').append(record.module);
    times_.apply(identity_, record.received, decoded.events);
    bool first = true;
    const char* wire_event = nullptr;
    if (!decoded.events.empty())
        decoded.events.front().message_bytes = static_cast<std::uint32_t>(record.body.size());
    for (const auto& event : decoded.events) {
        // Several events can come of one event of the message; they are views of the same id text, and share
        // its fate.
        if (event.id.data() != wire_event) first = is_first(event);
        wire_event = event.id.data();
        if (!first) continue;
        ++losses_.events;
        losses_.late += event.late;
        out.events.push_back(&event);
        engine_->observe(event, out.findings);
    }
}

bool ShardCore::is_first(const model::Event& event) {
    switch (duplicates_.check(identity_, event)) {
        case Seen::First:
            return true;
        case Seen::IdReuse:
            ++losses_.id_reuse;
            return true;
        case Seen::Duplicate:
            ++losses_.duplicates;
            return false;
    }
    return true;
}

void ShardCore::operations(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    const auto decoded = record.kind == model::RecordKind::Operation
                             ? operation_decoder_.decode_operation(record, position)
                         : record.kind == model::RecordKind::ControlPlane
                             ? operation_decoder_.decode_control_plane(record, position)
                             : operation_decoder_.decode_sigma_event(record, position);
    if (!decoded) {
        ++losses_.refused_operations;
        dead_letter(record, position, decoded.error().message, out);
        return;
    }
    const auto role = role_of(record, position);
    std::size_t kept = 0;
    for (auto& operation : *decoded) {
        operation.event.role = role;
        if (seen_operations_.check(operation)) {
            ++losses_.duplicates;
            continue;
        }
        engine_->observe(operation.event, out.findings);
        if (auto& place = (*decoded)[kept++]; &place != &operation) place = std::move(operation);
    }
    if (!role.owner) return;  // the device's own shard stores it
    losses_.operations += kept;
    out.operations = decoded->first(kept);
}

void ShardCore::registry_change(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    if (const auto body = control_reader_.parse(record.body, {.bytes_max = kRegistryBodyBytesMax}); !body)
        return dead_letter(record, position, body.error().message, out);
    engine_->observe_change(record, position, role_of(record, position), out.findings);
}

/// Records of a device lie in its partition; what its hub's home needs to see of them lies there once more.
model::ShardRole ShardCore::role_of(const model::RecordView& record, model::LogPosition position) {
    const auto count = options_.partition_count;
    if (count <= 1) return {};
    hub_name_.value = record.hub;
    device_id_.value.clear();
    const bool home = model::partition_of(hub_name_, device_id_, count) == position.partition;
    device_id_.value = record.device;
    const bool owner =
        record.device.empty() || model::partition_of(hub_name_, device_id_, count) == position.partition;
    return {.owner = owner, .home = home};
}

Result<void> ShardCore::switch_content(std::string_view hash) {
    if (hash == content_hash_) return {};
    auto content = lookup_(hash);
    if (!content)
        return in_context("content version " + std::string(hash.substr(0, 64)) + " that the log names",
                          content.error());
    content_hash_ = hash;
    engine_->set_content(std::move(*content));
    return {};
}

void ShardCore::alert_state(const model::RecordView& record, model::LogPosition position, Outcome& out) {
    const auto body = control_reader_.parse(record.body);
    if (!body) return dead_letter(record, position, body.error().message, out);
    model::AlertDecision decision{.status = model::alert_status_from((*body)->text_of("status")),
                                  .by = std::string((*body)->text_of("by")),
                                  .reason = std::string((*body)->text_of("reason")),
                                  .comment = std::string((*body)->text_of("comment")),
                                  .feedback = std::string((*body)->text_of("feedback")),
                                  .at = record.received};
    if (const auto* const assignee = (*body)->find("assignee");
        assignee != nullptr && assignee->is(json::Type::String))
        decision.assignee = std::string(assignee->text);
    const auto alert = (*body)->text_of("alertId");
    const auto target = alert.empty() ? (*body)->text_of("aggregate") : alert;
    if ((!decision.status && !decision.says_something()) || target.empty())
        return dead_letter(record, position, "/status, /alertId or /aggregate: is missing or unknown", out);
    const auto done = engine_->decide(record.hub, target, decision, out.findings);
    // What is said of a hub's alert comes to every shard; the one that raised it answers for it.
    const bool raised_here =
        !record.device.empty() || (*body)->text_of("partition") == std::to_string(position.partition);
    if (!done && raised_here) dead_letter(record, position, done.error().message, out);
}

void ShardCore::dead_letter(const model::RecordView& record, model::LogPosition position, std::string reason,
                            Outcome& out) const {
    out.findings.emplace_back(model::DeadLetter{.position = position,
                                                .hub = {std::string(record.hub)},
                                                .device = std::string(record.device),
                                                .module = std::string(record.module),
                                                .reason = std::move(reason),
                                                .received = record.received});
}

void ShardCore::save(Bytes& out) const {
    ByteWriter writer(out);
    writer.u16(kStateVersion);
    writer.text(content_hash_);
    writer.i64(now_.ticks);
    writer.i64(advanced_.ticks);
    for_each_counter(losses_, [&](std::uint64_t count) { writer.u64(count); });
    writer.u64(losses_.repeated_changes);
    writer.u64(registry_sequence_);
    save_section(writer, times_);
    save_section(writer, duplicates_);
    save_section(writer, seen_operations_);
    writer.u64(losses_.repeated_facts);
    writer.u32(static_cast<std::uint32_t>(facts_seen_.size()));
    for (const auto& [partition, place] : facts_seen_) {
        writer.u32(partition);
        writer.u64(place.first);
        writer.u32(place.second);
    }
    Bytes engine;
    engine_->save(engine);
    writer.u32(static_cast<std::uint32_t>(engine.size()));
    writer.bytes(engine);
}

Result<void> ShardCore::restore_facts(ByteReader& in) {
    losses_.repeated_facts = FIELDWATCH_TRY(in.u64());
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > kPartitionsMax) return fail(Errc::Corrupt, "facts of more partitions than there can be");
    facts_seen_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto partition = FIELDWATCH_TRY(in.u32());
        const auto offset = FIELDWATCH_TRY(in.u64());
        facts_seen_[partition] = {offset, FIELDWATCH_TRY(in.u32())};
    }
    return {};
}

Result<void> ShardCore::restore(ByteView state) {
    ByteReader in(state);
    const auto version = FIELDWATCH_TRY(in.u16());
    if (version == 0 || version > kStateVersion)
        return fail(Errc::Unsupported, "shard state of version " + std::to_string(version));
    const auto hash = FIELDWATCH_TRY(in.text());
    FIELDWATCH_TRY(switch_content(hash));
    now_ = Timestamp{FIELDWATCH_TRY(in.i64())};
    advanced_ = Timestamp{FIELDWATCH_TRY(in.i64())};
    Result<void> counted;
    for_each_counter(losses_, [&](std::uint64_t& count) {
        const auto value = in.u64();
        if (value) {
            count = *value;
        } else {
            counted = std::unexpected(value.error());
        }
    });
    if (!counted) return counted;
    if (version >= 2) {
        losses_.repeated_changes = FIELDWATCH_TRY(in.u64());
        registry_sequence_ = FIELDWATCH_TRY(in.u64());
    }
    FIELDWATCH_TRY(restore_section(in, times_));
    FIELDWATCH_TRY(restore_section(in, duplicates_));
    if (version >= 3) FIELDWATCH_TRY(restore_section(in, seen_operations_));
    if (version >= 4) FIELDWATCH_TRY(restore_facts(in));
    const auto size = FIELDWATCH_TRY(in.u32());
    const auto engine = FIELDWATCH_TRY(in.bytes(size));
    return engine_->restore(engine);
}

}  // namespace fieldwatch::pipeline
