#include "agent/response/nftables_writer.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>

namespace fieldwatch::agent {

namespace {

constexpr std::string_view kTable = "fieldwatch";
constexpr std::uint32_t kLoopback = 1;        // the index of `lo` in every network namespace
constexpr std::uint32_t kBeforeFilter = -10;  // the priority of `filter` is 0
constexpr std::uint16_t kNewElements = NLM_F_CREATE;

struct SetShape {
    std::string_view name;
    std::uint32_t key_type;  // nft's numbers: nf_proto, ipv4_addr, ipv6_addr
    std::uint32_t key_size;
};
constexpr SetShape kBlocked4{"blocked4", 7, 4}, kBlocked6{"blocked6", 8, 16}, kHub4{"hub4", 7, 4},
    kHub6{"hub6", 8, 16}, kIsolated{"isolated", 2, 1};

template <class T>
ByteView bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

/// Netlink messages between the two marks of a batch. Attributes nest by the functions given.
class Batch {
  public:
    using Inside = std::function<void()>;

    Batch() {
        // The batch's marks carry the subsystem in place of a resource.
        message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, [] {});
    }
    Bytes finish() {
        message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, [] {});
        return std::move(out_);
    }

    void command(int what, std::uint16_t flags, const Inside& inside) {
        message(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | what), flags | NLM_F_ACK, NFPROTO_INET,
                0, inside);
    }
    void attribute(int type, ByteView value) {
        const auto begin = begin_attribute(type);
        out_.insert(out_.end(), value.begin(), value.end());
        end_attribute(begin);
    }
    void text(int type, std::string_view value) {
        std::string terminated(value);
        terminated += '\0';
        attribute(type, as_bytes(terminated));
    }
    void number(int type, std::uint32_t value) { attribute(type, bytes_of(htonl(value))); }
    void long_number(int type, std::uint64_t value) {
        const std::uint32_t halves[2] = {htonl(static_cast<std::uint32_t>(value >> 32)),
                                         htonl(static_cast<std::uint32_t>(value))};
        attribute(type, std::as_bytes(std::span(halves)));
    }
    void nest(int type, const Inside& inside) {
        const auto begin = begin_attribute(type | NLA_F_NESTED);
        inside();
        end_attribute(begin);
    }

  private:
    void message(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource,
                 const Inside& inside) {
        const auto begin = out_.size();
        nlmsghdr head{};
        head.nlmsg_type = type;
        head.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
        head.nlmsg_seq = ++sequence_;
        const nfgenmsg body{family, NFNETLINK_V0, htons(resource)};
        out_.resize(begin + sizeof head);
        out_.insert(out_.end(), bytes_of(body).begin(), bytes_of(body).end());
        inside();
        head.nlmsg_len = static_cast<std::uint32_t>(out_.size() - begin);
        std::memcpy(out_.data() + begin, &head, sizeof head);
    }
    std::size_t begin_attribute(int type) {
        const auto begin = out_.size();
        const nlattr head{0, static_cast<std::uint16_t>(type)};
        out_.insert(out_.end(), bytes_of(head).begin(), bytes_of(head).end());
        return begin;
    }
    void end_attribute(std::size_t begin) {
        const auto size = static_cast<std::uint16_t>(out_.size() - begin);
        std::memcpy(out_.data() + begin, &size, sizeof size);
        out_.resize((out_.size() + 3) & ~std::size_t{3});
    }

    Bytes out_;
    std::uint32_t sequence_ = 0;
};

/// What a rule is made of, in nft's words.
class Rule {
  public:
    explicit Rule(Batch& batch) : batch_(batch) {}

    void load_meta(std::uint32_t key) {
        expression("meta", [&] {
            batch_.number(NFTA_META_DREG, NFT_REG_1);
            batch_.number(NFTA_META_KEY, key);
        });
    }
    void load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t size) {
        expression("payload", [&] {
            batch_.number(NFTA_PAYLOAD_DREG, NFT_REG_1);
            batch_.number(NFTA_PAYLOAD_BASE, base);
            batch_.number(NFTA_PAYLOAD_OFFSET, offset);
            batch_.number(NFTA_PAYLOAD_LEN, size);
        });
    }
    void compare(std::uint32_t operation, ByteView with) {
        expression("cmp", [&] {
            batch_.number(NFTA_CMP_SREG, NFT_REG_1);
            batch_.number(NFTA_CMP_OP, operation);
            batch_.nest(NFTA_CMP_DATA, [&] { batch_.attribute(NFTA_DATA_VALUE, with); });
        });
    }
    void look_up(const SetShape& set) {
        expression("lookup", [&] {
            batch_.text(NFTA_LOOKUP_SET, set.name);
            batch_.number(NFTA_LOOKUP_SREG, NFT_REG_1);
        });
    }
    void verdict(std::uint32_t code) {
        expression("immediate", [&] {
            batch_.number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
            batch_.nest(NFTA_IMMEDIATE_DATA, [&] {
                batch_.nest(NFTA_DATA_VERDICT, [&] { batch_.number(NFTA_VERDICT_CODE, code); });
            });
        });
    }
    void is_family(std::uint8_t family) {
        load_meta(NFT_META_NFPROTO);
        compare(NFT_CMP_EQ, bytes_of(family));
    }

  private:
    void expression(std::string_view name, const Batch::Inside& inside) {
        batch_.nest(NFTA_LIST_ELEM, [&] {
            batch_.text(NFTA_EXPR_NAME, name);
            batch_.nest(NFTA_EXPR_DATA, inside);
        });
    }
    Batch& batch_;
};

void add_rule(Batch& batch, std::string_view chain, const std::function<void(Rule&)>& make) {
    batch.command(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [&] {
        batch.text(NFTA_RULE_TABLE, kTable);
        batch.text(NFTA_RULE_CHAIN, chain);
        batch.nest(NFTA_RULE_EXPRESSIONS, [&] {
            Rule rule(batch);
            make(rule);
        });
    });
}

enum class End : std::uint8_t { Source, Destination };

/// Packets with an address of the set at that end.
void add_address_rule(Batch& batch, std::string_view chain, const SetShape& set, End end,
                      std::uint32_t verdict) {
    const bool is_ipv4 = set.key_size == 4;
    const std::uint32_t offsets[2] = {is_ipv4 ? 12U : 8U, is_ipv4 ? 16U : 24U};
    add_rule(batch, chain, [&](Rule& rule) {
        rule.is_family(is_ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
        rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, offsets[static_cast<std::size_t>(end)], set.key_size);
        rule.look_up(set);
        rule.verdict(verdict);
    });
}

void add_chain(Batch& batch, std::string_view name, std::uint32_t hook, std::initializer_list<End> peers) {
    batch.command(NFT_MSG_NEWCHAIN, NLM_F_CREATE, [&] {
        batch.text(NFTA_CHAIN_TABLE, kTable);
        batch.text(NFTA_CHAIN_NAME, name);
        batch.nest(NFTA_CHAIN_HOOK, [&] {
            batch.number(NFTA_HOOK_HOOKNUM, hook);
            batch.number(NFTA_HOOK_PRIORITY, kBeforeFilter);
        });
        batch.number(NFTA_CHAIN_POLICY, NF_ACCEPT);
        batch.text(NFTA_CHAIN_TYPE, "filter");
    });
    for (const auto end : peers) {
        add_address_rule(batch, name, kBlocked4, end, NF_DROP);
        add_address_rule(batch, name, kBlocked6, end, NF_DROP);
    }
    for (const auto key : {NFT_META_IIF, NFT_META_OIF}) {
        add_rule(batch, name, [&](Rule& rule) {
            rule.load_meta(static_cast<std::uint32_t>(key));
            rule.compare(NFT_CMP_EQ, bytes_of(kLoopback));
            rule.verdict(NF_ACCEPT);
        });
    }
    if (hook != NF_INET_FORWARD) {
        for (const auto end : peers) {
            add_address_rule(batch, name, kHub4, end, NF_ACCEPT);
            add_address_rule(batch, name, kHub6, end, NF_ACCEPT);
        }
        // Router and neighbour discovery, types 133 to 136: without it the hub's IPv6 address has no way.
        constexpr std::uint8_t kIcmpv6 = 58, kFirst = 133, kLast = 136;
        add_rule(batch, name, [&](Rule& rule) {
            rule.load_meta(NFT_META_L4PROTO);
            rule.compare(NFT_CMP_EQ, bytes_of(kIcmpv6));
            rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
            rule.compare(NFT_CMP_GTE, bytes_of(kFirst));
            rule.compare(NFT_CMP_LTE, bytes_of(kLast));
            rule.verdict(NF_ACCEPT);
        });
    }
    add_rule(batch, name, [&](Rule& rule) {
        rule.load_meta(NFT_META_NFPROTO);
        rule.look_up(kIsolated);
        rule.verdict(NF_DROP);
    });
}

void add_element(Batch& batch, const SetShape& set, ByteView key, std::chrono::seconds expiry) {
    batch.command(NFT_MSG_NEWSETELEM, kNewElements, [&] {
        batch.text(NFTA_SET_ELEM_LIST_TABLE, kTable);
        batch.text(NFTA_SET_ELEM_LIST_SET, set.name);
        batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            batch.nest(NFTA_LIST_ELEM, [&] {
                batch.nest(NFTA_SET_ELEM_KEY, [&] { batch.attribute(NFTA_DATA_VALUE, key); });
                batch.long_number(NFTA_SET_ELEM_TIMEOUT, static_cast<std::uint64_t>(expiry.count()) * 1'000);
            });
        });
    });
}

void empty_set(Batch& batch, const SetShape& set) {
    batch.command(NFT_MSG_DELSETELEM, 0, [&] {
        batch.text(NFTA_SET_ELEM_LIST_TABLE, kTable);
        batch.text(NFTA_SET_ELEM_LIST_SET, set.name);
    });
}

void table_command(Batch& batch, int what, std::uint16_t flags) {
    batch.command(what, flags, [&] { batch.text(NFTA_TABLE_NAME, kTable); });
}

Error refused(int code) {
    switch (code) {
        case EPERM:
        case EACCES:
            return {Errc::Forbidden, "the packet filter may not be changed"};
        case EEXIST:
            return {Errc::AlreadyExists, "it is in the packet filter already"};
        case ENOENT:
            return {Errc::NotFound, "it is not in the packet filter"};
        case EPROTONOSUPPORT:
        case EOPNOTSUPP:
            return {Errc::Unsupported, "no nftables in this kernel"};
        default:
            return {Errc::Io, std::string("changing the packet filter: ") + std::strerror(code)};
    }
}

struct Socket {
    int fd;
    ~Socket() {
        if (fd >= 0) ::close(fd);
    }
};

}  // namespace

Bytes nft_make_table() {
    Batch batch;
    table_command(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
    std::uint32_t id = 0;
    for (const auto& set : {kBlocked4, kBlocked6, kHub4, kHub6, kIsolated}) {
        batch.command(NFT_MSG_NEWSET, NLM_F_CREATE, [&] {
            batch.text(NFTA_SET_TABLE, kTable);
            batch.text(NFTA_SET_NAME, set.name);
            batch.number(NFTA_SET_FLAGS, NFT_SET_TIMEOUT);
            batch.number(NFTA_SET_KEY_TYPE, set.key_type);
            batch.number(NFTA_SET_KEY_LEN, set.key_size);
            batch.number(NFTA_SET_ID, ++id);
        });
    }
    add_chain(batch, "input", NF_INET_LOCAL_IN, {End::Source});
    add_chain(batch, "forward", NF_INET_FORWARD, {End::Source, End::Destination});
    add_chain(batch, "output", NF_INET_LOCAL_OUT, {End::Destination});
    return batch.finish();
}

Bytes nft_delete_table() {
    Batch batch;
    table_command(batch, NFT_MSG_DELTABLE, 0);
    return batch.finish();
}

Bytes nft_block(const NetworkAddress& address, std::chrono::seconds expiry) {
    Batch batch;
    add_element(batch, address.family == 4 ? kBlocked4 : kBlocked6, std::as_bytes(address.view()), expiry);
    return batch.finish();
}

Bytes nft_isolate(const std::vector<NetworkAddress>& hub, std::chrono::seconds expiry) {
    Batch batch;
    for (const auto& set : {kHub4, kHub6, kIsolated})
        empty_set(batch, set);
    for (const auto& address : hub)
        add_element(batch, address.family == 4 ? kHub4 : kHub6, std::as_bytes(address.view()), expiry);
    for (const std::uint8_t family : {NFPROTO_IPV4, NFPROTO_IPV6})
        add_element(batch, kIsolated, bytes_of(family), expiry);
    return batch.finish();
}

Result<void> nft_send(ByteView batch) {
    const Socket socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
    if (socket.fd < 0) return std::unexpected(refused(errno));
    const timeval patience{.tv_sec = 0, .tv_usec = 500'000};
    ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (::sendto(socket.fd, batch.data(), batch.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
                 sizeof kernel) < 0)
        return std::unexpected(refused(errno));
    // Answers come at once: an acknowledgement for each command, or what the kernel has against one of them.
    alignas(nlmsghdr) std::byte buffer[32 * 1'024];
    bool acknowledged = false;
    for (;;) {
        const auto got = ::recv(socket.fd, buffer, sizeof buffer, acknowledged ? MSG_DONTWAIT : 0);
        if (got <= 0) break;
        ByteView rest(buffer, static_cast<std::size_t>(got));
        while (rest.size() >= sizeof(nlmsghdr) + sizeof(std::int32_t)) {
            nlmsghdr head;
            std::int32_t code = 0;
            std::memcpy(&head, rest.data(), sizeof head);
            std::memcpy(&code, rest.data() + sizeof head, sizeof code);
            if (head.nlmsg_len < sizeof head) break;
            if (head.nlmsg_type == NLMSG_ERROR && code != 0) return std::unexpected(refused(-code));
            acknowledged = true;
            rest = rest.subspan(std::min<std::size_t>((head.nlmsg_len + 3U) & ~3U, rest.size()));
        }
    }
    if (!acknowledged) return fail(Errc::Io, "the packet filter does not answer");
    return {};
}

}  // namespace fieldwatch::agent
