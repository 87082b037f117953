// The indicator patterns of STIX that name values outright: STIX 2.1 section 9, and 2.0 part 5. Internal to
// intel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::detect {

/// One comparison `path = 'value'`, or one value of an IN list.
struct PatternValue {
    std::string path, value;
};

/// The values any of which alone makes the pattern true. Of values joined by AND only a hash is kept, because
/// a hash says it all; ports, protocols and the types of references say nothing beside an address. LIKE gives
/// a value when it has no `%`, or is a domain's `%.bad.example`. Observations joined by AND or FOLLOWEDBY
/// give nothing, and neither do NOT, MATCHES, < and >. Errors: Malformed for what is no pattern.
Result<std::vector<PatternValue>> pattern_values(std::string_view pattern);

}  // namespace fieldwatch::detect
