// Where in a JSON body a number lies: the singular queries of JSONPath (RFC 9535 section 2.3.5.1), names and
// indexes alone, so that a path finds one value or none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

class MetricPath {
  public:
    static constexpr std::size_t kBytesMax = 256, kSegmentsMax = 16, kIndexMax = 9'999;

    /// `$.room.celsius`, `$['a name'][0]`. Errors: InvalidArgument with the place and what is expected.
    static Result<MetricPath> parse(std::string_view text);

    /// What is there; null where there is nothing.
    const json::Value* value_in(const json::Value& body) const;
    /// The number there; none where there is another kind of value, or nothing.
    std::optional<double> number_in(const json::Value& body) const;
    std::string text() const;  ///< as RFC 9535 section 2.7 writes it: `$['room']['celsius']`

  private:
    using Segment = std::variant<std::string, std::size_t>;
    std::vector<Segment> segments_;
};

}  // namespace fieldwatch::hub
