/* The records that cross the agent's two borders: kernel to collector (a ring buffer per class) and collector
 * to sender (a SEQPACKET socket). One file for all three sides, so that no side can disagree about a layout;
 * records_test.cpp asserts the offsets. Integers are the machine's own: all three sides run on it. */
#pragma once

#ifndef __bpf__
#include <stdint.h>
typedef uint8_t fw_u8;
typedef uint16_t fw_u16;
typedef uint32_t fw_u32;
typedef int32_t fw_s32;
typedef uint64_t fw_u64;
typedef int64_t fw_s64;
#else
typedef __u8 fw_u8;
typedef __u16 fw_u16;
typedef __u32 fw_u32;
typedef __s32 fw_s32;
typedef __u64 fw_u64;
typedef __s64 fw_s64;
#endif

/* How long each text of an exec may be. Command lines are kept to 4 KiB: longer ones are marked truncated.
 * Paths are kept whole up to at least 255 bytes. */
#define FW_ARGS_MAX 4096
#define FW_PATH_LIMIT 512 /* no further path component is begun past this many bytes of one path */
#define FW_NAME_MAX 256   /* NAME_MAX of Linux and the final zero */
#define FW_PATH_MAX (FW_PATH_LIMIT + FW_NAME_MAX)
#define FW_CGROUP_MAX 128
#define FW_TEXT_MAX (3 * FW_PATH_MAX + FW_CGROUP_MAX + FW_ARGS_MAX)
#define FW_PID_MAX (1U << 22) /* PID_MAX_LIMIT of 64-bit kernels */
#define FW_TEXT_SMALL 768 /* most execs: the small record makes the socket's datagram 1 KiB instead of 7 */
#define FW_LINE_MAX 896
#define FW_DNS_MAX 512 /* of an answer; longer ones are cut */

enum fw_type {
    FW_EXEC = 1,       /* struct fw_exec with FW_TEXT_SMALL bytes of text */
    FW_EXEC_LARGE = 2, /* with FW_TEXT_MAX */
    FW_EXIT = 3,
    FW_CONNECTION = 4,
    FW_LISTEN = 5, /* a socket began or ceased to listen */
    FW_PORT = 6,   /* one line of a listening ports snapshot */
    FW_LOGIN = 7,
    FW_LOG_LINE = 8,  /* one line of an authentication log, unparsed: the sender reads it */
    FW_SNAPSHOT = 9,  /* a snapshot of FW_PORT records is complete */
    FW_STATUS = 10,   /* the collector's modes and counters */
    FW_CONTROL = 11,  /* sender to collector */
    FW_FIREWALL = 12, /* a piece of the packet filter, as netlink messages, unparsed */
    FW_DNS = 13,      /* a name server's answer, unparsed */
    FW_TYPE_LAST = 13
};

enum fw_exec_flags {
    FW_ARGS_TRUNCATED = 1,
    FW_PATHS_REVERSED =
        2,            /* paths are NUL-terminated names from leaf to root, as the kernel's walk finds them */
    FW_ARGS_LATE = 4, /* read from /proc after the fact: may be another image's */
    FW_PATH_TRUNCATED = 8
};

/* What happened, and the text of it: executable, parent's executable, working directory, cgroup name,
 * arguments (NUL-separated), one after the other in `text`, each as long as its size says. */
struct fw_exec_head {
    fw_u64 time_ns;  /* CLOCK_BOOTTIME in the ring, CLOCK_REALTIME on the socket */
    fw_u64 start_ns; /* the process's start, CLOCK_BOOTTIME: with pid it names a process */
    fw_u64 cgroup_id;
    fw_u64 executable_inode; /* 0: not known */
    fw_u32 pid;
    fw_u32 parent_pid;
    fw_u32 grandparent_pid;
    fw_u32 uid;
    fw_u32 login_uid; /* 0xffffffff: none */
    fw_u32 flags;
    fw_u32 mount_namespace; /* inode numbers; 0: the device's own, or not known */
    fw_u32 network_namespace;
    fw_u16 executable_size;
    fw_u16 parent_size;
    fw_u16 directory_size;
    fw_u16 cgroup_size;
    fw_u16 arguments_size;
    fw_u16 reserved[3];
};

struct fw_exec {
    struct fw_exec_head head;
    char text[FW_TEXT_SMALL];
};

struct fw_exec_large {
    struct fw_exec_head head;
    char text[FW_TEXT_MAX];
};

struct fw_exit {
    fw_u64 time_ns;
    fw_u64 start_ns;
    fw_u32 pid;
    fw_u32 uid;
    fw_s32 status; /* exit code, or minus the signal */
    fw_u32 reserved;
};

enum fw_direction { FW_OUT = 1, FW_IN = 2 };
enum fw_outcome { FW_ESTABLISHED = 1, FW_FAILED = 2 };

struct fw_connection {
    fw_u64 time_ns;
    fw_u64 start_ns; /* the owner's start, as an exec has it; 0: not known */
    fw_u32 pid;      /* 0: not known */
    fw_u32 uid;
    fw_u32 network_namespace;
    fw_u16 local_port; /* host order */
    fw_u16 remote_port;
    fw_u8 family; /* 4 or 6 */
    fw_u8 direction;
    fw_u8 outcome;
    fw_u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    fw_u8 local[16];
    fw_u8 remote[16];
    fw_u32 reserved;
};

struct fw_listen {
    fw_u64 time_ns;
    fw_u32 pid;
    fw_u32 network_namespace;
    fw_u16 port;
    fw_u8 family;
    fw_u8 begins; /* 1 began to listen, 0 ceased */
    fw_u32 reserved;
};

struct fw_port {
    fw_u32 snapshot; /* which snapshot it belongs to */
    fw_u32 pid;
    fw_u32 uid;
    fw_u16 port;
    fw_u8 family;
    fw_u8 protocol;
    fw_u8 local[16];
    fw_u16 executable_size;
    fw_u16 reserved[3];
    char executable[FW_NAME_MAX];
};

enum fw_login_result { FW_LOGIN_SUCCESS = 1, FW_LOGIN_FAIL = 2 };

/* One record of wtmp or btmp. Texts are NUL-padded, not always NUL-terminated, as utmp(5) has them. */
struct fw_login {
    fw_u64 time_ns; /* CLOCK_REALTIME */
    fw_u32 pid;
    fw_u8 result;
    fw_u8 family; /* 0: no address */
    fw_u16 reserved;
    fw_u8 remote[16];
    char user[32];
    char terminal[32];
};

enum fw_log_source {
    FW_LOG_AUTH = 1, /* a line of a log file */
    FW_LOG_AUDIT = 2 /* the number of an audit record's type, a blank, its text */
};

struct fw_log_line {
    fw_u64 time_ns; /* when it was read */
    fw_u16 source;
    fw_u16 size;
    fw_u32 reserved;
    char line[FW_LINE_MAX];
};

/* What a name server answered: the bytes of RFC 1035, from whoever sent them. */
struct fw_dns {
    fw_u16 size;
    fw_u16 reserved[3];
    fw_u8 data[FW_DNS_MAX];
};

/* Pieces of one dump come in order; the last says so. Nothing at all = it could not be read. */
struct fw_firewall {
    fw_u32 snapshot;
    fw_u16 size;
    fw_u8 is_last;
    fw_u8 unreadable; /* 1: the kernel or our rights do not allow it; no data then */
    char data[2040];
};

struct fw_snapshot {
    fw_u32 snapshot;
    fw_u32 count; /* FW_PORT records that were sent for it */
    fw_u32 lost;  /* sockets that could not be sent: the snapshot is partial */
    fw_u32 reserved;
};

/* How a class of events is collected now, best first. */
enum fw_mode {
    FW_MODE_NONE = 0,
    FW_MODE_BPF = 1,
    FW_MODE_PROC_CONNECTOR = 2,
    FW_MODE_POLL = 3,
    FW_MODE_OFF = 4,
    FW_MODE_AUDIT =
        5, /* with the proc connector or polling, which tell what no rule of the device's asks for */
    FW_MODE_LAST = 5
};
enum fw_class {
    FW_CLASS_EXEC = 0,
    FW_CLASS_EXIT = 1,
    FW_CLASS_TCP = 2,
    FW_CLASS_UDP = 3,
    FW_CLASS_COUNT = 4
};

struct fw_counters {
    fw_u64 produced; /* seen by the source */
    fw_u64 dropped;  /* of those, lost before the socket */
};

struct fw_status {
    fw_u32 mode[FW_CLASS_COUNT];
    fw_u32 ready; /* 1 once every source is attached */
    fw_u32 names; /* 1: the answers of name servers are seen */
    struct fw_counters counters[FW_CLASS_COUNT];
    fw_u64
        untracked; /* connections that a table had no room for: TCP without owner, UDP told more than once */
    struct fw_counters answers; /* of name servers */
    fw_u64 logins_lost;         /* records and lines of log-ins, at least so many */
};

/* Sender to collector. */
struct fw_control {
    fw_u8 mode[FW_CLASS_COUNT]; /* enum fw_mode; FW_MODE_NONE = the best that works */
    fw_u8 loopback;             /* 1: report loopback connections too */
    fw_u8 snapshot;             /* 1: take a listening ports snapshot now */
    fw_u8 logins;               /* 1: follow login sources */
    fw_u8 firewall;             /* 1: with a snapshot, read the packet filter too */
    fw_u8 reserved[1];
};

/* A datagram on the socket: this head, then `count` records of one type, each of that type's fixed size. */
#define FW_BATCH_MAGIC 0x31574601u
#define FW_BATCH_BYTES_MAX 61440
struct fw_batch_head {
    fw_u32 magic;
    fw_u16 type;
    fw_u16 count;
};
