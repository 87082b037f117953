// The last messages of each device that did not conform, for people to look at. The workspace does not store
// them; the counters count them all.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "model/finding.hpp"

namespace fieldwatch::pipeline {

/// Any thread (ADR 0030). At most `kDevicesMax` × `kPerDevice` letters of about 300 bytes: 10 MiB.
class DeadLetters {
  public:
    static constexpr std::size_t kDevicesMax = 2'000;
    static constexpr std::size_t kPerDevice = 16;
    static constexpr std::size_t kReasonBytesMax = 512;

    void add(std::vector<model::DeadLetter> letters);
    /// Newest first; all devices of the hub when `device` is empty, at most `count_max`.
    std::vector<model::DeadLetter> list(std::string_view hub, std::string_view device,
                                        std::size_t count_max) const;
    std::uint64_t total() const;

  private:
    mutable std::mutex mutex_;
    BoundedTable<std::vector<model::DeadLetter>> devices_{kDevicesMax};  // by hub NUL device; newest last
    std::uint64_t total_ = 0;
};

}  // namespace fieldwatch::pipeline
