#include "agent/collectors/audit.hpp"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace fieldwatch::agent {

namespace {

constexpr int kDatagramsPerTurn = 10'000;  // then let the other sources have a turn
constexpr int kBufferBytes = 1 << 20;
constexpr std::size_t kMessageBytesMax = 8'970;  // MAX_AUDIT_MESSAGE_LENGTH of libaudit.h

}  // namespace

AuditReader::~AuditReader() {
    if (socket_ >= 0) ::close(socket_);
}

Result<std::unique_ptr<AuditReader>> AuditReader::open(Handlers handlers) {
    auto reader = std::make_unique<AuditReader>(std::move(handlers));
    reader->socket_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
    if (reader->socket_ < 0) return fail(Errc::Unsupported, "no audit in this kernel");
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
    ::setsockopt(reader->socket_, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    if (::bind(reader->socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return fail(Errc::Unsupported, "audit may not be read here");
    return reader;
}

void AuditReader::drain(std::uint64_t now_ns) {
    alignas(nlmsghdr) char buffer[kMessageBytesMax + sizeof(nlmsghdr)];
    for (int datagrams = 0; datagrams < kDatagramsPerTurn && handlers_.has_room(); ++datagrams) {
        const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
        if (size < 0 && errno == ENOBUFS) {
            ++counters_.produced;
            ++counters_.dropped;
            handlers_.lost();
            continue;
        }
        if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) return;
        nlmsghdr head;
        std::memcpy(&head, buffer, sizeof head);
        // One record a datagram. Its stated length is that of the text on some kernels, of all on others.
        std::string_view text(buffer + sizeof head, static_cast<std::size_t>(size) - sizeof head);
        while (text.ends_with('\0') || text.ends_with('\n'))
            text.remove_suffix(1);
        take(head.nlmsg_type, text, now_ns);
    }
}

void AuditReader::take(std::uint16_t type, std::string_view text, std::uint64_t now_ns) {
    if (type == kAuditUserAuth || type == kAuditUserLogin) {
        const auto line = std::to_string(type) + " " + std::string(text);
        fw_log_line record{};
        record.time_ns = now_ns;
        record.source = FW_LOG_AUDIT;
        record.size = static_cast<fw_u16>(std::min<std::size_t>(line.size(), sizeof record.line));
        std::memcpy(record.line, line.data(), record.size);
        handlers_.line(record);
        return;
    }
    if (const auto facts = execs_.take(type, text)) {
        ++counters_.produced;
        handlers_.exec(*facts);
    }
}

}  // namespace fieldwatch::agent
