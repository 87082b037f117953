// A master key file, and behind the first zero byte a sealed value: what is read is written and read again
// as the same keys, it opens what it sealed, and no error says what stands in the file.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.hpp"
#include "registry/keyring.hpp"

namespace {

/// What could be the base64 of a key in the file, somewhere in what an error says. Our own words have blanks.
bool says_a_key(std::string_view message, std::string_view file) {
    constexpr std::size_t kKeyText = 44;
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (std::size_t at = 0; at + kKeyText <= file.size(); ++at) {
        const auto text = file.substr(at, kKeyText);
        if (text.find_first_not_of(kAlphabet) == std::string_view::npos &&
            message.find(text) != std::string_view::npos)
            return true;
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    using registry::Keyring;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto split = std::min(input.find('\0'), input.size());
    const auto file = input.substr(0, split);
    const auto sealed = input.substr(std::min(split + 1, input.size()));
    const auto keyring = Keyring::parse(file);
    if (!keyring) {
        if (says_a_key(keyring.error().message, file)) std::abort();
        return 0;
    }
    const auto ids = keyring->ids();
    if (ids.empty() || ids.size() > Keyring::kKeysMax) std::abort();
    const auto again = Keyring::parse(keyring->text());
    if (!again || again->ids() != ids) std::abort();
    if (again->unseal("p", keyring->seal("p", sealed)).value_or("another") != sealed) std::abort();
    const auto opened = keyring->unseal("p", as_bytes(sealed));
    if (opened) std::abort();  // a forgery
    return 0;
}
