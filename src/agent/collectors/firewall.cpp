#include "agent/collectors/firewall.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

// NLMSG_ALIGN is a C macro with C casts.
#pragma GCC diagnostic ignored "-Wold-style-cast"

namespace fieldwatch::agent {

namespace {

Error unreadable(int code) {
    if (code == EPERM || code == EACCES) return {Errc::Forbidden, "the packet filter may not be read"};
    if (code == EPROTONOSUPPORT || code == EOPNOTSUPP || code == EINVAL || code == ENOENT)
        return {Errc::Unsupported, "no nftables in this kernel"};
    return {Errc::Io, std::string("reading the packet filter: ") + std::strerror(code)};
}

class Netlink {
  public:
    ~Netlink() {
        if (socket_ >= 0) ::close(socket_);
    }
    Result<void> open() {
        socket_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        if (socket_ < 0) return std::unexpected(unreadable(errno));
        const timeval patience{.tv_sec = 2, .tv_usec = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        return {};
    }
    Result<void> dump(int what, Bytes& out) {
        struct {
            nlmsghdr head;
            nfgenmsg body;
        } request{};
        request.head.nlmsg_len = sizeof request;
        request.head.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | what);
        request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request.head.nlmsg_seq = ++sequence_;
        request.body.nfgen_family = AF_UNSPEC;
        if (::send(socket_, &request, sizeof request, 0) < 0) return std::unexpected(unreadable(errno));
        for (;;) {
            std::byte buffer[32 * 1'024];
            const auto got = ::recv(socket_, buffer, sizeof buffer, 0);
            if (got <= 0) return std::unexpected(unreadable(got == 0 ? EIO : errno));
            if (FIELDWATCH_TRY(take({buffer, static_cast<std::size_t>(got)}, out))) return {};
        }
    }

  private:
    /// True at the end of the dump.
    Result<bool> take(ByteView rest, Bytes& out) const {
        while (rest.size() >= sizeof(nlmsghdr)) {
            nlmsghdr head;
            std::memcpy(&head, rest.data(), sizeof head);
            if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size())
                return fail(Errc::Io, "netlink message");
            if (head.nlmsg_seq == sequence_) {
                if (head.nlmsg_type == NLMSG_DONE) return true;
                if (head.nlmsg_type == NLMSG_ERROR) {
                    std::int32_t code = 0;
                    if (head.nlmsg_len >= sizeof head + sizeof code)
                        std::memcpy(&code, rest.data() + sizeof head, sizeof code);
                    return std::unexpected(unreadable(-code));
                }
                if (out.size() + head.nlmsg_len > kFirewallBytesMax)
                    return fail(Errc::TooLarge, "the packet filter has over 1 MiB of rules");
                const auto message = rest.first(head.nlmsg_len);
                out.insert(out.end(), message.begin(), message.end());
                out.resize((out.size() + 3) & ~std::size_t{3});
            }
            rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), rest.size()));
        }
        return false;
    }

    int socket_ = -1;
    std::uint32_t sequence_ = 0;
};

}  // namespace

Result<Bytes> dump_nftables() {
    Netlink netlink;
    FIELDWATCH_TRY(netlink.open());
    Bytes out;
    FIELDWATCH_TRY(netlink.dump(NFT_MSG_GETCHAIN, out));
    FIELDWATCH_TRY(netlink.dump(NFT_MSG_GETRULE, out));
    return out;
}

bool split_firewall(ByteView dump, std::uint32_t snapshot,
                    const std::function<bool(const fw_firewall&)>& each) {
    do {
        fw_firewall record{};
        record.snapshot = snapshot;
        record.size = static_cast<fw_u16>(std::min(dump.size(), sizeof record.data));
        if (!dump.empty())
            std::memcpy(record.data, dump.data(), record.size);  // an empty view has no address
        dump = dump.subspan(record.size);
        record.is_last = dump.empty() ? 1 : 0;
        if (!each(record)) return dump.empty();
    } while (!dump.empty());
    return true;
}

}  // namespace fieldwatch::agent
