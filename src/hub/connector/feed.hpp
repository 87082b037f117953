// What is brought to the log from outside of the hub's own sessions: records of connectors and of imports,
// each into its device's partition, and known to be on disk before their source is told.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"

namespace fieldwatch::hub {

/// One thread. Bound: kWaitingMax records between append() and the disk.
class Feed {
  public:
    static constexpr std::size_t kWaitingMax = 1'024;
    static constexpr std::chrono::seconds kPatience{60};  ///< with a journal that is full

    Feed(journal::Writer& journal, std::uint32_t partition_count, const Clock& clock);

    /// Waits while the journal is full or too much is on its way. Errors: Exhausted when it stays so, Io,
    /// TooLarge.
    Result<void> append(const model::Record& record);
    /// A device's successful connect, which its hub's home compares over all devices (ADR 0045).
    Result<void> append_connect(const model::Record& record);
    /// Waits until all of it is on disk. Errors: Io.
    Result<void> settle();

    std::uint32_t partition_of(const model::Record& record) const;

  private:
    struct State;
    Result<void> append_to(journal::Stream stream, std::uint32_t partition, ByteView bytes);

    journal::Writer& journal_;
    const std::uint32_t partition_count_;
    const Clock& clock_;
    const std::shared_ptr<State> state_;  ///< the journal's callbacks hold it too
};

}  // namespace fieldwatch::hub
