// TAXII 2.1 collections: pages of STIX objects, and what is kept of them. Bytes in, values out. TAXII 2.1
// sections 3.4, 5.4.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::feed {

inline constexpr std::string_view kTaxiiMedia = "application/taxii+json;version=2.1";

/// The objects endpoint of a collection, however its address was given; with what asks for further pages.
std::string objects_url(std::string_view collection, std::string_view added_after, std::string_view next);

/// Objects by id, the newest version of each; kinds that nothing is read of stay away.
class StixObjects {
  public:
    static constexpr std::size_t kObjectsMax = 2'000'000, kBytesMax = 120u << 20;

    struct Page {
        bool more = false;
        std::string next;
        std::size_t objects = 0;
    };
    /// Takes an envelope, or a bundle that was kept. Errors: Malformed, TooLarge.
    Result<Page> take(std::string_view text);

    /// A bundle in the order of ids, without what was revoked or has expired by `now`. Errors: TooLarge.
    Result<std::string> bundle(Timestamp now) const;
    std::size_t size() const { return objects_.size(); }

  private:
    void take_object(nlohmann::json object);

    std::map<std::string, nlohmann::json> objects_;
    std::size_t bytes_ = 0;
};

}  // namespace fieldwatch::feed
