// The spool on a real disk, by a process that is killed while it writes.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "agent/spool/spool.hpp"

namespace fieldwatch::agent {
namespace {

struct Told {
    std::uint64_t kept = 0;  ///< every event up to it has been synced
    std::uint64_t done = 0;  ///< every one up to it is done with, and synced so
};

/// Appends, forgets and syncs until it is killed, from event `first` on; tells what is surely on disk.
[[noreturn]] void write_until_killed(const std::string& directory, std::uint64_t first, int out) {
    Spool::Recovered recovered;
    auto opened = Spool::open(posix_file_system(), directory, recovered);
    if (!opened) ::_exit(1);
    auto& spool = **opened;
    const std::string body(3'000, 'x');
    for (std::uint64_t number = first;; ++number) {
        if (!spool.append({number, Queue::High, true, 0, body})) ::_exit(2);
        if (number >= first + 40) spool.forget(number - 40);
        if (number % 4 != 0) continue;
        if (!spool.sync()) ::_exit(3);
        const Told told{number, number >= first + 40 ? number - 40 : first - 1};
        if (::write(out, &told, sizeof told) != sizeof told) ::_exit(4);
    }
}

TEST(SpoolKilled, KeepsWhatWasSyncedOnceAndLooksLikeNoTampering) {
    char name[] = "/tmp/fieldwatch-spool-kill-XXXXXX";
    const std::string directory = ::mkdtemp(name);
    std::uint64_t first = 1;
    for (int round = 0; round < 25; ++round) {
        int pipes[2];
        ASSERT_EQ(::pipe(pipes), 0);
        const auto child = ::fork();
        if (child == 0) {
            ::close(pipes[0]);
            write_until_killed(directory, first, pipes[1]);
        }
        ::close(pipes[1]);
        Told told, last;
        const int reports = 3 + round * 7 % 40;  // some within the first segment, some past it
        for (int i = 0; i < reports && ::read(pipes[0], &told, sizeof told) == sizeof told; ++i)
            last = told;
        ::usleep(static_cast<useconds_t>(round * 137 % 3'000));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
        while (::read(pipes[0], &told, sizeof told) == sizeof told)
            last = told;
        ::close(pipes[0]);
        ASSERT_GE(last.kept, first);

        Spool::Recovered recovered;
        auto spool = Spool::open(posix_file_system(), directory, recovered);
        ASSERT_TRUE(spool) << spool.error().message;
        EXPECT_EQ(recovered.breaks, 0U) << "round " << round;
        std::set<std::uint64_t> numbers;
        for (const auto& event : recovered.events) {
            EXPECT_TRUE(numbers.insert(event.number).second) << event.number << " is there twice";
            EXPECT_EQ(event.json, std::string(3'000, 'x'));
        }
        for (auto number = std::max(first, last.done + 1); number <= last.kept; ++number) {
            // The next pass, unheard of, may have been under way to forget at most four more.
            if (number <= last.done + 4) continue;
            EXPECT_TRUE(numbers.contains(number)) << number << " was synced, round " << round;
        }
        for (const auto number : numbers)
            EXPECT_GT(number, last.done) << "round " << round;
        first = (numbers.empty() ? last.kept : *numbers.rbegin()) + 1;
        for (const auto number : numbers)
            (*spool)->forget(number);
        ASSERT_TRUE((*spool)->sync());
    }
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fieldwatch::agent
