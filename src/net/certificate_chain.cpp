#include "net/certificate_chain.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

namespace fieldwatch::net {

namespace {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using CertificatePointer = std::unique_ptr<X509, FreeWith<X509_free>>;

void free_stack(STACK_OF(X509) * stack) {
    sk_X509_pop_free(stack, X509_free);
}

CertificatePointer from_der(ByteView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    return CertificatePointer(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
}

CertificatePointer from_pem(std::string_view pem) {
    const std::unique_ptr<BIO, FreeWith<BIO_free_all>> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return CertificatePointer(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Timestamp time_of(const ASN1_TIME* time) {
    std::tm fields{};
    if (ASN1_TIME_to_tm(time, &fields) != 1) return kTimestampMin;
    return Timestamp::from_unix_seconds(::timegm(&fields));
}

std::string subject_of(const X509* certificate) {
    const std::unique_ptr<BIO, FreeWith<BIO_free_all>> bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

Result<void> verify(X509* leaf, const std::vector<CertificatePointer>& between,
                    const std::vector<std::string>& authorities_pem, Timestamp now) {
    const std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
    for (const auto& pem : authorities_pem) {
        const auto authority = from_pem(pem);
        if (!authority) return fail(Errc::Malformed, "an authority that is no certificate");
        X509_STORE_add_cert(store.get(), authority.get());
    }
    const std::unique_ptr<STACK_OF(X509), FreeWith<free_stack>> untrusted(sk_X509_new_null());
    for (const auto& one : between) {
        X509_up_ref(one.get());
        sk_X509_push(untrusted.get(), one.get());
    }
    const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    if (X509_STORE_CTX_init(context.get(), store.get(), leaf, untrusted.get()) != 1)
        return fail(Errc::Internal, "OpenSSL cannot verify now");
    auto* const parameters = X509_STORE_CTX_get0_param(context.get());
    // An intermediate that was registered is trust enough: its own issuer need not be known.
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(parameters, 8);
    X509_VERIFY_PARAM_set_time(parameters, now.unix_seconds());
    if (X509_verify_cert(context.get()) == 1) return {};
    return fail(Errc::Unauthorized, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

CertificateFacts facts_of(X509* certificate) {
    CertificateFacts facts;
    facts.subject = subject_of(certificate);
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    facts.common_name = name;
    facts.not_before = time_of(X509_get0_notBefore(certificate));
    facts.not_after = time_of(X509_get0_notAfter(certificate));
    facts.is_authority = X509_check_ca(certificate) > 0;
    unsigned char* der = nullptr;
    if (const int size = i2d_X509(certificate, &der); size > 0) {
        const auto* first = reinterpret_cast<const std::byte*>(der);
        facts.der.assign(first, first + size);
        OPENSSL_free(der);
    }
    return facts;
}

}  // namespace

Result<CertificateFacts> read_certificate(std::string_view pem) {
    const auto certificate = from_pem(pem);
    if (!certificate) return fail(Errc::Malformed, "this is no certificate in PEM");
    return facts_of(certificate.get());
}

Result<void> verify_chain(const PeerCertificate& certificate, const std::vector<std::string>& authorities_pem,
                          Timestamp now) {
    const auto leaf = from_der(certificate.der);
    if (!leaf) return fail(Errc::Malformed, "the leaf is no certificate");
    std::vector<CertificatePointer> between;
    for (const auto& der : certificate.chain) {
        if (auto one = from_der(der)) between.push_back(std::move(one));
    }
    return verify(leaf.get(), between, authorities_pem, now);
}

Result<CertificateFacts> verify_issued(std::string_view pem, const std::string& authority_pem,
                                       Timestamp now) {
    const auto certificate = from_pem(pem);
    if (!certificate) return fail(Errc::Malformed, "this is no certificate in PEM");
    FIELDWATCH_TRY(verify(certificate.get(), {}, {authority_pem}, now));
    return facts_of(certificate.get());
}

}  // namespace fieldwatch::net
