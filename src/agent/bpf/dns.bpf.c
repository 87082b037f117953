/* Answers of name servers as they come in: UDP from port 53, at the root of the control groups (cgroup_skb
 * since 4.10, the ring since 5.8). Copied, not read: that is the sender's work. TCP and encrypted names pass
 * unseen. Every other packet costs two reads of its head. */
#include "agent/bpf/kernel.h"

enum { PROTOCOL_UDP = 17, PORT_NAMES = 53, HEAD_DNS = 12, HEAD_UDP = 8, HEAD_IPV6 = 40 };
#define NETWORK16(value) __builtin_bswap16(value)

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024); /* 124 answers of 528 bytes: 200 ms of 600 a second */
} dns_ring SEC(".maps");

struct ipv4_head {
    __u8 version_and_words;
    __u8 service;
    __u16 size;
    __u16 id;
    __u16 fragment;
    __u8 ttl;
    __u8 protocol;
};

/* Where the UDP head of a whole packet begins; 0: it has none. */
static __always_inline __u32 udp_begin(struct __sk_buff* packet) {
    if (packet->protocol == NETWORK16(0x0800)) {
        struct ipv4_head head;
        if (bpf_skb_load_bytes(packet, 0, &head, sizeof head) != 0) return 0;
        if (head.protocol != PROTOCOL_UDP || (head.fragment & NETWORK16(0x3fff))) return 0;
        return (head.version_and_words & 15) * 4;
    }
    __u8 next = 0;
    if (packet->protocol != NETWORK16(0x86dd) || bpf_skb_load_bytes(packet, 6, &next, 1) != 0) return 0;
    return next == PROTOCOL_UDP ? HEAD_IPV6 : 0;
}

SEC("cgroup_skb/ingress")
int on_answer(struct __sk_buff* packet) {
    const __u32 udp = udp_begin(packet);
    __u16 source = 0;
    if (udp == 0 || bpf_skb_load_bytes(packet, udp, &source, sizeof source) != 0 ||
        source != NETWORK16(PORT_NAMES))
        return 1;
    const __u32 begin = udp + HEAD_UDP;
    if (packet->len < begin + HEAD_DNS) return 1;
    __u64 size = packet->len - begin; /* 64 bits: else its bounds are checked on a shifted copy */
    if (size > FW_DNS_MAX) size = FW_DNS_MAX;
    __sync_fetch_and_add(&produced, 1);
    struct fw_dns* record = bpf_ringbuf_reserve(&dns_ring, sizeof *record, 0);
    if (!record) {
        __sync_fetch_and_add(&dropped, 1);
        return 1;
    }
    record->size = size;
    record->reserved[0] = record->reserved[1] = record->reserved[2] = 0;
    /* The kernel wants to see both bounds of what is read, on the very register: the compiler may move
     * neither. */
    long failed = 1;
    if (size <= FW_DNS_MAX) {
        asm volatile("" : "+r"(size));
        if (size >= HEAD_DNS) failed = bpf_skb_load_bytes(packet, begin, record->data, size);
    }
    if (failed) {
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        __sync_fetch_and_add(&dropped, 1);
        return 1;
    }
    bpf_ringbuf_submit(record, wake_flags(&dns_ring, 32 * 1024));
    return 1; /* the packet goes its way */
}
