// Stand-ins for what the portal is joined to, for its own tests only: a workspace that
// answers by the text of the question, devices that are connected when a test says so.
#pragma once

#include <fmt/format.h>

#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "portal/devices.hpp"
#include "registry/registry.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::portal::testing {

/// Answers a question by the first entry whose text occurs in it; an empty table when none does.
class ScriptedWorkspace : public workspace::Workspace {
  public:
    std::vector<std::pair<std::string, workspace::ResultTable>> answers_;
    std::optional<workspace::QueryError> refusal_;
    bool truncated_ = false;
    std::vector<workspace::QueryRequest> asked_;

    std::expected<workspace::QueryAnswer, workspace::QueryError> query(
        const workspace::QueryRequest& request) override {
        asked_.push_back(request);
        if (refusal_) return std::unexpected(*refusal_);
        workspace::QueryAnswer answer;
        answer.truncated = truncated_;
        answer.render_json = R"({"visualization":"columnchart"})";
        for (const auto& [text, table] : answers_) {
            if (request.text.find(text) == std::string::npos) continue;
            answer.tables.push_back(table);
            return answer;
        }
        answer.tables.emplace_back();
        return answer;
    }
    Result<void> commit(workspace::Commit) override { return {}; }
    Result<std::uint64_t> committed_offset(std::uint32_t) override { return 0; }
    std::vector<std::pair<std::string, std::vector<workspace::Column>>> schema() const override {
        return {{"SecurityAlert", {{.name = "TimeGenerated", .type = workspace::ColumnType::DateTime}}}};
    }
    Result<std::vector<workspace::OpenAlert>> open_alerts(std::size_t) override {
        return std::vector<workspace::OpenAlert>{};
    }
    Result<std::vector<workspace::OutboxRow>> outbox(workspace::OutboxRange) override {
        return std::vector<workspace::OutboxRow>{};
    }
    std::uint64_t outbox_end() override { return 0; }
    Result<void> outbox_done(std::uint64_t) override { return {}; }
    Result<void> maintain() override { return {}; }
};

class KnownDevices final : public DeviceLink {
  public:
    std::set<model::Identity> connected_;
    std::vector<model::Identity> disconnected_;
    std::vector<std::pair<model::Identity, registry::TwinChange>> changed_;
    std::vector<std::string> operated_;

    bool connected(const model::Identity& identity) const override { return connected_.contains(identity); }
    void desired_changed(const model::Identity& identity, const registry::TwinChange& change) override {
        changed_.emplace_back(identity, change);
    }
    void disconnect(const model::Identity& identity) override { disconnected_.push_back(identity); }
    void operated(const hub::ServiceOperation& operation) override {
        const std::lock_guard lock(mutex_);  // of tests that ask from several threads
        operated_.push_back(fmt::format("{}/{} {} by {}{}", operation.category, operation.name,
                                        operation.identity.device.value, operation.caller,
                                        operation.error == nullptr ? "" : ": " + operation.error->message));
    }

  private:
    std::mutex mutex_;
};

}  // namespace fieldwatch::portal::testing
