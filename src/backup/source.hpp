// A backup that is read: a folder, or a tar file. Nothing in it is believed before its hash was compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::backup {

/// What is told of every file in turn, the manifest among them. One thread.
struct Visitor {
    std::function<Result<void>(const std::string& path, std::uint64_t bytes)> begin;
    std::function<Result<void>(ByteView data)> data;
    std::function<Result<void>()> end;
};

class Source {
  public:
    virtual ~Source() = default;
    /// Once. No link is followed. Errors: Malformed, Corrupt, Io, and what the visitor says.
    virtual Result<void> visit(const Visitor& visitor) = 0;
    virtual std::uint64_t bytes() const = 0;  ///< to read, packed as it is; for progress
};

/// Errors: NotFound; Malformed when `path` is no backup.
Result<std::unique_ptr<Source>> open_source(const std::string& path);

}  // namespace fieldwatch::backup
