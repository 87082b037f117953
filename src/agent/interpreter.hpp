// Turns the collector's checked records into observations: names users, remembers processes so that a child
// knows its parent's command line and a connection its program. Runs in the unprivileged sender.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/accounts.hpp"
#include "agent/aggregation/observation.hpp"
#include "agent/bpf/records.h"
#include "agent/dns_names.hpp"
#include "agent/inventory/image_hashes.hpp"
#include "agent/several_sources.hpp"
#include "base/clock.hpp"

namespace fieldwatch::agent {

/// One thread. Remembers at most kProcessesMax processes, the oldest go first.
class Interpreter {
  public:
    static constexpr std::size_t kProcessesMax = 2'048;

    explicit Interpreter(Accounts& accounts, const Clock& clock = system_clock())
        : accounts_(accounts), clock_(clock) {}

    Observation exec(const fw_exec_head& head, std::string_view text);
    /// Nothing for a process whose exec was not seen (a fork that never ran another program).
    std::optional<Observation> exit(const fw_exit& record);
    Observation connection(const fw_connection& record);
    /// What a name server answered: a later connection to that address is told with the name.
    void names(const fw_dns& record);
    /// Nothing for a log-in that another source has told within 5 s (wtmp, the log, audit).
    std::optional<Observation> login(const fw_login& record);
    std::optional<Observation> log_line(const fw_log_line& record);
    Observation port(const fw_port& record);

  private:
    struct Known {
        std::uint64_t start_ns = 0;
        std::uint64_t ended_ns = 0;  // CLOCK_REALTIME; 0: its end was not seen
        std::uint32_t parent_pid = 0;
        std::string executable;
        std::string command_line;
    };
    /// The process that had this number then; `start_ns` 0 = not known. Nothing if that one is gone unseen.
    const Known* find(std::uint32_t pid, std::uint64_t time_ns, std::uint64_t start_ns = 0);
    void remember(std::uint32_t pid, Known known);
    enum class LoginSource : std::uint8_t { Records, Lines, Audit };
    std::optional<Observation> once(Observation observation, LoginSource source);

    Accounts& accounts_;
    const Clock& clock_;
    ImageHashes images_;
    DnsNames names_;
    std::unordered_map<std::uint32_t, Known> processes_;
    std::deque<std::uint32_t> order_;
    SeveralSources<std::string, 3, 32> logins_{5'000};
};

/// `/a/b/c` from names in leaf-to-root order, each NUL-terminated.
std::string join_reversed(std::string_view names);
/// The 64 hex digits that container engines put into a cgroup's name; "" if there are none.
std::string container_id(std::string_view cgroup);
/// Text of an address, family 4 or 6.
std::string address_text(const std::uint8_t* address, std::uint8_t family);

}  // namespace fieldwatch::agent
