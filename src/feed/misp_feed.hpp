// MISP feeds: a manifest that names events, and a file an event. Bytes in, values out.
// misp-project.org/feeds: the format that its servers publish and read.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::feed {

/// Event by UUID, in lower case, to what tells its versions apart.
using MispVersions = std::map<std::string, std::string>;

inline constexpr std::size_t kMispEventsMax = 50'000;

/// Errors: Malformed, TooLarge.
Result<MispVersions> parse_manifest(std::string_view text);

/// Events that were kept, a line each, in the order of their UUIDs: what is a JSON Lines file of indicators.
class MispEvents {
  public:
    static constexpr std::size_t kBytesMax = 240u << 20;

    /// What was kept; lines that are none are left out, to be fetched again.
    static MispEvents of(std::string_view kept);

    /// Those of the manifest that are not here in this version, in the order of their UUIDs.
    std::vector<std::string> wanted(const MispVersions& manifest) const;
    /// Takes an event as a feed's file has it, without what nothing is read of. Errors: Malformed for another
    /// event or none.
    Result<void> take(const std::string& uuid, const std::string& version, std::string_view text);
    /// Forgets what the manifest does not name any more.
    void keep_only(const MispVersions& manifest);

    Result<std::string> text() const;  ///< Errors: TooLarge
    std::size_t size() const { return events_.size(); }

  private:
    struct Event {
        std::string version, line;
    };
    std::map<std::string, Event> events_;
};

}  // namespace fieldwatch::feed
