// UUIDs (RFC 4122): random ones for messages and installations, name-based ones for what a replay must name
// again.
#pragma once

#include <array>
#include <compare>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/random.hpp"

namespace fieldwatch {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    friend auto operator<=>(const Uuid&, const Uuid&) = default;
    std::string text() const;  ///< 8-4-4-4-12, lower case
    bool is_nil() const { return *this == Uuid{}; }

    static Uuid random(Random& random);                                ///< version 4
    static Uuid named(const Uuid& name_space, std::string_view name);  ///< version 5
    static Result<Uuid> parse(std::string_view text);
};

}  // namespace fieldwatch
