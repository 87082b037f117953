#include "app/server_certificates.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "hub/server.hpp"
#include "net/certificate_chain.hpp"

namespace fieldwatch::app {

namespace {

constexpr Ticks kLookEvery = std::chrono::hours(1);

}  // namespace

Result<std::unique_ptr<ServerCertificates>> ServerCertificates::open(net::CertificateOptions options,
                                                                     FileSystem& files, const Clock& clock) {
    std::unique_ptr<ServerCertificates> made(new ServerCertificates(std::move(options), files, clock));
    const auto certificates = FIELDWATCH_TRY(net::open_certificates(made->options_, files, clock));
    if (certificates.ca_made)
        log::info("server", fmt::format("made a certificate authority; devices trust {}/ca.pem",
                                        made->options_.directory));
    made->hub_ = FIELDWATCH_TRY(
        net::TlsServerContext::create({.chain_pem = certificates.chain_pem,
                                       .key_pem = certificates.key_pem,
                                       .request_client_certificate = true,
                                       .application_protocols = {std::string(hub::kMqttProtocol)}}));
    made->page_ = FIELDWATCH_TRY(net::TlsServerContext::create(
        {.chain_pem = certificates.chain_pem, .key_pem = certificates.key_pem}));
    made->chain_pem_ = certificates.chain_pem;
    return made;
}

void ServerCertificates::start() {
    hours_.start(kLookEvery, kLookEvery, [this] { look(); });
}

void ServerCertificates::look() {
    const std::lock_guard lock(looking_);
    const auto certificates = net::open_certificates(options_, files_, clock_);
    if (!certificates) return log::error("server", "certificates: " + certificates.error().message);
    if (certificates->chain_pem == chain_pem_) return;
    if (const auto done = renew(*certificates); !done)
        return log::error("server", "certificates: " + done.error().message);
    chain_pem_ = certificates->chain_pem;
    const auto facts = net::read_certificate(chain_pem_);
    log::info("server", fmt::format("a new certificate is shown{}",
                                    facts ? ", until " + to_iso8601(facts->not_after, 0) : std::string()));
}

Result<void> ServerCertificates::renew(const net::Certificates& certificates) {
    FIELDWATCH_TRY(hub_->renew(certificates.chain_pem, certificates.key_pem));
    return page_->renew(certificates.chain_pem, certificates.key_pem);
}

}  // namespace fieldwatch::app
