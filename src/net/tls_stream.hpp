// A TLS server stream that drives OpenSSL on the socket itself. Why not asio::ssl::stream: it keeps two 17
// KiB buffers a connection for ever; here an idle connection holds only OpenSSL's own state
// (SSL_MODE_RELEASE_BUFFERS). Satisfies Beast's AsyncStream. Included by src/net only.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <string>

#include "net/tls_context.hpp"

namespace fieldwatch::net {

namespace asio = boost::asio;

/// One connection, one strand. At most one read and one write (or one handshake, or one shutdown) at a time.
class TlsStream {
  public:
    using executor_type = asio::ip::tcp::socket::executor_type;

    /// What one non-blocking attempt came to: done (`size`, maybe `error`), or wait for the socket first.
    enum class Wait : std::uint8_t { None, Readable, Writable };
    struct Step {
        Wait wait = Wait::None;
        boost::system::error_code error;
        std::size_t size = 0;
    };

    /// Takes an accepted socket; sets TCP_NODELAY (without it a handshake costs a delayed ACK, 40 ms).
    TlsStream(asio::ip::tcp::socket socket, std::shared_ptr<TlsServerContext> context);
    ~TlsStream();
    TlsStream(TlsStream&&) noexcept;
    TlsStream& operator=(TlsStream&&) = delete;

    executor_type get_executor() { return socket_.get_executor(); }
    asio::ip::tcp::socket& socket() { return socket_; }
    asio::ip::tcp::socket& next_layer() { return socket_; }

    /// Completion: void(error_code).
    template <class Token>
    auto async_handshake(Token&& token) {
        return run<void(boost::system::error_code)>([this] { return handshake_step(); },
                                                    std::forward<Token>(token));
    }
    /// Sends close_notify; does not wait for the peer's. Completion: void(error_code).
    template <class Token>
    auto async_shutdown(Token&& token) {
        return run<void(boost::system::error_code)>([this] { return shutdown_step(); },
                                                    std::forward<Token>(token));
    }
    /// Completion: void(error_code, size_t); error::eof after close_notify or a bare end of the connection.
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        const asio::mutable_buffer first = first_of<asio::mutable_buffer>(buffers);
        return run<void(boost::system::error_code, std::size_t)>(
            [this, first] { return read_step(first.data(), first.size()); }, std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        const asio::const_buffer first = first_of<asio::const_buffer>(buffers);
        return run<void(boost::system::error_code, std::size_t)>(
            [this, first] { return write_step(first.data(), first.size()); }, std::forward<Token>(token));
    }

    /// Single attempts, for callers that run their own loop.
    Step handshake_step();
    Step read_step(void* data, std::size_t size);
    Step write_step(const void* data, std::size_t size);
    Step shutdown_step();
    /// Decrypted or still encrypted bytes wait inside OpenSSL: the socket will not become readable for them.
    bool has_pending() const;

    std::string version() const;  ///< "TLSv1.3"
    std::string cipher() const;
    std::optional<PeerCertificate> peer_certificate() const;
    std::string server_name() const;           ///< SNI; "" = none
    std::string application_protocol() const;  ///< ALPN; "" = none

  private:
    template <class Buffer, class Buffers>
    static Buffer first_of(const Buffers& buffers) {
        for (auto next = asio::buffer_sequence_begin(buffers); next != asio::buffer_sequence_end(buffers);
             ++next) {
            const Buffer buffer(*next);
            if (buffer.size() != 0) return buffer;
        }
        return Buffer{};
    }

    // Tries, waits for the socket, tries again. A composed operation must not complete inside its initiating
    // call, so a first attempt that succeeds goes once through the loop.
    template <class StepFunction>
    struct Attempt {
        TlsStream& stream;
        StepFunction step;
        Step outcome{};
        enum class State : std::uint8_t { Starting, Running, Posted } state = State::Starting;

        template <class Self>
        void operator()(Self& self, boost::system::error_code error = {}) {
            if (state != State::Posted) {
                outcome = error ? Step{Wait::None, error, 0} : step();
                const bool starting = std::exchange(state, State::Running) == State::Starting;
                if (outcome.wait == Wait::Readable) {
                    return stream.socket_.async_wait(asio::ip::tcp::socket::wait_read, std::move(self));
                }
                if (outcome.wait == Wait::Writable) {
                    return stream.socket_.async_wait(asio::ip::tcp::socket::wait_write, std::move(self));
                }
                if (starting) {
                    state = State::Posted;
                    return asio::post(stream.get_executor(), std::move(self));
                }
            }
            if constexpr (requires { self.complete(outcome.error, outcome.size); }) {
                self.complete(outcome.error, outcome.size);
            } else {
                self.complete(outcome.error);
            }
        }
    };

    template <class Signature, class StepFunction, class Token>
    auto run(StepFunction step, Token&& token) {
        return asio::async_compose<Token, Signature>(Attempt<StepFunction>{*this, std::move(step)}, token,
                                                     socket_);
    }

    Step outcome_of(int result, std::size_t size);

    asio::ip::tcp::socket socket_;
    std::shared_ptr<TlsServerContext> context_;
    ssl_st* ssl_ = nullptr;
};

}  // namespace fieldwatch::net
