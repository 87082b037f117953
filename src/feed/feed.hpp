// A feed of indicators that the server pulls by itself: what an administrator decides about one.
// docs/intelligence.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::feed {

/// What lies at the address. A file tells by its content what it is (docs/formats/indicators.md).
enum class Format : std::uint8_t {
    File,   ///< one file of any form that can be imported
    Taxii,  ///< a collection of TAXII 2.1
    Misp,   ///< a MISP feed: the folder with manifest.json
    Bundle  ///< a signed bundle (bundle.hpp): its newest version
};
std::string_view to_string(Format format);

struct Feed {
    static constexpr std::size_t kNameBytesMax = 64;
    static constexpr Ticks kEveryMin = std::chrono::minutes(5), kEveryMax = std::chrono::hours(24 * 31);

    std::string name;
    std::string url;
    Format format = Format::File;
    Ticks every = std::chrono::hours(1);
    bool enabled = true;
    std::string ca_pem;         ///< whom to trust over TLS; "" = the system's authorities
    std::string authorization;  ///< the whole header, "" = none. Never in an answer
};

/// Reads a feed as a person or the registry wrote it. Errors: InvalidArgument, naming the member and what is
/// allowed.
Result<Feed> read_feed(std::string_view name, std::string_view json);

enum class Secrets : std::uint8_t { Hidden, Shown };
/// Hidden: "authorized" says whether there is a header.
std::string to_json(const Feed& feed, Secrets secrets);

/// What a person gives without a header keeps the one it had, if it goes to the same server.
bool is_same_server(const Feed& one, const Feed& other);

/// The name of its file among those that detection reads.
std::string file_name(std::string_view feed);

}  // namespace fieldwatch::feed
