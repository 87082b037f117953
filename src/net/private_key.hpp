// A private key that need not be a file: one that a TPM or a PKCS#11 token holds and never gives away, found
// by URI through OpenSSL's providers and engines. It is found once, while the process may still do so;
// handshakes then sign with it.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

namespace fieldwatch::net {

struct PrivateKeySource {
    std::string uri;       ///< `pkcs11:token=…;object=…`, `handle:0x81000001`, `file:/etc/….pem`; "" = none
    std::string provider;  ///< an OpenSSL provider that knows it besides the default one, such as `tpm2`
    std::string engine;    ///< or an OpenSSL engine, such as `pkcs11`
    std::string module;    ///< of the engine: its MODULE_PATH, such as /usr/lib/softhsm/libsofthsm2.so
    std::string pin;       ///< of the token; "" = it asks for none
};

/// Shared by connections; one thread. The provider or engine stays loaded until the process ends.
class PrivateKey {
  public:
    struct Held;  ///< OpenSSL's key; only this folder looks inside
    /// Errors: InvalidArgument (both provider and engine), NotFound
    /// (with OpenSSL's reason).
    static Result<PrivateKey> load(const PrivateKeySource& source);

    const Held& held() const { return *held_; }

  private:
    explicit PrivateKey(std::shared_ptr<Held> held) : held_(std::move(held)) {}
    std::shared_ptr<Held> held_;
};

}  // namespace fieldwatch::net
