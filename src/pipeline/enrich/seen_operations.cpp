#include "pipeline/enrich/seen_operations.hpp"

#include "detect/state.hpp"

namespace fieldwatch::pipeline {

bool SeenOperations::check(const OperationDecoder::Decoded& decoded) {
    const auto& [event, row] = decoded;
    if (row.correlation_id.empty() && row.message_id.empty()) return false;
    std::string_view category, name, result;
    if (const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload)) {
        category = operation->category;
        name = operation->operation_name;
        result = operation->result_type;
    } else if (const auto* const change =
                   std::get_if<model::ControlPlaneOperation>(&event.items[0].payload)) {
        category = "Administrative";
        name = change->operation_name;
        result = change->result_type;  // Start and Success of one change share everything else
    } else {
        return false;
    }
    key_.clear();
    for (const auto part :
         {event.hub, event.device, event.module, category, name, result, row.correlation_id, row.message_id})
        key_.append(part).append(1, '\0');
    key_ += std::to_string(event.device_time.ticks);
    const auto hash = hash128(as_bytes(key_)).text();
    auto& seen = seen_.get(hash);
    const bool before = seen != 0;
    seen = 1;
    return before;
}

void SeenOperations::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(seen_.size()));
    for (const auto& entry : seen_)
        out.text(entry.first);
}

Result<void> SeenOperations::restore(ByteReader& in) {
    seen_.clear();
    const auto count = FIELDWATCH_TRY(detect::read_count(in, kSeenMax));
    for (std::uint32_t i = 0; i < count; ++i)
        seen_.get(FIELDWATCH_TRY(in.text())) = 1;
    return {};
}

}  // namespace fieldwatch::pipeline
