// Device-to-cloud messages of transports that answer each message by itself (AMQP, HTTPS); MQTT's session has
// its own path, which batches acknowledgements.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "hub/message.hpp"
#include "hub/operation.hpp"
#include "journal/journal.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

struct Admission;
struct Shared;

/// What the hub says of the sender of each message, from its admission.
Stamps make_stamps(const Admission& admission, std::string_view model_id);

/// Appends one message; `durable` comes once, from the journal's thread, when it is on disk. Errors: TooLarge
/// (413001), Exhausted (the journal is full: 429001, or wait), Io. Any thread.
Result<void> append_message(Shared& shared, const Speaker& speaker, const Stamps& stamps,
                            const Message& message, journal::Writer::Durable durable);

/// Successful ingress, condensed to one record a sender, protocol and minute (design 3a, volume). Any thread.
class IngressTable {
  public:
    void add(const Speaker& speaker, bool security, std::size_t bytes, std::uint32_t partition,
             const OperationLog& log);
    /// Writes what was counted; once a minute, at the end, and when a row more is one too many.
    void flush(const OperationLog& log);

  private:
    static constexpr std::size_t kRowsMax = 20'000;  ///< then a minute is told in several records
    struct Key {
        model::Identity identity;
        std::string protocol;
        bool security = false;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Row {
        Speaker speaker;
        std::uint32_t partition = 0;
        std::int64_t messages = 0, bytes = 0;
    };
    using Rows = std::map<Key, Row>;
    static void write(const Rows& rows, const OperationLog& log);
    net::Guarded<Rows> rows_;
};

}  // namespace fieldwatch::hub
