#include "detect/posture/snapshot_parts.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <variant>

#include "detect/detector.hpp"
#include "detect/state.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::string_view kId = "SnapshotId", kPart = "SnapshotPart";

struct Part {
    std::string_view snapshot;
    std::uint64_t number = 0, count = 0;  ///< from 1 on
};

/// `2/5`; nothing for what is no part of anything.
std::optional<Part> part_of(const model::Event& event) {
    if (event.items.empty()) return std::nullopt;
    const auto& item = event.items.front();
    const auto* const other = std::get_if<model::OtherPayload>(&item.payload);
    const auto& map = other == nullptr ? item.extra_details : other->fields;
    Part out{.snapshot = model::find(map, kId)};
    const auto text = model::find(map, kPart);
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, out.number);
    if (out.snapshot.empty() || read.ec != std::errc{} || read.ptr == end || *read.ptr != '/')
        return std::nullopt;
    const auto rest = std::from_chars(read.ptr + 1, end, out.count);
    if (rest.ec != std::errc{} || rest.ptr != end || out.number < 1 || out.number > out.count)
        return std::nullopt;
    return out;
}

/// Calls `visit` with every text of a payload of a snapshot; what is no text stands in `write` and `read`.
template <class Payload, class Visit>
void visit_texts(Payload& of, Visit visit) {
    using Plain = std::remove_const_t<Payload>;
    if constexpr (std::is_same_v<Plain, model::ListeningPort>) {
        for (auto* text : {&of.protocol, &of.local_address, &of.local_port, &of.remote_address,
                           &of.remote_port, &of.executable})
            visit(*text);
    } else if constexpr (std::is_same_v<Plain, model::LocalUser>) {
        for (auto* text : {&of.user_name, &of.user_id, &of.group_names, &of.group_ids})
            visit(*text);
    } else if constexpr (std::is_same_v<Plain, model::FirewallRule>) {
        for (auto* text : {&of.action, &of.direction, &of.chain, &of.source_address, &of.source_port,
                           &of.destination_address, &of.destination_port, &of.protocol})
            visit(*text);
    } else if constexpr (std::is_same_v<Plain, model::BaselineCheck>) {
        for (auto* text : {&of.id, &of.description, &of.result, &of.error, &of.severity, &of.remediation})
            visit(*text);
    }
}

void write_map(ByteWriter& out, model::StringMap map) {
    const auto is_ours = [](const auto& entry) { return entry.first == kId || entry.first == kPart; };
    out.u32(static_cast<std::uint32_t>(map.size() -
                                       static_cast<std::size_t>(std::ranges::count_if(map, is_ours))));
    for (const auto& entry : map) {
        if (is_ours(entry)) continue;
        out.text(entry.first);
        out.text(entry.second);
    }
}

Bytes bytes_of(const model::Event& event) {
    Bytes bytes;
    ByteWriter out(bytes);
    for (const auto& item : event.items) {
        write(out, item.position);
        out.u8(static_cast<std::uint8_t>(item.payload.index()));
        std::visit([&](const auto& payload) { visit_texts(payload, [&](auto& text) { out.text(text); }); },
                   item.payload);
        if (const auto* const rule = std::get_if<model::FirewallRule>(&item.payload)) {
            out.u8(static_cast<std::uint8_t>((rule->enabled ? 1 : 0) | (rule->priority ? 2 : 0)));
            out.i64(rule->priority.value_or(0));
        }
        // The fields of others hold their details already.
        const auto* const other = std::get_if<model::OtherPayload>(&item.payload);
        write_map(out, other == nullptr ? item.extra_details : other->fields);
    }
    return bytes;
}

/// The payload of a snapshot that has this place in the variant.
Result<model::Payload> payload_at(std::uint8_t index) {
    for (const model::Payload& payload :
         {model::Payload(model::ListeningPort{}), model::Payload(model::LocalUser{}),
          model::Payload(model::FirewallRule{}), model::Payload(model::BaselineCheck{}),
          model::Payload(model::OtherPayload{})}) {
        if (payload.index() == index) return payload;
    }
    return fail(Errc::Corrupt, "saved part of a snapshot holds what no snapshot is of");
}

Result<model::Item> read_item(ByteReader& in,
                              std::vector<std::vector<std::pair<std::string_view, std::string_view>>>& maps) {
    model::Item item;
    item.position = FIELDWATCH_TRY(read_position(in));
    item.payload = FIELDWATCH_TRY(payload_at(FIELDWATCH_TRY(in.u8())));
    Result<void> read;
    std::visit(
        [&](auto& payload) {
            visit_texts(payload, [&](std::string_view& text) {
                const auto found = in.text();
                if (found) text = *found;
                if (!found) read = std::unexpected(found.error());
            });
        },
        item.payload);
    FIELDWATCH_TRY(read);
    if (auto* const rule = std::get_if<model::FirewallRule>(&item.payload)) {
        const auto flags = FIELDWATCH_TRY(in.u8());
        const auto priority = FIELDWATCH_TRY(in.i64());
        rule->enabled = (flags & 1) != 0;
        if ((flags & 2) != 0) rule->priority = priority;
    }
    const auto count = FIELDWATCH_TRY(read_count(in));
    auto& map = maps.emplace_back();
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto name = FIELDWATCH_TRY(in.text());
        map.emplace_back(name, FIELDWATCH_TRY(in.text()));
    }
    auto* const other = std::get_if<model::OtherPayload>(&item.payload);
    (other == nullptr ? item.extra_details : other->fields) = map;
    return item;
}

}  // namespace

bool is_snapshot(model::EventKind kind) {
    using enum model::EventKind;
    return kind == ListeningPorts || kind == LocalUsers || kind == FirewallConfiguration ||
           kind == OSBaseline || kind == SBoM;
}

void SnapshotParts::forget(std::string_view key) {
    if (const auto* const gone = unfinished_.peek(key)) bytes_ -= gone->bytes;
    unfinished_.erase(key);
}

const model::Event* SnapshotParts::whole(const model::Event& event) {
    if (!is_snapshot(event.kind)) return &event;
    const auto key = device_key(event.hub, event.device) + '\0' + static_cast<char>(event.kind);
    const auto part = part_of(event);
    const auto* const held = unfinished_.peek(key);
    const bool is_newer = held == nullptr || event.time >= held->time;
    if (!part) {
        if (is_newer) forget(key);
        return &event;
    }
    if (part->count > kPartsMax) return nullptr;
    if (held != nullptr && (held->snapshot != part->snapshot || held->count != part->count)) {
        if (!is_newer) return nullptr;
        forget(key);
    }
    auto& list = unfinished_.get(key, [&](const auto& gone) { bytes_ -= gone.second.bytes; });
    list.snapshot = part->snapshot;
    list.count = part->count;
    list.time = std::max(list.time, event.time);
    list.received = event.received;
    if (!list.parts.contains(part->number)) {
        auto bytes = bytes_of(event);
        list.bytes += bytes.size();
        bytes_ += bytes.size();
        list.parts.emplace(part->number, std::move(bytes));
    }
    if (list.bytes > kSnapshotBytesMax) {
        forget(key);
        return nullptr;
    }
    while (bytes_ > kBytesMax) {  // never this one: it is the newest, and below the bound by itself
        unfinished_.set_evictions(unfinished_.evictions() + 1);
        forget(std::string(unfinished_.begin()->first));
    }
    if (list.parts.size() < list.count) return nullptr;
    whole_ = std::move(list);
    bytes_ -= whole_.bytes;
    unfinished_.erase(key);
    return put_together(event);
}

const model::Event* SnapshotParts::put_together(const model::Event& last) {
    event_ = last;
    event_.id = whole_.snapshot;
    event_.time = whole_.time;
    event_.items.clear();
    maps_.clear();
    for (const auto& [number, bytes] : whole_.parts) {
        for (ByteReader in(bytes); !in.empty();) {
            auto item = read_item(in, maps_);
            if (!item) return nullptr;  // a checkpoint that was written to
            event_.items.push_back(std::move(*item));
        }
    }
    return &event_;
}

void SnapshotParts::advance(Timestamp now) {
    while (unfinished_.size() > 0 && unfinished_.begin()->second.received + kAge <= now)
        forget(std::string(unfinished_.begin()->first));
}

void SnapshotParts::save(ByteWriter& out) const {
    out.u64(unfinished_.evictions());
    out.u32(static_cast<std::uint32_t>(unfinished_.size()));
    for (const auto& [key, list] : unfinished_) {
        out.text(key);
        out.text(list.snapshot);
        out.u64(list.count);
        out.i64(list.time.ticks);
        out.i64(list.received.ticks);
        out.u32(static_cast<std::uint32_t>(list.parts.size()));
        for (const auto& [number, bytes] : list.parts) {
            out.u64(number);
            out.text(as_text(bytes));
        }
    }
}

Result<void> SnapshotParts::restore(ByteReader& in) {
    unfinished_.clear();
    bytes_ = 0;
    unfinished_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kUnfinishedMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& list = unfinished_.get(FIELDWATCH_TRY(in.text()));
        list.snapshot = FIELDWATCH_TRY(read_text(in));
        list.count = FIELDWATCH_TRY(in.u64());
        list.time = FIELDWATCH_TRY(read_time(in));
        list.received = FIELDWATCH_TRY(read_time(in));
        const auto parts = FIELDWATCH_TRY(read_count(in, kPartsMax));
        for (std::uint32_t k = 0; k < parts; ++k) {
            const auto number = FIELDWATCH_TRY(in.u64());
            const auto bytes = as_bytes(FIELDWATCH_TRY(in.text()));
            if (!list.parts.emplace(number, Bytes(bytes.begin(), bytes.end())).second) continue;
            list.bytes += bytes.size();
            bytes_ += bytes.size();
        }
        if (list.count > kPartsMax || list.bytes > kSnapshotBytesMax || bytes_ > kBytesMax)
            return fail(Errc::Corrupt, "saved snapshots hold more than they can");
    }
    return {};
}

}  // namespace fieldwatch::detect
