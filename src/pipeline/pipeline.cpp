#include "pipeline/pipeline.hpp"

#include <thread>

#include "pipeline/shard.hpp"

namespace fieldwatch::pipeline {

struct Pipeline::Impl {
    Parts parts;
    Options options;
    PipelineMetrics metrics;
    DeadLetters dead_letters;
    SharedRuleCounts rule_counts;
    std::vector<std::unique_ptr<Shard>> shards;
    std::vector<std::jthread> threads;
};

Pipeline::Pipeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pipeline::~Pipeline() {
    stop();
}

Result<std::unique_ptr<Pipeline>> Pipeline::create(Parts parts, Options options) {
    FIELDWATCH_TRY(parts.files.make_directories(options.directory));
    FIELDWATCH_TRY(parts.content.get(options.first_content_hash));
    auto& metrics = parts.metrics;
    std::unique_ptr<Impl> impl(new Impl{.parts = std::move(parts),
                                        .options = std::move(options),
                                        .metrics = PipelineMetrics(metrics),
                                        .dead_letters = {},
                                        .rule_counts = {},
                                        .shards = {},
                                        .threads = {}});
    for (std::uint32_t partition = 0; partition < impl->parts.journal.partition_count(); ++partition)
        impl->shards.push_back(std::make_unique<Shard>(impl->parts, impl->options, impl->dead_letters,
                                                       impl->rule_counts, impl->metrics, partition));
    return std::unique_ptr<Pipeline>(new Pipeline(std::move(impl)));
}

void Pipeline::start() {
    if (!impl_->threads.empty()) return;
    for (auto& shard : impl_->shards)
        impl_->threads.emplace_back([&shard = *shard](const std::stop_token& stop) { shard.run(stop); });
}

void Pipeline::stop() {
    for (auto& thread : impl_->threads)
        thread.request_stop();
    impl_->threads.clear();  // joins
}

std::vector<Progress> Pipeline::progress() const {
    std::vector<Progress> out;
    for (const auto& shard : impl_->shards)
        out.push_back(shard->progress());
    return out;
}

const DeadLetters& Pipeline::dead_letters() const {
    return impl_->dead_letters;
}
RuleCounts Pipeline::rule_counts() const {
    return impl_->rule_counts.all();
}

}  // namespace fieldwatch::pipeline
