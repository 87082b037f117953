#include "net/private_key.hpp"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "net/private_key_held.hpp"

namespace fieldwatch::net {

namespace {

// Engines are what Debian 12 has for PKCS#11: its OpenSSL has them, and calls them deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/// The innermost reason: what came first is nearest to the token.
std::string token_reason() {
    const auto code = ERR_get_error();
    const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return reason != nullptr ? reason : "not found";
}

std::unexpected<Error> not_found(const PrivateKeySource& source, const std::string& what) {
    return fail(Errc::NotFound, "key " + source.uri + ": " + what + ": " + token_reason());
}

/// Answers with the PIN to whatever is asked for; with nothing where there is none, as nobody is there to
/// ask.
UI_METHOD* pin_answers() {
    static UI_METHOD* const method = [] {
        auto* made = UI_create_method("fieldwatch");
        UI_method_set_reader(made, [](UI* ui, UI_STRING* asked) {
            const auto* pin = static_cast<const std::string*>(UI_get0_user_data(ui));
            const auto kind = UI_get_string_type(asked);
            if (kind != UIT_PROMPT && kind != UIT_VERIFY) return 1;
            if (pin == nullptr || pin->empty()) return 0;
            return UI_set_result(ui, asked, pin->c_str()) == 0 ? 1 : 0;
        });
        return made;
    }();
    return method;
}

Result<EVP_PKEY*> from_engine(const PrivateKeySource& source) {
    ENGINE_load_dynamic();
    auto* engine = ENGINE_by_id(source.engine.c_str());
    if (engine == nullptr) return not_found(source, "engine " + source.engine);
    if (!source.module.empty() &&
        ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", source.module.c_str(), 0) != 1)
        return not_found(source, "module " + source.module);
    if (ENGINE_init(engine) != 1) return not_found(source, "engine " + source.engine);
    if (!source.pin.empty() && ENGINE_ctrl_cmd_string(engine, "PIN", source.pin.c_str(), 0) != 1)
        return not_found(source, "its PIN");
    auto pin = source.pin;
    auto* key = ENGINE_load_private_key(engine, source.uri.c_str(), pin_answers(), &pin);
    if (key == nullptr) return not_found(source, "engine " + source.engine);
    return key;  // the engine stays: the key calls it
}

#pragma GCC diagnostic pop

Result<EVP_PKEY*> from_store(const PrivateKeySource& source) {
    if (!source.provider.empty()) {
        // Naming one provider takes the default one away unless it is named too.
        if (OSSL_PROVIDER_load(nullptr, "default") == nullptr ||
            OSSL_PROVIDER_load(nullptr, source.provider.c_str()) == nullptr)
            return not_found(source, "provider " + source.provider);
    }
    auto pin = source.pin;
    auto* store = OSSL_STORE_open(source.uri.c_str(), pin_answers(), &pin, nullptr, nullptr);
    if (store == nullptr) return not_found(source, "cannot be opened");
    EVP_PKEY* key = nullptr;
    constexpr int kObjectsMax = 32;
    for (int i = 0; i < kObjectsMax && key == nullptr && OSSL_STORE_eof(store) == 0; ++i) {
        auto* found = OSSL_STORE_load(store);
        if (found == nullptr) continue;
        if (OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY) key = OSSL_STORE_INFO_get1_PKEY(found);
        OSSL_STORE_INFO_free(found);
    }
    OSSL_STORE_close(store);
    if (key == nullptr) return not_found(source, "holds no private key");
    ERR_clear_error();
    return key;
}

}  // namespace

Result<PrivateKey> PrivateKey::load(const PrivateKeySource& source) {
    if (!source.provider.empty() && !source.engine.empty())
        return fail(Errc::InvalidArgument, "a key has a provider or an engine, not both");
    auto held = std::make_shared<Held>();
    held->key = FIELDWATCH_TRY(source.engine.empty() ? from_store(source) : from_engine(source));
    if (!source.provider.empty()) {
        // Its own hand signs: any other would get the public half. But a TPM hashes slowly, and has room for
        // three objects: what both can do, the default provider does.
        const auto& name = source.provider;
        held->properties = "?provider=" + name + "," + name + ".digest!=yes," + name + ".cipher!=yes";
    }
    return PrivateKey(std::move(held));
}

}  // namespace fieldwatch::net
