// Foreign operation logs come at least once and out of order (spec/hub-signals.md section 1): a record that
// names a message or a correlation is known again by what it says. One that names neither cannot be told from
// a second operation of the same kind, and counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/result.hpp"
#include "pipeline/decode/operation.hpp"

namespace fieldwatch::pipeline {

/// One strand.
class SeenOperations {
  public:
    static constexpr std::size_t kSeenMax = 16'384;  ///< a busy hub's last minutes; a batch has 1,000

    /// Whether this one came before.
    bool check(const OperationDecoder::Decoded& decoded);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    BoundedTable<std::uint8_t> seen_{kSeenMax};
    std::string key_;  // scratch
};

}  // namespace fieldwatch::pipeline
