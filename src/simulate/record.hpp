// What a virtual device does, and the lines of recorded input (docs/formats/recorded-input.md) that an agent
// and the hub make of it. Bodies follow the published schema, so that the pipeline takes them as it takes a
// real device's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"

namespace fieldwatch::simulate {

enum class ActKind : std::uint8_t {
    Process,
    Connection,
    Login,
    Ports,       ///< a snapshot: what listens
    Users,       ///< a snapshot: who has an account
    File,        ///< version 2.0
    Peripheral,  ///< version 2.0
    Lookup,      ///< version 2.0: a name asked for
    ConfigurationError,
    Operation,     ///< the hub's own record of the device
    ControlPlane,  ///< the hub's own record of an operator
};

/// One thing that happened. Which fields count is the kind's affair; what a kind does not name stays empty.
struct Act {
    ActKind kind = ActKind::Process;
    /// Process: the command line. Connection: the remote address. Login: the remote address, empty at the
    /// device itself. Ports, Users: entries of the snapshot, `;` between them. File: the path. Peripheral:
    /// interface, or empty for USB. Lookup: the name. Operation, ControlPlane: the operation's name.
    std::string what{};
    std::string image{};   ///< Process, Connection: the executable
    std::string parent{};  ///< Process: the parent's executable
    /// Process, Login: who. File: the mask. Peripheral: the action. Operation: why it was refused.
    /// ControlPlane: how it ended.
    std::string detail{};
    std::uint16_t port = 0;   ///< Connection: the remote one
    bool inbound = false;     ///< Connection
    bool success = true;      ///< Login
    bool unanswered = false;  ///< Connection: nobody was there
    std::uint32_t count = 1;  ///< an aggregate of so many, over the interval that ended at `at`
    Timestamp at{};           ///< when; of an aggregate, its end
    Ticks interval{0};        ///< of an aggregate
};

/// Writes the lines of one device. The ids of its events count up, so that equal runs are equal byte for
/// byte.
class RecordWriter {
  public:
    RecordWriter(std::string hub, std::string device, std::uint64_t seed);

    /// Appends lines, each with its newline, for what happened up to `received`: one security message of all
    /// that an agent tells, and one record for each act that the hub tells.
    void write(const std::vector<Act>& acts, Timestamp received, std::string& out);

  private:
    void message(const std::vector<const Act*>& acts, Timestamp received, std::string& out);
    void operation(const Act& act, std::string& out);

    std::string hub_, device_, agent_id_;
    SeededRandom random_;
};

}  // namespace fieldwatch::simulate
