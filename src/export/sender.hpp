// One way out: a batch of findings to one receiver, as one attempt with an end.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "export/destination.hpp"
#include "export/render.hpp"
#include "net/outbound_stream.hpp"

namespace fieldwatch::exports {

/// A receiver answers within this, or is tried again later.
inline constexpr std::chrono::seconds kAttempt{10};
inline constexpr std::chrono::seconds kMailAttempt{60};  ///< servers look at a mail before they answer

/// What became of a batch: its first `done` findings are behind us, `refused` of them because the receiver
/// will never take them; `problem` says why the next one is not.
struct Sent {
    std::size_t done = 0, refused = 0;
    std::optional<Error> problem;
    std::chrono::seconds retry_after{0};  ///< the receiver asked for it
};

/// Everything outlives the sender.
struct SenderParts {
    FileSystem& files;
    const Clock& clock;
    std::string directory;  ///< of file destinations: theirs are its folders
    const Teller& teller;
    const net::Interrupt& interrupt;
};

/// One thread at a time.
class Sender {
  public:
    virtual ~Sender() = default;
    virtual Sent send(std::span<const Finding> findings) = 0;
    /// Ends an attempt under way, for good, where SenderParts::interrupt does not reach. Any thread.
    virtual void interrupt() {}
};

/// `destination` outlives it.
std::unique_ptr<Sender> make_sender(const Destination& destination, const SenderParts& parts);

std::unique_ptr<Sender> make_webhook_sender(const Destination& destination, const SenderParts& parts);
std::unique_ptr<Sender> make_syslog_sender(const Destination& destination, const SenderParts& parts);
std::unique_ptr<Sender> make_file_sender(const Destination& destination, const SenderParts& parts);
std::unique_ptr<Sender> make_bus_sender(const Destination& destination, const SenderParts& parts);
std::unique_ptr<Sender> make_mail_sender(const Destination& destination, const SenderParts& parts);

/// The header X-Fieldwatch-Signature: `v1=` and HMAC-SHA-256 over `timestamp.body` in hex.
std::string signature_of(std::string_view secret, std::string_view timestamp, std::string_view body);

}  // namespace fieldwatch::exports
