/* The first packet of each UDP flow, both ways. What names a peer by itself passes the hooks of the control
 * group at its root, in the process that sends or receives: sendmsg4/6 (since 4.18) and recvmsg4/6 (since
 * 5.3). What is sent on a connected socket passes the raw tracepoint sock_send_length (since 6.3); on older
 * kernels connect4/6 stands for it, although a connect alone sends nothing. */
#include "agent/bpf/kernel.h"

enum { PROTOCOL_UDP = 17, EEXIST = 17 };
#define QUIET_NS (300ULL * 1000000000) /* a flow that was quiet this long is told again */

/* A flow is a process and its peer. Whoever sent first gives the direction: what comes back is no flow of its
 * own. */
struct flow {
    __u32 pid;
    __u16 remote_port;
    __u16 family;
    __u8 remote[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024); /* 800 flows of 80 bytes: 200 ms of 4,000 new flows a second */
} udp_ring SEC(".maps");

/* When each flow was last seen. Full, the longest unused goes: it would be told once more. */
#define FLOWS_MAX 4096
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FLOWS_MAX);
    __type(key, struct flow);
    __type(value, __u64);
} flows SEC(".maps");

__u64 window_begin; /* of QUIET_NS, and the flows that began in it; two processors at once lose a count or two
                     */
__u64 window_flows;

/* Counts the flows beyond what the table holds for as long as a flow is remembered: each pushed one out that
 * may not have been quiet. The kernel tells of none. */
static __always_inline void count_flow(__u64 time_ns) {
    if (time_ns - window_begin > QUIET_NS) {
        window_begin = time_ns;
        window_flows = 0;
    }
    if (__sync_fetch_and_add(&window_flows, 1) >= FLOWS_MAX) __sync_fetch_and_add(&untracked, 1);
}

static __always_inline int is_first(const struct fw_connection* record) {
    struct flow flow = {.pid = record->pid, .remote_port = record->remote_port, .family = record->family};
    __builtin_memcpy(flow.remote, record->remote, sizeof flow.remote);
    __u64* last = bpf_map_lookup_elem(&flows, &flow);
    if (!last) {
        const long added = bpf_map_update_elem(&flows, &flow, &record->time_ns, BPF_NOEXIST);
        if (added == -EEXIST) return 0; /* another processor was quicker */
        if (added == 0) {
            count_flow(record->time_ns);
        } else {
            __sync_fetch_and_add(&untracked, 1); /* told with each packet from here on, but told */
        }
        return 1;
    }
    const __u64 before = *last;
    *last = record->time_ns;
    return record->time_ns - before > QUIET_NS;
}

static __always_inline void emit(struct fw_connection* record, __u8 direction) {
    record->time_ns = bpf_ktime_get_boot_ns();
    record->pid = bpf_get_current_pid_tgid() >> 32;
    record->uid = (__u32)bpf_get_current_uid_gid();
    record->direction = direction;
    record->outcome = FW_ESTABLISHED;
    record->protocol = PROTOCOL_UDP;
    if (record->remote_port == 0 || is_own(record->pid) || (!loopback && is_loopback(record))) return;
    if (!is_first(record)) return;
    __sync_fetch_and_add(&produced, 1);
    if (bpf_ringbuf_output(&udp_ring, record, sizeof *record, wake_flags(&udp_ring, FW_WAKE_BYTES / 8)) != 0)
        __sync_fetch_and_add(&dropped, 1);
}

static __always_inline int emit_ipv4(struct bpf_sock_addr* context, __u8 direction) {
    struct fw_connection record = {.family = 4};
    if (context->protocol != PROTOCOL_UDP) return 1;
    const __u32 remote = context->user_ip4;
    const __u32 local = context->sk->src_ip4;
    __builtin_memcpy(record.remote, &remote, 4);
    __builtin_memcpy(record.local, &local, 4);
    record.remote_port = __builtin_bswap16(context->user_port);
    record.local_port = context->sk->src_port;
    emit(&record, direction);
    return 1; /* the packet goes its way */
}

static __always_inline int emit_ipv6(struct bpf_sock_addr* context, __u8 direction) {
    struct fw_connection record = {.family = 6};
    if (context->protocol != PROTOCOL_UDP) return 1;
    const __u32 remote[4] = {context->user_ip6[0], context->user_ip6[1], context->user_ip6[2],
                             context->user_ip6[3]};
    const struct bpf_sock* socket = context->sk;
    const __u32 local[4] = {socket->src_ip6[0], socket->src_ip6[1], socket->src_ip6[2], socket->src_ip6[3]};
    __builtin_memcpy(record.remote, remote, 16);
    __builtin_memcpy(record.local, local, 16);
    record.remote_port = __builtin_bswap16(context->user_port);
    record.local_port = socket->src_port;
    emit(&record, direction);
    return 1;
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr* context) {
    return emit_ipv4(context, FW_OUT);
}
SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr* context) {
    return emit_ipv6(context, FW_OUT);
}
SEC("cgroup/recvmsg4")
int on_recvmsg4(struct bpf_sock_addr* context) {
    return emit_ipv4(context, FW_IN);
}
SEC("cgroup/recvmsg6")
int on_recvmsg6(struct bpf_sock_addr* context) {
    return emit_ipv6(context, FW_IN);
}
SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr* context) {
    return emit_ipv4(context, FW_OUT);
}
SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr* context) {
    return emit_ipv6(context, FW_OUT);
}

SEC("raw_tp/sock_send_length")
int BPF_PROG(on_send, const struct sock* sk, int result) {
    if (result <= 0 || BPF_CORE_READ(sk, sk_protocol) != PROTOCOL_UDP) return 0;
    struct fw_connection record = {
        .local_port = BPF_CORE_READ(sk, __sk_common.skc_num),
        .remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport)),
    };
    if (read_addresses(&record, sk)) emit(&record, FW_OUT);
    return 0;
}
