#include "hub/reconnects.hpp"

#include <sys/epoll.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "hub/tls_connection.hpp"

namespace load {

namespace {

using Clock = std::chrono::steady_clock;

struct Place {
    std::unique_ptr<TlsConnection> tls;
    std::unique_ptr<Conversation> conversation;
    std::string in;
    bool begun = false;
    Session session;
    Clock::time_point since;
};

class Reconnects {
  public:
    Reconnects(const ReconnectOptions& options, const std::vector<Client>& clients)
        : options_(options),
          clients_(clients),
          context_(client_context(options.ca)),
          poll_(::epoll_create1(0)),
          places_(clients.size()) {}

    void run() {
        round(clients_.size(), false);
        std::printf("READY\n");
        std::fflush(stdout);
        connect_ms_.clear();
        resumed_ = 0;
        const auto before = cpu_seconds();
        const auto seconds = round(options_.connects, options_.resume);
        std::printf(
            "{\"connects\":%zu,\"connects_per_s\":%.1f,\"resumed\":%zu,\"connect_ms_p50\":%.3f,"
            "\"connect_ms_p99\":%.3f,\"load_cpu_percent\":%.1f}\n",
            options_.connects, static_cast<double>(options_.connects) / seconds, resumed_,
            percentile(connect_ms_, 0.5), percentile(connect_ms_, 0.99),
            100 * (cpu_seconds() - before) / seconds);
    }

  private:
    /// How long `count` connects took.
    double round(std::size_t count, bool resume) {
        const auto begin = Clock::now();
        left_ = count;
        done_ = 0;
        resume_ = resume;
        for (std::size_t index = 0; index < places_.size(); ++index)
            open(index);
        while (done_ < count) {
            epoll_event events[256];
            const int ready = ::epoll_wait(poll_, events, 256, 100);
            for (int i = 0; i < ready; ++i)
                advance(events[i].data.u64);
            if (Clock::now() - begin > std::chrono::seconds(300))
                die("the connects were not done after 300 s");
        }
        return std::chrono::duration<double>(Clock::now() - begin).count();
    }

    void open(std::size_t index) {
        if (left_ == 0) return;
        --left_;
        auto& place = places_[index];
        place.since = Clock::now();
        place.in.clear();
        place.begun = false;
        place.conversation = mqtt_conversation(clients_[index]);
        place.tls = std::make_unique<TlsConnection>(context_.get(), options_.host, options_.port,
                                                    resume_ ? place.session : none_);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u64 = index;
        ::epoll_ctl(poll_, EPOLL_CTL_ADD, place.tls->socket(), &event);
    }

    void advance(std::size_t index) {
        auto& place = places_[index];
        if (place.tls == nullptr) return;
        Conversation::Heard heard;
        if (!place.tls->advance(place.in)) die("a connect was broken off");
        if (!place.tls->established()) return;
        if (!std::exchange(place.begun, true)) place.conversation->begin(place.tls->output());
        heard = place.conversation->received(place.in, place.tls->output());
        if (heard.refused) die("a connect was refused");
        if (!place.tls->flush()) die("a connect was broken off");
        if (!heard.ready) return;
        // A ticket of TLS 1.3 comes right behind the handshake, before the CONNACK.
        connect_ms_.push_back(std::chrono::duration<float, std::milli>(Clock::now() - place.since).count());
        if (place.tls->resumed()) ++resumed_;
        place.session = place.tls->session();
        place.tls->output() += std::string("\xe0\x00", 2);  // DISCONNECT
        place.tls->say_goodbye();
        place.tls.reset();
        ++done_;
        open(index);
    }

    const ReconnectOptions& options_;
    const std::vector<Client>& clients_;
    Context context_;
    int poll_ = -1;
    std::vector<Place> places_;
    std::size_t left_ = 0, done_ = 0, resumed_ = 0;
    bool resume_ = false;
    const Session none_;
    std::vector<float> connect_ms_;
};

}  // namespace

void reconnect(const ReconnectOptions& options, const std::vector<Client>& clients) {
    Reconnects(options, clients).run();
}

}  // namespace load
