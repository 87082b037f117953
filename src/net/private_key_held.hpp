// OpenSSL's side of a PrivateKey, for the sources of this folder.
#pragma once

#include <openssl/evp.h>

#include "net/private_key.hpp"

namespace fieldwatch::net {

struct PrivateKey::Held {
    EVP_PKEY* key = nullptr;
    std::string properties;  ///< by which a connection that signs with it chooses its algorithms

    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { EVP_PKEY_free(key); }
};

}  // namespace fieldwatch::net
