// What takes the messages of a route: a folder of JSON Lines, or a receiver behind HTTP.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/result.hpp"
#include "hub/routing/routing.hpp"

namespace fieldwatch::hub {

/// One thread, but for interrupt().
class RouteSink {
  public:
    virtual ~RouteSink() = default;
    /// Messages as to_json() writes them. They are durable, or the receiver's, when it returns. Errors:
    /// InvalidArgument when the receiver will never take these messages; with any other it is tried again
    /// later.
    virtual Result<void> deliver(std::span<const std::string> messages) = 0;
    /// Ends a delivery that is under way, for good. Any thread.
    virtual void interrupt() {}
};

/// Lines in `directory`/00000001.jsonl and on: the highest is written to, the oldest go. What a power cut
/// left of a line is taken away at the next start. `files` outlives the sink. Errors: Io.
Result<std::unique_ptr<RouteSink>> open_file_sink(FileSystem& files, std::string directory,
                                                  const RouteEndpoint& endpoint);

struct WebhookOptions {
    std::string hub;
    std::string signing_key;  ///< base64: the primary key of the hub's policy "service"
    std::chrono::seconds timeout{30};
};
/// POSTs `{"hub","endpoint","messages":[…]}` with `X-Fieldwatch-Timestamp` and `X-Fieldwatch-Signature`:
/// v1=HMAC-SHA256(key, timestamp "." body) in hex, as exports have them. 2xx is taken; 413 and 422 say that
/// it never will be. Errors: Io.
Result<std::unique_ptr<RouteSink>> open_webhook_sink(const RouteEndpoint& endpoint, WebhookOptions options,
                                                     const Clock& clock);

}  // namespace fieldwatch::hub
