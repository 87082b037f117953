// What is standard for a class of devices, as people read it: which programs run, whom they talk to, who may
// call them, when. Computed from stored rows of a span of time, so that it says what the rows say.
// docs/decisions/0120.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace fieldwatch::detect {

/// One kind of connection of one device, summed up over the span.
struct ConnectionRow {
    std::string device, program;
    std::string remote_address, name;  ///< name: as DNS had it; may be empty
    std::string protocol;              ///< tcp, udp, …, any case
    std::uint16_t port = 0;            ///< of the service: the remote one of an outgoing connection
    bool outgoing = true;
    std::uint64_t count = 0;
    Timestamp first, last;
};
struct ProgramRow {
    std::string device, program, user;
    std::uint64_t count = 0;
    Timestamp first, last;
};
/// What the class did in one hour of the day, UTC.
struct HourRow {
    std::size_t hour = 0;
    std::uint64_t count = 0;
};

/// With whom: a name, an address or network outside, the devices' own networks, or anybody outside where
/// there are too many to name.
enum class PeerKind : std::uint8_t { Name, Network, Local, Anybody };

struct Talk {
    bool outgoing = true;
    std::string protocol;  ///< lower case
    std::uint16_t port = 0;
    PeerKind kind = PeerKind::Anybody;
    std::string peer;                ///< a name, or a network as 192.0.2.0/24; empty for Local and Anybody
    std::set<std::string> programs;  ///< no part of what is compared: a connection is allowed to a device
    std::set<std::string> devices;
    std::set<std::string> addresses;  ///< that were called, kAddressesMax at most
    std::uint64_t count = 0;
    Timestamp first, last;

    static constexpr std::size_t kAddressesMax = 64;

    /// `out tcp/443 api.example`, `in tcp/22 local`: what identifies it, and how it is compared.
    std::string line() const;
};
struct Program {
    std::string path;
    std::set<std::string> users, devices;
    std::uint64_t count = 0;
    Timestamp first, last;
};

struct Profile {
    std::string name;  ///< of the class
    std::set<std::string> devices;
    std::vector<Talk> talks;        ///< by line
    std::vector<Program> programs;  ///< by path
    std::array<std::uint64_t, 24> hours{};
    Timestamp
        last;  ///< the newest of its rows; it has no other date, and so the same rows give the same file

    std::vector<std::string> lines() const;  ///< of `talks`, in order
};

struct ProfileOptions {
    std::string name = "device";
    /// A connection or program of fewer devices is no standard of the class; 1 takes all.
    std::size_t devices_min = 1;
    std::size_t peers_max = 32;  ///< of one program and port, before they are called anybody
};

/// Addresses of one /24 (IPv4) or /48 (IPv6) become that network from the fourth on; loopback, multicast and
/// link-local peers are left out. What one program may do with anybody covers what
/// others do with some.
Profile make_profile(const std::vector<ConnectionRow>& connections, const std::vector<ProgramRow>& programs,
                     const std::vector<HourRow>& hours, const ProfileOptions& options);

/// What one of two lists of lines has and the other lacks.
struct ProfileDiff {
    std::vector<std::string> added, gone;
};
ProfileDiff diff_lines(std::vector<std::string> reviewed, std::vector<std::string> now);

}  // namespace fieldwatch::detect
