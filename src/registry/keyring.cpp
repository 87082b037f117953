#include "registry/keyring.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>

#include "base/assert.hpp"
#include "base/file_system.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kFileBytesMax = 16u << 10;  // eight keys, and what people write beside them
constexpr std::byte kForm{1};
constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;
constexpr std::size_t kHeadBytes = 1 + Keyring::kIdBytes;
constexpr std::size_t kAroundBytes = kHeadBytes + kNonceBytes + kTagBytes;
constexpr std::string_view kFileHead =
    "# The master key of this server: the secrets in registry.db are sealed under it. Without it nobody "
    "reads "
    "them.\n";

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { ::EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

unsigned char* octets(std::byte* data) {
    return reinterpret_cast<unsigned char*>(data);
}
const unsigned char* octets(const std::byte* data) {
    return reinterpret_cast<const unsigned char*>(data);
}
const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// Looked up once: that costs more than sealing a key does.
const EVP_CIPHER* cipher() {
    static const EVP_CIPHER* const found = ::EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    FIELDWATCH_ASSERT(found != nullptr);
    return found;
}

std::string_view without_comment(std::string_view line) {
    return trimmed(line.substr(0, line.find('#')));
}

}  // namespace

MasterKeyFile master_key_beside(const std::string& registry_path) {
    return {.path = (std::filesystem::path(registry_path).parent_path() / "master-key").string(),
            .is_ours = true};
}

std::string place_of(std::string_view column, std::initializer_list<std::string_view> row) {
    Bytes out;
    ByteWriter writer(out);
    writer.text(column);
    for (const auto part : row)
        writer.text(part);
    return std::string(as_text(out));
}

Keyring::Known Keyring::known_of(const Key& master) {
    Known out;
    out.master = master;
    out.sealing = hmac_sha256(master, as_bytes("fieldwatch registry sealing 1"));
    const auto id = hmac_sha256(master, as_bytes("fieldwatch master key id 1"));
    std::copy_n(id.begin(), out.id.size(), out.id.begin());
    return out;
}

Result<Keyring> Keyring::parse(std::string_view text) {
    Keyring out;
    for (std::size_t at = 0, number = 1; at < text.size(); ++number) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = without_comment(text.substr(at, end - at));
        at = end + 1;
        if (line.empty()) continue;
        const auto bytes = from_base64(line);
        Key key{};
        if (!bytes || bytes->size() != key.size())
            return fail(
                Errc::InvalidArgument,
                "line " + std::to_string(number) +
                    ": a master key is the base64 text of 32 bytes, as `openssl rand -base64 32` writes it");
        if (out.keys_.size() == kKeysMax)
            return fail(Errc::InvalidArgument,
                        "there are more than 8 master keys: leave out those of before");
        std::ranges::copy(*bytes, key.begin());
        out.keys_.push_back(known_of(key));
    }
    if (out.keys_.empty())
        return fail(Errc::InvalidArgument, "it holds no master key: write one by `openssl rand -base64 32`");
    return out;
}

Keyring Keyring::generate(Random& random) {
    return Keyring().rotated(random);
}

Keyring Keyring::rotated(Random& random) const {
    Key key{};
    random.fill(key);
    Keyring out;
    out.keys_.push_back(known_of(key));
    out.keys_.insert(out.keys_.end(), keys_.begin(), keys_.end());
    if (out.keys_.size() > kKeysMax) out.keys_.resize(kKeysMax);
    return out;
}

Result<Keyring> Keyring::only(std::string_view id) const {
    for (const auto& known : keys_) {
        if (hex(known.id) != id) continue;
        Keyring out;
        out.keys_.push_back(known);
        return out;
    }
    return fail(Errc::NotFound, "the master key " + std::string(id) + " is not here");
}

std::string Keyring::text() const {
    std::string out(kFileHead);
    for (const auto& known : keys_)
        out += base64(known.master) + "\n";
    return out;
}

std::vector<std::string> Keyring::ids() const {
    std::vector<std::string> out;
    for (const auto& known : keys_)
        out.push_back(hex(known.id));
    return out;
}

bool Keyring::holds(std::string_view id) const {
    return std::ranges::any_of(keys_, [&](const Known& known) { return hex(known.id) == id; });
}

Bytes Keyring::seal(std::string_view place, std::string_view text) const {
    const auto& key = keys_.front();
    Bytes out(kAroundBytes + text.size());
    out[0] = kForm;
    std::ranges::copy(key.id, out.begin() + 1);
    auto* const nonce = out.data() + kHeadBytes;
    system_random().fill({nonce, kNonceBytes});  // never again the same: 2^32 of them are safe under one key
    auto* const body = nonce + kNonceBytes;
    int count = 0;
    const Context context(::EVP_CIPHER_CTX_new());
    // Only memory could be lacking for these.
    bool done = context != nullptr &&
                ::EVP_EncryptInit_ex2(context.get(), cipher(), octets(key.sealing.data()), octets(nonce),
                                      nullptr) == 1 &&
                ::EVP_EncryptUpdate(context.get(), nullptr, &count, octets(out.data()), kHeadBytes) == 1 &&
                ::EVP_EncryptUpdate(context.get(), nullptr, &count, octets(place),
                                    static_cast<int>(place.size())) == 1 &&
                ::EVP_EncryptUpdate(context.get(), octets(body), &count, octets(text),
                                    static_cast<int>(text.size())) == 1;
    int rest = 0;
    done = done && ::EVP_EncryptFinal_ex(context.get(), octets(body) + count, &rest) == 1 &&
           ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, body + text.size()) == 1;
    FIELDWATCH_ASSERT(done && static_cast<std::size_t>(count + rest) == text.size());
    return out;
}

Result<std::string> Keyring::unseal(std::string_view place, ByteView sealed) const {
    if (sealed.size() < kAroundBytes || sealed[0] != kForm)
        return fail(Errc::Corrupt, "a secret of the registry has no form that this release knows");
    const auto id = sealed.subspan(1, kIdBytes);
    const auto key =
        std::ranges::find_if(keys_, [&](const Known& one) { return std::ranges::equal(one.id, id); });
    if (key == keys_.end())
        return fail(Errc::Unavailable, "a secret of the registry is sealed under the master key " + hex(id) +
                                           ", which is not here");
    const auto* const nonce = sealed.data() + kHeadBytes;
    const auto body = sealed.subspan(kHeadBytes + kNonceBytes, sealed.size() - kAroundBytes);
    std::array<std::byte, kTagBytes> tag{};
    std::ranges::copy(sealed.last(kTagBytes), tag.begin());
    std::string out(body.size(), '\0');
    auto* const text = reinterpret_cast<unsigned char*>(out.data());
    int count = 0, rest = 0;
    const Context context(::EVP_CIPHER_CTX_new());
    const bool done =
        context != nullptr &&
        ::EVP_DecryptInit_ex2(context.get(), cipher(), octets(key->sealing.data()), octets(nonce), nullptr) ==
            1 &&
        ::EVP_DecryptUpdate(context.get(), nullptr, &count, octets(sealed.data()), kHeadBytes) == 1 &&
        ::EVP_DecryptUpdate(context.get(), nullptr, &count, octets(place), static_cast<int>(place.size())) ==
            1 &&
        ::EVP_DecryptUpdate(context.get(), text, &count, octets(body.data()),
                            static_cast<int>(body.size())) == 1 &&
        ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
        ::EVP_DecryptFinal_ex(context.get(), text + count, &rest) == 1;
    if (!done) {
        ::OPENSSL_cleanse(out.data(), out.size());  // what was not proved to be ours is nobody's
        return fail(Errc::Corrupt,
                    "a secret of the registry does not open: it was changed, or is of another row");
    }
    return out;
}

Result<Keyring> read_keyring(const MasterKeyFile& file) {
    const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), file.path, kFileBytesMax));
    if (file.is_ours) {
        std::error_code problem;
        const auto mode = std::filesystem::status(file.path, problem).permissions();
        using std::filesystem::perms;
        if (!problem && (mode & (perms::group_all | perms::others_all)) != perms::none)
            return fail(
                Errc::InvalidArgument,
                file.path + " may be read by others: chmod 600 it, and rotate the key if somebody did");
    }
    auto keyring = Keyring::parse(as_text(bytes));
    if (!keyring) return fail(keyring.error().code, file.path + ": " + keyring.error().message);
    return keyring;
}

Result<void> write_keyring(const MasterKeyFile& file, const Keyring& keyring) {
    FIELDWATCH_ASSERT(file.is_ours);
    return replace_file(posix_file_system(), file.path, as_bytes(keyring.text()));
}

}  // namespace fieldwatch::registry
