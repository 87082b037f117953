#include "detect/posture/recommended_filter.hpp"

#include <algorithm>
#include <bit>

#include "detect/hub_switches.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::int64_t kTicksPerDay = 864'000'000'000;
constexpr std::int64_t kForgottenAfterDays = 30;
constexpr std::size_t kAcceptingRulesMax = 9;  ///< a filter has ten rules; the last one rejects the rest

IpPrefix prefix_of(std::uint32_t address, int length) {
    IpPrefix out;
    const auto mask = length == 0 ? 0u : ~0u << (32 - length);
    const auto bits = address & mask;
    for (int i = 0; i < 4; ++i)
        out.address.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(bits >> (24 - 8 * i));
    out.length = static_cast<std::uint8_t>(length);
    return out;
}

/// Length of the longest prefix that holds both.
int common_length(const IpPrefix& left, const IpPrefix& right) {
    const auto same = std::countl_zero(left.address.v4() ^ right.address.v4());
    return std::min({same, static_cast<int>(left.length), static_cast<int>(right.length)});
}

}  // namespace

std::vector<IpPrefix> covering_prefixes(const std::vector<std::uint32_t>& addresses, std::size_t count_max) {
    std::vector<IpPrefix> out;
    for (const auto address : addresses)
        out.push_back(prefix_of(address, 32));
    std::ranges::sort(out, {}, [](const IpPrefix& p) { return p.address.v4(); });
    while (out.size() > count_max) {
        std::size_t nearest = 0;
        for (std::size_t i = 0; i + 1 < out.size(); ++i) {
            if (common_length(out[i], out[i + 1]) > common_length(out[nearest], out[nearest + 1]))
                nearest = i;
        }
        const auto length = common_length(out[nearest], out[nearest + 1]);
        const auto joined = prefix_of(out[nearest].address.v4(), length);
        const auto range = range_of(joined);
        // What lies in the joined prefix is in it already.
        std::erase_if(out, [&](const IpPrefix& other) {
            return other.address.v4() >= range.first && other.address.v4() <= range.last;
        });
        out.insert(std::ranges::upper_bound(out, joined.address.v4(), {},
                                            [](const IpPrefix& p) { return p.address.v4(); }),
                   joined);
    }
    return out;
}

void RecommendedFilter::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::Operation || !event.role.home || event.items.empty()) return;
    const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload);
    if (operation == nullptr || operation->category != "Connections" || operation->ip_address.empty() ||
        operation->operation_name != "deviceConnect" || !operation->result_type.empty() ||
        !context.hubs.address_collection(event.hub, context.settings))
        return;
    const auto address = parse_ip(operation->ip_address);
    if (!address || !address->is_v4) return;
    const std::string name(event.hub);
    if (!hubs_.contains(name) && hubs_.size() >= kHubsMax) return;
    auto& hub = hubs_[name];
    if (hub.first_seen.ticks == 0) hub.first_seen = event.time;
    auto& last = hub.seen[address->v4()];
    last = std::max(last, event.time.ticks);
    if (hub.seen.size() > kAddressesMax)
        hub.seen.erase(
            std::ranges::min_element(hub.seen, {}, [](const auto& entry) { return entry.second; }));
}

void RecommendedFilter::hub(const HubDocument& document, const model::RegistryChange& change,
                            Context& context) {
    if (!change.role.home) return;
    const std::string name(change.hub);
    if (!hubs_.contains(name) && hubs_.size() >= kHubsMax) return;
    auto& hub = hubs_[name];
    Ipv4Set accepted;
    if (lower_case(document.public_network_access) == "disabled") {
        // Nobody gets in by an address.
    } else if (lower_case(document.network_default) == "deny") {
        for (const auto& rule : document.network_rules) {
            if (rule.accepts && rule.range && rule.range->address.is_v4) accepted.add(range_of(*rule.range));
        }
    } else {
        accepted = accepted_by(document.ip_rules);
    }
    hub.accepted.assign(accepted.ranges().begin(), accepted.ranges().end());
    hub.configured = true;
    hub.evidence = change.position;
    assess(name, hub, context);
}

void RecommendedFilter::advance(Context& context) {
    const auto day = context.now.ticks / kTicksPerDay;
    if (day <= day_) return;
    const bool first = day_ < 0;
    day_ = day;
    if (first) return;
    for (auto& [name, hub] : hubs_) {
        std::erase_if(hub.seen, [&](const auto& entry) {
            return context.now.ticks - entry.second > kForgottenAfterDays * kTicksPerDay;
        });
        assess(name, hub, context);
    }
}

void RecommendedFilter::assess(const std::string& name, const Hub& hub, Context& context) {
    if (!hub.configured || hub.seen.empty() || context.now - hub.first_seen < kObservedFor) return;
    if (!context.hubs.address_collection(name, context.settings)) return;
    std::vector<std::uint32_t> addresses;
    for (const auto& [address, time] : hub.seen)
        addresses.push_back(address);
    const auto covering = covering_prefixes(addresses, kAcceptingRulesMax);
    Ipv4Set beyond;
    for (const auto& range : hub.accepted)
        beyond.add(range);
    std::string rules;
    JsonWriter json(rules);
    json.begin_array();
    int number = 0;
    for (const auto& prefix : covering) {
        beyond.remove(range_of(prefix));
        json.begin_object()
            .member("filterName", "fieldwatch-" + std::to_string(++number))
            .member("action", "Accept")
            .member("ipMask", prefix.address.text() + "/" + std::to_string(prefix.length))
            .end_object();
    }
    json.begin_object()
        .member("filterName", "fieldwatch-rest")
        .member("action", "Reject")
        .member("ipMask", "0.0.0.0/0")
        .end_object();
    json.end_array();
    RecommendationBook::Assessment found{.type = "IoT_RecommendedIpRulesByBaseLine",
                                         .hub = name,
                                         .device = {},
                                         .health = beyond.empty() ? Health::Healthy : Health::Unhealthy,
                                         .time = context.now,
                                         .additional_json = {},
                                         .evidence = {hub.evidence}};
    JsonWriter(found.additional_json)
        .begin_object()
        .member("RecommendedRules", rules)
        .member("ObservedAddresses", std::to_string(addresses.size()))
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void RecommendedFilter::save(ByteWriter& out) const {
    out.i64(day_);
    out.u32(static_cast<std::uint32_t>(hubs_.size()));
    for (const auto& [name, hub] : hubs_) {
        out.text(name);
        out.i64(hub.first_seen.ticks);
        out.u8(hub.configured ? 1 : 0);
        write(out, hub.evidence);
        out.u32(static_cast<std::uint32_t>(hub.seen.size()));
        for (const auto& [address, time] : hub.seen) {
            out.u32(address);
            out.i64(time);
        }
        out.u32(static_cast<std::uint32_t>(hub.accepted.size()));
        for (const auto& range : hub.accepted) {
            out.u32(range.first);
            out.u32(range.last);
        }
    }
}

Result<void> RecommendedFilter::restore(ByteReader& in) {
    hubs_.clear();
    day_ = FIELDWATCH_TRY(read_amount(in));
    const auto count = FIELDWATCH_TRY(read_count(in, kHubsMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& hub = hubs_[FIELDWATCH_TRY(read_text(in))];
        hub.first_seen = FIELDWATCH_TRY(read_time(in));
        hub.configured = FIELDWATCH_TRY(in.u8()) != 0;
        hub.evidence = FIELDWATCH_TRY(read_position(in));
        const auto seen = FIELDWATCH_TRY(read_count(in, kAddressesMax + 1));
        for (std::uint32_t k = 0; k < seen; ++k) {
            const auto address = FIELDWATCH_TRY(in.u32());
            hub.seen[address] = FIELDWATCH_TRY(read_amount(in));
        }
        hub.accepted.resize(FIELDWATCH_TRY(read_count(in, 4'096)));
        for (auto& range : hub.accepted) {
            range.first = FIELDWATCH_TRY(in.u32());
            range.last = FIELDWATCH_TRY(in.u32());
            if (range.first > range.last) return fail(Errc::Corrupt, "saved address range runs backwards");
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
