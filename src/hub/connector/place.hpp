// Where a connector stands in what it reads, in a file of its own: after a restart it goes on from there.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::hub {

/// Short texts under names: an offset a partition, a place in a file. One thread.
class ConnectorPlace {
  public:
    static constexpr std::chrono::seconds kEvery{1};  ///< how much is read twice after a crash, at the most

    /// Errors: Corrupt, with what to do; Io.
    static Result<ConnectorPlace> load(FileSystem& files, std::string path, const Clock& clock);

    std::string_view get(std::string_view name) const;  ///< "" = nothing yet
    void set(std::string_view name, std::string_view value);
    /// Writes what changed, once in kEvery, or `now`. Errors: Io.
    Result<void> keep(bool now);

  private:
    ConnectorPlace(FileSystem& files, std::string path, const Clock& clock)
        : files_(&files), clock_(&clock), path_(std::move(path)) {}

    FileSystem* files_;
    const Clock* clock_;
    std::string path_;
    std::map<std::string, std::string, std::less<>> values_;
    bool changed_ = false;
    std::chrono::nanoseconds kept_at_{0};
};

}  // namespace fieldwatch::hub
