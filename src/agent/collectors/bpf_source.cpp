#include "agent/collectors/bpf_source.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "dns.skel.h"
#include "exec.skel.h"
#include "exit.skel.h"
#include "tcp.skel.h"
#include "udp.skel.h"

namespace fieldwatch::agent {

namespace {

int be_quiet(enum libbpf_print_level, const char*, va_list) {
    return 0;
}

/// Attaches what libbpf can attach from a program's section alone: 0, or minus the error.
template <class Skeleton>
int attach_all(Skeleton* skeleton) {
    return Skeleton::attach(skeleton);
}

/// Where the unified control groups are mounted, alone or beside the older kind; -1 where they are not.
int open_control_group_root() {
    constexpr long kCgroup2Magic = 0x63677270;  // linux/magic.h
    for (const auto* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        const int fd = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statfs status{};
        if (fd >= 0 && ::fstatfs(fd, &status) == 0 && static_cast<long>(status.f_type) == kCgroup2Magic)
            return fd;
        if (fd >= 0) ::close(fd);
    }
    errno = ENOENT;
    return -1;
}

/// Sends on connected sockets at the tracepoint, or, where the kernel has none, their connects.
int attach_udp(fieldwatch_udp* skeleton) {
    const int root = open_control_group_root();
    if (root < 0) return -errno;
    auto& programs = skeleton->progs;
    auto& links = skeleton->links;
    bool attached = true;
    const auto to_root = [&](bpf_program* program, bpf_link*& link) {
        link = bpf_program__attach_cgroup(program, root);
        attached &= link != nullptr;
    };
    to_root(programs.on_sendmsg4, links.on_sendmsg4);
    to_root(programs.on_sendmsg6, links.on_sendmsg6);
    to_root(programs.on_recvmsg4, links.on_recvmsg4);
    to_root(programs.on_recvmsg6, links.on_recvmsg6);
    links.on_send = bpf_program__attach(programs.on_send);
    if (!links.on_send) {
        to_root(programs.on_connect4, links.on_connect4);
        to_root(programs.on_connect6, links.on_connect6);
    }
    const int error = errno;
    ::close(root);
    errno = error;
    return attached ? 0 : -error;
}

/// The skeletons have the same shape; this is what differs.
struct ExecTraits {
    using Skeleton = fieldwatch_exec;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.exec_ring; }
    static int attach(Skeleton* skeleton) { return attach_all(skeleton); }
};
struct ExitTraits {
    using Skeleton = fieldwatch_exit;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.exit_ring; }
    static int attach(Skeleton* skeleton) { return attach_all(skeleton); }
};
struct TcpTraits {
    using Skeleton = fieldwatch_tcp;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.tcp_ring; }
    static int attach(Skeleton* skeleton) { return attach_all(skeleton); }
};
struct UdpTraits {
    using Skeleton = fieldwatch_udp;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.udp_ring; }
    static int attach(Skeleton* skeleton) { return attach_udp(skeleton); }
};

struct NamesTraits {
    using Skeleton = fieldwatch_dns;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.dns_ring; }
    static int attach(Skeleton* skeleton) {
        const int root = open_control_group_root();
        if (root < 0) return -errno;
        skeleton->links.on_answer = bpf_program__attach_cgroup(skeleton->progs.on_answer, root);
        const int error = errno;
        ::close(root);
        errno = error;
        return skeleton->links.on_answer ? 0 : -error;
    }
};

template <class Traits>
class LoadedSource final : public BpfSource {
  public:
    using Skeleton = typename Traits::Skeleton;

    ~LoadedSource() override {
        if (ring_) ring_buffer__free(ring_);
        if (skeleton_) Skeleton::destroy(skeleton_);
    }

    Result<void> load(const Options& options) {
        skeleton_ = Skeleton::open();
        if (!skeleton_) return refused("open");
        if (Skeleton::load(skeleton_) != 0) return refused("load");
        skeleton_->bss->own_pids[0] = options.own_pids[0];
        skeleton_->bss->own_pids[1] = options.own_pids[1];
        skeleton_->bss->loopback = options.loopback ? 1 : 0;
        skeleton_->bss->own_mount_namespace = options.namespaces.mount;
        skeleton_->bss->own_network_namespace = options.namespaces.network;
        if (Traits::attach(skeleton_) != 0) return refused("attach");
        ring_ =
            ring_buffer__new(bpf_map__fd(Traits::ring(skeleton_)), &LoadedSource::on_record, this, nullptr);
        if (!ring_) return refused("map the ring of");
        return {};
    }

    int fd() const override { return ring_buffer__epoll_fd(ring_); }

    void wait_for_events(bool is_waiting) override { skeleton_->bss->is_waited_for = is_waiting ? 1 : 0; }

    bool drain(const Take& take) override {
        take_ = &take;
        const bool any = ring_buffer__consume(ring_) != 0;
        take_ = nullptr;
        return any;
    }

    void detach() override { Skeleton::detach(skeleton_); }

    fw_counters counters() const override {
        const volatile auto* bss = skeleton_->bss;
        const auto dropped = bss->dropped;  // first: each of them has been counted as produced before
        return {bss->produced, dropped};
    }
    std::uint64_t untracked() const override { return skeleton_->bss->untracked; }
    void set_loopback(bool loopback) override { skeleton_->bss->loopback = loopback ? 1 : 0; }

    void add_listener(std::uint32_t network_namespace, std::uint16_t port, std::uint32_t pid,
                      std::uint32_t uid) override {
        if constexpr (std::is_same_v<Traits, TcpTraits>) {
            const std::uint32_t key[2] = {network_namespace, port};
            const struct {
                std::uint64_t start_ns;  // not looked up: who listens for others is long-lived
                std::uint32_t pid, uid;
            } owner{0, pid, uid};
            bpf_map_update_elem(bpf_map__fd(skeleton_->maps.listeners), key, &owner, BPF_NOEXIST);
        }
    }

  private:
    static int on_record(void* context, void* data, std::size_t size) {
        auto* self = static_cast<LoadedSource*>(context);
        return (*self->take_)({static_cast<const std::byte*>(data), size}) ? 0 : -1;
    }
    static Result<void> refused(const char* step) {
        return fail(Errc::Unsupported,
                    std::string("the kernel does not ") + step + " it: " + std::strerror(errno));
    }

    Skeleton* skeleton_ = nullptr;
    ring_buffer* ring_ = nullptr;
    const Take* take_ = nullptr;  // only during drain()
};

template <class Traits>
Result<std::unique_ptr<BpfSource>> open_as(const BpfSource::Options& options) {
    auto source = std::make_unique<LoadedSource<Traits>>();
    FIELDWATCH_TRY(source->load(options));
    return source;
}

}  // namespace

Result<std::unique_ptr<BpfSource>> BpfSource::open(fw_class which, const Options& options) {
    libbpf_set_print(be_quiet);
    switch (which) {
        case FW_CLASS_EXEC:
            return open_as<ExecTraits>(options);
        case FW_CLASS_EXIT:
            return open_as<ExitTraits>(options);
        case FW_CLASS_UDP:
            return open_as<UdpTraits>(options);
        default:
            return open_as<TcpTraits>(options);
    }
}

Result<std::unique_ptr<BpfSource>> BpfSource::open_names() {
    libbpf_set_print(be_quiet);
    return open_as<NamesTraits>({});
}

}  // namespace fieldwatch::agent
