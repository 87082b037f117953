// The engine against proton's own client side, bytes carried by hand.
#include "protocol/amqp/engine.hpp"

#include <gtest/gtest.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <cstring>
#include <vector>

#include "protocol/amqp/ended_sessions.hpp"

namespace fieldwatch::amqp {
namespace {

class RecordingPeer final : public Peer {
  public:
    Engine* engine = nullptr;
    int credit_to_grant = 4;
    bool answers = true;
    std::vector<std::string> heard;
    std::vector<Attach> attaches;
    std::vector<DeliveryId> waiting;
    LinkId sends_to = 0;

    bool authenticate(const SaslAttempt& attempt) override {
        heard.push_back("plain " + std::string(attempt.user) + " " + std::string(attempt.password));
        return attempt.password == "right";
    }
    void opened(std::string_view hostname, std::string_view) override {
        heard.push_back("opened " + std::string(hostname));
    }
    void attached(Attach attach) override {
        if (attach.address == "nowhere")
            return engine->refuse(attach.link, {"amqp:not-found", "no such node"});
        engine->accept(attach.link, credit_to_grant);
        attaches.push_back(std::move(attach));
    }
    void message(LinkId, DeliveryId delivery, ByteView bytes, bool settled) override {
        heard.push_back("message " + std::string(as_text(bytes)));
        if (answers && !settled)
            engine->settle(delivery, Outcome::Accepted);
        else if (!settled)
            waiting.push_back(delivery);
    }
    void credit(LinkId link) override {
        sends_to = link;
        if (answers) engine->send(link, as_bytes("from the hub"));
    }
    void outcome(LinkId, DeliveryId, Outcome outcome) override {
        heard.push_back("outcome " + std::to_string(static_cast<int>(outcome)));
    }
    void detached(LinkId) override { heard.push_back("detached"); }
    void closed() override { heard.push_back("closed"); }
    bool has(std::string_view what) const {
        return std::find(heard.begin(), heard.end(), what) != heard.end();
    }
};

class AmqpEngine : public ::testing::Test {
  protected:
    AmqpEngine() : engine_(peer_, {}) {
        peer_.engine = &engine_;
        pn_connection_driver_init(&client_, nullptr, nullptr);
        pn_connection_set_hostname(client_.connection, "hub.local");
    }
    ~AmqpEngine() override { pn_connection_driver_destroy(&client_); }

    void open() {
        pn_connection_open(client_.connection);
        session_ = pn_session(client_.connection);
        pn_session_open(session_);
    }
    pn_link_t* attach(const char* address, bool sends) {
        auto* const link = sends ? pn_sender(session_, address) : pn_receiver(session_, address);
        pn_terminus_set_address(sends ? pn_link_target(link) : pn_link_source(link), address);
        pn_link_open(link);
        return link;
    }
    /// Carries bytes both ways until nobody has any left.
    void exchange() {
        for (int round = 0; round < 20; ++round) {
            while (pn_connection_driver_next_event(&client_) != nullptr) {
            }
            const auto out = pn_connection_driver_write_buffer(&client_);
            if (out.size > 0) {
                const Bytes bytes(reinterpret_cast<const std::byte*>(out.start),
                                  reinterpret_cast<const std::byte*>(out.start) + out.size);
                pn_connection_driver_write_done(&client_, out.size);
                engine_.received(bytes);
            }
            Bytes back;
            engine_.take_output(back);
            for (std::size_t at = 0; at < back.size();) {
                const auto room = pn_connection_driver_read_buffer(&client_);
                const auto count = std::min(room.size, back.size() - at);
                if (count == 0) return;
                std::memcpy(room.start, back.data() + at, count);
                pn_connection_driver_read_done(&client_, count);
                at += count;
                while (pn_connection_driver_next_event(&client_) != nullptr) {
                }
            }
        }
    }
    /// What the client has to say, and the engine has not heard.
    Bytes said() {
        Bytes out;
        while (pn_connection_driver_next_event(&client_) != nullptr) {
        }
        for (auto ready = pn_connection_driver_write_buffer(&client_); ready.size > 0;
             ready = pn_connection_driver_write_buffer(&client_)) {
            const auto* const bytes = reinterpret_cast<const std::byte*>(ready.start);
            out.insert(out.end(), bytes, bytes + ready.size);
            pn_connection_driver_write_done(&client_, ready.size);
        }
        return out;
    }
    static pn_delivery_t* send(pn_link_t* link, std::string_view text) {
        static int tag = 0;
        ++tag;
        auto* const delivery = pn_delivery(link, pn_dtag(reinterpret_cast<const char*>(&tag), sizeof(tag)));
        pn_link_send(link, text.data(), text.size());
        pn_link_advance(link);
        return delivery;
    }

    RecordingPeer peer_;
    Engine engine_;
    pn_connection_driver_t client_{};
    pn_session_t* session_ = nullptr;
};

TEST_F(AmqpEngine, TakesAClientThatSkipsSasl) {  // trap 25
    open();
    exchange();
    EXPECT_TRUE(peer_.has("opened hub.local"));
    EXPECT_TRUE(pn_connection_state(client_.connection) & PN_REMOTE_ACTIVE);
}

TEST_F(AmqpEngine, LetsAnonymousIn) {
    pn_sasl_allowed_mechs(pn_sasl(client_.transport), "ANONYMOUS");
    open();
    exchange();
    EXPECT_EQ(pn_sasl_outcome(pn_sasl(client_.transport)), PN_SASL_OK);
    EXPECT_TRUE(peer_.has("opened hub.local"));
}

TEST_F(AmqpEngine, LetsInWhoWillProveItselfByATokenOrACertificate) {  // trap 25
    for (const std::string mechanism : {"MSSBCBS", "EXTERNAL", "ANONYMOUS"}) {
        RecordingPeer peer;
        Engine engine(peer, {});
        // sasl-init with a mechanism and no initial response, as the C SDK sends it.
        const auto count = static_cast<char>(mechanism.size());
        std::string list("\x01\xa3", 2);
        list += count + mechanism;
        std::string frame("\x02\x01\x00\x00\x00\x53\x41\xc0", 8);
        frame += static_cast<char>(list.size()) + list;
        const std::string init =
            std::string("AMQP\x03\x01\x00\x00\x00\x00\x00", 11) + static_cast<char>(frame.size() + 4) + frame;
        EXPECT_TRUE(engine.received(as_bytes(init))) << mechanism << ' ' << engine.error();
        Bytes out;
        engine.take_output(out);
        const auto said = as_text(out);
        EXPECT_TRUE(said.starts_with(std::string_view("AMQP\x03\x01\x00\x00", 8)));
        for (const auto* const offered : {"MSSBCBS", "ANONYMOUS", "EXTERNAL", "PLAIN"})
            EXPECT_NE(said.find(offered), std::string_view::npos) << offered;
        const auto outcome = said.rfind(std::string_view("\x00\x53\x44", 3));
        ASSERT_NE(outcome, std::string_view::npos) << mechanism;
        EXPECT_NE(said.find(std::string_view("\x50\x00", 2), outcome), std::string_view::npos)
            << "the code is 0: ok";
    }
}

TEST_F(AmqpEngine, AsksThePeerAboutPlain) {
    pn_connection_set_user(client_.connection, "d1@sas.hub");
    pn_connection_set_password(client_.connection, "wrong");
    pn_sasl_set_allow_insecure_mechs(pn_sasl(client_.transport), true);
    pn_sasl_allowed_mechs(pn_sasl(client_.transport), "PLAIN");
    open();
    exchange();
    EXPECT_TRUE(peer_.has("plain d1@sas.hub wrong"));
    EXPECT_FALSE(peer_.has("opened hub.local"));
    EXPECT_TRUE(engine_.finished());
}

TEST_F(AmqpEngine, CreditIsWhatMayBeUnsettled) {
    peer_.answers = false;
    open();
    auto* const link = attach("/devices/d1/messages/events", true);
    exchange();
    ASSERT_EQ(pn_link_credit(link), 4);
    EXPECT_EQ(pn_link_remote_max_message_size(link), 1u << 20);  // trap 20
    std::vector<pn_delivery_t*> sent;
    for (int count = 0; count < 4; ++count)
        sent.push_back(send(link, "m"));
    exchange();
    EXPECT_EQ(peer_.waiting.size(), 4u);
    EXPECT_EQ(pn_link_credit(link), 0);
    engine_.settle(peer_.waiting[0], Outcome::Accepted);
    engine_.settle(peer_.waiting[1], Outcome::Rejected, {"amqp:not-allowed", "because"});
    exchange();
    EXPECT_EQ(pn_delivery_remote_state(sent[0]), PN_ACCEPTED);
    EXPECT_EQ(pn_delivery_remote_state(sent[1]), PN_REJECTED);
    EXPECT_EQ(pn_delivery_remote_state(sent[2]), 0u);
    EXPECT_EQ(pn_link_credit(link), 2);
}

TEST_F(AmqpEngine, SendsWhatCreditAllowsAndHearsTheOutcome) {
    open();
    auto* const link = attach("/devices/d1/messages/devicebound", false);
    pn_link_flow(link, 1);
    exchange();
    auto* const delivery = pn_link_current(link);
    ASSERT_NE(delivery, nullptr);
    char text[32];
    const auto size = pn_link_recv(link, text, sizeof(text));
    EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(size)), "from the hub");
    EXPECT_EQ(engine_.send(peer_.sends_to, as_bytes("no credit left")), 0u);
    pn_delivery_update(delivery, PN_RELEASED);
    pn_delivery_settle(delivery);
    exchange();
    EXPECT_TRUE(peer_.has("outcome 2"));
}

TEST_F(AmqpEngine, RefusesALinkWithItsReason) {
    open();
    auto* const link = attach("nowhere", true);
    exchange();
    EXPECT_EQ(pn_terminus_get_type(pn_link_remote_target(link)), PN_UNSPECIFIED);
    EXPECT_STREQ(pn_condition_get_name(pn_link_remote_condition(link)), "amqp:not-found");
}

TEST_F(AmqpEngine, EndsALinkWhoseTransferIsTooLarge) {
    open();
    auto* const link = attach("x", true);
    exchange();
    send(link, std::string((1u << 20) + 70'000, 'x'));
    exchange();
    EXPECT_STREQ(pn_condition_get_name(pn_link_remote_condition(link)), "amqp:link:message-size-exceeded");
    EXPECT_TRUE(peer_.has("detached"));
}

TEST_F(AmqpEngine, ForgetsLinksOfASessionThatEnds) {
    peer_.answers = false;
    open();
    auto* const link = attach("x", true);
    exchange();
    send(link, "m");
    exchange();
    pn_session_close(session_);
    exchange();
    EXPECT_TRUE(peer_.has("detached"));
    engine_.settle(peer_.waiting.at(0), Outcome::Accepted);  // too late, and harmless
    exchange();
    pn_connection_close(client_.connection);
    exchange();
    EXPECT_TRUE(peer_.has("closed"));
    EXPECT_TRUE(engine_.finished());
}

/// One frame of AMQP; `list` is the performative's fields, none of them above a byte's count.
std::string frame(int channel, int performative, const std::string& list = {}, int count = 0) {
    std::string body("\x00\x53", 2);
    body += static_cast<char>(performative);
    if (count == 0)
        body += '\x45';
    else
        body += std::string("\xc0") + static_cast<char>(list.size() + 1) + static_cast<char>(count) + list;
    std::string out("\x00\x00\x00", 3);
    out += static_cast<char>(8 + body.size());
    out += std::string("\x02\x00\x00", 3) + static_cast<char>(channel);
    return out + body;
}
/// The client has taken the session's first delivery.
std::string disposition(int channel) {
    return frame(channel, 0x15, std::string("\x41\x43\x43\x41\x00\x53\x24\x45", 8), 5);
}

// rhea acknowledges what arrives on a session whose end is under way. That once cost the connection, and with
// it the answers to all that had been ended in the same read: the event hubs' client waited a minute for
// them.
TEST_F(AmqpEngine, GoesOnWhenAClientAcknowledgesOnASessionThatItHasEnded) {
    open();
    auto* const other_session = pn_session(client_.connection);
    pn_session_open(other_session);
    auto* const link = attach("x", true);
    auto* const other = pn_sender(other_session, "y");
    pn_terminus_set_address(pn_link_target(other), "y");
    pn_link_open(other);
    exchange();
    ASSERT_TRUE(pn_link_state(other) & PN_REMOTE_ACTIVE);
    pn_link_close(link);
    pn_session_close(session_);
    auto bytes = said();
    for (const auto& late : {disposition(0), frame(0, 0x13, std::string("\x43\x52\x40\x43\x52\x40", 6), 4)})
        bytes.insert(bytes.end(), as_bytes(late).begin(), as_bytes(late).end());
    EXPECT_TRUE(engine_.received(bytes)) << engine_.error();
    exchange();
    EXPECT_TRUE(pn_link_state(link) & PN_REMOTE_CLOSED) << "the link's end is answered";
    EXPECT_TRUE(pn_session_state(session_) & PN_REMOTE_CLOSED) << "and the session's";
    EXPECT_TRUE(engine_.received(as_bytes(disposition(0)))) << "also after the answer";
    auto* const delivery = send(other, "still here");
    exchange();
    EXPECT_TRUE(peer_.has("message still here"));
    EXPECT_EQ(pn_delivery_remote_state(delivery), PN_ACCEPTED);
    session_ = pn_session(client_.connection);
    pn_session_open(session_);
    auto* const again = attach("z", true);  // on the channel that was free
    exchange();
    send(again, "and again");
    exchange();
    EXPECT_TRUE(peer_.has("message and again"));
    EXPECT_FALSE(engine_.finished()) << engine_.error();
}

TEST(EndedSessions, PassesOverWhatComesTooLateHoweverTheBytesAreCut) {
    const std::string empty("\x00\x00\x00\x08\x02\x00\x00\x01", 8);
    const std::string sasl("\x00\x00\x00\x0c\x02\x01\x00\x01\x00\x53\x17\x45", 12);
    const std::string long_end("\x00\x00\x00\x13\x02\x00\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x17\x45",
                               19);
    const std::string head = "AMQP" + std::string("\x00\x01\x00\x00", 4);
    const std::pair<std::string, bool> parts[] = {{head, true},
                                                  {sasl, true},
                                                  {frame(1, 0x11), true},
                                                  {disposition(1), true},
                                                  {long_end, true},
                                                  {empty, true},
                                                  {disposition(1), false},
                                                  {disposition(2), true},
                                                  {frame(1, 0x16), false},
                                                  {frame(1, 0x10), true},
                                                  {frame(1, 0x17), false},
                                                  {frame(1, 0x11), true},
                                                  {disposition(1), true},
                                                  {frame(1, 0x17), true},
                                                  {disposition(1), false},
                                                  {frame(1, 0x18), true}};
    std::string input, expected;
    for (const auto& [text, heard] : parts) {
        input += text;
        if (heard) expected += text;
    }
    for (std::size_t size = 1; size <= input.size(); ++size) {
        EndedSessions sessions;
        std::string heard;
        for (std::size_t at = 0; at < input.size(); at += size) {
            const auto piece = input.substr(at, size);
            for (auto rest = as_bytes(piece); !rest.empty();) {
                const auto step = sessions.next(rest);
                heard += as_text(step.heard);
                rest = rest.subspan(step.used);
            }
        }
        ASSERT_EQ(heard, expected) << size << " bytes at a time";
    }
}

TEST(EndedSessions, LeavesWhatIsNoFrameToTheEngine) {
    EndedSessions sessions;
    const std::string text = "GET / HTTP/1.1\r\nHost: hub\r\n\r\n" + std::string(100, '\0');
    std::string heard;
    for (auto rest = as_bytes(text); !rest.empty();) {
        const auto step = sessions.next(rest.first(1));
        heard += as_text(step.heard);
        rest = rest.subspan(step.used);
    }
    EXPECT_EQ(heard, text);
}

// Spec section 5.1: an idle peer gets empty frames, and none may come after its time is over.
TEST_F(AmqpEngine, AnIdlePeerHearsOfUsWellWithinItsTime) {
    using std::chrono::milliseconds;
    pn_transport_set_idle_timeout(client_.transport, 4'000);  // proton advertises half
    open();
    exchange();
    milliseconds now{1'000}, last = now, longest{0};
    for (const auto until = now + milliseconds(60'000); now < until;) {
        const auto wait = engine_.tick(now);
        ASSERT_GT(wait.count(), 0);
        Bytes out;
        engine_.take_output(out);
        if (!out.empty()) {
            longest = std::max(longest, now - last);
            last = now;
        }
        now += wait;
    }
    EXPECT_GT(longest.count(), 0);
    EXPECT_LE(longest, milliseconds(1'500)) << "of 2,000";
}

TEST_F(AmqpEngine, EndsOnBytesThatAreNoAmqp) {
    EXPECT_FALSE(engine_.received(as_bytes("GET / HTTP/1.1\r\nHost: hub\r\n\r\n")));
    EXPECT_FALSE(engine_.error().empty());
}

}  // namespace
}  // namespace fieldwatch::amqp
