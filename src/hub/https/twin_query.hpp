// A query over the twins of a hub, page by page. Source: spec/iot-hub-protocols.md section 7.5.
#pragma once

#include "hub/https/call.hpp"

namespace fieldwatch::hub {

struct TwinQuery {
    model::HubName hub;
    std::string_view text;
    std::size_t page_size = 100;
    std::string continuation;  ///< of the page before, "" = the first
};
struct TwinQueryPage {
    Json rows = Json::array();
    std::string continuation;             ///< "" = the last page
    std::string_view item_type = "twin";  ///< twin, deviceJob or raw
};

/// Blocks on the registry. Errors: Malformed (the query, or a continuation that is none), TooLarge.
Result<TwinQueryPage> run_twin_query(Shared& shared, const TwinQuery& query);

/// The identities that a condition selects ("*" = all devices), in order, for jobs and configurations.
Result<std::vector<model::Identity>> select_devices(Shared& shared, const model::HubName& hub,
                                                    std::string_view condition, std::size_t count_max);

}  // namespace fieldwatch::hub
