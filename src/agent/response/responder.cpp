#include "agent/response/responder.hpp"

#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "agent/collectors/privileges.hpp"
#include "agent/collectors/proc.hpp"
#include "agent/response/nftables_writer.hpp"
#include "agent/system_calls.hpp"

namespace fieldwatch::agent {

namespace {

std::uint32_t needed(Verb verb) {
    switch (verb) {
        case Verb::Kill:
            return kAllowKill;
        case Verb::Block:
            return kAllowBlock;
        case Verb::Isolate:
            return kAllowIsolate;
        case Verb::Restore:
            return kAllowBlock | kAllowIsolate;
    }
    return 0;
}

std::vector<NetworkAddress> addresses_of(const ResponseRequest& request) {
    std::vector<NetworkAddress> out;
    for (const auto& one : std::span(request.addresses).first(request.address_count)) {
        auto& address = out.emplace_back(NetworkAddress{.family = one.family});
        std::ranges::copy(one.bytes, address.bytes.begin());
    }
    return out;
}

/// The table stands after this, whether it stood before or not.
Result<void> make_table() {
    const auto made = nft_send(nft_make_table());
    if (!made && made.error().code != Errc::AlreadyExists) return std::unexpected(made.error());
    return {};
}

}  // namespace

Result<void> Responder::serve(const ResponseRequest& request) const {
    if (const auto wrong = check_request(request)) return std::unexpected(*wrong);
    if ((allowed_ & needed(request.verb)) == 0)
        return fail(Errc::Forbidden, "the device's own configuration does not allow it");
    const auto expiry = std::chrono::seconds(request.expiry_seconds);
    switch (request.verb) {
        case Verb::Kill:
            return kill_process(request);
        case Verb::Block:
            if (request.dry_run) return {};
            FIELDWATCH_TRY(make_table());
            return nft_send(nft_block(addresses_of(request).front(), expiry));
        case Verb::Isolate:
            if (request.dry_run) return {};
            FIELDWATCH_TRY(make_table());
            return nft_send(nft_isolate(addresses_of(request), expiry));
        case Verb::Restore:
            if (request.dry_run) return {};
            if (const auto done = nft_send(nft_delete_table()); !done && done.error().code != Errc::NotFound)
                return done;
            return {};
    }
    return {};
}

bool Responder::is_own(std::uint32_t pid) const {
    return pid == static_cast<std::uint32_t>(::getpid()) || pid == sender_pid_ || pid == collector_pid_;
}

Result<void> Responder::kill_process(const ResponseRequest& request) const {
    if (is_own(request.pid)) return fail(Errc::Forbidden, "the agent does not end itself");
    // The descriptor first: from here on the number names this process and no later one.
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, request.pid, 0));
    if (fd < 0 && errno == ESRCH) return fail(Errc::NotFound, "no such process");
    if (fd < 0) return fail(Errc::Unsupported, std::string("pidfd_open: ") + std::strerror(errno));
    ProcessFacts facts;
    const bool same = read_process("/proc", request.pid, facts) && request.start_ns == facts.start_ns;
    const int result = same && !request.dry_run
                           ? static_cast<int>(::syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0))
                           : 0;
    const int error = errno;
    ::close(fd);
    if (!same) return fail(Errc::NotFound, "the process has ended, and another has its number");
    if (result != 0) return fail(Errc::Io, std::string("kill: ") + std::strerror(error));
    return {};
}

int Responder::run() {
    constexpr std::uint64_t kKept = 1ULL << CAP_KILL | 1ULL << CAP_NET_ADMIN;
    bool narrowed = false;
    for (;;) {
        ResponseRequest request;
        const auto size = ::recv(socket_, &request, sizeof request, MSG_TRUNC);  // how long it was
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return 0;
        if (!narrowed) {  // the sender has become who it stays: so do we
            if (const auto done = keep_only(kKept, sender_pid_); !done) {
                std::fprintf(stderr, "fieldwatch-collector: the responder cannot give up root: %s\n",
                             done.error().message.c_str());
                return 1;
            }
            if (const auto limited = limit_system_calls(Half::Collector); !limited)
                std::fprintf(stderr, "fieldwatch-collector: %s\n", limited.error().message.c_str());
            narrowed = true;
        }
        ResponseAnswer answer{.number = size == sizeof request ? request.number : 0};
        Result<void> done = fail(Errc::Malformed, "request size");
        if (size == sizeof request) done = serve(request);
        if (!done) {
            answer.code = 1 + static_cast<std::uint32_t>(done.error().code);
            const auto& message = done.error().message;
            std::memcpy(answer.message, message.data(), std::min(message.size(), sizeof answer.message - 1));
        }
        if (::send(socket_, &answer, sizeof answer, MSG_NOSIGNAL) < 0) return 1;
    }
}

}  // namespace fieldwatch::agent
