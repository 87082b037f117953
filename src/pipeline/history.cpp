#include "pipeline/history.hpp"

#include <algorithm>

#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

namespace {
constexpr std::size_t kBatchRecords = 4'096;
constexpr std::size_t kBatchBytes = 4u << 20;
}  // namespace

std::string content_hash_of(const model::RecordView& record) {
    json::Reader reader;
    const auto body = reader.parse(record.body);
    return body ? std::string((*body)->text_of("hash")) : std::string();
}

Result<std::optional<Timestamp>> History::received_at(std::uint64_t offset) const {
    const auto batch =
        FIELDWATCH_TRY(reader_.read({journal::Stream::Security, partition_, offset}, 1, kBatchBytes));
    if (batch.records.empty()) return std::nullopt;
    const auto record = model::decode_record(batch.records.front().bytes);
    return record ? std::optional(record->received) : std::nullopt;
}

Result<std::uint64_t> History::offset_at(Timestamp time) const {
    auto low = first_offset();
    auto high = end_offset();
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        // What does not decode has no time; its neighbour's will do.
        const auto received = FIELDWATCH_TRY(received_at(middle));
        if (received && *received >= time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

Result<void> History::read(std::uint64_t from, std::uint64_t to, const Visit& visit) const {
    while (from < to) {
        const auto batch = FIELDWATCH_TRY(
            reader_.read({journal::Stream::Security, partition_, from}, kBatchRecords, kBatchBytes));
        if (batch.records.empty()) return {};
        for (const auto& bytes : batch.records) {
            if (bytes.offset >= to) return {};
            const auto record = model::decode_record(bytes.bytes);
            if (record && !FIELDWATCH_TRY(visit(*record, bytes.offset))) return {};
        }
        from = batch.next_offset;
    }
    return {};
}

Result<std::string> History::content_at(std::uint64_t offset) const {
    // Backwards by batches: a version is announced at each start and at each change.
    const auto first = first_offset();
    std::string hash;
    for (auto end = offset; end > first && hash.empty();) {
        const auto begin = end - std::min<std::uint64_t>(end - first, kBatchRecords);
        FIELDWATCH_TRY(read(begin, end, [&](const model::RecordView& record, std::uint64_t) -> Result<bool> {
            if (record.kind == model::RecordKind::Content) hash = content_hash_of(record);
            return true;
        }));
        end = begin;
    }
    return hash;
}

}  // namespace fieldwatch::pipeline
