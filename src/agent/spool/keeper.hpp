// What the sender keeps on disk of what it has in memory: the events that wait, how far each queue's numbers
// have come, and which losses no event has told yet (docs/formats/spool.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/event_writer.hpp"
#include "agent/spool/outbox.hpp"
#include "agent/spool/spool.hpp"
#include "agent/statistics.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

/// One thread; lives as long as what it was given. Without a disk that can be written, what waits is in
/// memory alone: that is told once, and tried again.
class Keeper {
  public:
    struct Parts {
        FileSystem& files;  ///< paths are relative to the state folder
        Outbox& outbox;
        EventWriter& writer;
        Statistics& statistics;
        const Clock& clock;
    };
    explicit Keeper(const Parts& parts) : parts_(parts) {}

    /// Reads what the last run left, and tells how it was found.
    void begin();
    /// Puts events that have waited since then, or longer, on disk. False where they could not be made
    /// durable.
    bool keep_waiting(std::int64_t older_than_ns);
    /// `tell` emits the events that tell losses: those are durable before they count as told. Killed at any
    /// point, the agent tells each loss once.
    void keep_told(const std::function<void()>& tell);
    /// At a clean end, after keep_waiting(): what was sent meanwhile is done with.
    void end();
    bool has_spool() const { return spool_ != nullptr; }

  private:
    /// Of one moment: both from the same pass.
    struct Note {
        std::string sequences;  ///< EventWriter::sequences()
        std::string untold;     ///< Statistics::untold()
    };
    Note now() const;
    Note read_note(const Spool::Recovered& recovered) const;
    void write_note(const Note& note, std::string_view more = {});
    Result<void> open_spool(EventWriter::Start& start, Spool::Recovered& recovered);
    bool find_spool();
    void tell_storage(const Result<void>& kept);

    Parts parts_;
    std::unique_ptr<Spool> spool_;
    std::string storage_error_;  // "" while what is kept on disk can be written
};

}  // namespace fieldwatch::agent
