#include "net/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>

namespace fieldwatch::net {

namespace {

constexpr int kKeysIndex = 0;  // OpenSSL leaves it to applications

template <std::size_t size>
bool fill(std::array<unsigned char, size>& bytes) {
    return RAND_priv_bytes(bytes.data(), static_cast<int>(size)) == 1;
}

bool set_mac(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/// OpenSSL's: 1 = done, 2 = done, and the client is to have a new ticket, 0 = no ticket, or not one of ours.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              int seals) {
    auto& keys = *static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), kKeysIndex));
    const auto now = std::chrono::steady_clock::now();
    if (seals == 1) {
        auto key = keys.to_seal(now);
        if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return 0;
        std::copy(key->name.begin(), key->name.end(), name);
        const bool ready =
            EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) == 1 &&
            set_mac(mac, *key);
        OPENSSL_cleanse(&*key, sizeof *key);
        return ready ? 1 : -1;
    }
    auto found = keys.to_open(std::span<const unsigned char, 16>(name, 16), now);
    if (!found) return 0;
    const bool ready =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, found->key.cipher.data(), iv) == 1 &&
        set_mac(mac, found->key);
    OPENSSL_cleanse(&found->key, sizeof found->key);
    if (!ready) return -1;
    return found->seals ? 1 : 2;
}

}  // namespace

TicketKeys::~TicketKeys() {
    for (auto* const key : {&current_, &previous_})
        if (*key) OPENSSL_cleanse(&**key, sizeof **key);
}

void TicketKeys::attach(SSL_CTX* context) {
    SSL_CTX_set_ex_data(context, kKeysIndex, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_timeout(context, std::chrono::seconds(kSeals).count());
}

std::optional<TicketKeys::Key> TicketKeys::to_seal(Time now) {
    const std::lock_guard lock(mutex_);
    if (!current_ || now >= current_->made + kSeals) {
        Key fresh{.made = now};
        if (!fill(fresh.name) || !fill(fresh.cipher) || !fill(fresh.mac)) return std::nullopt;
        previous_ = current_;
        current_ = fresh;
    }
    return current_;
}

std::optional<TicketKeys::Opening> TicketKeys::to_open(std::span<const unsigned char, 16> name,
                                                       Time now) const {
    const std::lock_guard lock(mutex_);
    for (const auto* const key : {&current_, &previous_}) {
        if (!*key || now >= (*key)->made + kOpens || !std::ranges::equal((*key)->name, name)) continue;
        return Opening{.key = **key, .seals = now < (*key)->made + kSeals};
    }
    return std::nullopt;
}

}  // namespace fieldwatch::net
