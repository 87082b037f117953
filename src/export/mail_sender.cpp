// Mail: one a finding, or a digest of what waits.
#include "base/log.hpp"
#include "export/mail.hpp"
#include "export/sender.hpp"
#include "net/smtp_client.hpp"

namespace fieldwatch::exports {

namespace {

net::SmtpOptions options_of(const Destination& destination) {
    using Security = net::SmtpOptions::Security;
    return {.host = destination.host,
            .port = destination.port,
            .security = destination.transport == Transport::Smtps  ? Security::Implicit
                        : destination.transport == Transport::Smtp ? Security::StartTls
                                                                   : Security::None,
            .ca_pem = destination.ca_pem,
            .user = destination.user,
            .password = destination.password,
            .timeout = kMailAttempt};
}

class MailSender final : public Sender {
  public:
    MailSender(const Destination& destination, const SenderParts& parts)
        : destination_(destination), parts_(parts), smtp_(net::SmtpClient::create(options_of(destination))) {}

    void interrupt() override {
        if (smtp_) (*smtp_)->interrupt();
    }

    Sent send(std::span<const Finding> findings) override {
        if (!smtp_) return {.problem = smtp_.error()};
        auto out = send_all(findings);
        (*smtp_)->hang_up();  // the next finding may be days away
        return out;
    }

  private:
    Sent send_all(std::span<const Finding> findings) {
        Sent out;
        if (destination_.mail.digest_minutes > 0 && findings.size() > 1) {
            const auto sent = mail(findings);
            if (sent) {
                out.done = findings.size();
                return out;
            }
            if (sent.error().code != Errc::InvalidArgument) {
                out.problem = sent.error();
                return out;
            }
        }
        // One by one also what a server does not take as a digest: one of them is at fault, not all.
        for (; out.done < findings.size(); ++out.done) {
            const auto sent = mail(findings.subspan(out.done, 1));
            if (sent) continue;
            out.problem = sent.error();
            if (sent.error().code != Errc::InvalidArgument) return out;
            log::warning("export", destination_.name + ": " + sent.error().message);
            ++out.refused;
            out.problem.reset();
        }
        return out;
    }

    Result<void> mail(std::span<const Finding> findings) {
        const auto said = FIELDWATCH_TRY(
            (*smtp_)->send({.from = destination_.mail.from,
                            .to = destination_.mail.recipients,
                            .text = compose_mail(destination_.mail, findings, parts_.teller)}));
        if (!said.empty() && said != refused_recipients_)
            log::warning("export", destination_.name + ": not every recipient was taken: " + said);
        refused_recipients_ = said;
        return {};
    }

    const Destination& destination_;
    const SenderParts parts_;
    const Result<std::unique_ptr<net::SmtpClient>> smtp_;
    std::string refused_recipients_;  // told of once
};

}  // namespace

std::unique_ptr<Sender> make_mail_sender(const Destination& destination, const SenderParts& parts) {
    return std::make_unique<MailSender>(destination, parts);
}

}  // namespace fieldwatch::exports
