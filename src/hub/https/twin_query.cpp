#include "hub/https/twin_query.hpp"

#include "hub/https/identity_json.hpp"
#include "hub/query/query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kReadAtOnce = 500;
constexpr std::size_t kPageBytesMax = 8u << 20;  // a page of large twins ends sooner than its count

/// Where a page ended: base64 of [rows given so far, device, module].
struct Place {
    std::size_t given = 0;
    std::string device, module;
};

std::string encode(const Place& place) {
    return base64(as_bytes(Json::array({place.given, place.device, place.module}).dump()));
}

Result<Place> decode(const std::string& text) {
    if (text.empty()) return Place{};
    const auto bytes = from_base64(text);
    const auto json = bytes ? Json::parse(as_text(*bytes), nullptr, false) : Json();
    if (!json.is_array() || json.size() != 3 || !json[0].is_number_unsigned() || !json[1].is_string() ||
        !json[2].is_string())
        return fail(Errc::Malformed, "x-ms-continuation is none that this hub gave");
    return Place{json[0].get<std::size_t>(), json[1].get<std::string>(), json[2].get<std::string>()};
}

/// Calls `each` with every row of the source behind `place`; it returns false to stop.
template <class Each>
Result<void> for_each_row(Shared& shared, const model::HubName& hub, query::Source source, const Place& place,
                          Each each) {
    auto& registry = shared.parts.registry;
    if (source == query::Source::Jobs) {
        const auto documents = FIELDWATCH_TRY(
            registry.documents(hub, "devicejob", {.after = place.device, .count_max = 10'000}));
        for (const auto& document : documents) {
            if (!FIELDWATCH_TRY(each(Place{0, document.id, {}}, Json::parse(document.json, nullptr, false))))
                return {};
        }
        return {};
    }
    const auto which = source == query::Source::Modules ? registry::Registry::Which::Modules
                                                        : registry::Registry::Which::Devices;
    model::Identity after{hub, {place.device}, {place.module}};
    for (;;) {
        const auto entries = FIELDWATCH_TRY(registry.twin_entries(after, which, kReadAtOnce));
        for (const auto& one : entries) {
            const auto& identity = one.entry.identity;
            auto row = twin_json(one.entry, one.twin, liveness_of(shared, one.entry));
            if (!FIELDWATCH_TRY(each(Place{0, identity.device.value, identity.module.value}, std::move(row))))
                return {};
        }
        if (entries.size() < kReadAtOnce) return {};
        after = entries.back().entry.identity;
    }
}

}  // namespace

Result<TwinQueryPage> run_twin_query(Shared& shared, const TwinQuery& wanted) {
    const auto parsed = FIELDWATCH_TRY(query::parse_query(wanted.text));
    const auto place = FIELDWATCH_TRY(decode(wanted.continuation));
    TwinQueryPage page;
    page.item_type = !parsed.all ? "raw" : parsed.source == query::Source::Jobs ? "deviceJob" : "twin";
    if (parsed.aggregates()) {
        query::Aggregation groups(parsed);
        const auto add = [&](const Place&, const Json& row) -> Result<bool> {
            if (query::selects(parsed, row)) FIELDWATCH_TRY(groups.add(row));
            return true;
        };
        FIELDWATCH_TRY(for_each_row(shared, wanted.hub, parsed.source, {}, add));
        for (auto& row : groups.rows()) {
            if (page.rows.size() < parsed.top.value_or(SIZE_MAX)) page.rows.push_back(std::move(row));
        }
        return page;
    }
    std::size_t bytes = 0;
    Place last = place;
    FIELDWATCH_TRY(for_each_row(
        shared, wanted.hub, parsed.source, place, [&](const Place& here, Json row) -> Result<bool> {
            if (!query::selects(parsed, row)) return true;
            if (place.given + page.rows.size() >= parsed.top.value_or(SIZE_MAX)) return false;
            if (page.rows.size() >= wanted.page_size || bytes > kPageBytesMax) {
                last.given = place.given + page.rows.size();
                page.continuation = encode(last);
                return false;
            }
            auto shown = query::project(parsed, row);
            bytes += shown.dump(-1, ' ', false, Json::error_handler_t::replace).size();
            page.rows.push_back(std::move(shown));
            last = here;
            return true;
        }));
    return page;
}

Result<std::vector<model::Identity>> select_devices(Shared& shared, const model::HubName& hub,
                                                    std::string_view condition, std::size_t count_max) {
    const bool all = condition.empty() || condition == "*";
    const auto parsed = FIELDWATCH_TRY(query::parse_condition(all ? "" : condition));
    std::vector<model::Identity> out;
    FIELDWATCH_TRY(for_each_row(
        shared, hub, query::Source::Devices, {}, [&](const Place& here, Json row) -> Result<bool> {
            if (!query::holds(parsed, [&](const query::Path& path) { return query::at(row, path); }))
                return true;
            if (out.size() >= count_max)
                return fail(Errc::TooLarge,
                            "the condition selects more than " + std::to_string(count_max) + " devices");
            out.push_back({hub, {here.device}, {}});
            return true;
        }));
    return out;
}

}  // namespace fieldwatch::hub
