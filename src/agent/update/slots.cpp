#include "agent/update/slots.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/printable.hpp"
#include "base/sha256_stream.hpp"
#include "base/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::string_view kStateMagic = "fieldwatch-agent-slots 1";
constexpr std::size_t kCopyBytes = 64 * 1'024;
constexpr std::size_t kReasonBytesMax = 256;
constexpr std::array<std::string_view, 3> kSlotNames = {"package", "a", "b"};
constexpr std::array<std::string_view, 5> kOutcomes = {"", "trial", "confirmed", "rolledBack", "refused"};

std::string_view slot_name(Slot slot) {
    return kSlotNames[static_cast<std::size_t>(slot)];
}

bool read_slot(std::string_view text, Slot& out) {
    const auto found = std::ranges::find(kSlotNames, text);
    out = static_cast<Slot>(found - kSlotNames.begin());
    return found != kSlotNames.end();
}

bool read_version(std::string_view text, Version& out) {
    const auto version = Version::parse(text);
    out = version.value_or(Version{});
    return version.has_value();
}

}  // namespace

std::string format_slot_state(const SlotState& state) {
    std::string out(kStateMagic);
    const auto line = [&out](std::string_view text) { out.append("\n").append(text); };
    line(state.package.text());
    line(slot_name(state.current));
    line(state.version.text());
    line(slot_name(state.trial));
    line(state.tried_version.text());
    line(state.tried);
    line(state.outcome);
    line(state.stops > 0 ? std::to_string(state.stops) : printable(state.reason).substr(0, kReasonBytesMax));
    return out + "\n";
}

Result<SlotState> parse_slot_state(std::string_view text) {
    SlotState out;
    const auto lines = split(text.substr(0, kSlotStateBytesMax), '\n');
    const bool is_good = lines.size() == 10 && lines[0] == kStateMagic && lines[9].empty() &&
                         read_version(lines[1], out.package) && read_slot(lines[2], out.current) &&
                         read_version(lines[3], out.version) && read_slot(lines[4], out.trial) &&
                         read_version(lines[5], out.tried_version) &&
                         (lines[6].empty() || lines[6].size() == 64) &&
                         std::ranges::find(kOutcomes, lines[7]) != kOutcomes.end() &&
                         (out.trial == Slot::Package || out.trial != out.current);
    if (!is_good) return fail(Errc::Malformed, "the state of the agent's slots cannot be read");
    out.tried = lines[6];
    out.outcome = lines[7];
    out.reason = lines[8];
    // Beside an outcome that needs no reason: earlier releases read ten lines, and this one in words.
    if (out.outcome == "trial" && !out.reason.empty()) {
        out.stops = static_cast<unsigned>(std::min(std::strtoul(out.reason.c_str(), nullptr, 10), 1'000UL));
        out.reason.clear();
    }
    return out;
}

std::string Slots::path(Slot slot, const char* name) const {
    return (directory_ + "/").append(slot_name(slot)).append("/").append(name);
}

SlotState Slots::state() const {
    const auto text = read_file(files_, state_path(), kSlotStateBytesMax);
    const auto read = text ? parse_slot_state(as_text(*text)) : std::unexpected(text.error());
    if (read && read->package == package_) return *read;
    SlotState fresh{.package = package_, .version = package_};
    // Another package is the owner's word: it is what runs, until the next update.
    if (read) {
        fresh.tried = read->tried;
        fresh.tried_version = read->tried_version;
        fresh.outcome = read->trial == Slot::Package ? read->outcome : "rolledBack";
        fresh.reason = "version " + package_.text() + " was installed";
    }
    return fresh;
}

Result<void> Slots::save(const SlotState& state) {
    FIELDWATCH_TRY(files_.make_directories(directory_));
    return replace_file(files_, state_path(), as_bytes(format_slot_state(state)));
}

Result<void> Slots::confirm() {
    auto now = state();
    if (now.trial == Slot::Package) return {};
    now.current = std::exchange(now.trial, Slot::Package);
    now.version = now.tried_version;
    now.outcome = "confirmed";
    now.reason.clear();
    now.stops = 0;
    return save(now);
}

Result<void> Slots::roll_back(std::string reason) {
    auto now = state();
    if (now.trial == Slot::Package) return {};
    now.trial = Slot::Package;
    now.outcome = "rolledBack";
    now.reason = std::move(reason);
    now.stops = 0;
    return save(now);
}

/// Of the trial that was under way. A stop from outside, as at a device's restart, says nothing against it.
std::optional<Slots::Start> Slots::settle(SlotState& state, const Said& said) {
    const auto is = [&](const std::string& id) { return !state.tried.empty() && id == state.tried; };
    const bool was_stopped = is(said.stopped) && !is(said.connected);
    if (was_stopped && state.stops < kStopsMost && check(state.trial)) {
        ++state.stops;
        // Where not even this can be written, the disk says the same at the next start.
        if (save(state)) return Start{.slot = state.trial, .is_trial = true};
    }
    const auto why =
        was_stopped ? "it was stopped too often before it was connected" : "it ended before it was connected";
    const auto settled = is(said.connected) ? confirm() : roll_back(why);
    if (settled) state = this->state();
    state.trial = Slot::Package;
    return std::nullopt;
}

Slots::Start Slots::begin(const std::optional<Staged>& staged, const Said& said) {
    auto now = state();
    const auto kept = read_file(files_, state_path(), kSlotStateBytesMax);
    // Of another package, or damaged: said anew.
    if (kept && as_text(*kept) != format_slot_state(now)) (void)save(now);
    if (now.trial != Slot::Package) {
        if (const auto start = settle(now, said)) return *start;
    }
    if (staged) {
        if (const auto start = take_up(now, *staged)) return *start;
    }
    if (now.current == Slot::Package) return {};
    if (check(now.current)) return {.slot = now.current};
    now.current = Slot::Package;
    now.version = package_;
    now.outcome = "rolledBack";
    now.reason = "what was installed is no longer whole, or of another key";
    (void)save(now);
    return {};
}

/// Nothing where no trial begins; the state then says why.
std::optional<Slots::Start> Slots::take_up(SlotState& state, const Staged& staged) {
    const auto id = hex(sha256(as_bytes(staged.manifest)));
    if (id == state.tried) return std::nullopt;
    auto next = state;
    next.tried = id;
    next.tried_version = {};
    next.stops = 0;
    const auto slot = state.current == Slot::A ? Slot::B : Slot::A;
    const auto good = [&]() -> Result<void> {
        const auto manifest = FIELDWATCH_TRY(check_staged(state, staged));
        next.tried_version = manifest.version;
        FIELDWATCH_TRY(fill(slot, manifest, staged));
        FIELDWATCH_TRY(check(slot));
        return {};
    }();
    next.outcome = good ? "trial" : "refused";
    next.reason = good ? "" : good.error().message;
    if (good) next.trial = slot;
    // Without a note of it a trial would never end.
    if (!save(next)) return std::nullopt;
    state = next;
    if (!good) return std::nullopt;
    return Start{.slot = slot, .is_trial = true};
}

Result<Manifest> Slots::check_staged(const SlotState& state, const Staged& staged) const {
    auto manifest = FIELDWATCH_TRY(parse_manifest(staged.manifest));
    if (!manifest.is_signed_by(key_))
        return fail(Errc::Unauthorized, "the update is not signed by this device's update key");
    FIELDWATCH_TRY(manifest.check_for(state.version));
    return manifest;
}

Result<void> Slots::fill(Slot slot, const Manifest& manifest, const Staged& staged) {
    const auto directory = path(slot, "");
    FIELDWATCH_TRY(files_.make_directories(directory.substr(0, directory.size() - 1)));
    // The manifest goes first and comes last: a slot with one is whole, or was damaged later.
    for (const auto* name : {"manifest", kUpdatePrograms[0], kUpdatePrograms[1]}) {
        const auto removed = files_.remove(path(slot, name));
        if (!removed && removed.error().code != Errc::NotFound) return removed;
    }
    std::uint64_t from = 0;
    for (std::size_t i = 0; i < kUpdatePrograms.size(); ++i) {
        FIELDWATCH_TRY(copy(staged, from, manifest.programs[i].bytes, path(slot, kUpdatePrograms[i])));
        from += manifest.programs[i].bytes;
    }
    return replace_file(files_, path(slot, "manifest"), as_bytes(manifest.text));
}

Result<void> Slots::copy(const Staged& staged, std::uint64_t from, std::uint32_t bytes,
                         const std::string& to) {
    const auto file = FIELDWATCH_TRY(files_.open(to, OpenMode::CreateNew));
    Bytes buffer(std::min<std::size_t>(kCopyBytes, bytes));
    for (std::uint32_t done = 0; done < bytes;) {
        const auto wanted = std::span(buffer).first(std::min<std::size_t>(buffer.size(), bytes - done));
        if (FIELDWATCH_TRY(staged.read_image(from + done, wanted)) != wanted.size())
            return fail(Errc::Malformed, "the update's image is shorter than its manifest says");
        FIELDWATCH_TRY(file->write_at(done, wanted));
        done += static_cast<std::uint32_t>(wanted.size());
    }
    return file->sync();
}

Result<void> Slots::check(Slot slot) const {
    const auto text = FIELDWATCH_TRY(read_file(files_, path(slot, "manifest"), Manifest::kBytesMax));
    const auto manifest = FIELDWATCH_TRY(parse_manifest(as_text(text)));
    if (!manifest.is_signed_by(key_))
        return fail(Errc::Unauthorized, "what is installed is not signed by this device's update key");
    Bytes buffer(kCopyBytes);
    for (std::size_t i = 0; i < kUpdatePrograms.size(); ++i) {
        const auto file = FIELDWATCH_TRY(files_.open(path(slot, kUpdatePrograms[i]), OpenMode::ReadOnly));
        Sha256Stream hash;
        std::uint64_t at = 0;
        for (std::size_t size = 1; size > 0 && at <= Manifest::kProgramBytesMax; at += size) {
            size = FIELDWATCH_TRY(file->read_at(at, buffer));
            hash.add(std::span(buffer).first(size));
        }
        if (at != manifest.programs[i].bytes || hex(hash.finish()) != manifest.programs[i].sha256)
            return fail(Errc::Corrupt,
                        std::string(kUpdatePrograms[i]) + " is not what the update's manifest says");
    }
    return {};
}

}  // namespace fieldwatch::agent
