// Cloud-to-device messages and notices, as rows.
#pragma once

#include "base/clock.hpp"
#include "registry/commands.hpp"
#include "registry/database.hpp"

namespace fieldwatch::registry {

/// `database` and `clock` outlive it.
class CommandTable final : public CommandStore {
  public:
    CommandTable(Database& database, const Clock& clock) : database_(database), clock_(clock) {}

    Result<Command> enqueue(Command command, std::size_t queue_max) override;
    Result<std::vector<Command>> waiting(const model::Identity& identity, std::size_t count_max) override;
    Result<std::uint64_t> count(const model::Identity& identity) override;
    Result<std::vector<Command>> expired(Timestamp now, std::size_t count_max) override;
    Result<void> mark_sent(const std::vector<std::uint64_t>& sequences) override;
    Result<void> settle(const model::HubName& hub, std::uint64_t sequence,
                        std::string_view feedback_json) override;
    Result<std::uint32_t> raise_delivery_count(std::uint64_t sequence) override;
    Result<void> add_notice(const model::HubName& hub, NoticeKind kind, std::string_view json) override;
    Result<std::vector<Notice>> notices(const model::HubName& hub, NoticeKind kind,
                                        std::size_t count_max) override;
    Result<void> remove_notices(const model::HubName& hub,
                                const std::vector<std::uint64_t>& sequences) override;
    Result<bool> subscribed(const model::Identity& identity) override;
    Result<void> set_subscribed(const model::Identity& identity, bool subscribed) override;

  private:
    Database& database_;
    const Clock& clock_;
};

}  // namespace fieldwatch::registry
