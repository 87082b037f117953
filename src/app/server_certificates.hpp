// The certificate that all listeners show: opened at the start, and made again before it ends, however long
// the server runs. docs/decisions/0181.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/periodic.hpp"
#include "net/certificate_authority.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::app {

/// `files` and `clock` outlive it. Any thread.
class ServerCertificates {
  public:
    static Result<std::unique_ptr<ServerCertificates>> open(net::CertificateOptions options,
                                                            FileSystem& files, const Clock& clock);

    /// From now on looks once an hour.
    void start();
    void stop() { hours_.stop(); }
    /// Opens the folder again; shows what is there now, if that is new: a certificate near its end was made
    /// anew by that, and one that somebody put there is taken. Failures are logged and change nothing.
    void look();

    const std::shared_ptr<net::TlsServerContext>& hub() const { return hub_; }
    const std::shared_ptr<net::TlsServerContext>& page() const { return page_; }

  private:
    ServerCertificates(net::CertificateOptions options, FileSystem& files, const Clock& clock)
        : options_(std::move(options)), files_(files), clock_(clock) {}
    Result<void> renew(const net::Certificates& certificates);

    const net::CertificateOptions options_;
    FileSystem& files_;
    const Clock& clock_;
    std::shared_ptr<net::TlsServerContext> hub_, page_;
    std::mutex looking_;
    std::string chain_pem_;  ///< that is shown; guarded by looking_
    Periodic hours_;
};

}  // namespace fieldwatch::app
