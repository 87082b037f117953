#include "net/certificate_authority.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace fieldwatch::net {

namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kAuthorityDays = 3'650;
constexpr std::int64_t kServerDays = 397;  // what current TLS clients accept of a leaf at most
constexpr std::int64_t kRenewalDays = 30;  // restarts are rarer than that nowhere we know of
constexpr std::uint64_t kFileBytesMax = 64u << 10;
constexpr std::size_t kNamesMax = 100;

struct Deleter {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(BIGNUM* number) const { BN_free(number); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Certificate = std::unique_ptr<X509, Deleter>;
using Key = std::unique_ptr<EVP_PKEY, Deleter>;
using Bio = std::unique_ptr<BIO, Deleter>;

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string pem_of(X509* certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate);
    return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio.get());
}

Bio bio_over(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::time_t seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

bool add_extension(X509* certificate, X509V3_CTX* context, int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, Deleter> extension(
        X509V3_EXT_conf_nid(nullptr, context, kind, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Subject {
    std::string common_name;
    std::int64_t days = 0;
    std::vector<std::pair<int, std::string>> extensions;
};

// Makes a certificate for `key`; self-signed when `issuer` is null.
Result<Certificate> issue(const Subject& subject, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                          Timestamp now) {
    Certificate certificate(X509_new());
    const std::unique_ptr<BIGNUM, Deleter> serial(BN_new());
    bool good = certificate && serial && X509_set_version(certificate.get(), X509_VERSION_3) == 1;
    good = good && BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1;
    good = good && BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) != nullptr;
    if (!good) return fail(Errc::Internal, "a certificate cannot be made");
    // An hour back: clocks of devices differ.
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now.unix_seconds() - 3'600);
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now.unix_seconds() + subject.days * kDay);
    X509_NAME* name = X509_get_subject_name(certificate.get());
    const auto entry = [&](const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0);
    };
    entry("O", "Fieldwatch");
    entry("CN", subject.common_name);
    X509* signer = issuer != nullptr ? issuer : certificate.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
    X509_set_pubkey(certificate.get(), key);
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate.get(), nullptr, nullptr, 0);
    for (const auto& [kind, value] : subject.extensions) {
        if (!add_extension(certificate.get(), &context, kind, value)) {
            return fail(Errc::InvalidArgument, fmt::format("a certificate cannot carry \"{}\"", value));
        }
    }
    if (X509_sign(certificate.get(), issuer_key, EVP_sha256()) == 0) {
        return fail(Errc::Internal, "a certificate cannot be signed");
    }
    return certificate;
}

bool is_address(const std::string& text) {
    in6_addr scratch;
    return ::inet_pton(AF_INET, text.c_str(), &scratch) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), &scratch) == 1;
}

bool is_host_name(const std::string& text) {
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-' || c == '_' || c == '*';
    });
}

Result<std::vector<std::string>> all_names(const std::vector<std::string>& wanted) {
    std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
    char host[256] = "";
    if (::gethostname(host, sizeof host - 1) == 0 && is_host_name(host)) names.emplace_back(host);
    for (const auto& name : wanted) {
        if (!is_address(name) && !is_host_name(name)) {
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" is neither a host name nor an address", name));
        }
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    if (names.size() > kNamesMax) return fail(Errc::TooLarge, "a server certificate has at most 100 names");
    return names;
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", is_address(name) ? "IP" : "DNS", name);
    }
    return text;
}

bool covers(X509* certificate, const std::string& name) {
    if (is_address(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
    const std::unique_ptr<GENERAL_NAMES, Deleter> present(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; present && i < sk_GENERAL_NAME_num(present.get()); ++i) {
        const GENERAL_NAME* entry = sk_GENERAL_NAME_value(present.get(), i);
        if (entry->type != GEN_DNS) continue;
        const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(entry->d.dNSName));
        if (std::string_view(text, static_cast<std::size_t>(ASN1_STRING_length(entry->d.dNSName))) == name)
            return true;
    }
    return false;
}

struct Pair {
    Certificate certificate;
    Key key;
};

Result<Pair> read_pair(FileSystem& files, const std::string& certificate_path, const std::string& key_path) {
    const auto certificate = FIELDWATCH_TRY(read_file(files, certificate_path, kFileBytesMax));
    const auto key = FIELDWATCH_TRY(read_file(files, key_path, kFileBytesMax));
    const std::string certificate_text(as_text(certificate));
    const std::string key_text(as_text(key));
    Pair pair;
    pair.certificate.reset(PEM_read_bio_X509(bio_over(certificate_text).get(), nullptr, nullptr, nullptr));
    pair.key.reset(PEM_read_bio_PrivateKey(bio_over(key_text).get(), nullptr, nullptr, nullptr));
    if (!pair.certificate || !pair.key ||
        X509_check_private_key(pair.certificate.get(), pair.key.get()) != 1) {
        return fail(Errc::Malformed,
                    fmt::format("{} and {} are not a certificate and its key", certificate_path, key_path));
    }
    return pair;
}

Result<Pair> make_authority(const std::string& directory, FileSystem& files, Timestamp now) {
    Pair made;
    made.key.reset(EVP_EC_gen("P-256"));
    if (!made.key) return fail(Errc::Internal, "an EC P-256 key cannot be made");
    const Subject subject{.common_name = "Fieldwatch CA of " + to_iso8601(now, 0),
                          .days = kAuthorityDays,
                          .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                         {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                         {NID_subject_key_identifier, "hash"}}};
    made.certificate = FIELDWATCH_TRY(issue(subject, made.key.get(), nullptr, made.key.get(), now));
    FIELDWATCH_TRY(replace_file(files, directory + "/ca-key.pem", as_bytes(pem_of(made.key.get()))));
    FIELDWATCH_TRY(replace_file(files, directory + "/ca.pem", as_bytes(pem_of(made.certificate.get()))));
    return made;
}

Result<Pair> make_server(const std::string& directory, FileSystem& files, const Pair& authority,
                         const std::vector<std::string>& names, Timestamp now) {
    Pair made;
    made.key.reset(EVP_EC_gen("P-256"));
    if (!made.key) return fail(Errc::Internal, "an EC P-256 key cannot be made");
    const Subject subject{.common_name = names.back().substr(0, 64),
                          .days = kServerDays,
                          .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                                         {NID_key_usage, "critical,digitalSignature"},
                                         {NID_ext_key_usage, "serverAuth"},
                                         {NID_subject_alt_name, alternative_names(names)},
                                         {NID_subject_key_identifier, "hash"},
                                         {NID_authority_key_identifier, "keyid:always"}}};
    made.certificate =
        FIELDWATCH_TRY(issue(subject, made.key.get(), authority.certificate.get(), authority.key.get(), now));
    const auto chain = pem_of(made.certificate.get()) + pem_of(authority.certificate.get());
    // Key first: a crash between the two leaves a pair that does not fit, which the next start makes again.
    FIELDWATCH_TRY(replace_file(files, directory + "/server-key.pem", as_bytes(pem_of(made.key.get()))));
    FIELDWATCH_TRY(replace_file(files, directory + "/server.pem", as_bytes(chain)));
    return made;
}

bool serves(const Pair& server, const Pair& authority, const std::vector<std::string>& names, Timestamp now) {
    X509* certificate = server.certificate.get();
    return X509_verify(certificate, X509_get0_pubkey(authority.certificate.get())) == 1 &&
           seconds_of(X509_get0_notAfter(certificate)) > now.unix_seconds() + kRenewalDays * kDay &&
           seconds_of(X509_get0_notBefore(certificate)) <= now.unix_seconds() &&
           std::all_of(names.begin(), names.end(),
                       [&](const auto& name) { return covers(certificate, name); });
}

}  // namespace

Result<Certificates> open_certificates(const CertificateOptions& options, FileSystem& files,
                                       const Clock& clock) {
    const auto& directory = options.directory;
    const auto names = FIELDWATCH_TRY(all_names(options.names));
    const auto now = clock.now();
    FIELDWATCH_TRY(files.make_directories(directory));

    Certificates certificates;
    auto authority = read_pair(files, directory + "/ca.pem", directory + "/ca-key.pem");
    if (!authority) {
        // ca.pem is written last: with it present the pair was whole once, and is not ours to replace.
        const auto present = read_file(files, directory + "/ca.pem", kFileBytesMax);
        if (authority.error().code != Errc::NotFound || present) return std::unexpected(authority.error());
        authority = FIELDWATCH_TRY(make_authority(directory, files, now));
        certificates.ca_made = true;
    }
    auto server = read_pair(files, directory + "/server.pem", directory + "/server-key.pem");
    if (!server || !serves(*server, *authority, names, now)) {
        server = FIELDWATCH_TRY(make_server(directory, files, *authority, names, now));
        certificates.server_made = true;
    }
    certificates.ca_pem = pem_of(authority->certificate.get());
    certificates.chain_pem = pem_of(server->certificate.get()) + certificates.ca_pem;
    certificates.key_pem = pem_of(server->key.get());
    return certificates;
}

}  // namespace fieldwatch::net
