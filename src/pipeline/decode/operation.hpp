// The hub's own records into normalised events: operation log, control plane, and recorded events of any log
// source. spec/hub-signals.md sections 1 to 3.
#pragma once

#include <string>
#include <vector>

#include "base/arena.hpp"
#include "base/result.hpp"
#include "model/event.hpp"
#include "model/record.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

/// What the tables AzureDiagnostics and AzureActivity hold besides what the event says. Views as in the
/// event.
struct OperationRow {
    std::string_view result_signature, correlation_id, message_id, location, properties_json;
};

/// Reused from record to record; results are valid until the next call. One strand.
class OperationDecoder {
  public:
    struct Decoded {
        model::Event event;  ///< with exactly one item
        OperationRow row;
    };

    /// Tolerates what foreign logs do: objects for texts, quoted numbers, a blank before the time. One
    /// record, or a batch
    /// `{"records":[…]}` of at most 1,000. Errors: Malformed, TooLarge.
    Result<std::span<Decoded>> decode_operation(const model::RecordView& record, model::LogPosition position);
    Result<std::span<Decoded>> decode_control_plane(const model::RecordView& record,
                                                    model::LogPosition position);
    /// `{"logsource":{…},"fields":{…}}`. Errors: Malformed, TooLarge.
    Result<std::span<Decoded>> decode_sigma_event(const model::RecordView& record,
                                                  model::LogPosition position);

  private:
    using Fill = Result<void> (OperationDecoder::*)(const json::Value&, const model::RecordView&, Decoded&);
    Result<std::span<Decoded>> decode(const model::RecordView& record, model::LogPosition position,
                                      Fill fill);
    Result<void> fill_operation(const json::Value& object, const model::RecordView& record, Decoded& out);
    Result<void> fill_control_plane(const json::Value& object, const model::RecordView& record, Decoded& out);
    Result<void> fill_sigma_event(const json::Value& object, const model::RecordView& record, Decoded& out);
    /// An object, or the object that a text holds; null object when it is neither.
    const json::Value* nested(const json::Value* value, json::Reader& reader);
    std::string_view text(const json::Value* object, std::string_view key);
    std::string_view compact(const json::Value& value);
    void read_time(const json::Value& object, model::Event& event);

    Arena arena_;
    json::Reader reader_, properties_reader_, auth_reader_;
    std::vector<Decoded> decoded_;
    std::string scratch_;
};

}  // namespace fieldwatch::pipeline
