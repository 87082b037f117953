// Topics of Kafka and subjects of NATS: a message a finding, keyed by its device.
#include <vector>

#include "bus/bus.hpp"
#include "export/sender.hpp"

namespace fieldwatch::exports {

namespace {

class BusSender final : public Sender {
  public:
    BusSender(const Destination& destination, const SenderParts& parts)
        : destination_(destination),
          parts_(parts),
          bus_(bus::open(destination.stream, {.ca_pem = destination.ca_pem,
                                              .user = destination.user,
                                              .password = destination.password,
                                              .timeout = kAttempt})) {}

    void interrupt() override {
        if (bus_) (*bus_)->interrupt();
    }

    Sent send(std::span<const Finding> findings) override {
        Sent out;
        if (!bus_) {
            out.problem = bus_.error();
            return out;
        }
        const auto all = deliver(findings);
        if (all) {
            out.done = findings.size();
        } else if (all.error().code != Errc::InvalidArgument) {
            out.problem = all.error();  // some may have arrived: they come again, with the same ids
        } else {
            send_each(findings, out);
        }
        return out;
    }

  private:
    /// One of them is what the stream does not take.
    void send_each(std::span<const Finding> findings, Sent& out) {
        for (; out.done < findings.size(); ++out.done) {
            const auto one = deliver(findings.subspan(out.done, 1));
            if (one) continue;
            if (one.error().code != Errc::InvalidArgument) {
                out.problem = one.error();
                return;
            }
            ++out.refused;
        }
    }

    Result<void> deliver(std::span<const Finding> findings) {
        std::vector<std::string> texts;
        texts.reserve(findings.size());  // the messages view them
        std::vector<bus::Message> messages;
        for (const auto& finding : findings) {
            texts.push_back(render(destination_.format, finding, parts_.teller));
            messages.push_back({.key = finding.device.empty() ? finding.hub : finding.device,
                                .id = finding.delivery_id,
                                .text = texts.back()});
        }
        return (*bus_)->deliver(messages);
    }

    const Destination& destination_;
    const SenderParts parts_;
    const Result<std::unique_ptr<bus::Bus>> bus_;
};

}  // namespace

std::unique_ptr<Sender> make_bus_sender(const Destination& destination, const SenderParts& parts) {
    return std::make_unique<BusSender>(destination, parts);
}

}  // namespace fieldwatch::exports
