// What the hub tests stand on: a journal and a registry in memory, a device on our own codec, a hub on a port
// of its own.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "hub/server.hpp"
#include "model/record.hpp"
#include "net/certificate_authority.hpp"
#include "net/tls_client.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/property_bag.hpp"
#include "protocol/mqtt/topic.hpp"
#include "protocol/mqtt/user_name.hpp"
#include "protocol/sas/token.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

using namespace std::chrono_literals;

constexpr auto kWait = 5'000ms;
constexpr std::string_view kKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
constexpr std::string_view kOtherKey = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";

/// Keeps records; commits at once, or when told.
class MemoryJournal final : public journal::Writer {
  public:
    struct Entry {
        journal::Stream stream;
        Bytes bytes;
    };

    Result<journal::Place> append(journal::Stream stream, std::uint32_t partition, ByteView record,
                                  Durable durable) override {
        std::unique_lock lock(mutex_);
        if (waiting_.size() >= capacity) return fail(Errc::Exhausted, "the commit buffer is full");
        entries_.push_back({stream, Bytes(record.begin(), record.end())});
        const journal::Place place{stream, partition, entries_.size() - 1};
        changed_.notify_all();
        if (manual) {
            waiting_.push_back(std::move(durable));
            return place;
        }
        lock.unlock();
        durable({});
        return place;
    }
    void on_space(std::move_only_function<void()> callback) override {
        const std::lock_guard lock(mutex_);
        space_.push_back(std::move(callback));
    }
    void commit() {
        std::unique_lock lock(mutex_);
        auto waiting = std::exchange(waiting_, {});
        auto space = std::exchange(space_, {});
        lock.unlock();
        for (auto& durable : waiting)
            durable({});
        for (auto& callback : space)
            callback();
    }
    std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }
    /// Waits until `count` records that `matches` are there; returns what is.
    std::vector<Entry> wait(std::size_t count, const std::function<bool(const model::RecordView&)>& matches) {
        std::unique_lock lock(mutex_);
        std::vector<Entry> found;
        changed_.wait_for(lock, kWait, [&] {
            found.clear();
            for (const auto& entry : entries_) {
                if (matches(*model::decode_record(entry.bytes))) found.push_back(entry);
            }
            return found.size() >= count;
        });
        return found;
    }

    std::atomic<bool> manual = false;
    std::atomic<std::size_t> capacity = 1'000'000;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Entry> entries_;
    std::vector<Durable> waiting_;
    std::vector<std::move_only_function<void()>> space_;
};

struct Packet {
    Bytes bytes;
    mqtt::Frame frame() const { return **mqtt::next_frame(bytes, 1u << 20); }
    mqtt::PacketType type() const { return frame().type; }
};

/// An MQTT client as SDKs are one.
class Client {
  public:
    explicit Client(net::TlsClient tls) : tls_(std::move(tls)) {}

    void send(const Bytes& bytes) { EXPECT_TRUE(tls_.write_all(bytes, kWait)); }
    /// Whether or not the hub still listens.
    void send_anyhow(const Bytes& bytes) { static_cast<void>(tls_.write_all(bytes, kWait)); }
    /// The next packet; nullopt when the hub closed the connection.
    std::optional<Packet> receive() {
        while (true) {
            const auto frame = mqtt::next_frame(input_, 1u << 20);
            EXPECT_TRUE(frame);
            if (frame && *frame) {
                const auto size = static_cast<std::ptrdiff_t>((*frame)->size);
                Packet packet{Bytes(input_.begin(), input_.begin() + size)};
                input_.erase(input_.begin(), input_.begin() + size);
                return packet;
            }
            std::byte buffer[4096];
            const auto count = tls_.read(buffer, kWait);
            if (!count) {
                EXPECT_NE(count.error().code, Errc::Timeout) << "nothing came";
                return std::nullopt;
            }
            input_.insert(input_.end(), buffer, buffer + *count);
        }
    }
    void publish(std::string_view topic, std::string_view body, std::uint16_t id = 0, std::uint8_t qos = 1) {
        Bytes out;
        mqtt::encode_publish(out, {.topic = topic,
                                   .payload = as_bytes(body),
                                   .packet_id = id,
                                   .qos = id == 0 ? std::uint8_t{0} : qos});
        send(out);
    }
    void subscribe(std::string_view filter) {
        Bytes out;
        const mqtt::Filter filters[] = {{filter, 1}};
        mqtt::encode_subscribe(out, 1, filters);
        send(out);
        const auto answer = receive();
        ASSERT_TRUE(answer && answer->type() == mqtt::PacketType::Suback);
    }
    std::uint16_t puback() {
        const auto packet = receive();
        EXPECT_TRUE(packet && packet->type() == mqtt::PacketType::Puback);
        return packet ? *mqtt::decode_packet_id(packet->frame()) : std::uint16_t{0};
    }
    void disconnect() {
        Bytes out;
        mqtt::encode_disconnect(out);
        send(out);
        EXPECT_FALSE(receive());
    }

  private:
    net::TlsClient tls_;
    Bytes input_;
};

class HubTest : public ::testing::Test {
  protected:
    HubTest() : clock_(system_clock()) {
        log::set_level(log::Level::Error);
        std::signal(SIGPIPE, SIG_IGN);  // clients write to hubs that have closed
        directory_ =
            std::filesystem::temp_directory_path() / ("hub_test." + std::to_string(system_random().next()));
        const auto certificates = net::open_certificates(
            {.directory = directory_.string(), .names = {"hub.local"}}, posix_file_system(), clock_);
        EXPECT_TRUE(certificates) << certificates.error().message;
        tls_ = *net::TlsServerContext::create({.chain_pem = certificates->chain_pem,
                                               .key_pem = certificates->key_pem,
                                               .request_client_certificate = true,
                                               .application_protocols = {std::string(kMqttProtocol)}});
        auto opened = registry::open((directory_ / "registry.db").string(), clock_, system_random());
        EXPECT_TRUE(opened) << opened.error().message;
        registry_ = std::move(*opened);
        EXPECT_TRUE(registry_->create_hub({.name = {"testhub"}, .host_names = "hub.local,localhost"}));
        add("d1");
        add("d1", "azureiotsecurity");
        add("off", "", false);
    }
    ~HubTest() override {
        if (server_) server_->stop();
        std::filesystem::remove_all(directory_);
    }

    void add(std::string device, std::string module = "", bool enabled = true) {
        const auto created =
            registry_->create({.identity = {{"testhub"}, {std::move(device)}, {std::move(module)}},
                               .keys = {std::string(kKey), std::string(kOtherKey)},
                               .enabled = enabled});
        EXPECT_TRUE(created) << created.error().message;
    }
    static model::Identity identity(std::string device, std::string module = "") {
        return {{"testhub"}, {std::move(device)}, {std::move(module)}};
    }

    void start(Options options = {}) {
        options.address = "127.0.0.1";
        options.mqtt_port = 0;
        options.https_port = 0;
        options.uploads_directory = (directory_ / "uploads").string();
        server_ = *Server::start({.runtime = runtime_,
                                  .tls = tls_,
                                  .registry = *registry_,
                                  .journal = journal_,
                                  .partition_count = 4,
                                  .clock = clock_,
                                  .random = system_random(),
                                  .metrics = metrics_},
                                 options);
    }
    Client raw() {
        auto tls = net::TlsClient::connect(
            {.host = "localhost", .port = server_->mqtt_port(), .ca_file = (directory_ / "ca.pem").string()},
            kWait);
        EXPECT_TRUE(tls) << tls.error().message;
        return Client(std::move(*tls));
    }
    std::string token(std::string_view client_id, std::string_view key = kKey,
                      std::int64_t lifetime = 3'600) {
        auto resource = "hub.local/devices/" + std::string(client_id);
        if (const auto slash = client_id.find('/'); slash != std::string_view::npos) {
            resource = "hub.local/devices/" + std::string(client_id.substr(0, slash)) + "/modules/" +
                       std::string(client_id.substr(slash + 1));
        }
        return *sas::make_token(
            {.resource = resource,
             .key_base64 = key,
             .expiry = Timestamp::from_unix_seconds(clock_.now().unix_seconds() + lifetime)});
    }
    struct As {
        std::string id = "d1";
        std::string password;
        std::string user;
        std::uint16_t keep_alive = 60;
        bool will = false;
        bool clean_session = false;
    };
    mqtt::ConnackCode connect(Client& client, As as) {
        if (as.password.empty()) as.password = token(as.id);
        if (as.user.empty()) {
            as.user =
                mqtt::encode_user_name({"hub.local", as.id, "2021-04-12", "dtmi:com:example:T;1", "test/1"});
        }
        mqtt::Connect packet{.client_id = as.id,
                             .user_name = as.user,
                             .password = as_bytes(as.password),
                             .clean_session = as.clean_session,
                             .keep_alive_seconds = as.keep_alive};
        if (as.will)
            packet.will = mqtt::Will{.topic = "devices/d1/messages/events/a=b", .payload = as_bytes("gone")};
        Bytes out;
        mqtt::encode_connect(out, packet);
        client.send(out);
        const auto answer = client.receive();
        if (!answer) return mqtt::ConnackCode::ServerUnavailable;
        const auto connack = mqtt::decode_connack(answer->frame());
        session_present_ = connack->session_present;
        return connack->code;
    }
    Client connected() { return connected(As{}); }
    Client connected(As as) {
        auto client = raw();
        EXPECT_EQ(connect(client, std::move(as)), mqtt::ConnackCode::Accepted);
        return client;
    }

    /// Operation records of that name and result, parsed; waits for at least one.
    std::vector<nlohmann::json> operations(std::string_view name, std::string_view result) {
        std::vector<nlohmann::json> found;
        const auto entries = journal_.wait(1, [&](const model::RecordView& record) {
            if (record.kind != model::RecordKind::Operation) return false;
            const auto json = nlohmann::json::parse(record.body);
            return json["operationName"] == name && json["resultType"] == result;
        });
        for (const auto& entry : entries) {
            auto json = nlohmann::json::parse(model::decode_record(entry.bytes)->body);
            json["properties"] = nlohmann::json::parse(json["properties"].get<std::string>());
            found.push_back(std::move(json));
        }
        EXPECT_FALSE(found.empty()) << name << ' ' << result;
        return found;
    }

    const Clock& clock_;
    std::filesystem::path directory_;
    Metrics metrics_;
    net::Runtime runtime_{{.cores = 2}};
    std::shared_ptr<net::TlsServerContext> tls_;
    std::unique_ptr<registry::Registry> registry_;
    MemoryJournal journal_;
    std::unique_ptr<Server> server_;
    bool session_present_ = false;  ///< of the last CONNACK
};

}  // namespace fieldwatch::hub
