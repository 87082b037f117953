// Numbers that a hub's owner chose out of telemetry: read from each JSON body, told as a security message of
// the device, so that detection and queries see them like any other fact. docs/decisions/0171.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "hub/metric_path.hpp"
#include "model/ids.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

struct Shared;
struct Speaker;

/// The `telemetryMetrics` of a hub's configuration: `[{"name": "celsius", "path": "$.room.celsius"}]`.
class TelemetryMetrics {
  public:
    static constexpr std::size_t kMetricsMax = 16;        ///< of a hub: as many as a device may have
    static constexpr std::size_t kNameBytesMax = 64;      ///< of letters, digits and -_.:
    static constexpr std::size_t kBodyBytesMax = 65'536;  ///< larger bodies are not read

    /// Errors: Malformed, InvalidArgument naming the metric.
    static Result<TelemetryMetrics> parse(std::string_view configuration_json);

    bool empty() const { return metrics_.empty(); }
    struct Origin {
        const model::Identity& device;
        Timestamp received;
        std::uint64_t number = 0;  ///< of messages received at that time
    };
    /// The security message with what a body has of them; "" where it has none, or is no JSON.
    std::string message_of(std::string_view body, const Origin& origin) const;

  private:
    struct Metric {
        std::string name;
        MetricPath path;
    };
    std::vector<Metric> metrics_;
};

/// What every hub chose. Looked up anew once a second at most, and only where telemetry comes: a hub that
/// chose nothing costs a look into a small map. Any thread.
class ChosenMetrics {
  public:
    /// Tells of the numbers in one message of telemetry that was taken. What the journal refuses is counted,
    /// not waited for: the message itself is safe.
    void tell(Shared& shared, const Speaker& speaker, std::string_view body, Timestamp received);

  private:
    using ByHub = std::map<std::string, std::shared_ptr<const TelemetryMetrics>, std::less<>>;
    struct State {
        ByHub by_hub;
        Timestamp looked;
        bool looking = false;
    };
    std::shared_ptr<const TelemetryMetrics> of(Shared& shared, const model::HubName& hub, Timestamp now);

    net::Guarded<State> state_;
};

}  // namespace fieldwatch::hub
