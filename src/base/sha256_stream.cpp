#include "base/sha256_stream.hpp"

#include <openssl/evp.h>

#include "base/assert.hpp"

namespace fieldwatch {

struct Sha256Stream::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
    FIELDWATCH_ASSERT(state_->context != nullptr);
    const bool ready = EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1;
    FIELDWATCH_ASSERT(ready);
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::add(ByteView data) {
    EVP_DigestUpdate(state_->context, data.data(), data.size());
}
Sha256 Sha256Stream::finish() {
    Sha256 out;
    EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
}

}  // namespace fieldwatch
