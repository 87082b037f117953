// A load generator of our own: N TLS connections on one thread, each with W messages in flight that are not
// acknowledged yet. The same program loads our hub and its peer in the same run, so that only the server
// differs. Prints READY when every connection is, and one JSON line at the end.
//   hub_load --host H --port P --ca FILE --protocol mqtt|amqp|https --connections N --window W --seconds S
//   --payload BYTES --clients FILE [--idle] [--rate R] [--security] [--connects COUNT [--resume]]
// --rate sends R publishes a second over all connections, and no more; --security sends security messages
// with one process event each, every one with an id of its own, in the place of PAYLOAD bytes. --connects
// publishes nothing: the N clients connect, are let in and go, COUNT times in all after once each; with
// --resume each resumes the TLS session of its time before. FILE has a line a connection: client id, user
// name, password, topic, separated by tabs; empty fields are not sent.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/conversation.hpp"
#include "hub/reconnects.hpp"
#include "hub/tls_connection.hpp"

namespace {

using load::Client;
using load::Conversation;
using load::die;
using load::TlsConnection;

using Clock = std::chrono::steady_clock;

struct Options {
    std::string host = "127.0.0.1";
    std::string port = "8883";
    std::string ca, clients, protocol = "mqtt";
    std::size_t connections = 100, window = 8, payload = 300, connects = 0;
    double seconds = 10, rate = 0;
    bool idle = false, security = false, resume = false;
};

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        bool* const flag = name == "--idle"       ? &options.idle
                           : name == "--security" ? &options.security
                           : name == "--resume"   ? &options.resume
                                                  : nullptr;
        if (flag != nullptr) {
            *flag = true;
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
        else if (name == "--protocol")
            options.protocol = value;
        else if (name == "--connects")
            options.connects = std::stoul(value);
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

std::unique_ptr<Conversation> conversation(const std::string& protocol, const Client& client) {
    if (protocol == "mqtt") return load::mqtt_conversation(client);
    if (protocol == "amqp") return load::amqp_conversation(client);
    if (protocol == "https") return load::https_conversation(client);
    die("no protocol " + protocol);
}

struct Connection {
    std::unique_ptr<TlsConnection> tls;
    std::unique_ptr<Conversation> conversation;
    std::string in;
    bool begun = false, ready = false;
    std::deque<Clock::time_point> sent;  // at most the window
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
          context_(load::client_context(options.ca)),
          payload_(options.payload, 'x') {
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
        const auto before = load::cpu_seconds();
        const auto started = Clock::now();
        const auto end = started + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(options_.seconds));
        while (Clock::now() < end)
            turn();
        seconds_ = std::chrono::duration<double>(Clock::now() - started).count();
        cpu_percent_ = 100 * (load::cpu_seconds() - before) / seconds_;
        return totals_;
    }
    double seconds() const { return seconds_; }
    double cpu_percent() const { return cpu_percent_; }

  private:
    void open(std::size_t index) {
        auto& connection = connections_[index];
        connection.conversation = conversation(options_.protocol, clients_[index]);
        connection.tls = std::make_unique<TlsConnection>(context_.get(), options_.host, options_.port);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u64 = index;
        ::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.tls->socket(), &event);
    }

    void turn() {
        step(options_.rate > 0 ? 1 : 10);
        if (options_.rate == 0) return;
        for (std::size_t i = 0; i < connections_.size() && may_send(); ++i) {
            auto& connection = connections_[next_sender_++ % connections_.size()];
            if (connection.sent.size() == options_.window) continue;
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
        if (connection.tls == nullptr) return;
        if (connection.ready) die("a connection was closed by the server while loaded");
        ++totals_.refused;
        connection.tls.reset();
    }

    void advance(Connection& connection) {
        if (connection.tls == nullptr) return;
        if (!connection.tls->advance(connection.in)) return close(connection);
        if (!connection.tls->established()) return;
        if (!std::exchange(connection.begun, true))
            hear(connection, connection.conversation->begin(connection.tls->output()));
        if (connection.tls != nullptr && !connection.in.empty())
            hear(connection, connection.conversation->received(connection.in, connection.tls->output()));
        if (connection.tls == nullptr) return;
        if (publishing_) fill(connection);
        flush(connection);
    }

    void hear(Connection& connection, const Conversation::Heard& heard) {
        if (heard.refused) return close(connection);
        if (heard.ready && !std::exchange(connection.ready, true)) ++totals_.ready;
        const auto now = Clock::now();
        for (std::size_t count = 0; count < heard.acknowledged; ++count) {
            totals_.ack_ms.push_back(
                std::chrono::duration<float, std::milli>(now - connection.sent.front()).count());
            connection.sent.pop_front();
        }
        totals_.acknowledged += heard.acknowledged;
    }

    void fill(Connection& connection) {
        while (options_.rate == 0 && connection.sent.size() < options_.window)
            publish(connection);
        flush(connection);
    }

    void publish(Connection& connection) {
        connection.conversation->publish(options_.security ? security_message() : payload_,
                                         connection.tls->output());
        connection.sent.push_back(Clock::now());
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
        if (!connection.tls->flush()) close(connection);
    }

    Options options_;
    std::vector<Client> clients_;
    load::Context context_;
    std::string payload_;
    int poll_ = -1;
    std::vector<Connection> connections_;
    Totals totals_;
    bool publishing_ = false;
    Clock::time_point publishing_since_;
    std::size_t published_ = 0, next_sender_ = 0;
    double seconds_ = 0, cpu_percent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = parse(argc, argv);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (options.connects > 0) {
        load::reconnect({.host = options.host,
                         .port = options.port,
                         .ca = options.ca,
                         .connects = options.connects,
                         .resume = options.resume},
                        read_clients(options.clients, options.connections));
        return 0;
    }
    Load generator(options);
    auto totals = generator.run();
    std::printf(
        "{\"connections\":%zu,\"handshakes_per_s\":%.1f,\"publish_per_s\":%.1f,\"publishes\":%zu,"
        "\"ack_ms_p50\":%.3f,\"ack_ms_p99\":%.3f,\"load_cpu_percent\":%.1f}\n",
        options.connections, static_cast<double>(options.connections) / totals.handshake_seconds,
        static_cast<double>(totals.acknowledged) / generator.seconds(), totals.acknowledged + totals.warm_up,
        load::percentile(totals.ack_ms, 0.5), load::percentile(totals.ack_ms, 0.99), generator.cpu_percent());
    return 0;
}
