#include "protocol/amqp/sasl.hpp"

#include <proton/sasl.h>
#include <proton/sasl_plugin.h>
#include <proton/transport.h>

#include <string_view>

#include "protocol/amqp/engine.hpp"

namespace fieldwatch::amqp {

namespace {

// MSSBCBS, ANONYMOUS and EXTERNAL say nothing about who it is: a token on $cbs, or the certificate when a
// link is attached, decides. So they succeed.
void process_init(pn_transport_t* transport, const char* mechanism, const pn_bytes_t* received) {
    auto& peer = *static_cast<Peer*>(pnx_sasl_get_context(transport));
    const std::string_view name = mechanism == nullptr ? "" : mechanism;
    bool succeeds = name == "MSSBCBS" || name == "ANONYMOUS" || name == "EXTERNAL";
    if (name == "PLAIN") {
        // RFC 4616: [authzid] NUL authcid NUL passwd.
        const std::string_view text(received->size == 0 ? "" : received->start, received->size);
        const auto first = text.find('\0');
        const auto second = first == std::string_view::npos ? first : text.find('\0', first + 1);
        succeeds = second != std::string_view::npos &&
                   peer.authenticate({.mechanism = name,
                                      .user = text.substr(first + 1, second - first - 1),
                                      .password = text.substr(second + 1)});
    }
    if (succeeds)
        pnx_sasl_set_succeeded(transport, "client", "client");
    else
        pnx_sasl_set_failed(transport);
    pnx_sasl_set_desired_state(transport, SASL_POSTED_OUTCOME);
}

bool init_server(pn_transport_t* transport) {
    pnx_sasl_set_desired_state(transport, SASL_POSTED_MECHANISMS);
    return true;
}

// What a client does, or what would encrypt: none of it is ours. Proton calls without looking for null.
constexpr pnx_sasl_implementation kServer{
    .free = [](pn_transport_t*) {},
    .list_mechanisms = [](pn_transport_t*) { return "MSSBCBS ANONYMOUS EXTERNAL PLAIN"; },
    .init_server = init_server,
    .init_client = [](pn_transport_t*) { return false; },
    .prepare_write = [](pn_transport_t*) {},
    .process_init = process_init,
    .process_response = [](pn_transport_t*, const pn_bytes_t*) {},
    .process_mechanisms = [](pn_transport_t*, const char*) { return false; },
    .process_challenge = [](pn_transport_t*, const pn_bytes_t*) {},
    .process_outcome = [](pn_transport_t*, const pn_bytes_t*) {},
    .can_encrypt = [](pn_transport_t*) { return false; },
    .max_encrypt_size = [](pn_transport_t*) { return ssize_t{0}; },
    .encode = [](pn_transport_t*, pn_bytes_t, pn_bytes_t*) { return ssize_t{0}; },
    .decode = [](pn_transport_t*, pn_bytes_t, pn_bytes_t*) { return ssize_t{0}; },
};

}  // namespace

void offer_sasl(pn_transport_t* transport, Peer& peer) {
    pn_transport_require_auth(transport, false);
    pn_sasl(transport);
    pnx_sasl_set_implementation(transport, &kServer, &peer);
    pn_sasl_set_allow_insecure_mechs(pn_sasl(transport), true);  // TLS is ours, and always there
}

}  // namespace fieldwatch::amqp
