// An MQTT load generator of our own: N TLS connections on one thread, each with W publishes of QoS 1 in
// flight. The same program loads our hub and its peer in the same run, so that only the server differs.
// Prints READY when every connection is, and one JSON line at the end.
//   hub_load --host H --port P --ca FILE --connections N --window W --seconds S --payload BYTES --clients
//   FILE [--idle] [--rate R] [--security]
// --rate sends R publishes a second over all connections, and no more; --security sends security messages
// with one process event each, every one with an id of its own, in the place of PAYLOAD bytes. FILE has a
// line a connection: client id, user name, password, topic, separated by tabs; empty fields are not sent.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::string host = "127.0.0.1";
    std::string port = "8883";
    std::string ca, clients;
    std::size_t connections = 100, window = 8, payload = 300;
    double seconds = 10, rate = 0;
    bool idle = false, security = false;
};

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "hub_load: %s\n", what.c_str());
    std::exit(1);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--idle") {
            options.idle = true;
            continue;
        }
        if (name == "--security") {
            options.security = true;
            continue;
        }
        if (i + 1 == argc) die(name + " needs a value");
        const std::string value = argv[++i];
        if (name == "--host")
            options.host = value;
        else if (name == "--port")
            options.port = value;
        else if (name == "--ca")
            options.ca = value;
        else if (name == "--clients")
            options.clients = value;
        else if (name == "--connections")
            options.connections = std::stoul(value);
        else if (name == "--window")
            options.window = std::stoul(value);
        else if (name == "--payload")
            options.payload = std::stoul(value);
        else if (name == "--rate")
            options.rate = std::stod(value);
        else if (name == "--seconds")
            options.seconds = std::stod(value);
        else
            die("no option " + name);
    }
    return options;
}

struct Client {
    std::string id, user, password, topic;
};

std::vector<Client> read_clients(const std::string& path, std::size_t count) {
    std::ifstream file(path);
    std::vector<Client> out;
    std::string line;
    while (out.size() < count && std::getline(file, line)) {
        Client client;
        std::string* const fields[] = {&client.id, &client.user, &client.password, &client.topic};
        std::size_t at = 0;
        for (auto* field : fields) {
            const auto end = std::min(line.find('\t', at), line.size());
            *field = line.substr(std::min(at, line.size()), end - std::min(at, line.size()));
            at = end + 1;
        }
        out.push_back(client);
    }
    if (out.size() < count) die(path + " has fewer lines than connections");
    return out;
}

void put_text(std::string& out, const std::string& text) {
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 255);
    out += text;
}

std::string packet(unsigned char head, const std::string& rest) {
    std::string out(1, static_cast<char>(head));
    auto size = rest.size();
    do {
        auto byte = static_cast<unsigned char>(size % 128);
        size /= 128;
        if (size > 0) byte |= 128;
        out += static_cast<char>(byte);
    } while (size > 0);
    return out + rest;
}

std::string connect_packet(const Client& client) {
    std::string rest;
    put_text(rest, "MQTT");
    rest += '\4';
    unsigned char flags = 2;  // clean session: no queue is left behind
    if (!client.user.empty()) flags |= 0x80;
    if (!client.password.empty()) flags |= 0x40;
    rest += static_cast<char>(flags);
    rest += '\2';
    rest += '\130';  // keep-alive 600 s
    put_text(rest, client.id);
    if (!client.user.empty()) put_text(rest, client.user);
    if (!client.password.empty()) put_text(rest, client.password);
    return packet(0x10, rest);
}

enum class State { Connecting, Handshaking, WaitingForConnack, Ready, Closed };

struct Connection {
    int socket = -1;
    SSL* ssl = nullptr;
    State state = State::Connecting;
    const Client* client = nullptr;
    std::string out, in;
    std::vector<Clock::time_point> sent;  // by packet id - 1: ring of the window
    std::uint16_t next_id = 0;
    std::size_t in_flight = 0;
};

struct Totals {
    std::size_t ready = 0, refused = 0, acknowledged = 0, warm_up = 0;
    std::vector<float> ack_ms;
    double handshake_seconds = 0;
};

class Load {
  public:
    explicit Load(const Options& options)
        : options_(options),
          clients_(read_clients(options.clients, options.connections)),
          payload_(options.payload, 'x') {
        context_ = SSL_CTX_new(TLS_client_method());
        if (!options.ca.empty() && SSL_CTX_load_verify_locations(context_, options.ca.c_str(), nullptr) != 1)
            die("cannot read " + options.ca);
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
        poll_ = ::epoll_create1(0);
    }

    Totals run() {
        connections_.resize(options_.connections);
        const auto begin = Clock::now();
        // At most 64 handshakes at a time: a burst measures the listen queue, not the server.
        std::size_t opened = 0;
        while (totals_.ready + totals_.refused < connections_.size()) {
            while (opened < connections_.size() && opened - totals_.ready - totals_.refused < 64)
                open(opened++);
            step(100);
            if (Clock::now() - begin > std::chrono::seconds(300))
                die("the connections were not ready after 300 s");
        }
        totals_.handshake_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        if (totals_.refused > 0) die(std::to_string(totals_.refused) + " connections were refused");
        std::printf("READY\n");
        std::fflush(stdout);
        publishing_ = !options_.idle;
        const auto warm = Clock::now() + std::chrono::milliseconds(publishing_ ? 1000 : 0);
        if (publishing_) {
            publishing_since_ = Clock::now();
            for (auto& connection : connections_)
                fill(connection);
            while (Clock::now() < warm)
                turn();
        }
        totals_.warm_up = std::exchange(totals_.acknowledged, 0);
        totals_.ack_ms.clear();
        rusage before{};
        getrusage(RUSAGE_SELF, &before);
        const auto started = Clock::now();
        const auto end = started + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(options_.seconds));
        while (Clock::now() < end)
            turn();
        seconds_ = std::chrono::duration<double>(Clock::now() - started).count();
        rusage after{};
        getrusage(RUSAGE_SELF, &after);
        const auto cpu = [](const rusage& use) {
            return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                   static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
        };
        cpu_percent_ = 100 * (cpu(after) - cpu(before)) / seconds_;
        return totals_;
    }
    double seconds() const { return seconds_; }
    double cpu_percent() const { return cpu_percent_; }

  private:
    void open(std::size_t index) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(options_.host.c_str(), options_.port.c_str(), &hints, &found) != 0)
            die("no address for " + options_.host);
        auto& connection = connections_[index];
        connection.client = &clients_[index];
        connection.sent.resize(options_.window);
        connection.socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection.socket < 0) die(std::string("socket: ") + std::strerror(errno));
        const int one = 1;
        ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (::connect(connection.socket, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)
            die(std::string("connect: ") + std::strerror(errno));
        ::freeaddrinfo(found);
        connection.ssl = SSL_new(context_);
        SSL_set_fd(connection.ssl, connection.socket);
        SSL_set_connect_state(connection.ssl);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u64 = index;
        ::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event);
    }

    void turn() {
        step(options_.rate > 0 ? 1 : 10);
        if (options_.rate == 0) return;
        for (std::size_t i = 0; i < connections_.size() && may_send(); ++i) {
            auto& connection = connections_[next_sender_++ % connections_.size()];
            if (connection.in_flight == options_.window) continue;
            publish(connection);
            flush(connection);
        }
    }

    bool may_send() const {
        const auto elapsed = std::chrono::duration<double>(Clock::now() - publishing_since_).count();
        return static_cast<double>(published_) < options_.rate * elapsed;
    }

    void step(int milliseconds) {
        epoll_event events[256];
        const int count = ::epoll_wait(poll_, events, 256, milliseconds);
        for (int i = 0; i < count; ++i)
            advance(connections_[events[i].data.u64]);
    }

    void close(Connection& connection) {
        if (connection.state == State::Closed) return;
        if (connection.state == State::Ready) die("a connection was closed by the server while loaded");
        ++totals_.refused;
        connection.state = State::Closed;
        ::close(connection.socket);
    }

    void advance(Connection& connection) {
        if (connection.state == State::Closed) return;
        if (connection.state == State::Connecting) connection.state = State::Handshaking;
        if (connection.state == State::Handshaking) {
            const int done = SSL_do_handshake(connection.ssl);
            if (done != 1) {
                const int why = SSL_get_error(connection.ssl, done);
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) close(connection);
                return;
            }
            connection.state = State::WaitingForConnack;
            connection.out += connect_packet(*connection.client);
        }
        char chunk[16384];
        for (;;) {
            const int got = SSL_read(connection.ssl, chunk, sizeof(chunk));
            if (got > 0) {
                connection.in.append(chunk, static_cast<std::size_t>(got));
                continue;
            }
            const int why = SSL_get_error(connection.ssl, got);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return close(connection);
            break;
        }
        consume(connection);
        flush(connection);
    }

    void consume(Connection& connection) {
        std::size_t at = 0;
        while (connection.in.size() - at >= 4) {
            const auto kind = static_cast<unsigned char>(connection.in[at]) >> 4;
            const auto size = static_cast<unsigned char>(connection.in[at + 1]);
            if (size > 127 || connection.in.size() - at < 2u + size) break;
            if (kind == 2) {
                if (connection.in[at + 3] != 0) return close(connection);
                connection.state = State::Ready;
                ++totals_.ready;
            } else if (kind == 4) {
                const auto id =
                    static_cast<std::size_t>(static_cast<unsigned char>(connection.in[at + 2]) << 8 |
                                             static_cast<unsigned char>(connection.in[at + 3]));
                ++totals_.acknowledged;
                --connection.in_flight;
                totals_.ack_ms.push_back(std::chrono::duration<float, std::milli>(
                                             Clock::now() - connection.sent[id % options_.window])
                                             .count());
            }
            at += 2u + size;
        }
        connection.in.erase(0, at);
        if (publishing_) fill(connection);
    }

    void fill(Connection& connection) {
        while (options_.rate == 0 && connection.in_flight < options_.window)
            publish(connection);
        flush(connection);
    }

    void publish(Connection& connection) {
        if (++connection.next_id == 0) connection.next_id = 1;
        std::string rest;
        put_text(rest, connection.client->topic);
        rest += static_cast<char>(connection.next_id >> 8);
        rest += static_cast<char>(connection.next_id & 255);
        rest += options_.security ? security_message() : payload_;
        connection.out += packet(0x32, rest);
        connection.sent[connection.next_id % options_.window] = Clock::now();
        ++connection.in_flight;
        ++published_;
    }

    std::string security_message() const {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
        const std::time_t seconds = milliseconds / 1000;
        std::tm parts{};
        ::gmtime_r(&seconds, &parts);
        char date[32], body[1024];
        std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
        const auto fraction = static_cast<int>(milliseconds % 1000);
        const auto number = static_cast<unsigned long long>(published_);
        const int size = std::snprintf(
            body, sizeof body,
            R"({"AgentVersion":"1.0.0","AgentId":"0a1b2c3d-0000-4000-8000-000000000001","MessageSchemaVersion":"1.0",)"
            R"("Events":[{"Id":"%08x-0000-4000-8000-%012llx","TimestampLocal":"%s.%03dZ","TimestampUTC":"%s.%03dZ",)"
            R"("Category":"Triggered","Name":"ProcessCreate","EventType":"Security","IsEmpty":false,)"
            R"("PayloadSchemaVersion":"1.0","Payload":[{"Executable":"/usr/bin/python3","ProcessId":%llu,)"
            R"("ParentProcessId":1,"UserId":"0","UserName":"root","CommandLine":"/opt/app/run.py --id %llu"}]}]})",
            static_cast<unsigned>(::getpid()), number, date, fraction, date, fraction, number % 30000 + 2,
            number % 1000);
        return {body, static_cast<std::size_t>(size)};
    }

    void flush(Connection& connection) {
        while (!connection.out.empty() && connection.state != State::Closed) {
            const int done =
                SSL_write(connection.ssl, connection.out.data(), static_cast<int>(connection.out.size()));
            if (done <= 0) {
                const int why = SSL_get_error(connection.ssl, done);
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) close(connection);
                return;
            }
            connection.out.erase(0, static_cast<std::size_t>(done));
        }
    }

    Options options_;
    std::vector<Client> clients_;
    std::string payload_;
    SSL_CTX* context_ = nullptr;
    int poll_ = -1;
    std::vector<Connection> connections_;
    Totals totals_;
    bool publishing_ = false;
    Clock::time_point publishing_since_;
    std::size_t published_ = 0, next_sender_ = 0;
    double seconds_ = 0, cpu_percent_ = 0;
};

double percentile(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = parse(argc, argv);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    Load load(options);
    auto totals = load.run();
    std::printf(
        "{\"connections\":%zu,\"handshakes_per_s\":%.1f,\"publish_per_s\":%.1f,\"publishes\":%zu,"
        "\"ack_ms_p50\":%.3f,\"ack_ms_p99\":%.3f,\"load_cpu_percent\":%.1f}\n",
        options.connections, static_cast<double>(options.connections) / totals.handshake_seconds,
        static_cast<double>(totals.acknowledged) / load.seconds(), totals.acknowledged + totals.warm_up,
        percentile(totals.ack_ms, 0.5), percentile(totals.ack_ms, 0.99), load.cpu_percent());
    return 0;
}
