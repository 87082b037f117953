// What the AMQP sessions of a server share, and those of one core. Inside src/hub/amqp only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "hub/core.hpp"
#include "journal/journal.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// What the journal tells a session from its committing thread.
struct AmqpMail {
    enum class Kind : std::uint8_t { Durable, Failed, HasSpace };
    std::uint64_t session = 0, delivery = 0;
    Kind kind = Kind::Durable;
};

/// Who reads which partition in which consumer group: at most five without an epoch, or one with the highest
/// (spec section 5.5). Any thread.
class EventReaders {
  public:
    struct Reader {
        unsigned core = 0;
        std::uint64_t session = 0, link = 0;
        friend bool operator==(const Reader&, const Reader&) = default;
    };
    using Place = std::tuple<std::string, std::string, std::uint32_t>;  ///< hub, group, partition
    static constexpr std::size_t kReadersMax = 5;

    struct Entry {
        bool admitted = false;
        std::string why_not;          ///< a condition name
        std::vector<Reader> evicted;  ///< to be detached with amqp:link:stolen
    };
    Entry enter(const Place& place, Reader reader, std::optional<std::int64_t> epoch);
    void leave(const Place& place, Reader reader);

  private:
    struct Readers {
        std::optional<std::int64_t> epoch;
        std::vector<Reader> readers;
    };
    net::Guarded<std::map<Place, Readers>> places_;
};

struct AmqpShared {
    Shared& hub;
    journal::Reader* reader = nullptr;  ///< null: no Event Hubs compatible endpoint
    EventReaders readers;
    /// Runs a function on the strand of a session of any core, if it is there.
    std::function<void(unsigned core, std::uint64_t session, std::move_only_function<void(AmqpSession&)>)>
        on_session;
};

/// The AMQP sessions of one core; its strand, but for the mailbox.
struct AmqpCore {
    AmqpCore(Core& its_core, AmqpShared& its_shared);
    Core& core;
    AmqpShared& shared;
    std::unordered_map<std::uint64_t, AmqpSession*> sessions;
    net::Mailbox<AmqpMail> mailbox;
    void deliver(std::vector<AmqpMail>& mails);
    void poke();  ///< every session whose links wait for records
};

}  // namespace fieldwatch::hub
