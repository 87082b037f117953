// Numbers that a hub's owner chose out of telemetry: read from each JSON body, told as a security message of
// the device, so that detection and queries see them like any other fact. docs/decisions/0171, 0180.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "hub/metric_path.hpp"
#include "hub/query/expression.hpp"
#include "model/record.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

struct Shared;
struct Speaker;
class RouteTwins;

/// The `telemetryMetrics` of a hub's configuration:
/// `[{"name": "celsius", "path": "$.room.celsius", "where": "$twin.tags.kind = 'oven'"}]`.
class TelemetryMetrics {
  public:
    static constexpr std::size_t kMetricsMax = 64;        ///< of a hub, and …
    static constexpr std::size_t kOfMessageMax = 16;      ///< … of a message: as many as a device may have
    static constexpr std::size_t kNameBytesMax = 64;      ///< of letters, digits and -_.:
    static constexpr std::size_t kBodyBytesMax = 65'536;  ///< larger bodies are not read

    /// Errors: Malformed, InvalidArgument naming the metric.
    static Result<TelemetryMetrics> parse(std::string_view configuration_json);

    bool empty() const { return metrics_.empty(); }
    /// What was found in one message.
    struct Taken {
        std::string message;      ///< the security message; "" where there is no number
        bool was_read = true;     ///< false: a body that is no JSON, or too large
        std::string refused_why;  ///< a value that a path found and that is no number, or one too many
    };
    /// `number`: of messages received at that time. `twins`, for conditions, may be null.
    Taken take(const model::Record& telemetry, std::uint64_t number, RouteTwins* twins) const;

  private:
    struct Metric {
        std::string name;
        MetricPath path;
        std::optional<query::Expression> where;  ///< of whom it is; none: of all
    };
    static Result<Metric> parse_metric(const query::Json& json);
    /// A name may be of several groups, each by a condition of its own.
    bool may_be_named_again(const Metric& metric) const;

    std::vector<Metric> metrics_;
    bool asks_who_ = false;  ///< any has a condition
};

/// What every hub chose. Looked up anew once a second at most, and only where telemetry comes. A message of a
/// hub that chose nothing costs two loads of atomics. Any thread.
class ChosenMetrics {
  public:
    /// Tells of the numbers in one message of telemetry that was taken. What the journal refuses is counted,
    /// what is no number is in the operation log; neither is waited for: the message itself is safe.
    void tell(Shared& shared, const Speaker& speaker, const model::Record& telemetry);

  private:
    using ByHub = std::map<std::string, std::shared_ptr<const TelemetryMetrics>, std::less<>>;
    std::shared_ptr<const TelemetryMetrics> of(Shared& shared, const model::HubName& hub, Timestamp now);
    void look(Shared& shared);

    /// A bit for the hash of each hub's name that chose some: who has none here chose none.
    std::atomic<std::uint64_t> choosers_{0};
    std::atomic<std::int64_t> looked_{0};  ///< ticks
    net::Guarded<ByHub> by_hub_;
};

}  // namespace fieldwatch::hub
