#include "detect/rules/fleet_fact.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/hash.hpp"

namespace fieldwatch::detect {
namespace {

using FactBody = nlohmann::json;

constexpr std::size_t kFactValuesMax = 64;
constexpr std::int64_t kFactTicksMost = std::int64_t{1} << 59;

std::unexpected<Error> malformed_fact(std::string_view what) {
    return fail(Errc::Malformed, "a fact of the fleet: " + std::string(what));
}

/// A member that is a number of the kind asked for.
template <class Number>
std::optional<Number> number_in(const FactBody& value) {
    const auto fitting = [](auto number) {
        return std::in_range<Number>(number) ? std::optional(static_cast<Number>(number)) : std::nullopt;
    };
    if (value.is_number_unsigned()) return fitting(value.get<std::uint64_t>());
    if (value.is_number_integer()) return fitting(value.get<std::int64_t>());
    return std::nullopt;
}

template <class Number>
std::optional<Number> number_of(const FactBody& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? std::nullopt : number_in<Number>(*found);
}

FactBody place_json(const model::LogPosition& position) {
    return FactBody::array({position.partition, position.offset, position.item});
}

std::optional<model::LogPosition> read_place(const FactBody& value) {
    if (!value.is_array() || value.size() != 3) return std::nullopt;
    const auto partition = number_in<std::uint32_t>(value[0]);
    const auto offset = number_in<std::uint64_t>(value[1]);
    const auto item = number_in<std::uint32_t>(value[2]);
    if (!partition || !offset || !item) return std::nullopt;
    return model::LogPosition{.partition = *partition, .offset = *offset, .item = *item};
}

Result<void> read_fact_values(const FactBody& body, FleetFact& fact) {
    const auto values = body.find("values");
    if (values == body.end() || !values->is_array() || values->size() > kFactValuesMax)
        return malformed_fact("\"values\" is to be a list of at most 64");
    for (const auto& pair : *values) {
        if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
            return malformed_fact("a value is a name and a text");
        fact.values.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    return {};
}

Result<void> read_fact_evidence(const FactBody& body, FleetFact& fact) {
    const auto evidence = body.find("evidence");
    if (evidence == body.end() || !evidence->is_array() || evidence->size() > FleetFact::kEvidenceMax)
        return malformed_fact("\"evidence\" is to be a list of at most 32");
    for (const auto& one : *evidence) {
        const auto place = read_place(one);
        if (!place) return malformed_fact("evidence is partition, offset and item");
        fact.evidence.push_back(*place);
    }
    return {};
}

}  // namespace

std::string FleetFact::group_key() const {
    std::string key;
    for (const auto& [name, value] : values) {
        key += value;
        key += '\0';
    }
    return key;
}

std::string bounded_fact_text(std::string_view text) {
    constexpr std::size_t kHashText = 64;
    if (text.size() <= FleetFact::kTextBytesMax) return std::string(text);
    return std::string(text.substr(0, FleetFact::kTextBytesMax - kHashText)) + hex(sha256(as_bytes(text)));
}

model::Record fleet_fact_record(const FleetFact& fact, const FactOrigin& origin, Timestamp now) {
    FactBody values = FactBody::array();
    for (const auto& [name, value] : fact.values)
        values.push_back(FactBody::array({name, value}));
    FactBody evidence = FactBody::array();
    for (const auto& position : fact.evidence)
        evidence.push_back(place_json(position));
    const FactBody body{
        {"version", 1},
        {"origin",
         place_json({.partition = origin.partition, .offset = origin.offset, .item = origin.number})},
        {"rule", fact.rule},
        {"place", fact.place},
        {"values", std::move(values)},
        {"text", fact.text},
        {"number", fact.number},
        {"weight", fact.weight},
        {"time", fact.time.ticks},
        {"evidence", std::move(evidence)}};
    model::Record record;
    record.kind = model::RecordKind::FleetFact;
    record.received = now;
    record.sender.hub.value = fact.hub;
    record.sender.device.value = fact.device;
    record.body = body.dump(-1, ' ', false, FactBody::error_handler_t::replace);
    return record;
}

Result<ReadFact> read_fleet_fact(const model::RecordView& record) {
    const auto body = FactBody::parse(record.body, nullptr, false);
    if (!body.is_object()) return malformed_fact("no JSON object");
    if (number_of<std::int64_t>(body, "version") != 1)
        return malformed_fact("of a version that this release does not read");
    const auto origin = body.contains("origin") ? read_place(body["origin"]) : std::nullopt;
    const auto place = number_of<std::uint32_t>(body, "place");
    const auto weight = number_of<std::int64_t>(body, "weight");
    const auto time = number_of<std::int64_t>(body, "time");
    if (!origin || !place || !weight || !time) return malformed_fact("without origin, place, weight or time");
    if (*weight < 1 || *time < -kFactTicksMost || *time > kFactTicksMost)
        return malformed_fact("a weight or a time out of range");
    ReadFact out;
    out.origin = {.partition = origin->partition, .offset = origin->offset, .number = origin->item};
    auto& fact = out.fact;
    const auto rule = body.find("rule");
    const auto text = body.find("text");
    const auto number = body.find("number");
    if (rule == body.end() || !rule->is_string() || text == body.end() || !text->is_string() ||
        number == body.end() || !number->is_number())
        return malformed_fact("without rule, text or number");
    fact.rule = rule->get<std::string>();
    fact.text = text->get<std::string>();
    fact.number = number->get<double>();
    fact.place = *place;
    fact.hub = record.hub;
    fact.device = record.device;
    fact.weight = *weight;
    fact.time.ticks = *time;
    FIELDWATCH_TRY(read_fact_values(body, fact));
    FIELDWATCH_TRY(read_fact_evidence(body, fact));
    return out;
}

}  // namespace fieldwatch::detect
