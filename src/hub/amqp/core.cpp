#include "hub/amqp/core.hpp"

#include <algorithm>

#include "hub/amqp/session.hpp"

namespace fieldwatch::hub {

EventReaders::Entry EventReaders::enter(const Place& place, Reader reader,
                                        std::optional<std::int64_t> epoch) {
    return places_.with([&](auto& places) {
        auto& here = places[place];
        Entry entry;
        const bool outranked = here.epoch && (!epoch || *epoch < *here.epoch);
        if (outranked && !here.readers.empty()) {
            entry.why_not = "amqp:link:stolen";
            return entry;
        }
        if (epoch) {
            entry.evicted = std::exchange(here.readers, {});
        } else if (here.readers.size() >= kReadersMax) {
            entry.why_not = "amqp:resource-limit-exceeded";
            return entry;
        }
        here.epoch = epoch;
        here.readers.push_back(reader);
        entry.admitted = true;
        return entry;
    });
}

void EventReaders::leave(const Place& place, Reader reader) {
    places_.with([&](auto& places) {
        const auto found = places.find(place);
        if (found == places.end()) return;
        std::erase(found->second.readers, reader);
        if (found->second.readers.empty()) places.erase(found);
    });
}

AmqpCore::AmqpCore(Core& its_core, AmqpShared& its_shared)
    : core(its_core),
      shared(its_shared),
      mailbox(its_core.shared.parts.runtime, its_core.index,
              [this](std::vector<AmqpMail>& mails) { deliver(mails); }) {}

void AmqpCore::deliver(std::vector<AmqpMail>& mails) {
    // Everything first, then one write a session: a group commit answers many transfers of each.
    std::vector<AmqpSession*> touched;
    for (const auto& mail : mails) {
        const auto found = sessions.find(mail.session);
        if (found == sessions.end()) continue;
        found->second->mail(mail);
        if (touched.empty() || touched.back() != found->second) touched.push_back(found->second);
    }
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (auto* const session : touched)
        session->send_now();
}

void AmqpCore::poke() {
    for (const auto& [id, session] : sessions)
        session->poke();
}

}  // namespace fieldwatch::hub
