// Sessions that devices come back to, as OpenSSL's own client keeps them.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/random.hpp"
#include "net/certificate_authority.hpp"
#include "net/stream_server.hpp"
#include "net/ticket_keys.hpp"

namespace fieldwatch::net {
namespace {

struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Session = std::unique_ptr<SSL_SESSION, Free>;

/// Says what it sees of the client's certificates, and a full stop.
class Greeter final : public Handler {
  public:
    explicit Greeter(Connection& connection) {
        const auto shown = connection.certificate();
        const auto text =
            (shown ? shown->common_name + ' ' + std::to_string(shown->chain.size()) : "nobody") + '.';
        const auto bytes = as_bytes(text);
        connection.output().insert(connection.output().end(), bytes.begin(), bytes.end());
        connection.flush();
    }
    std::size_t received(ByteView input) override { return input.size(); }
    void deadline() override {}
    void closed(CloseReason) override {}
};

class TlsResumption : public ::testing::TestWithParam<int> {
  protected:
    TlsResumption()
        : directory_(std::filesystem::temp_directory_path() /
                     ("resumption_test." + std::to_string(system_random().next()))),
          certificates_(open("server")) {
        tls_ = *TlsServerContext::create({.chain_pem = certificates_.chain_pem,
                                          .key_pem = certificates_.key_pem,
                                          .request_client_certificate = true});
        auto server = StreamServer::start(runtime_, tls_, {.address = "127.0.0.1"}, metrics_, nullptr,
                                          [](Connection& connection) -> std::unique_ptr<Handler> {
                                              return std::make_unique<Greeter>(connection);
                                          });
        EXPECT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    ~TlsResumption() override {
        server_->stop();
        std::filesystem::remove_all(directory_);
    }

    Certificates open(const std::string& name, std::vector<std::string> names = {}) const {
        const auto opened =
            open_certificates({.directory = (directory_ / name).string(), .names = std::move(names)},
                              posix_file_system(), system_clock());
        EXPECT_TRUE(opened) << opened.error().message;
        return *opened;
    }

    struct Visit {
        bool resumed = false;
        std::string greeting;
        Session session;  ///< to come back with
    };
    /// Connects with TLS 1.2 or 1.3 as the test's parameter says.
    Visit visit(const Session& session = {}, const Certificates* own = nullptr) const {
        const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_min_proto_version(context.get(), GetParam());
        SSL_CTX_set_max_proto_version(context.get(), GetParam());
        if (own != nullptr) show(context.get(), *own);
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server_->port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{10, 0};
        ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        const std::unique_ptr<SSL, Free> ssl(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), socket);
        if (session) SSL_set_session(ssl.get(), session.get());
        EXPECT_EQ(SSL_connect(ssl.get()), 1);
        Visit visit{.resumed = SSL_session_reused(ssl.get()) == 1};
        char bytes[256];
        while (!visit.greeting.ends_with('.')) {  // tickets of TLS 1.3 come before it
            const int count = SSL_read(ssl.get(), bytes, sizeof bytes);
            if (count <= 0) break;
            visit.greeting.append(bytes, static_cast<std::size_t>(count));
        }
        visit.session.reset(SSL_get1_session(ssl.get()));
        SSL_shutdown(ssl.get());
        ::close(socket);
        return visit;
    }

    static void show(SSL_CTX* context, const Certificates& own) {
        const auto text = [](const std::string& pem) {
            return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        };
        const auto chain = text(own.chain_pem);
        const std::unique_ptr<X509, Free> leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
        EXPECT_EQ(SSL_CTX_use_certificate(context, leaf.get()), 1);
        while (X509* above = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr))
            SSL_CTX_add0_chain_cert(context, above);
        const auto keys = text(own.key_pem);
        const std::unique_ptr<EVP_PKEY, Free> key(
            PEM_read_bio_PrivateKey(keys.get(), nullptr, nullptr, nullptr));
        EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
    }

    std::filesystem::path directory_;
    Certificates certificates_;
    Metrics metrics_;
    Runtime runtime_{{.cores = 1}};
    std::shared_ptr<TlsServerContext> tls_;
    std::unique_ptr<StreamServer> server_;
};

TEST_P(TlsResumption, WhoComesBackWithATicketResumes) {
    const auto first = visit();
    EXPECT_FALSE(first.resumed);
    EXPECT_EQ(first.greeting, "nobody.");
    const auto second = visit(first.session);
    EXPECT_TRUE(second.resumed);
    EXPECT_EQ(second.greeting, "nobody.");
    EXPECT_TRUE(visit(second.session).resumed) << "and again";
}

TEST_P(TlsResumption, ATicketOutlivesTheCertificatesRenewal) {
    const auto first = visit();
    const auto renewed = open("renewed");
    ASSERT_TRUE(tls_->renew(renewed.chain_pem, renewed.key_pem));
    const auto second = visit(first.session);
    EXPECT_TRUE(second.resumed);
    EXPECT_FALSE(visit().resumed);
    EXPECT_TRUE(visit(second.session).resumed);
}

TEST_P(TlsResumption, AResumedClientIsWhoItWasWithAllThatItShowed) {
    const auto own = open("device");  // a leaf and its authority
    const auto first = visit({}, &own);
    EXPECT_FALSE(first.resumed);
    EXPECT_TRUE(first.greeting.ends_with(" 1.")) << first.greeting;
    const auto second = visit(first.session, &own);
    EXPECT_TRUE(second.resumed);
    EXPECT_EQ(second.greeting, first.greeting);
    const auto third = visit(second.session, &own);
    EXPECT_TRUE(third.resumed);
    EXPECT_EQ(third.greeting, first.greeting);
}

TEST_P(TlsResumption, WhoShowsMoreThanATicketHoldsShakesHandsInFull) {
    auto own = open("device");
    std::vector<std::string> names;
    for (int number = 0; number < 90; ++number)
        names.push_back("a-rather-long-name-of-a-host-that-is-one-of-many-" + std::to_string(number) +
                        ".example");
    const auto large = open("large", names).chain_pem;
    for (int count = 0; count < 4; ++count)
        own.chain_pem += large.substr(0, large.find("-----BEGIN", 1));
    const auto first = visit({}, &own);
    EXPECT_TRUE(first.greeting.ends_with(" 5.")) << first.greeting;
    const auto second = visit(first.session, &own);
    EXPECT_FALSE(second.resumed);
    EXPECT_EQ(second.greeting, first.greeting);
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsResumption, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) { return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST(TicketKeys, SealForTwoHoursAndOpenForTwoMore) {
    TicketKeys keys;
    const TicketKeys::Time start{std::chrono::hours(1'000)};
    const auto after = [&](int minutes) { return start + std::chrono::minutes(minutes); };
    const auto first = keys.to_seal(start);
    ASSERT_TRUE(first);
    EXPECT_EQ(keys.to_seal(after(119))->name, first->name);
    EXPECT_TRUE(keys.to_open(first->name, after(119))->seals);
    const auto second = keys.to_seal(after(120));
    EXPECT_NE(second->name, first->name);
    EXPECT_NE(second->cipher, first->cipher);
    ASSERT_TRUE(keys.to_open(first->name, after(239)));
    EXPECT_FALSE(keys.to_open(first->name, after(239))->seals) << "a new ticket is to be given";
    EXPECT_FALSE(keys.to_open(first->name, after(240)));
    EXPECT_TRUE(keys.to_open(second->name, after(240)));
    EXPECT_NE(keys.to_seal(after(600))->name, second->name);
    EXPECT_FALSE(keys.to_open(second->name, after(600)));
    EXPECT_FALSE(TicketKeys().to_open(first->name, start));
}

}  // namespace
}  // namespace fieldwatch::net
