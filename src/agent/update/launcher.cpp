#include "agent/update/launcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "agent/agent_log.hpp"
#include "agent/update/slots.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kWatchMillis = 500;

class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

  private:
    int number_;
};

/// A plain file in a folder that somebody else may write to: by no link, and a pipe keeps nobody waiting.
int open_plain(int directory, const char* name) {
    const int file = ::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat status{};
    if (file >= 0 && (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode))) {
        ::close(file);
        return -1;
    }
    return file;
}

std::string read_plain(int directory, const char* name) {
    const Descriptor file(open_plain(directory, name));
    std::array<char, Manifest::kBytesMax + 1> text;
    const auto size = file.get() < 0 ? -1 : ::pread(file.get(), text.data(), text.size(), 0);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

/// The folder in which the unprivileged half lays down what it brought and says that it is connected.
int open_inbox(const std::string& state_directory) {
    const Descriptor outer(::open(state_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return ::openat(outer.get(), "update", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

std::string word(int inbox, const char* name) {
    return inbox < 0 ? std::string() : read_plain(inbox, name);
}

std::string connected_word(const std::string& state_directory) {
    const Descriptor inbox(open_inbox(state_directory));
    return word(inbox.get(), kUpdateConnected);
}

std::optional<Slots::Staged> staged_update(int inbox) {
    auto manifest = inbox < 0 ? std::string() : read_plain(inbox, "manifest");
    if (manifest.empty()) return std::nullopt;
    const auto image = std::make_shared<Descriptor>(open_plain(inbox, "image"));
    return Slots::Staged{
        std::move(manifest), [image](std::uint64_t offset, std::span<std::byte> out) -> Result<std::size_t> {
            std::size_t total = 0;
            while (total < out.size()) {
                const auto done = ::pread(image->get(), out.data() + total, out.size() - total,
                                          static_cast<off_t>(offset + total));
                if (done < 0 && errno == EINTR) continue;
                if (done < 0)
                    return fail(Errc::Io, std::string("the update's image: ") + std::strerror(errno));
                if (done == 0) break;
                total += static_cast<std::size_t>(done);
            }
            return total;
        }};
}

/// Root runs what lies there: nobody else may have made it, or write to it.
Result<void> own_folder(const std::string& path) {
    FIELDWATCH_TRY(posix_file_system().make_directories(path));
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() &&
        (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return {};
    return fail(Errc::Forbidden, path + " must be a folder that only root may write to");
}

/// The unprivileged half reads there how its update went.
void show(const Slots& slots, const std::string& directory) {
    (void)::chmod(directory.c_str(), 0755);
    (void)::chmod(slots.state_path().c_str(), 0644);
}

/// Beside the trial `agent`, whose parts are its process group: until it is connected, ends, or is late.
void watch(pid_t agent, Slots& slots, const LaunchOptions& options, const Clock& clock) {
    const auto deadline = clock.monotonic() + std::chrono::seconds(options.trial_seconds);
    for (;;) {
        const auto state = slots.state();
        if (state.trial == Slot::Package || ::kill(agent, 0) != 0) return;
        if (connected_word(options.state_directory) == state.tried) {
            if (const auto confirmed = slots.confirm(); !confirmed)
                say(Severity::Error, "update: " + confirmed.error().message);
            show(slots, options.slots_directory);
            return;
        }
        if (clock.monotonic() >= deadline) break;
        ::poll(nullptr, 0, kWatchMillis);
    }
    const auto late = "it was not connected within " + std::to_string(options.trial_seconds) + " s";
    say(Severity::Warning, "update: rolled back, " + late);
    if (const auto done = slots.roll_back(late); !done)
        say(Severity::Error, "update: " + done.error().message);
    show(slots, options.slots_directory);
    ::kill(-agent, SIGKILL);
    ::kill(agent, SIGKILL);
}

/// Not a child of the agent's, which would have to wait for it. False: there is none.
bool start_watch(Slots& slots, const LaunchOptions& options, const Clock& clock) {
    const auto agent = ::getpid();
    (void)::setpgid(0, 0);  // where a service manager started us, we lead our group already
    const auto child = ::fork();
    if (child == 0) {
        ::setsid();
        const auto watcher = ::fork();
        if (watcher != 0) ::_exit(watcher > 0 ? 0 : 1);
        ::prctl(PR_SET_NAME, "fieldwatch-try", 0, 0, 0);
        watch(agent, slots, options, clock);
        ::_exit(0);
    }
    int status = 1;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

bool runs_from(const std::string& slots_directory) {
    char self[4'096];
    const auto size = ::readlink("/proc/self/exe", self, sizeof self);
    return std::string_view(self, size > 0 ? static_cast<std::size_t>(size) : 0)
        .starts_with(slots_directory + "/");
}

void launch(const LaunchOptions& options, char** arguments, const Clock& clock) {
    if (const auto own = own_folder(options.slots_directory); !own)
        return say(Severity::Error, "update: there are none: " + own.error().message);
    Slots slots(posix_file_system(), options.slots_directory, options.key, options.package);
    const auto before = slots.state();
    Slots::Start start;
    {
        const Descriptor inbox(open_inbox(options.state_directory));
        start = slots.begin(staged_update(inbox.get()), {.connected = word(inbox.get(), kUpdateConnected),
                                                         .stopped = word(inbox.get(), kUpdateStopped)});
        if (inbox.get() >= 0) (void)::unlinkat(inbox.get(), kUpdateStopped, 0);  // said of one run
    }
    show(slots, options.slots_directory);
    const auto now = slots.state();
    if (now != before && now.outcome != "trial")
        say(now.outcome == "confirmed" ? Severity::Information : Severity::Warning,
            "update: " + now.tried_version.text() + " " + now.outcome + ", " + now.reason);
    if (start.slot == Slot::Package) return;
    if (start.is_trial) {
        say(Severity::Information, "update: " + now.tried_version.text() + " is on trial" +
                                       (now.stops > 0 ? ", again: it was stopped" : ""));
        if (!start_watch(slots, options, clock)) {
            (void)slots.roll_back("its trial could not be watched");
            return launch(options, arguments, clock);
        }
    }
    for (const auto* program : kUpdatePrograms)
        (void)::chmod(slots.path(start.slot, program).c_str(), 0700);
    ::execv(slots.path(start.slot, kUpdatePrograms[0]).c_str(), arguments);
    const auto why = std::string("it cannot be run: ") + std::strerror(errno);
    say(Severity::Error, "update: " + why);
    if (!start.is_trial) return;
    (void)slots.roll_back(why);
    launch(options, arguments, clock);
}

}  // namespace fieldwatch::agent
