// What the sender keeps on disk: the events that wait, and how far each queue's numbers have come.
#include "agent/agent_log.hpp"
#include "agent/sender.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

namespace {

constexpr const char* kSequencesFile = "sequences";

}  // namespace

Result<void> Sender::open_spool() {
    auto& files = posix_file_system();
    Spool::Recovered recovered;
    spool_ = FIELDWATCH_TRY(Spool::open(files, "spool", recovered));
    if (recovered.torn_bytes > 0) {
        say(Severity::Warning, "spool: " + std::to_string(recovered.torn_bytes) + " torn bytes cut off");
    }
    if (recovered.breaks > 0) say(Severity::Error, "spool: altered while the agent stood still");
    outbox_.on_gone = [this](const WaitingEvent& event) { spool_->forget(event.number); };
    outbox_.set_options({static_cast<std::size_t>(twin_.settings().cache_bytes),
                         static_cast<std::size_t>(twin_.settings().message_bytes)});
    for (auto& event : recovered.events) {
        event.since_ns = now_ns();
        outbox_.restore(std::move(event));
    }
    EventWriter::Start start{.spool_breaks = recovered.breaks, .spool_torn_bytes = recovered.torn_bytes};
    if (const auto kept = read_file(files, kSequencesFile, 256)) start.previous_sequences = as_text(*kept);
    writer_.tell_start(start);
    keep_sequences();
    return {};
}

void Sender::keep_sequences() {
    const auto kept = replace_file(posix_file_system(), kSequencesFile, as_bytes(writer_.sequences()));
    if (!kept) say(Severity::Error, "sequences: " + kept.error().message);
}

void Sender::spool_waiting(std::int64_t older_than_ns) {
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
    if (const auto synced = spool_->sync(); !synced || failed) {
        say(Severity::Error, "spool: " + (synced ? std::string("cannot write") : synced.error().message));
    }
    if (wrote) keep_sequences();  // while all goes out at once, the hub's side knows better
}

}  // namespace fieldwatch::agent
