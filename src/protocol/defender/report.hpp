// What a device reports to AWS IoT Device Defender, read from JSON or CBOR, keys long or short.
// Source: spec/aws-device-defender.md section 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::defender {

enum class Format : std::uint8_t { Json, Cbor };
std::string_view to_string(Format format);  ///< the topic's segment: "json", "cbor"

struct ListeningPort {
    std::uint16_t port = 0;
    std::string interface;  ///< a name; "" = not said
};
/// `total` may exceed the list: a device that samples keeps the true count.
struct ListeningPorts {
    std::vector<ListeningPort> ports;
    std::optional<std::int64_t> total;
    bool is_truncated() const { return total && *total > static_cast<std::int64_t>(ports.size()); }
};
struct Connection {
    std::string remote_address;  ///< an IPv4 or IPv6 literal
    std::uint16_t remote_port = 0;
    std::optional<std::uint16_t> local_port;
    std::string local_interface;
    friend auto operator<=>(const Connection&, const Connection&) = default;
};
struct Connections {
    std::vector<Connection> list;
    std::optional<std::int64_t> total;
};
/// One kind of value; addresses are kept as the device spelled them.
struct CustomMetric {
    std::string name;
    std::variant<double, std::vector<double>, std::vector<std::string>> value;
};

/// A block that is absent was not measured; one that is there and empty was, and there was nothing.
struct Report {
    std::int64_t id = 0;  ///< unique and growing, of no unit: no clock
    std::optional<ListeningPorts> tcp_ports, udp_ports;
    std::optional<Connections> established;
    std::optional<std::int64_t> bytes_in, bytes_out, packets_in, packets_out;  ///< since the last report
    std::vector<CustomMetric> custom;
};

inline constexpr std::size_t kReportBytesMax = 131'072;  ///< the public broker's bound on a publish
inline constexpr std::size_t kListMax = 1'000;  ///< ports or connections; the largest agent known sends 500
inline constexpr std::size_t kCustomMax = 100;  ///< the public service's bound on metrics of an account

/// Unknown keys are passed over (a minor version adds some). Errors: Malformed, TooLarge; `id`, where it was
/// read before the fault, goes into `id_read`, for the refusal.
Result<Report> parse_report(ByteView payload, Format format, std::optional<std::int64_t>& id_read);

/// The answer, in the format of the report. Section 1, "reply payloads".
struct Reply {
    std::string_view thing;
    std::optional<std::int64_t> report_id;
    std::int64_t unix_milliseconds = 0;
    std::string_view error_code;  ///< "" = accepted; else InvalidPayload or Throttled
    std::string_view error_message;
};
Bytes encode_reply(const Reply& reply, Format format);

}  // namespace fieldwatch::defender
