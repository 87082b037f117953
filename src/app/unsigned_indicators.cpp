#include "app/unsigned_indicators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fieldwatch::app {

namespace {

bool is_of_bundle(const std::string& name) {
    return name.starts_with("bundle-");
}

}  // namespace

Result<detect::IndicatorFile> UnsignedIndicators::import(Import import) {
    if (is_of_bundle(import.name))
        return fail(Errc::InvalidArgument, "names that begin with bundle- are those of bundles' files");
    FIELDWATCH_TRY(bundles_.check_unsigned_allowed());
    return files_.import(std::move(import));
}

Result<void> UnsignedIndicators::remove(const std::string& name) {
    if (is_of_bundle(name))
        return fail(Errc::Conflict,
                    fmt::format("{} is of a bundle: `intel bundle remove` takes it away", name));
    return files_.remove(name);
}

Result<detect::IndicatorFile> take_feed(feed::Feeds::Import import, UnsignedIndicators& files,
                                        feed::Bundles& bundles) {
    if (!import.is_bundle)
        return files.import({.name = std::move(import.name),
                             .text = std::move(import.text),
                             .may_shrink = import.may_shrink});
    const auto bundle = FIELDWATCH_TRY(feed::parse_bundle(import.text));
    detect::IndicatorFile out;
    for (const auto& [name, text] : bundle.files) {
        auto file = FIELDWATCH_TRY(detect::parse_indicators(name, text));
        std::ranges::move(file.indicators, std::back_inserter(out.indicators));
        out.skipped += file.skipped;
        for (auto& bad : file.bad) {
            if (out.bad.size() < detect::IndicatorFile::kBadMax) out.bad.push_back(std::move(bad));
        }
    }
    // The same one again is what a server that knows no conditions gives each time.
    for (const auto& known : FIELDWATCH_TRY(bundles.list())) {
        if (known.name == bundle.name && known.highest == bundle.version) return out;
    }
    FIELDWATCH_TRY(bundles.apply(import.text, import.may_shrink));
    return out;
}

}  // namespace fieldwatch::app
