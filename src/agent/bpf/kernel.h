/* The few kernel members our programs read, by name only: CO-RE finds where they are in the running kernel.
 * Written by hand, so that the tree needs no generated vmlinux.h and the objects stay small. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
/* after the types */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "agent/bpf/records.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    unsigned int val;
} kuid_t;
typedef struct {
    int counter;
} atomic_t;
struct qstr {
    const unsigned char* name;
};
struct dentry {
    struct dentry* d_parent;
    struct qstr d_name;
};
struct vfsmount {
    struct dentry* mnt_root;
};
struct mount {
    struct mount* mnt_parent;
    struct dentry* mnt_mountpoint;
    struct vfsmount mnt;
};
struct path {
    struct vfsmount* mnt;
    struct dentry* dentry;
};
struct inode {
    unsigned long i_ino;
};
struct file {
    struct path f_path;
    struct inode* f_inode;
};
struct fs_struct {
    struct path pwd;
};
struct mm_struct {
    unsigned long arg_start;
    unsigned long arg_end;
    struct file* exe_file;
};
struct cred {
    kuid_t uid;
};
struct signal_struct {
    atomic_t live;
    int group_exit_code;
};
struct kernfs_node {
    const char* name;
};
struct cgroup {
    struct kernfs_node* kn;
};
struct css_set {
    struct cgroup* dfl_cgrp;
};
struct ns_common {
    unsigned int inum;
};
struct net {
    struct ns_common ns;
};
struct mnt_namespace {
    struct ns_common ns;
};
struct nsproxy {
    struct mnt_namespace* mnt_ns;
    struct net* net_ns;
};
struct task_struct {
    int pid;
    int tgid;
    int exit_code;
    struct task_struct* real_parent;
    struct task_struct* group_leader;
    struct mm_struct* mm;
    const struct cred* real_cred;
    struct signal_struct* signal;
    struct fs_struct* fs;
    struct css_set* cgroups;
    struct nsproxy* nsproxy;
    kuid_t loginuid;
    __u64 start_boottime;
};
struct linux_binprm {
    struct file* file;
};
typedef struct {
    struct net* net;
} possible_net_t;
struct in6_addr {
    union {
        __u8 u6_addr8[16];
    } in6_u;
};
struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
    struct sock_common __sk_common;
    __u16 sk_protocol;
};

#pragma clang attribute pop

/* Counters, the agent's own processes and switches: the collector reads and writes them through the mapped
 * .bss. */
__u64 produced;
__u64 dropped;
__u64 untracked;
__u32 own_pids[2];
__u32 loopback;
__u32 own_mount_namespace; /* the device's, not the agent's; 0: not known, and none is told */
__u32 own_network_namespace;

/* One wake-up per 200 ms or 256 KiB instead of one per event: twenty times cheaper (spec/linux-collection.md
 * 0). While events come the collector drains every 200 ms by itself, and this wakes it early when a ring
 * fills. Once none came it waits, and sets is_waited_for: the next event wakes it at once. */
#define FW_WAKE_BYTES (256 * 1024)
__u32 is_waited_for;
static __always_inline __u64 wake_flags(void* ring, __u64 wake_bytes) {
    if (is_waited_for) return BPF_RB_FORCE_WAKEUP;
    return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= wake_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline int is_own(__u32 pid) {
    return pid != 0 && (pid == own_pids[0] || pid == own_pids[1]);
}

enum { FAMILY_IPV4 = 2, FAMILY_IPV6 = 10 };

/* 0: of another family. */
static __always_inline int read_addresses(struct fw_connection* record, const struct sock* sk) {
    const __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == FAMILY_IPV4) {
        const __u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        const __u32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
        record->family = 4;
        __builtin_memcpy(record->local, &local, 4);
        __builtin_memcpy(record->remote, &remote, 4);
        return 1;
    }
    if (family == FAMILY_IPV6) {
        record->family = 6;
        BPF_CORE_READ_INTO(&record->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
        BPF_CORE_READ_INTO(&record->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
        return 1;
    }
    return 0;
}

static __always_inline int is_loopback(const struct fw_connection* record) {
    if (record->family == 4) return record->remote[0] == 127;
    const __u32* words = (const __u32*)record->remote;
    if (words[0] != 0 || words[1] != 0) return 0;
    if (words[2] == 0) return words[3] == __builtin_bswap32(1);
    return words[2] == __builtin_bswap32(0xffff) && record->remote[12] == 127; /* ::ffff:127.0.0.0/104 */
}

char LICENSE[] SEC("license") = "GPL";
