// One payload object of a security message: checked against its schema table, normalised to STRICT, made into
// a model::Item. Where COMPAT ends and what it becomes is decided here and nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/arena.hpp"
#include "model/event.hpp"
#include "pipeline/decode/problem.hpp"
#include "pipeline/decode/schema.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

/// How often, and between when, an aggregate's payload happened; count 1 = not an aggregate.
struct Repeats {
    std::int64_t count = 1;
    std::optional<Timestamp> start, end;
};

/// The places that problems name.
struct PayloadPlace {
    std::size_t event = 0, payload = 0;
    std::string pointer(std::string_view field = {}) const;
};

/// Reused from payload to payload; everything it hands out lives in the arena it was given. One strand.
class PayloadDecoder {
  public:
    PayloadDecoder(Arena& arena, Problems& problems) : arena_(arena), problems_(problems) {}

    /// Fills `item` (all but its position) and says how often it happened. `details_tail` is the JSON members
    /// that every row of the event ends with. Errors go to the problems; the item is of use only if none of
    /// them is fatal.
    Repeats decode(const PayloadSchema& schema, const json::Value& payload, PayloadPlace place,
                   std::string_view details_tail, model::Item& item);

  private:
    void read_slots(const PayloadSchema& schema, const json::Value& payload);
    void check_field(std::size_t slot, const Field& field, const json::Value& value);
    void check_choice(std::size_t slot, const Field& field, const json::Value& value);
    void check_port(std::size_t slot, const Field& field, const json::Value& value);
    void check_map(const Field& field, const json::Value& value);
    void check_kind(const PayloadSchema& schema);
    Repeats read_repeats(const PayloadSchema& schema);
    model::Payload make(const PayloadSchema& schema);
    /// With what both versions say of a process under the same names.
    model::ProcessCreate process_create(model::ProcessCreate process);
    model::Payload make_version_1(model::EventKind kind);
    model::Payload make_version_2(model::EventKind kind);
    model::OtherPayload make_other(const PayloadSchema& schema);
    std::string_view write_details(const PayloadSchema& schema, const json::Value& payload,
                                   std::string_view tail);

    void problem(ProblemClass problem_class, std::string_view field, std::string reason);
    std::string_view text(std::size_t slot);
    std::int64_t integer(std::size_t slot) const;
    std::string_view extra(std::string_view key) const { return model::find(extra_, key); }
    std::string_view decimal(std::int64_t value);

    Arena& arena_;
    Problems& problems_;
    PayloadPlace place_;
    Slots slots_{};
    std::array<std::string_view, kFieldsMax> replaced_{};  // STRICT text of a COMPAT value, by slot
    std::uint32_t is_replaced_ = 0, is_dropped_ = 0;       // bits by slot
    std::span<std::pair<std::string_view, std::string_view>> extra_;
    std::string scratch_;
};

}  // namespace fieldwatch::pipeline
