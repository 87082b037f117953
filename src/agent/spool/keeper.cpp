#include "agent/spool/keeper.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/agent_log.hpp"
#include "base/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr const char* kNoteFile = "sequences";
constexpr std::size_t kNoteBytesMax = 2'048;
constexpr std::string_view kUntil = "until ";

}  // namespace

void Keeper::begin() {
    parts_.outbox.on_gone = [this](const WaitingEvent& event) {
        if (spool_) spool_->forget(event.number);
    };
    EventWriter::Start start;
    Spool::Recovered recovered;
    const auto opened = open_spool(start, recovered);
    const auto note = read_note(recovered);
    start.previous_sequences = note.sequences;
    parts_.statistics.restore(note.untold);
    parts_.writer.tell_start(start);
    if (opened) return write_note(now());
    tell_storage(opened);
}

/// Without a spool, where there is none to be had, the agent keeps what waits in memory alone, and asks
/// again: what is found then is older than what waits, whose numbers give way.
Result<void> Keeper::open_spool(EventWriter::Start& start, Spool::Recovered& recovered) {
    spool_ = FIELDWATCH_TRY(Spool::open(parts_.files, "spool", recovered));
    start.spool_breaks = recovered.breaks;
    start.spool_torn_bytes = recovered.torn_bytes;
    if (recovered.torn_bytes > 0) {
        say(Severity::Warning, "spool: " + std::to_string(recovered.torn_bytes) + " torn bytes cut off");
    }
    if (recovered.breaks > 0) say(Severity::Error, "spool: altered while the agent stood still");
    if (!recovered.events.empty()) parts_.outbox.renumber_unspooled(recovered.events.back().number);
    for (auto event : recovered.events) {
        event.since_ns = parts_.clock.monotonic().count();
        parts_.outbox.restore(std::move(event));
    }
    return {};
}

/// True if there is one, at last. What is told of its state was told at the start otherwise.
bool Keeper::find_spool() {
    if (spool_) return true;
    EventWriter::Start start;
    Spool::Recovered recovered;
    if (!open_spool(start, recovered)) return false;
    if (start.spool_breaks > 0) parts_.writer.diagnose("Error", "spool: altered while the agent stood still");
    return true;
}

Keeper::Note Keeper::now() const {
    return {parts_.writer.sequences(), parts_.statistics.untold(parts_.outbox)};
}

/// Two lines, or five: the third says the number of an event, and the others hold once that is in the spool.
Keeper::Note Keeper::read_note(const Spool::Recovered& recovered) const {
    const auto kept = read_file(parts_.files, kNoteFile, kNoteBytesMax);
    if (!kept) return {};
    auto lines = split(as_text(*kept), '\n');
    lines.resize(std::max<std::size_t>(lines.size(), 5));
    std::uint64_t number = 0;
    if (lines[2].starts_with(kUntil)) {
        const auto text = lines[2].substr(kUntil.size());
        (void)std::from_chars(text.data(), text.data() + text.size(), number);
    }
    const bool is_told = number != 0 && std::ranges::find(recovered.events, number, &WaitingEvent::number) !=
                                            recovered.events.end();
    const std::size_t first = is_told ? 3 : 0;
    return {std::string(lines[first]), std::string(lines[first + 1])};
}

void Keeper::write_note(const Note& note, std::string_view more) {
    const auto text = note.sequences + "\n" + note.untold + "\n" + std::string(more);
    tell_storage(replace_file(parts_.files, kNoteFile, as_bytes(text)));
}

/// Says once that the disk takes nothing, and once that it does again; not with every pass.
void Keeper::tell_storage(const Result<void>& kept) {
    const auto error = kept ? std::string() : kept.error().message;
    if (error.empty() == storage_error_.empty()) return;
    storage_error_ = error;
    const auto text = error.empty() ? "state folder: can be written again"
                                    : "state folder: what waits is in memory only: " + error;
    say(error.empty() ? Severity::Information : Severity::Error, text);
    parts_.writer.diagnose(error.empty() ? "Information" : "Error", text);
}

bool Keeper::keep_waiting(std::int64_t older_than_ns) {
    if (!find_spool()) return false;
    bool failed = false;
    bool wrote = false;
    const auto append = [&](const WaitingEvent& event) {
        const bool written = spool_->append(event);
        failed |= !written;
        wrote |= written;
        return written;
    };
    // What waits takes at most the cache, the records of what is done with as much again. Before that much is
    // there, the events that keep the oldest of those are written anew.
    const std::uint64_t cache_bytes = parts_.outbox.cache_bytes();
    if (spool_->bytes() >= cache_bytes + cache_bytes / 2) {
        if (const auto kept = spool_->open_oldest()) parts_.outbox.spool_again(*kept, append);
    }
    bool is_full = false;
    const auto write_waiting = [&] {
        is_full = false;
        parts_.outbox.spool_unwritten(older_than_ns, [&](const WaitingEvent& event) {
            is_full |= spool_->bytes() >= 2 * cache_bytes;
            return !is_full && append(event);
        });
        return spool_->sync();
    };
    auto synced = write_waiting();
    if (synced && is_full) synced = write_waiting();  // what is done with has gone, and made room
    if (!synced || failed) {
        tell_storage(synced ? fail(Errc::Io, "spool: cannot write") : synced);
        return false;
    }
    // While all goes out at once, the hub's side knows better.
    if (wrote || !storage_error_.empty()) write_note(now());
    return true;
}

void Keeper::keep_told(const std::function<void()>& tell) {
    const bool has_disk = find_spool();  // before there are numbers that would give way to what it holds
    const auto before = now();
    const auto first = parts_.outbox.next_number();
    tell();
    if (!has_disk || parts_.outbox.next_number() == first) return;
    const auto after = now();
    write_note(before, std::string(kUntil) + std::to_string(first) + "\n" + after.sequences + "\n" +
                           after.untold + "\n");
    if (keep_waiting(INT64_MAX)) write_note(now());
}

void Keeper::end() {
    if (spool_) (void)spool_->sync();
    write_note(now());
}

}  // namespace fieldwatch::agent
