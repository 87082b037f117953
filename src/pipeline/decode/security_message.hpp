// Security messages, as devices send them, into normalised events: the first step of the data path behind the
// journal, and the trust boundary of detection. spec/security-messages.md, STRICT and COMPAT.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/arena.hpp"
#include "model/event.hpp"
#include "model/record.hpp"
#include "pipeline/decode/payload.hpp"
#include "pipeline/decode/problem.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

struct DecodeOptions {
    bool strict = false;         ///< STRICT alone conforms
    bool whole_message = false;  ///< one bad event voids its message, as the original did
};

/// What did not conform: the message (item 0, nothing of it is in `events`) or one event of it.
struct Refusal {
    std::uint32_t event = 0;  ///< index in the message
    std::string reason;       ///< sentence with JSON pointer
};

/// Valid until the decoder's next call.
struct DecodedMessage {
    std::span<model::Event> events;  ///< event time is still the device's own
    std::span<const Refusal> refusals;
    const Problems* problems = nullptr;  ///< all of them, the harmless too
    std::uint32_t benign = 0;            ///< empty ConfigurationErrors of the C agent, dropped silently
    std::uint32_t item_count = 0;        ///< rows this record makes
};

/// Reused from record to record. One strand.
class SecurityMessageDecoder {
  public:
    SecurityMessageDecoder() : payloads_(arena_, problems_) {}
    SecurityMessageDecoder(const SecurityMessageDecoder&) = delete;
    SecurityMessageDecoder& operator=(const SecurityMessageDecoder&) = delete;

    /// `record.body` must outlive the result, `position` names the record. Never fails: what is wrong is in
    /// the result.
    const DecodedMessage& decode(const model::RecordView& record, model::LogPosition position,
                                 const DecodeOptions& options);

  private:
    struct Common {
        const json::Value *id = nullptr, *local = nullptr, *utc = nullptr, *category = nullptr,
                          *name = nullptr, *type = nullptr, *is_empty = nullptr, *version = nullptr,
                          *payload = nullptr;
    };
    const json::Value* read_envelope(const model::RecordView& record);
    void read_event(const json::Value& event, std::size_t index);
    bool read_common(const json::Value& event, std::size_t index, Common& out);
    const PayloadSchema* legal_schema(const Common& common, std::size_t index);
    enum class Emptiness : std::uint8_t { Empty, Full, Benign };
    Emptiness check_emptiness(const Common& common, const PayloadSchema& schema, std::size_t index);
    std::optional<Timestamp> read_times(const Common& common, std::size_t index);
    void emit(const Common& common, const PayloadSchema& schema, Timestamp device_time, bool is_empty,
              std::size_t index);
    model::Event& next_event();
    void finish(const DecodeOptions& options);

    Arena arena_;
    Problems problems_;
    PayloadDecoder payloads_;
    json::Reader reader_;
    DecodeOptions options_;
    DecodedMessage out_;
    std::vector<model::Event> events_;  // storage; the first event_count_ are in use
    std::size_t event_count_ = 0;
    std::vector<Repeats> repeats_;
    std::vector<Refusal> refusals_;
    std::string tail_;
    const model::RecordView* record_ = nullptr;
    model::LogPosition position_;
    std::string_view agent_version_;
};

}  // namespace fieldwatch::pipeline
