// Any bytes are a file of indicators or an error with its line; what was read can be matched against, and an
// indicator that counts is found.
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "detect/intel/intel.hpp"

namespace {

using namespace fieldwatch;
using namespace fieldwatch::detect;

constexpr Timestamp kNow = Timestamp::from_unix_seconds(1'800'000'000);

void look_up(const IntelSnapshot& intel, const IndicatorFile& file, const Indicator& indicator) {
    switch (indicator.type) {
        case IndicatorType::Ipv4:
        case IndicatorType::Ipv6:
            static_cast<void>(intel.find_address(indicator.value, kNow));
            break;
        case IndicatorType::Cidr:
            static_cast<void>(intel.find_address(indicator.value.substr(0, indicator.value.find('/')), kNow));
            break;
        case IndicatorType::Domain:
            static_cast<void>(intel.find_domain("www." + indicator.value, kNow));
            break;
        case IndicatorType::Url:
            static_cast<void>(intel.find_url(indicator.value, kNow));
            break;
        case IndicatorType::UrlPath:
            static_cast<void>(intel.find_url("http://a.example" + indicator.value, kNow));
            break;
        case IndicatorType::Sha1:
        case IndicatorType::Md5:
        case IndicatorType::Sha256:
            FIELDWATCH_ASSERT(!indicator.valid_until.has_value() || *indicator.valid_until < kNow ||
                              intel.find_hash(indicator.value, kNow).has_value() || !file.warnings.empty());
            break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto file = parse_indicators("fuzz.csv", text);
    if (!file) {
        FIELDWATCH_ASSERT(!file.error().message.empty());
        return 0;
    }
    const auto intel = IntelSnapshot::build({{"fuzz.csv", text}}, 0);
    if (!intel) return 0;
    FIELDWATCH_ASSERT((*intel)->size() <= file->indicators.size());
    for (const auto& indicator : file->indicators)
        look_up(**intel, *file, indicator);
    return 0;
}
