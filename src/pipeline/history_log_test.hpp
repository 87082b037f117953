// A journal of process events for tests that look back: backtests, `alerts why`.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/json_text.hpp"
#include "detect/content.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"
#include "pipeline/content_store.hpp"

namespace fieldwatch::pipeline {

/// Two partitions; the hub is `h`; event times are received times.
class HistoryLog : public testing::Test {
  protected:
    static constexpr std::int64_t kStart = 1'800'000'000;
    static constexpr std::uint32_t kPartitions = 2;

    void SetUp() override {
        char name[] = "/tmp/fieldwatch-history-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        journal_ = journal::open({.directory = directory_ + "/journal",
                                  .partition_count = kPartitions,
                                  .disk_free_bytes_min = 0},
                                 posix_file_system(), system_clock(), metrics_)
                       .value();
        store_ = std::make_unique<ContentStore>(posix_file_system(), directory_ + "/content");
    }
    void TearDown() override {
        journal_.reset();
        std::filesystem::remove_all(directory_);
    }

    static Timestamp at(std::int64_t seconds) { return Timestamp::from_unix_seconds(kStart + seconds); }
    static std::string rule(const std::string& id, const std::string& word, const std::string& extra = "") {
        return "title: Rule " + id + "\nid: " + id +
               "\nlevel: high\nlogsource: {product: linux, category: process_creation}\n"
               "detection: {a: {CommandLine|contains: " +
               word + "}, condition: a}\n" + extra;
    }
    static detect::ContentSources sources(std::vector<std::pair<std::string, std::string>> files) {
        detect::ContentSources out;
        out.rule_files = std::move(files);
        return out;
    }
    static detect::ContentPtr content(std::vector<std::pair<std::string, std::string>> files) {
        return detect::compile(sources(std::move(files))).value();
    }

    void append(std::uint32_t partition, const model::Record& record) {
        std::promise<void> durable;
        ASSERT_TRUE(journal_->writer().append(journal::Stream::Security, partition, model::encode(record),
                                              [&](const Result<void>&) { durable.set_value(); }));
        durable.get_future().wait();
    }
    /// Makes a version the one in force from here on; its hash.
    std::string announce(std::int64_t seconds, std::vector<std::pair<std::string, std::string>> files) {
        const auto hash = store_->put(sources(std::move(files))).value();
        for (std::uint32_t partition = 0; partition < kPartitions; ++partition)
            append(partition, {.kind = model::RecordKind::Content,
                               .received = at(seconds),
                               .sender = {},
                               .properties = {},
                               .body = R"({"version":1,"hash":")" + hash + "\"}"});
        return hash;
    }
    void run(std::int64_t seconds, const std::string& device, const std::string& command_line,
             const std::string& id = "") {
        char number[40];
        std::snprintf(number, sizeof number, "00000000-0000-0000-0000-%012d", ++number_);
        std::string body = R"({"AgentVersion":"1","AgentId":"aaaaaaaa-2222-3333-4444-555555555555",)"
                           R"("MessageSchemaVersion":"1.0","Events":[)";
        JsonWriter json(body);
        json.begin_object()
            .member("Id", id.empty() ? number : id)
            .member("TimestampLocal", to_iso8601(at(seconds), 3))
            .member("TimestampUTC", to_iso8601(at(seconds), 3))
            .member("Category", "Triggered")
            .member("Name", "ProcessCreate")
            .member("EventType", "Security")
            .key("IsEmpty")
            .boolean(false);
        json.member("PayloadSchemaVersion", "1.0").key("Payload").begin_array().begin_object();
        json.member("Executable", "/bin/sh")
            .member("ProcessId", std::int64_t{7})
            .member("ParentProcessId", std::int64_t{1})
            .member("UserId", "0")
            .member("CommandLine", command_line)
            .end_object()
            .end_array()
            .end_object();
        append(model::partition_of({"h"}, {device}, kPartitions),
               {.kind = model::RecordKind::SecurityMessage,
                .received = at(seconds),
                .sender = {{"h"}, {device}, {"azureiotsecurity"}},
                .properties = {},
                .body = body + "]}"});
    }

    std::string directory_;
    Metrics metrics_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<ContentStore> store_;
    int number_ = 0;
};

}  // namespace fieldwatch::pipeline
