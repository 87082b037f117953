// Any bytes on a connection: the engine answers, or ends it; nothing is leaked, nothing freed is touched.
#include "protocol/amqp/engine.hpp"

using namespace fieldwatch;

namespace {

/// Accepts what it is asked, answers each message, and sends one where it has credit.
class AnyPeer final : public amqp::Peer {
  public:
    amqp::Engine* engine = nullptr;
    bool authenticate(const amqp::SaslAttempt& attempt) override { return attempt.user == "u"; }
    void opened(std::string_view, std::string_view) override {}
    void attached(amqp::Attach attach) override {
        if (attach.address == "no")
            engine->refuse(attach.link, {"amqp:not-found", "no"});
        else
            engine->accept(attach.link, 10);
    }
    void message(amqp::LinkId, amqp::DeliveryId delivery, ByteView bytes, bool) override {
        engine->settle(delivery, bytes.size() % 2 == 0 ? amqp::Outcome::Accepted : amqp::Outcome::Rejected,
                       {"amqp:decode-error", "odd"});
    }
    void credit(amqp::LinkId link) override { engine->send(link, as_bytes("hello")); }
    void outcome(amqp::LinkId, amqp::DeliveryId, amqp::Outcome) override {}
    void detached(amqp::LinkId) override {}
    void closed() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    AnyPeer peer;
    amqp::Engine engine(peer, {});
    peer.engine = &engine;
    const ByteView input(reinterpret_cast<const std::byte*>(data), size);
    Bytes output;
    for (std::size_t at = 0; at < input.size(); at += 37) {
        if (!engine.received(input.subspan(at, std::min<std::size_t>(37, input.size() - at)))) break;
        engine.take_output(output);
        output.clear();
    }
    engine.take_output(output);
    static_cast<void>(engine.tick(std::chrono::milliseconds(1'000)));
    return 0;
}

/// Proton keeps the mechanism's name a second time when a peer sends two SASL inits, and never frees the
/// first: some bytes of the library's own, at most once a frame of a connection that ends before it is let
/// in.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libqpid-proton\n";
}
