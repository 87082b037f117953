// What the sender keeps on disk: the events that wait, and how far each queue's numbers have come.
#include <algorithm>

#include "agent/agent_log.hpp"
#include "agent/sender.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

namespace {

constexpr const char* kSequencesFile = "sequences";

}  // namespace

void Sender::begin_keeping() {
    auto& files = posix_file_system();
    outbox_.on_gone = [this](const WaitingEvent& event) {
        if (spool_) spool_->forget(event.number);
    };
    outbox_.set_options({static_cast<std::size_t>(twin_.settings().cache_bytes),
                         static_cast<std::size_t>(twin_.settings().message_bytes)});
    EventWriter::Start start;
    const auto opened = open_spool(start);
    if (const auto kept = read_file(files, kSequencesFile, 512)) {
        const auto text = as_text(*kept);
        const auto line = std::min(text.find('\n'), text.size());
        start.previous_sequences = text.substr(0, line);
        statistics_.restore(text.substr(std::min(line + 1, text.size())));
    }
    writer_.tell_start(start);
    if (opened) return keep_sequences();
    tell_storage(opened);
}

/// Without a spool, where there is none to be had, the agent keeps what waits in memory alone, and asks
/// again: what is found then is older than what waits, whose numbers give way.
Result<void> Sender::open_spool(EventWriter::Start& start) {
    Spool::Recovered recovered;
    spool_ = FIELDWATCH_TRY(Spool::open(posix_file_system(), "spool", recovered));
    start.spool_breaks = recovered.breaks;
    start.spool_torn_bytes = recovered.torn_bytes;
    if (recovered.torn_bytes > 0) {
        say(Severity::Warning, "spool: " + std::to_string(recovered.torn_bytes) + " torn bytes cut off");
    }
    if (recovered.breaks > 0) say(Severity::Error, "spool: altered while the agent stood still");
    if (!recovered.events.empty()) outbox_.renumber_unspooled(recovered.events.back().number);
    for (auto& event : recovered.events) {
        event.since_ns = now_ns();
        outbox_.restore(std::move(event));
    }
    return {};
}

/// True if there is one, at last. What is told of its state was told at the start otherwise.
bool Sender::find_spool() {
    if (spool_) return true;
    EventWriter::Start start;
    if (!open_spool(start)) return false;
    if (start.spool_breaks > 0) writer_.diagnose("Error", "spool: altered while the agent stood still");
    return true;
}

void Sender::keep_sequences() {
    const auto text = writer_.sequences() + "\n" + statistics_.untold(outbox_) + "\n";
    tell_storage(replace_file(posix_file_system(), kSequencesFile, as_bytes(text)));
}

/// Says once that the disk takes nothing, and once that it does again; not with every pass.
void Sender::tell_storage(const Result<void>& kept) {
    const auto error = kept ? std::string() : kept.error().message;
    if (error.empty() == storage_error_.empty()) return;
    storage_error_ = error;
    const auto text = error.empty() ? "state folder: can be written again"
                                    : "state folder: what waits is in memory only: " + error;
    say(error.empty() ? Severity::Information : Severity::Error, text);
    writer_.diagnose(error.empty() ? "Information" : "Error", text);
}

bool Sender::spool_waiting(std::int64_t older_than_ns) {
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
    const auto cache_bytes = static_cast<std::uint64_t>(twin_.settings().cache_bytes);
    if (spool_->bytes() >= cache_bytes + cache_bytes / 2) {
        if (const auto kept = spool_->open_oldest()) outbox_.spool_again(*kept, append);
    }
    outbox_.spool_unwritten(older_than_ns, [&](const WaitingEvent& event) {
        return spool_->bytes() < 2 * cache_bytes && append(event);
    });
    const auto synced = spool_->sync();
    if (!synced || failed) {
        tell_storage(synced ? fail(Errc::Io, "spool: cannot write") : synced);
        return false;
    }
    // While all goes out at once, the hub's side knows better.
    if (wrote || !storage_error_.empty()) keep_sequences();
    return true;
}

}  // namespace fieldwatch::agent
