#include "net/stream_server.hpp"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <unordered_map>

#include "base/log.hpp"
#include "net/task.hpp"
#include "net/tls_stream.hpp"

namespace fieldwatch::net {

namespace {

using asio::ip::tcp;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kScratchBytes = 64u << 10;  // four full TLS records a read
constexpr std::size_t kDroppedBytesMin = 64u << 10;
constexpr std::size_t kKeptBytes = 4u << 10;            // larger buffers are given back when empty
constexpr auto kTick = std::chrono::milliseconds(250);  // resolution of deadlines
constexpr std::uint64_t kTrimAfter = 64;  // connections that came or went; fewer leave too little
constexpr auto kTrimWhenQuiet = std::chrono::seconds(1);
constexpr auto kTrimAtLeast = std::chrono::seconds(30);
constexpr int kReadsPerTurn = 4;  // then the others of this core have theirs

struct Core;

class StreamConnection final : public Connection, public std::enable_shared_from_this<StreamConnection> {
  public:
    StreamConnection(Core& core, std::uint64_t id, tcp::socket socket, std::shared_ptr<TlsServerContext> tls,
                     std::string address)
        : core_(core), id_(id), address_(std::move(address)), stream_(std::move(socket), std::move(tls)) {}

    void start();
    void stop() { finish(CloseReason::Stopping); }
    bool due(SteadyTime now) const { return now >= deadline_; }
    void expire();

    unsigned core() const override;
    std::uint64_t id() const override { return id_; }
    const std::string& address() const override { return address_; }
    std::string tls_version() const override { return stream_.version(); }
    std::string tls_cipher() const override { return stream_.cipher(); }
    std::optional<PeerCertificate> certificate() const override { return stream_.peer_certificate(); }
    std::string server_name() const override { return stream_.server_name(); }
    std::string application_protocol() const override { return stream_.application_protocol(); }
    Bytes& output() override { return output_; }
    void flush() override;
    void bound_output(std::size_t bytes_max) override { output_bytes_max_ = bytes_max; }
    void pause() override { paused_ = true; }
    void resume() override;
    void close() override;
    void deadline_after(std::chrono::milliseconds delay) override {
        deadline_ = std::chrono::steady_clock::now() + delay;
    }

  private:
    void handshake();
    void read();
    void wait_readable();
    void deliver(ByteView fresh);
    void finish(CloseReason reason);
    void finish_later(CloseReason reason);
    bool is_too_slow() const;
    void drop_sent();

    Core& core_;
    std::uint64_t id_;
    std::string address_;
    TlsStream stream_;
    std::unique_ptr<Handler> handler_;  // set by the handshake, gone when closed
    Bytes input_;                       // an unfinished packet
    Bytes output_;                      // [sent_, end) waits for the socket
    std::size_t sent_ = 0;
    std::optional<std::size_t> output_bytes_max_;  // the server's, until the handler sets another
    SteadyTime deadline_ = SteadyTime::max();
    bool paused_ = false, reading_ = false, writing_ = false, closing_ = false, finished_ = false;
    bool finish_posted_ = false, resume_posted_ = false, delivering_ = false;
};

struct Core {
    Core(unsigned its_index, asio::io_context& its_context)
        : index(its_index), context(its_context), timer(context) {}
    unsigned index;
    asio::io_context& context;
    asio::steady_timer timer;
    std::unordered_map<std::uint64_t, std::shared_ptr<StreamConnection>> connections;
    std::array<std::byte, kScratchBytes> scratch;
    bool stopping = false;
    // Of the server; it outlives its cores.
    const StreamServer::MakeHandler* make_handler = nullptr;
    const StreamServer::Options* options = nullptr;
    std::atomic<std::size_t>* connection_count = nullptr;
    Counter* handshake_failures = nullptr;
};

bool StreamConnection::is_too_slow() const {
    return output_.size() - sent_ > output_bytes_max_.value_or(core_.options->output_bytes_max);
}

unsigned StreamConnection::core() const {
    return core_.index;
}

void StreamConnection::start() {
    deadline_after(core_.options->handshake_timeout);
    handshake();
}

void StreamConnection::handshake() {
    if (finished_) return;
    const auto step = stream_.handshake_step();
    if (step.wait != TlsStream::Wait::None) {
        const auto kind =
            step.wait == TlsStream::Wait::Readable ? tcp::socket::wait_read : tcp::socket::wait_write;
        stream_.socket().async_wait(kind, [self = shared_from_this()](boost::system::error_code error) {
            if (error)
                self->finish(CloseReason::Failed);
            else
                self->handshake();
        });
        return;
    }
    if (step.error) {
        core_.handshake_failures->add();
        return finish(CloseReason::Failed);
    }
    deadline_ = SteadyTime::max();
    handler_ = (*core_.make_handler)(*this);
    if (!handler_) return finish(CloseReason::Local);
    read();
}

void StreamConnection::wait_readable() {
    reading_ = true;
    stream_.socket().async_wait(tcp::socket::wait_read,
                                [self = shared_from_this()](boost::system::error_code error) {
                                    self->reading_ = false;
                                    if (error)
                                        self->finish(CloseReason::Failed);
                                    else
                                        self->read();
                                });
}

void StreamConnection::read() {
    for (int turn = 0; turn < kReadsPerTurn; ++turn) {
        if (finished_ || closing_ || paused_ || reading_) return;
        const auto step = stream_.read_step(core_.scratch.data(), core_.scratch.size());
        if (step.wait == TlsStream::Wait::Readable) return wait_readable();
        if (step.wait == TlsStream::Wait::Writable) {  // a TLS 1.3 key update that the socket did not take
            reading_ = true;
            stream_.socket().async_wait(tcp::socket::wait_write, [self = shared_from_this()](auto error) {
                self->reading_ = false;
                if (error)
                    self->finish(CloseReason::Failed);
                else
                    self->read();
            });
            return;
        }
        if (step.error) {
            return finish(step.error == asio::error::eof ? CloseReason::PeerClosed : CloseReason::Failed);
        }
        deliver(ByteView(core_.scratch.data(), step.size));
        // Waiting again costs less than a recv that finds nothing: the wait fires at once if more is there.
        if (!stream_.has_pending()) break;
    }
    if (finished_ || closing_ || paused_) return;
    // TLS may still hold bytes that the socket will not announce.
    if (!stream_.has_pending()) return wait_readable();
    reading_ = true;
    asio::post(core_.context, [self = shared_from_this()] {
        self->reading_ = false;
        self->read();
    });
}

void StreamConnection::deliver(ByteView fresh) {
    delivering_ = true;
    if (input_.empty()) {
        const auto used = handler_->received(fresh);
        const auto rest = fresh.subspan(std::min(used, fresh.size()));
        input_.assign(rest.begin(), rest.end());
    } else {
        input_.insert(input_.end(), fresh.begin(), fresh.end());
        const auto used = handler_->received(input_);
        input_.erase(input_.begin(),
                     input_.begin() + static_cast<std::ptrdiff_t>(std::min(used, input_.size())));
    }
    if (input_.empty() && input_.capacity() > 0) Bytes().swap(input_);
    delivering_ = false;
}

void StreamConnection::resume() {
    if (!paused_) return;
    paused_ = false;
    if (resume_posted_) return;
    // From the loop: whoever resumes may stand deep inside the handler.
    resume_posted_ = true;
    asio::post(core_.context, [self = shared_from_this()] {
        self->resume_posted_ = false;
        if (self->finished_ || self->closing_ || self->paused_) return;
        if (!self->input_.empty()) self->deliver({});
        self->read();
    });
}

void StreamConnection::flush() {
    if (finished_ || writing_) {
        if (!finished_ && is_too_slow()) finish_later(CloseReason::TooSlow);
        return;
    }
    while (sent_ < output_.size()) {
        const auto step = stream_.write_step(output_.data() + sent_, output_.size() - sent_);
        if (step.wait != TlsStream::Wait::None) {
            writing_ = true;
            const auto kind =
                step.wait == TlsStream::Wait::Writable ? tcp::socket::wait_write : tcp::socket::wait_read;
            stream_.socket().async_wait(kind, [self = shared_from_this()](boost::system::error_code error) {
                self->writing_ = false;
                if (error)
                    self->finish(CloseReason::Failed);
                else
                    self->flush();
            });
            drop_sent();
            if (is_too_slow()) finish_later(CloseReason::TooSlow);
            return;
        }
        if (step.error) return finish_later(CloseReason::Failed);
        sent_ += step.size;
    }
    output_.clear();
    sent_ = 0;
    if (output_.capacity() > kKeptBytes) Bytes().swap(output_);
    if (closing_) finish_later(CloseReason::Local);
}

// A peer that reads slowly, but never all, must not keep what it has read long ago. Half of the buffer at the
// least, so that no byte is moved often.
void StreamConnection::drop_sent() {
    if (sent_ < kDroppedBytesMin || sent_ < output_.size() / 2) return;
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
}

void StreamConnection::close() {
    if (closing_ || finished_) return;
    closing_ = true;
    // A peer that does not read must not keep the connection open for ever.
    deadline_after(std::chrono::seconds(5));
    flush();
}

void StreamConnection::finish_later(CloseReason reason) {
    if (finish_posted_ || finished_) return;
    finish_posted_ = true;
    asio::post(core_.context, [self = shared_from_this(), reason] { self->finish(reason); });
}

void StreamConnection::finish(CloseReason reason) {
    if (finished_) return;
    if (delivering_) return finish_later(reason);
    finished_ = true;
    const auto self = shared_from_this();
    if (handler_) {
        static_cast<void>(stream_.shutdown_step());
        handler_->closed(closing_ && reason != CloseReason::Stopping ? CloseReason::Local : reason);
        handler_.reset();
    }
    boost::system::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
    core_.connections.erase(id_);
    core_.connection_count->fetch_sub(1);
}

void StreamConnection::expire() {
    deadline_ = SteadyTime::max();
    if (handler_ && !closing_)
        handler_->deadline();
    else
        finish(CloseReason::Failed);
}

class Server final : public StreamServer {
  public:
    Server(Runtime& runtime, std::shared_ptr<TlsServerContext> tls, const Options& options, Metrics& metrics,
           Admit admit, MakeHandler make_handler)
        : runtime_(runtime),
          tls_(std::move(tls)),
          options_(options),
          admit_(std::move(admit)),
          make_handler_(std::move(make_handler)),
          acceptor_(runtime.core(0)),
          retry_(runtime.core(0)),
          accepted_(metrics.counter("fieldwatch_connections_accepted_total", "Connections accepted")),
          refused_(metrics.counter("fieldwatch_connections_refused_total", "Connections refused before TLS")),
          handshake_failures_(
              metrics.counter("fieldwatch_tls_handshake_failures_total", "TLS handshakes that failed")) {
        for (unsigned index = 0; index < runtime.cores(); ++index) {
            auto& core = *cores_.emplace_back(std::make_unique<Core>(index, runtime.core(index)));
            core.make_handler = &make_handler_;
            core.options = &options_;
            core.connection_count = &connection_count_;
            core.handshake_failures = &handshake_failures_;
        }
    }
    ~Server() override { stop(); }

    Result<void> listen() {
        boost::system::error_code error;
        const auto address = asio::ip::make_address(options_.address, error);
        if (error)
            return fail(Errc::InvalidArgument, "\"" + options_.address + "\" is no address to listen on");
        const tcp::endpoint endpoint(address, options_.port);
        if (!error) acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(4'096, error);  // a fleet that reconnects at once waits here
        if (!error) port_ = acceptor_.local_endpoint(error).port();
        if (error) {
            return fail(Errc::Io, "cannot listen on " + options_.address + ":" +
                                      std::to_string(options_.port) + ": " + error.message());
        }
        runtime_.post(0, [this] { accept(); });
        for (auto& core : cores_) {
            runtime_.post(core->index, [this, &core = *core] { tick(core); });
        }
        return {};
    }

    void stop() override {
        if (stopped_.exchange(true)) return;
        on_core(0, [this] {
            boost::system::error_code ignored;
            acceptor_.close(ignored);
            retry_.cancel();
        });
        for (auto& core : cores_) {
            on_core(core->index, [&core = *core] {
                core.stopping = true;
                core.timer.cancel();
                const auto connections = core.connections;  // finishing takes them out
                for (const auto& [id, connection] : connections)
                    connection->stop();
            });
        }
        // Twice round: what was cancelled above has run its handlers by then and holds nothing of ours.
        for (int round = 0; round < 2; ++round) {
            for (auto& core : cores_)
                on_core(core->index, [] {});
        }
    }

    std::uint16_t port() const override { return port_; }
    std::size_t connection_count() const override { return connection_count_; }

  private:
    template <class Function>
    void on_core(unsigned index, Function function) {
        std::promise<void> done;
        runtime_.post(index, [&] {
            function();
            done.set_value();
        });
        done.get_future().wait();
    }

    void accept() {
        if (!acceptor_.is_open()) return;
        auto& core = *cores_[runtime_.next_index()];
        acceptor_.async_accept(core.context,
                               [this, &core](boost::system::error_code error, tcp::socket socket) {
                                   if (error == asio::error::operation_aborted || stopped_) return;
                                   if (error) {  // out of descriptors: some close in the meantime
                                       log::warning("net", "accept: " + error.message());
                                       retry_.expires_after(std::chrono::milliseconds(100));
                                       return retry_.async_wait([this](boost::system::error_code cancelled) {
                                           if (!cancelled) accept();
                                       });
                                   }
                                   take(core, std::move(socket));
                                   accept();
                               });
    }

    void take(Core& core, tcp::socket socket) {
        boost::system::error_code error;
        const auto endpoint = socket.remote_endpoint(error);
        if (error) return;
        auto peer = endpoint.address();
        if (peer.is_v6() && peer.to_v6().is_v4_mapped()) {
            peer = asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6());
        }
        auto address = peer.to_string();
        if (connection_count_ >= options_.connections_max || (admit_ && !admit_(address)))
            return refused_.add();
        accepted_.add();
        connection_count_.fetch_add(1);
        auto connection =
            std::make_shared<StreamConnection>(core, next_id_++, std::move(socket), tls_, std::move(address));
        runtime_.post(core.index, [&core, connection = std::move(connection)] {
            core.connections.emplace(connection->id(), connection);
            if (core.stopping)
                connection->stop();
            else
                connection->start();
        });
    }

    void tick(Core& core) {
        if (core.stopping) return;
        const auto now = std::chrono::steady_clock::now();
        std::vector<std::shared_ptr<StreamConnection>> due;
        for (const auto& [id, connection] : core.connections) {
            if (connection->due(now)) due.push_back(connection);
        }
        for (const auto& connection : due)
            connection->expire();
        if (core.index == 0) return_memory(now);
        core.timer.expires_after(kTick);
        core.timer.async_wait([this, &core](boost::system::error_code error) {
            if (!error) tick(core);
        });
    }

    // Handshakes leave holes between what their connections keep, connections leave larger ones when they
    // end, and the C library gives those pages back only when it is asked (figures: docs/performance.md).
    void return_memory(SteadyTime now) {
        const auto turnover = 2 * next_id_ - connection_count_;  // what came and what went
        if (std::exchange(turnover_before_, turnover) != turnover) turned_at_ = now;
        if (turnover - trimmed_behind_ < kTrimAfter) return;
        if (now - turned_at_ < kTrimWhenQuiet && now - trimmed_at_ < kTrimAtLeast) return;
        trimmed_behind_ = turnover;
        trimmed_at_ = now;
        runtime_.post_worker([] { ::malloc_trim(0); });
    }

    Runtime& runtime_;
    std::shared_ptr<TlsServerContext> tls_;
    Options options_;
    Admit admit_;
    MakeHandler make_handler_;
    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    std::vector<std::unique_ptr<Core>> cores_;
    std::atomic<std::size_t> connection_count_{0};
    std::uint64_t next_id_ = 1;                               // core 0's
    std::uint64_t turnover_before_ = 2, trimmed_behind_ = 2;  // core 0's
    SteadyTime turned_at_{}, trimmed_at_ = std::chrono::steady_clock::now();
    std::uint16_t port_ = 0;
    std::atomic<bool> stopped_{false};
    Counter& accepted_;
    Counter& refused_;
    Counter& handshake_failures_;
};

}  // namespace

Result<std::unique_ptr<StreamServer>> StreamServer::start(Runtime& runtime,
                                                          std::shared_ptr<TlsServerContext> tls,
                                                          const Options& options, Metrics& metrics,
                                                          Admit admit, MakeHandler make_handler) {
    auto server = std::make_unique<Server>(runtime, std::move(tls), options, metrics, std::move(admit),
                                           std::move(make_handler));
    FIELDWATCH_TRY(server->listen());
    return std::unique_ptr<StreamServer>(std::move(server));
}

}  // namespace fieldwatch::net
