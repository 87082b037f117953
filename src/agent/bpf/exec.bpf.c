/* One record per successful execve, with the whole command line, taken at the raw tracepoint
 * sched_process_exec: it runs in the new image, after the arguments are on its stack, needs neither tracefs
 * nor kprobes, and exists since 3.4 (raw_tp since 4.17, the ring buffer since 5.8). */
#include "agent/bpf/kernel.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries,
           512 * 1024); /* 2 s of 1,000 execs/s at 260 bytes each; mapped twice, it counts double in RSS */
} exec_ring SEC(".maps");

struct scratch {
    struct fw_exec_head head;
    char text[FW_TEXT_MAX + FW_ARGS_MAX]; /* slack: the verifier bounds offset and length apart */
    __u32 at;    /* bytes of text in use; kept in memory, where the verifier forgets its range: in a register
                    each */
    __u32 limit; /* path of the walk below would be verified anew for each range, a million instructions */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct scratch);
} exec_scratch SEC(".maps");

#define DEPTH_MAX 32
#define TEXT_OFFSET_MAX (FW_TEXT_MAX - FW_ARGS_MAX)

/* Appends the names of a path from leaf to root, each with its final zero; returns how many bytes. Mount
 * points are crossed as d_path does; a file of no directory (memfd) gives its one name. */
static __always_inline __u16 append_path(struct scratch* scratch, struct dentry* dentry,
                                         struct vfsmount* vfsmount) {
    const __u32 mnt_offset = bpf_core_field_offset(struct mount, mnt);
    const __u32 start = scratch->at;
    scratch->limit = start + FW_PATH_LIMIT;
    for (int i = 0; i < DEPTH_MAX; ++i) {
        struct mount* mount = (struct mount*)((char*)vfsmount - mnt_offset);
        if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
            struct mount* above = BPF_CORE_READ(mount, mnt_parent);
            if (above == mount) return *(volatile __u32*)&scratch->at - start;
            dentry = BPF_CORE_READ(mount, mnt_mountpoint);
            vfsmount = (struct vfsmount*)((char*)above + mnt_offset);
            continue;
        }
        const __u32 at = *(volatile __u32*)&scratch->at;
        if (at >= *(volatile __u32*)&scratch->limit || at > TEXT_OFFSET_MAX - FW_NAME_MAX) break;
        const long size =
            bpf_probe_read_kernel_str(scratch->text + at, FW_NAME_MAX, BPF_CORE_READ(dentry, d_name.name));
        if (size < 1 || size > FW_NAME_MAX) break;
        *(volatile __u32*)&scratch->at = at + size;
        struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
        if (parent == dentry) return *(volatile __u32*)&scratch->at - start;
        dentry = parent;
    }
    scratch->head.flags |= FW_PATH_TRUNCATED;
    return *(volatile __u32*)&scratch->at - start;
}

static __always_inline void append_cgroup(struct scratch* scratch, struct task_struct* task) {
    const __u32 at = *(volatile __u32*)&scratch->at;
    scratch->head.cgroup_size = 0;
    if (at > TEXT_OFFSET_MAX - FW_CGROUP_MAX) return;
    const long size = bpf_probe_read_kernel_str(scratch->text + at, FW_CGROUP_MAX,
                                                BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, name));
    if (size < 2 || size > FW_CGROUP_MAX) return;
    scratch->head.cgroup_size = size - 1;
    scratch->at = at + size - 1;
}

static __always_inline void append_arguments(struct scratch* scratch, struct mm_struct* mm) {
    const unsigned long start = BPF_CORE_READ(mm, arg_start);
    const __u32 at = *(volatile __u32*)&scratch->at;
    unsigned long size = BPF_CORE_READ(mm, arg_end) - start;
    scratch->head.arguments_size = 0;
    if (size > FW_ARGS_MAX) {
        size = FW_ARGS_MAX;
        scratch->head.flags |= FW_ARGS_TRUNCATED;
    }
    if (at > TEXT_OFFSET_MAX) return;
    if (bpf_probe_read_user(scratch->text + at, size, (void*)start) != 0) {
        /* Part of the stack is not mapped in yet: keep what one page surely holds. */
        if (size > 256) size = 256;
        scratch->head.flags |= FW_ARGS_TRUNCATED;
        if (bpf_probe_read_user(scratch->text + at, size, (void*)start) != 0) return;
    }
    scratch->head.arguments_size = size;
    scratch->at = at + size;
}

SEC("raw_tp/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task, int old_pid, struct linux_binprm* bprm) {
    const __u32 zero = 0;
    (void)old_pid;
    struct task_struct* parent = BPF_CORE_READ(task, real_parent);
    const __u32 pid = BPF_CORE_READ(task, tgid);
    const __u32 parent_pid = BPF_CORE_READ(parent, tgid);
    if (is_own(pid) || is_own(parent_pid)) return 0;
    struct scratch* scratch = bpf_map_lookup_elem(&exec_scratch, &zero);
    if (!scratch) return 0;

    struct fw_exec_head* head = &scratch->head;
    head->time_ns = bpf_ktime_get_boot_ns();
    head->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    head->cgroup_id = bpf_get_current_cgroup_id();
    head->pid = pid;
    head->parent_pid = parent_pid;
    head->grandparent_pid = BPF_CORE_READ(parent, real_parent, tgid);
    head->uid = BPF_CORE_READ(task, real_cred, uid.val);
    head->login_uid = 0xffffffff;
    if (bpf_core_field_exists(task->loginuid)) head->login_uid = BPF_CORE_READ(task, loginuid.val);
    head->flags = FW_PATHS_REVERSED;
    head->executable_inode = BPF_CORE_READ(bprm, file, f_inode, i_ino);
    head->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
    if (!own_mount_namespace || head->mount_namespace == own_mount_namespace) head->mount_namespace = 0;
    head->network_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
    if (!own_network_namespace || head->network_namespace == own_network_namespace)
        head->network_namespace = 0;
    head->reserved[0] = head->reserved[1] = head->reserved[2] = 0;

    scratch->at = 0;
    head->executable_size =
        append_path(scratch, BPF_CORE_READ(bprm, file, f_path.dentry), BPF_CORE_READ(bprm, file, f_path.mnt));
    head->parent_size = 0;
    struct mm_struct* parent_mm = BPF_CORE_READ(parent, mm);
    if (parent_mm) { /* a kernel thread has none */
        head->parent_size = append_path(scratch, BPF_CORE_READ(parent_mm, exe_file, f_path.dentry),
                                        BPF_CORE_READ(parent_mm, exe_file, f_path.mnt));
    }
    head->directory_size =
        append_path(scratch, BPF_CORE_READ(task, fs, pwd.dentry), BPF_CORE_READ(task, fs, pwd.mnt));
    append_cgroup(scratch, task);
    append_arguments(scratch, BPF_CORE_READ(task, mm));

    __sync_fetch_and_add(&produced, 1);
    const __u32 at = *(volatile __u32*)&scratch->at;
    if (at > FW_TEXT_MAX) return 0;
    if (bpf_ringbuf_output(&exec_ring, scratch, sizeof(struct fw_exec_head) + at,
                           wake_flags(&exec_ring, FW_WAKE_BYTES)) != 0) {
        __sync_fetch_and_add(&dropped, 1);
    }
    return 0;
}
