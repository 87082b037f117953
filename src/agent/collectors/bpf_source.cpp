#include "agent/collectors/bpf_source.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstring>
#include <string>

#include "exec.skel.h"
#include "exit.skel.h"
#include "tcp.skel.h"

namespace fieldwatch::agent {

namespace {

int be_quiet(enum libbpf_print_level, const char*, va_list) {
    return 0;
}

/// The three skeletons have the same shape; this is what differs.
struct ExecTraits {
    using Skeleton = fieldwatch_exec;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.exec_ring; }
};
struct ExitTraits {
    using Skeleton = fieldwatch_exit;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.exit_ring; }
};
struct TcpTraits {
    using Skeleton = fieldwatch_tcp;
    static bpf_map* ring(Skeleton* skeleton) { return skeleton->maps.tcp_ring; }
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
        if (Skeleton::attach(skeleton_) != 0) return refused("attach");
        ring_ =
            ring_buffer__new(bpf_map__fd(Traits::ring(skeleton_)), &LoadedSource::on_record, this, nullptr);
        if (!ring_) return refused("map the ring of");
        return {};
    }

    int fd() const override { return ring_buffer__epoll_fd(ring_); }

    void drain(const Take& take) override {
        take_ = &take;
        ring_buffer__consume(ring_);
        take_ = nullptr;
    }

    fw_counters counters() const override {
        const volatile auto* bss = skeleton_->bss;
        return {bss->produced, bss->dropped};
    }
    std::uint64_t untracked() const override { return skeleton_->bss->untracked; }
    void set_loopback(bool loopback) override { skeleton_->bss->loopback = loopback ? 1 : 0; }

    void add_listener(std::uint32_t network_namespace, std::uint16_t port, std::uint32_t pid,
                      std::uint32_t uid) override {
        if constexpr (std::is_same_v<Traits, TcpTraits>) {
            const std::uint32_t key[2] = {network_namespace, port};
            const std::uint32_t value[2] = {pid, uid};
            bpf_map_update_elem(bpf_map__fd(skeleton_->maps.listeners), key, value, BPF_NOEXIST);
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
        default:
            return open_as<TcpTraits>(options);
    }
}

}  // namespace fieldwatch::agent
