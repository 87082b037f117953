// Over AMQP: what a device and a hub may be asked at most, held as over MQTT and HTTPS. Messages wait, and
// everything else is refused with the condition that SDKs know as throttling. And how long it is let in.
#include <map>
#include <set>

#include "hub/amqp/device_endpoint.hpp"
#include "hub/hub_fixture_test.hpp"
#include "protocol/amqp/engine.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::hub {
namespace {

constexpr auto kAmqpWait = 60s;

/// A client on our own engine.
class AmqpClient final : private amqp::Peer {
  public:
    explicit AmqpClient(net::TlsClient tls)
        : tls_(std::move(tls)), engine_(*this, {.container = "test", .connect_to = "hub.local"}) {}

    template <class Condition>
    bool until(Condition condition) {
        const auto end = system_clock().monotonic() + kAmqpWait;
        std::vector<std::byte> buffer(64u << 10);
        while (system_clock().monotonic() < end) {
            Bytes out;
            engine_.take_output(out);
            if (!out.empty() && !tls_.write_all(out, kWait)) return condition();
            if (condition()) return true;
            const auto got = tls_.read(buffer, 20ms);
            if (got && *got > 0) engine_.received(ByteView(buffer).first(*got));
            if ((got && *got == 0) || (!got && got.error().code != Errc::Timeout)) return condition();
        }
        return false;
    }

    amqp::LinkId sender(const std::string& address) {
        EXPECT_TRUE(until([&] { return opened_; }));
        const auto link = engine_.open_sender("s" + std::to_string(++names_), address);
        EXPECT_TRUE(until([&] { return credit_.contains(link) || ended_.contains(link); }));
        return link;
    }
    amqp::LinkId receiver(const std::string& address, const std::string& name = {}) {
        EXPECT_TRUE(until([&] { return opened_; }));
        const auto link =
            engine_.open_receiver(name.empty() ? "r" + std::to_string(++names_) : name, address, {}, 1'000);
        EXPECT_TRUE(until([&] { return answered_.contains(link) || ended_.contains(link); }));
        return link;
    }
    /// Why the hub ended a link; "" = it stands.
    std::string ended_by(amqp::LinkId link) const {
        const auto found = ended_.find(link);
        return found == ended_.end() ? "" : found->second;
    }
    std::set<amqp::DeliveryId> send(amqp::LinkId link, int count, const amqp::Message& message) {
        std::set<amqp::DeliveryId> out;
        for (int i = 0; i < count; ++i)
            out.insert(engine_.send(link, amqp::encode_message(message)));
        EXPECT_FALSE(out.contains(0)) << "no credit";
        return out;
    }
    bool all_are(const std::set<amqp::DeliveryId>& deliveries, amqp::Outcome outcome) {
        const auto done = [&](amqp::DeliveryId one) { return outcomes_.contains(one); };
        if (!until([&] { return std::ranges::all_of(deliveries, done); })) return false;
        return std::ranges::all_of(deliveries, [&](auto one) { return outcomes_.at(one) == outcome; });
    }
    std::size_t waiting(amqp::LinkId link) { return received_[link].size() - taken_[link]; }
    /// One answer on a link, not looked at before.
    amqp::Message* next(amqp::LinkId link) {
        auto& queue = received_[link];
        if (!until([&] { return queue.size() > taken_[link]; })) return nullptr;
        auto& bytes = queue[taken_[link]++];
        decoded_ = *amqp::decode_message(bytes);
        return &decoded_;
    }
    std::int64_t put_token(const std::string& token) {
        if (cbs_in_ == 0) cbs_in_ = receiver("$cbs");
        if (cbs_out_ == 0) cbs_out_ = sender("$cbs");
        put_token(cbs_out_, token);
        return status(cbs_in_);
    }
    void put_token(amqp::LinkId link, const std::string& token, const std::string& reply_to = {}) {
        amqp::Message request;
        request.properties.message_id = amqp::string_value("1");
        if (!reply_to.empty()) request.properties.reply_to = amqp::string_value(reply_to);
        request.application_properties.add("operation", amqp::string_value("put-token"))
            .add("type", amqp::string_value("servicebus.windows.net:sastoken"))
            .add("name", amqp::string_value("x"));
        request.body = amqp::string_value(token);
        send(link, 1, request);
    }
    /// Of the next answer on that link; 0 = there is none.
    std::int64_t status(amqp::LinkId link) {
        const auto* const answer = next(link);
        const auto* const status =
            answer == nullptr ? nullptr : answer->application_properties.find("status-code");
        return status == nullptr ? 0 : status->number();
    }

  private:
    bool authenticate(const amqp::SaslAttempt&) override { return false; }
    void opened(std::string_view, std::string_view) override { opened_ = true; }
    void attached(amqp::Attach attach) override { engine_.refuse(attach.link, {"amqp:not-allowed", ""}); }
    void message(amqp::LinkId link, amqp::DeliveryId delivery, ByteView bytes, bool) override {
        received_[link].emplace_back(bytes.begin(), bytes.end());
        engine_.settle(delivery, amqp::Outcome::Accepted);
    }
    void credit(amqp::LinkId link) override { credit_.insert(link); }
    void outcome(amqp::LinkId, amqp::DeliveryId delivery, amqp::Outcome outcome) override {
        outcomes_[delivery] = outcome;
    }
    void detached(amqp::LinkId link) override { ended_[link]; }
    void ended(amqp::LinkId link, const amqp::Condition& why) override { ended_[link] = why.name; }
    void answered(amqp::LinkId link) override { answered_.insert(link); }
    void closed() override {}

    net::TlsClient tls_;
    amqp::Engine engine_;
    bool opened_ = false;
    int names_ = 0;
    amqp::LinkId cbs_in_ = 0, cbs_out_ = 0;
    std::set<amqp::LinkId> credit_, answered_;
    std::map<amqp::LinkId, std::string> ended_;
    std::map<amqp::DeliveryId, amqp::Outcome> outcomes_;
    std::map<amqp::LinkId, std::vector<Bytes>> received_;
    std::map<amqp::LinkId, std::size_t> taken_;
    amqp::Message decoded_;
};

class AmqpRates : public HubTest {
  protected:
    static constexpr const char* kThrottled = "com.microsoft:device-container-throttled";

    void begin(Options options) {
        options.amqp_port = 0;
        start(options);
    }
    /// The rates of a hub that nobody reaches, but for this one.
    static Options with(Throttle what, Rate rate) {
        Options options;
        options.rates[static_cast<std::size_t>(what)] = rate;
        return options;
    }
    AmqpClient client() {
        auto tls = net::TlsClient::connect(
            {.host = "localhost", .port = server_->amqp_port(), .ca_file = (directory_ / "ca.pem").string()},
            kWait);
        EXPECT_TRUE(tls) << tls.error().message;
        return AmqpClient(std::move(*tls));
    }
    std::string policy_token(std::string_view name) {
        const auto hub = *registry_->hub({"testhub"});
        for (const auto& policy : hub.policies) {
            if (policy.name == name)
                return *sas::make_token({.resource = "hub.local",
                                         .key_base64 = policy.keys.primary,
                                         .expiry = clock_.now() + Ticks(std::chrono::seconds(3'600)),
                                         .policy = std::string(name)});
        }
        return {};
    }
    void expect_later(Options options) {
        begin(options);
        auto device = client();
        ASSERT_EQ(device.put_token(token("d1")), 200);
        const auto link = device.sender("/devices/d1/messages/events");
        amqp::Message message;
        message.data = {"m"};
        const auto from = clock_.monotonic();
        EXPECT_TRUE(device.all_are(device.send(link, 30, message), amqp::Outcome::Accepted));
        EXPECT_GT(clock_.monotonic() - from, 300ms);
        EXPECT_EQ(operations("ingress", "429001")[0]["properties"]["deviceId"], "d1");
    }
};

TEST_F(AmqpRates, ADeviceOverItsRateIsReadLaterNotRefused) {
    expect_later({.publishes_per_second = 40, .publishes_burst = 10});
}

TEST_F(AmqpRates, MessagesAboveTheHubsRateAreReadLater) {
    expect_later(with(Throttle::Messages, {.per_second = 40, .burst = 10}));
}

TEST_F(AmqpRates, TwinRequestsAboveTheHubsRateAreAnswered429) {
    auto options = with(Throttle::TwinReads, {.per_second = 0.001, .burst = 1});
    options.rates[static_cast<std::size_t>(Throttle::TwinUpdates)] = {.per_second = 0.001, .burst = 1};
    begin(options);
    auto device = client();
    ASSERT_EQ(device.put_token(token("d1")), 200);
    const auto answers = device.receiver("/devices/d1/twin");
    const auto requests = device.sender("/devices/d1/twin");
    const auto status_of = [&](const char* operation) -> std::int64_t {
        amqp::Message message;
        message.properties.correlation_id = amqp::string_value(operation);
        message.annotations.add("operation", amqp::string_value(operation));
        if (operation == std::string_view("PATCH"))
            message.annotations.add("resource", amqp::string_value("/properties/reported"));
        message.data = {R"({"a":1})"};
        device.send(requests, 1, message);
        const auto* const answer = device.next(answers);
        const auto* const status = answer == nullptr ? nullptr : answer->annotations.find("status");
        return status == nullptr ? 0 : status->number();
    };
    EXPECT_EQ(status_of("GET"), 200);
    EXPECT_EQ(status_of("GET"), 429);
    EXPECT_LT(status_of("PATCH"), 300);
    EXPECT_EQ(status_of("PATCH"), 429);
    operations("read", "429001");
    operations("update", "429001");
}

TEST_F(AmqpRates, MessagesToDevicesAboveTheHubsRateAreRejectedAsThrottled) {
    begin(with(Throttle::CommandSends, {.per_second = 0.001, .burst = 1}));
    auto service = client();
    ASSERT_EQ(service.put_token(policy_token("service")), 200);
    const auto link = service.sender("/messages/devicebound");
    amqp::Message message;
    message.properties.to = amqp::string_value("/devices/d1/messages/devicebound");
    message.data = {"m"};
    EXPECT_TRUE(service.all_are(service.send(link, 1, message), amqp::Outcome::Accepted));
    EXPECT_TRUE(service.all_are(service.send(link, 3, message), amqp::Outcome::Rejected));
    operations("send", "429001");
    EXPECT_EQ(condition_of(429001, "").name, kThrottled);
}

TEST_F(AmqpRates, ATokenAboveTheHubsRateOfConnectsIsToldToComeBack) {
    begin(with(Throttle::Connects, {.per_second = 0.001, .burst = 1}));
    auto first = client();
    EXPECT_EQ(first.put_token(token("d1")), 200);
    auto second = client();
    EXPECT_EQ(second.put_token(token("d1")), 429);
    const auto link = second.sender("/devices/d1/messages/events");
    EXPECT_EQ(second.ended_by(link), kThrottled);
    operations("deviceConnect", "429001");
}

TEST_F(AmqpRates, RenewedTokensKeepNobodyOut) {
    begin(with(Throttle::Connects, {.per_second = 0.001, .burst = 3}));
    auto first = client();
    ASSERT_EQ(first.put_token(token("d1")), 200);
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(first.put_token(token("d1")), 200) << i;
    auto service = client();
    ASSERT_EQ(service.put_token(policy_token("service")), 200);
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(service.put_token(policy_token("service")), 200) << i;
    auto second = client();
    EXPECT_EQ(second.put_token(token("d1/azureiotsecurity")), 200) << "the third connect";
    EXPECT_EQ(second.put_token(token("d1")), 429) << "in elsewhere, but not on this connection";
    EXPECT_EQ(first.put_token(token("d1/azureiotsecurity")), 429) << "likewise";
    EXPECT_EQ(first.put_token(token("d1")), 200);
}

TEST_F(AmqpRates, RenewalsOfOneConnectionHaveARateOfTheirOwn) {
    begin({});
    auto device = client();
    ASSERT_EQ(device.put_token(token("d1")), 200);
    const auto link = device.sender("/devices/d1/messages/events");
    const auto mine = token("d1");
    int taken = 0;
    while (taken < 1'000 && device.put_token(mine) == 200)
        ++taken;
    EXPECT_GE(taken, 128);
    EXPECT_LT(taken, 1'000);
    EXPECT_EQ(device.ended_by(link), "") << "it stays in";
    operations("deviceConnect", "429001");
    auto other = client();
    EXPECT_EQ(other.put_token(token("d1/azureiotsecurity")), 200) << "which is its own affair";
}

class AmqpAnswers : public AmqpRates {
  protected:
    void SetUp() override {
        AmqpRates::SetUp();
        begin({});
    }
    /// Nothing more has come on that link.
    static bool is_quiet(AmqpClient& client, amqp::LinkId link) { return client.waiting(link) == 0; }
};

TEST_F(AmqpAnswers, GoToTheReceiverThatTheRequestNames) {
    auto one = client();
    const auto first = one.receiver("$cbs", "mine"), second = one.receiver("$cbs", "yours");
    const auto out = one.sender("$cbs");
    one.put_token(out, "nonsense", "mine");
    EXPECT_EQ(one.status(first), 401);
    one.put_token(out, token("d1"), "yours");
    EXPECT_EQ(one.status(second), 200);
    EXPECT_TRUE(is_quiet(one, first) && is_quiet(one, second));
}

TEST_F(AmqpAnswers, OfLinksThatNobodyNamesGoByPairs) {
    auto one = client();
    const auto in1 = one.receiver("$cbs");
    const auto out1 = one.sender("$cbs");
    const auto out2 = one.sender("$cbs");
    const auto in2 = one.receiver("$cbs");
    const auto out3 = one.sender("$cbs");  // has none of its own
    for (const auto* const reply_to : {"", "cbs"}) {
        one.put_token(out1, "nonsense", reply_to);
        EXPECT_EQ(one.status(in1), 401);
        one.put_token(out2, token("d1"), reply_to);
        EXPECT_EQ(one.status(in2), 200);
        one.put_token(out3, token("d1"), reply_to);
        EXPECT_EQ(one.status(in2), 200) << "the last";
    }
    EXPECT_TRUE(is_quiet(one, in1) && is_quiet(one, in2));
}

TEST_F(AmqpAnswers, ToNobodyAreNone) {
    auto one = client();
    const auto out = one.sender("$cbs");
    one.put_token(out, token("d1"), "gone");
    EXPECT_EQ(one.ended_by(one.sender("/devices/d1/messages/events")), "") << "the token was taken";
    EXPECT_EQ(one.ended_by(out), "");
    EXPECT_TRUE(is_quiet(one, one.receiver("$cbs")));
}

TEST_F(AmqpRates, EachIdentityThatAPolicysTokenOpensTakesFromTheRateOfConnects) {
    begin(with(Throttle::Connects, {.per_second = 0.001, .burst = 2}));
    auto gateway = client();
    ASSERT_EQ(gateway.put_token(policy_token("device")), 200);
    EXPECT_EQ(gateway.ended_by(gateway.sender("/devices/d1/messages/events")), "");
    EXPECT_EQ(gateway.ended_by(gateway.sender("/devices/d1/messages/events")), "") << "it is in already";
    EXPECT_EQ(gateway.ended_by(gateway.sender("/devices/d1/modules/azureiotsecurity/messages/events")),
              kThrottled);
}

class AmqpTokens : public AmqpRates {
  protected:
    static constexpr const char* kEvents = "/devices/d1/messages/events";
    static constexpr const char* kModuleEvents = "/devices/d1/modules/azureiotsecurity/messages/events";
    static constexpr std::int64_t kShort = 2;
    void SetUp() override {
        AmqpRates::SetUp();
        begin({.token_grace = 0s});
    }
    /// Takes what comes for so long.
    void pass(AmqpClient& client, std::chrono::seconds time) {
        const auto end = clock_.monotonic() + time;
        client.until([&] { return clock_.monotonic() >= end; });
    }
    static bool is_accepted(AmqpClient& client, amqp::LinkId link) {
        amqp::Message message;
        message.data = {"m"};
        return client.all_are(client.send(link, 1, message), amqp::Outcome::Accepted);
    }
};

TEST_F(AmqpTokens, LinksEndForThatReasonWhenTheirTokenDoes) {  // spec section 5.2
    auto device = client();
    ASSERT_EQ(device.put_token(token("d1", kKey, kShort)), 200);
    const auto link = device.sender(kEvents);
    EXPECT_TRUE(is_accepted(device, link));
    const auto from = clock_.monotonic();
    EXPECT_TRUE(device.until([&] { return !device.ended_by(link).empty(); }));
    EXPECT_LT(clock_.monotonic() - from, 20s) << "not at the next look of a minute";
    EXPECT_EQ(device.ended_by(link), "amqp:unauthorized-access");
    operations("deviceDisconnect", "401003");
    operations("deviceDisconnect", "404104");
}

TEST_F(AmqpTokens, ATokenThatIsRenewedKeepsItsLinks) {
    auto device = client();
    ASSERT_EQ(device.put_token(token("d1", kKey, kShort)), 200);
    const auto link = device.sender(kEvents);
    ASSERT_EQ(device.put_token(token("d1", kKey, kShort + 1)), 200);
    ASSERT_EQ(device.put_token(token("d1")), 200);
    pass(device, 4s);
    EXPECT_EQ(device.ended_by(link), "");
    EXPECT_TRUE(is_accepted(device, link));
    ASSERT_EQ(device.put_token(token("d1", kKey, -3'600)), 401) << "which takes nothing away";
    EXPECT_TRUE(is_accepted(device, link));
}

TEST_F(AmqpTokens, OneIdentitysEndIsNotTheOthersOfTheConnection) {
    auto gateway = client();
    ASSERT_EQ(gateway.put_token(token("d1", kKey, kShort)), 200);
    ASSERT_EQ(gateway.put_token(token("d1/azureiotsecurity")), 200);
    const auto first = gateway.sender(kEvents), second = gateway.sender(kModuleEvents);
    EXPECT_TRUE(gateway.until([&] { return !gateway.ended_by(first).empty(); }));
    pass(gateway, 2s);
    EXPECT_EQ(gateway.ended_by(second), "");
    EXPECT_TRUE(is_accepted(gateway, second));
    ASSERT_EQ(gateway.put_token(token("d1")), 200);
    EXPECT_TRUE(is_accepted(gateway, gateway.sender(kEvents))) << "with a new token it is in again";
}

TEST_F(AmqpTokens, WhoShowsABetterTokenInTimeMayStay) {
    auto device = client();
    ASSERT_EQ(device.put_token(token("d1", kKey, kShort)), 200);
    const auto link = device.sender(kEvents);
    EXPECT_TRUE(device.until([&] { return !device.ended_by(link).empty(); }));
    ASSERT_EQ(device.put_token(token("d1")), 200);
    pass(device, 2s);  // past the second that a client has to go by itself
    EXPECT_TRUE(is_accepted(device, device.sender(kEvents)));
}

}  // namespace
}  // namespace fieldwatch::hub
