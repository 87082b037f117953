// Brings an update's image over HTTPS, from where it stopped if the server can. Runs in the unprivileged
// sender, between its other work.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/update/https.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "net/tls_client.hpp"

namespace fieldwatch::agent {

/// One GET. One thread.
class Download {
  public:
    struct Wanted {
        std::uint64_t bytes = 0;  ///< of the whole image
        std::uint64_t begin = 0;  ///< so many are here already
    };
    /// Takes the bytes from `offset` on; a whole answer to a request for the rest begins at 0 again.
    using Sink = std::function<Result<void>(std::uint64_t offset, ByteView bytes)>;

    static Result<Download> start(const HttpsUrl& url, net::TlsClientOptions options, Wanted wanted);
    /// Goes on; true once the image is whole. Errors: what the connection says; Unavailable for another
    /// answer; Malformed for one that is longer or shorter than the image.
    Result<bool> advance(const Sink& sink);

    int fd() const { return tls_.fd(); }
    short wanted_events() const;
    /// How many bytes have come, head included: grows while the server lives.
    std::uint64_t received() const { return received_; }
    bool has_more() const { return has_more_; }  ///< bytes may be there that no poll() tells of

  private:
    Download(net::TlsClient tls, Wanted wanted, std::string request)
        : tls_(std::move(tls)), wanted_(wanted), request_(std::move(request)) {}
    Result<void> take_head();
    Result<void> take_body(ByteView bytes, const Sink& sink);

    net::TlsClient tls_;
    Wanted wanted_;
    std::string request_;  // what of it is not yet sent
    std::string head_;     // as it comes in, at most AnswerHead::kBytesMax and one read
    bool is_established_ = false, in_body_ = false, has_more_ = false;
    std::uint64_t at_ = 0;
    std::uint64_t received_ = 0;
};

}  // namespace fieldwatch::agent
