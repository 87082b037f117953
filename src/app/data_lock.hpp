// One server a data folder: segments, checkpoints and databases belong to the process that holds this.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fieldwatch::app {

/// An advisory lock on DIR/lock (flock(2)); the kernel lets it go when the process ends, however it ends.
class DataLock {
  public:
    /// Errors: Conflict when another process holds it, Io.
    static Result<DataLock> take(const std::string& directory);
    ~DataLock();
    DataLock(DataLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    DataLock(const DataLock&) = delete;
    DataLock& operator=(const DataLock&) = delete;
    DataLock& operator=(DataLock&&) = delete;

  private:
    explicit DataLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace fieldwatch::app
