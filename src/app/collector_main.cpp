// fieldwatch-collector: the agent's privileged half, a program of its own so that no TLS, JSON or MQTT code
// is even mapped where the privileges are. fieldwatch-agent starts it; it is of no use alone. With `respond`
// it is the responder, a process of its own (agent/response/responder.hpp).
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "agent/collectors/collector.hpp"
#include "agent/response/responder.hpp"

namespace {

std::atomic<bool> told_to_stop{false};  // by a signal; not because something broke

constexpr int kSocket = 3;  // the sender's other end stands here

/// Waits until the sender has spooled and said goodbye; it limits itself to five seconds.
int wait_for(pid_t child) {
    for (int tries = 0; tries < 80; ++tries) {
        int status = 0;
        const auto done = ::waitpid(child, &status, WNOHANG);
        if (done == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (done < 0 && errno != EINTR) return 1;
        ::usleep(100'000);
    }
    ::kill(child, SIGKILL);
    return 1;
}

bool read_number(const char* text, std::uint32_t& out) {
    return std::from_chars(text, text + std::strlen(text), out).ec == std::errc{};
}

/// `respond ALLOWED SENDER COLLECTOR`. A terminal's Ctrl-C reaches it too: it ends when the sender has.
int respond(char** arguments) {
    std::uint32_t allowed = 0, sender = 0, collector = 0;
    if (!read_number(arguments[0], allowed) || !read_number(arguments[1], sender) ||
        !read_number(arguments[2], collector))
        return 2;
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    return fieldwatch::agent::Responder(kSocket, allowed, sender, collector).run();
}

}  // namespace

int main(int argc, char** argv) {
    std::uint32_t sender = 0;
    if (argc == 5 && std::string_view(argv[1]) == "respond") return respond(argv + 2);
    if (argc != 2 || !read_number(argv[1], sender)) {
        std::fputs("fieldwatch-collector: is started by fieldwatch-agent run\n", stderr);
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    struct sigaction action{};
    action.sa_handler = [](int) {
        told_to_stop.store(true);
        fieldwatch::agent::Collector::request_stop();
    };
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    {
        fieldwatch::agent::Collector collector(kSocket, sender);
        collector.run();
    }
    // Before it sees that the collector is gone: that there was a wish tells a stop from a crash.
    if (told_to_stop.load()) ::kill(static_cast<pid_t>(sender), SIGTERM);
    ::close(kSocket);
    return wait_for(static_cast<pid_t>(sender));
}
