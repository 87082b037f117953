#include "agent/collectors/proc_connector.hpp"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "base/boot_clock.hpp"

// NLMSG_DATA and NLMSG_NEXT are C macros with C casts.
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wcast-align"

namespace fieldwatch::agent {

namespace {

std::uint64_t booted_ns() {
    return static_cast<std::uint64_t>(since_boot().count());
}

int exit_status(std::uint32_t code) {
    const int signal = static_cast<int>(code & 0x7f);
    return signal ? -signal : static_cast<int>(code >> 8 & 0xff);
}

class Connector final : public ProcessFallback {
  public:
    explicit Connector(Handlers handlers) : handlers_(std::move(handlers)) {}
    ~Connector() override {
        if (socket_ >= 0) ::close(socket_);
    }

    Result<void> open() {
        socket_ = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
        if (socket_ < 0) return fail(Errc::Unsupported, "no netlink connector in this kernel");
        sockaddr_nl address{};
        address.nl_family = AF_NETLINK;
        address.nl_groups = CN_IDX_PROC;
        const int bytes = 1 << 20;
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
        if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            return fail(Errc::Unsupported, "the proc connector refuses us");
        }
        // nlmsghdr, then cn_msg, then the operation, unpadded, as connector(7) readers expect.
        alignas(nlmsghdr) char request[NLMSG_SPACE(sizeof(cn_msg) + sizeof(proc_cn_mcast_op))] = {};
        auto* head = reinterpret_cast<nlmsghdr*>(request);
        head->nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg) + sizeof(proc_cn_mcast_op));
        head->nlmsg_type = NLMSG_DONE;
        cn_msg message{};
        message.id.idx = CN_IDX_PROC;
        message.id.val = CN_VAL_PROC;
        message.len = sizeof(proc_cn_mcast_op);
        const proc_cn_mcast_op operation = PROC_CN_MCAST_LISTEN;
        std::memcpy(NLMSG_DATA(head), &message, sizeof message);
        std::memcpy(static_cast<char*>(NLMSG_DATA(head)) + sizeof message, &operation, sizeof operation);
        if (::send(socket_, request, head->nlmsg_len, 0) < 0) {
            return fail(Errc::Unsupported, "the proc connector does not take our request");
        }
        return {};
    }

    int fd() const override { return socket_; }

    void drain() override {
        alignas(nlmsghdr) char buffer[8192];
        for (int datagrams = 0; datagrams < 10'000; ++datagrams) {  // then let the other sources have a turn
            const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
            if (size < 0 &&
                errno == ENOBUFS) {  // overflow: an unknown number is lost; at least one is counted
                count_loss(execs_);
                continue;
            }
            if (size <= 0) return;
            int rest = static_cast<int>(size);
            for (auto* head = reinterpret_cast<nlmsghdr*>(buffer);
                 NLMSG_OK(head, static_cast<unsigned>(rest)); head = NLMSG_NEXT(head, rest)) {
                take(head);
            }
        }
    }

    fw_counters counters(fw_class which) const override { return which == FW_CLASS_EXEC ? execs_ : exits_; }

  private:
    static void count_loss(fw_counters& counters) {
        ++counters.produced;
        ++counters.dropped;
    }

    void take(const nlmsghdr* head) {
        proc_event event{};
        const auto payload = head->nlmsg_len - NLMSG_HDRLEN;
        if (head->nlmsg_len < NLMSG_HDRLEN || payload < sizeof(cn_msg) + offsetof(proc_event, event_data))
            return;
        std::memcpy(&event, static_cast<const char*>(NLMSG_DATA(head)) + sizeof(cn_msg),
                    std::min(sizeof event, payload - sizeof(cn_msg)));
        if (event.what == proc_event::PROC_EVENT_EXEC) {
            ProcessFacts facts;
            const auto pid = static_cast<std::uint32_t>(event.event_data.exec.process_tgid);
            if (!read_process("/proc", pid, facts)) return count_loss(execs_);
            ++execs_.produced;
            handlers_.exec(facts);
        } else if (event.what == proc_event::PROC_EVENT_EXIT &&
                   event.event_data.exit.process_pid == event.event_data.exit.process_tgid) {
            ++exits_.produced;
            handlers_.exit({.time_ns = event.timestamp_ns,
                            .start_ns = 0,
                            .pid = static_cast<std::uint32_t>(event.event_data.exit.process_tgid),
                            .uid = 0,
                            .status = exit_status(event.event_data.exit.exit_code),
                            .reserved = 0});
        }
    }

    Handlers handlers_;
    int socket_ = -1;
    fw_counters execs_{};
    fw_counters exits_{};
};

/// Sees what lives longer than the period between two calls; what it misses it cannot count.
class Polling final : public ProcessFallback {
  public:
    explicit Polling(Handlers handlers) : handlers_(std::move(handlers)) {
        for (const auto pid : list_processes("/proc"))
            known_[pid] = identity(pid);
    }
    int fd() const override { return -1; }

    void drain() override {
        ++round_;
        for (const auto pid : list_processes("/proc")) {
            const auto now = identity(pid);
            auto& before = known_[pid];
            const bool is_new =
                before.start_ns != now.start_ns || before.executable_hash != now.executable_hash;
            before = now;
            before.round = round_;
            if (!is_new || now.start_ns == 0) continue;
            ProcessFacts facts;
            ++execs_.produced;
            if (read_process("/proc", pid, facts)) {
                handlers_.exec(facts);
            } else {
                ++execs_.dropped;
            }
        }
        std::erase_if(known_, [&](const auto& entry) {
            if (entry.second.round == round_) return false;
            ++exits_.produced;
            handlers_.exit({.time_ns = booted_ns(), .start_ns = entry.second.start_ns, .pid = entry.first});
            return true;
        });
    }
    fw_counters counters(fw_class which) const override { return which == FW_CLASS_EXEC ? execs_ : exits_; }

  private:
    struct Known {
        std::uint64_t start_ns = 0;
        std::size_t executable_hash = 0;  // an exec keeps pid and start time
        std::uint64_t round = 0;
    };
    static Known identity(std::uint32_t pid) {
        const auto base = "/proc/" + std::to_string(pid) + "/";
        ProcessFacts facts;
        if (!read_process("/proc", pid, facts)) return {};
        return {facts.start_ns, std::hash<std::string>{}(facts.executable + facts.arguments), 0};
    }

    Handlers handlers_;
    std::unordered_map<std::uint32_t, Known> known_;
    std::uint64_t round_ = 0;
    fw_counters execs_{};
    fw_counters exits_{};
};

}  // namespace

Result<std::unique_ptr<ProcessFallback>> ProcessFallback::connector(Handlers handlers) {
    auto connector = std::make_unique<Connector>(std::move(handlers));
    FIELDWATCH_TRY(connector->open());
    return connector;
}

std::unique_ptr<ProcessFallback> ProcessFallback::polling(Handlers handlers) {
    return std::make_unique<Polling>(std::move(handlers));
}

}  // namespace fieldwatch::agent
