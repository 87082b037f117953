// SHA-256 over bytes that come in pieces: a file, a download.
#pragma once

#include <memory>

#include "base/hash.hpp"

namespace fieldwatch {

/// One thread.
class Sha256Stream {
  public:
    Sha256Stream();
    ~Sha256Stream();
    Sha256Stream(const Sha256Stream&) = delete;
    Sha256Stream& operator=(const Sha256Stream&) = delete;
    void add(ByteView data);
    Sha256 finish();  ///< once

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace fieldwatch
