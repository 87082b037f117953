// Which name an address was the answer to, from the answers of name servers that the device received: a
// connection is told with it. Runs in the unprivileged sender; the bytes are a stranger's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::agent {

/// One thread. Remembers at most kAddressesMax addresses, those that were answered longest ago go first; of
/// several names for one address, the one that was asked for last.
class DnsNames {
  public:
    static constexpr std::size_t kAddressesMax = 1'024;

    /// One answer of a name server (RFC 1035 section 4); one that was cut gives what is whole of it. What is
    /// no answer, or names what no host is called, gives nothing.
    void take(ByteView answer);
    /// `address` in network order, 4 or 16 bytes by `family` (4 or 6); "" = nobody asked for it.
    std::string_view of(const std::uint8_t* address, std::uint8_t family) const;
    std::size_t size() const { return names_.size(); }

  private:
    BoundedTable<std::string> names_{kAddressesMax};  // by the address's bytes
};

}  // namespace fieldwatch::agent
