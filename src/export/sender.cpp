#include "export/sender.hpp"

namespace fieldwatch::exports {

std::unique_ptr<Sender> make_sender(const Destination& destination, const SenderParts& parts) {
    if (destination.is_webhook()) return make_webhook_sender(destination, parts);
    if (destination.transport == Transport::File) return make_file_sender(destination, parts);
    if (destination.transport == Transport::Bus) return make_bus_sender(destination, parts);
    if (destination.is_mail()) return make_mail_sender(destination, parts);
    return make_syslog_sender(destination, parts);
}

}  // namespace fieldwatch::exports
