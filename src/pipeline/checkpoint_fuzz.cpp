// A checkpoint of any content. The first byte chooses: below 64 the rest is the file as it lies on disk, else
// it is the state behind a checksum that fits. A state that a shard accepts is saved as it was restored, and
// the shard goes on from it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "base/simulated_file_system.hpp"
#include "pipeline/checkpoint.hpp"
#include "pipeline/shard_core.hpp"

namespace {

using namespace fieldwatch;
using namespace fieldwatch::pipeline;

constexpr std::uint64_t kOffset = 7;

void read_file_of(ByteView content) {
    SimulatedFileSystem disk(1);
    FIELDWATCH_ASSERT(disk.make_directories("/c").has_value());
    Checkpoints checkpoints(disk, "/c", 0, 2);
    FIELDWATCH_ASSERT(checkpoints.write({.next_offset = kOffset, .state = {}}).has_value());
    const auto names = disk.list("/c");
    FIELDWATCH_ASSERT(names.has_value() && names->size() == 1);
    FIELDWATCH_ASSERT(replace_file(disk, "/c/" + names->front(), content).has_value());
    std::size_t damaged = 0;
    const auto newest = checkpoints.newest(kOffset, damaged);
    FIELDWATCH_ASSERT(newest.has_value());
    FIELDWATCH_ASSERT(newest->has_value() == (damaged == 0));
}

ShardCore make_core() {
    static const auto content = detect::compile({});
    FIELDWATCH_ASSERT(content.has_value());
    return {*content, "", [](std::string_view) -> Result<detect::ContentPtr> { return *content; }, {}};
}

void go_on(ShardCore& core) {
    Outcome out;
    model::RecordView record{.kind = model::RecordKind::AlertState,
                             .received = core.now() + std::chrono::minutes(1),
                             .hub = "h",
                             .device = "d",
                             .module = "",
                             .properties = {},
                             .body = R"({"alertId":"a","status":"Dismissed","by":"x"})"};
    FIELDWATCH_ASSERT(core.process(record, {.partition = 0, .offset = 1}, out).has_value());
    core.run_on(core.now() + std::chrono::hours(48), out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    log::set_level(log::Level::Error);
    const auto content = ByteView(reinterpret_cast<const std::byte*>(data), size).subspan(1);
    if (data[0] < 64) {
        read_file_of(content);
        return 0;
    }
    auto core = make_core();
    if (!core.restore(content)) return 0;
    Bytes saved;
    core.save(saved);
    auto again = make_core();
    FIELDWATCH_ASSERT(again.restore(saved).has_value());
    Bytes twice;
    again.save(twice);
    FIELDWATCH_ASSERT(saved == twice);
    go_on(core);
    return 0;
}
