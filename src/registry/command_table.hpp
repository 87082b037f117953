// Cloud-to-device messages and notices, as rows.
#pragma once

#include "base/clock.hpp"
#include "registry/commands.hpp"
#include "registry/database.hpp"

namespace fieldwatch::registry {

/// `database` outlives it.
class CommandTable final : public CommandStore {
  public:
    explicit CommandTable(Database& database) : database_(database) {}

    Result<Command> enqueue(Command command, std::size_t queue_max) override;
    Result<std::vector<Command>> waiting(const model::Identity& identity, std::size_t count_max) override;
    Result<std::uint64_t> count(const model::Identity& identity) override;
    Result<std::vector<Command>> expired(Timestamp now, std::size_t count_max) override;
    Result<void> mark_sent(const std::vector<std::uint64_t>& sequences) override;
    Result<std::size_t> settle(const model::HubName& hub, std::uint64_t sequence,
                               const std::optional<NewNotice>& feedback) override;
    Result<std::uint32_t> raise_delivery_count(std::uint64_t sequence) override;
    Result<std::size_t> add_notice(const model::HubName& hub, const NewNotice& notice) override;
    Result<std::vector<Notice>> notices(const model::HubName& hub, NoticeKind kind, Timestamp created_after,
                                        std::size_t count_max) override;
    Result<void> remove_notices(const model::HubName& hub,
                                const std::vector<std::uint64_t>& sequences) override;
    Result<std::vector<NoticesGone>> remove_notices_until(Timestamp created) override;
    Result<bool> subscribed(const model::Identity& identity) override;
    Result<void> set_subscribed(const model::Identity& identity, bool subscribed) override;

  private:
    Database& database_;
};

}  // namespace fieldwatch::registry
