// Programs that are run in ways that hide what they are, each by a real system call: from memory, by a
// descriptor, by an interpreter, from the 32-bit ABI, with arguments that are no text, under a number that
// another had.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "agent/collectors/exec_test.hpp"
#include "agent/collectors/proc.hpp"

namespace fieldwatch::agent {
namespace {

pid_t in_child(const std::function<void()>& body) {
    const auto pid = ::fork();
    if (pid == 0) {
        body();
        ::_exit(127);
    }
    return pid;
}

int wait_for(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(UnusualExec, FromMemoryIsNamedAsTheKernelNamesIt) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const auto image = content_of("/bin/true");
    for (const bool by_path : {false, true}) {  // execveat of the descriptor, or of /proc's link to it
        const auto pid = in_child([&] {
            const int fd = static_cast<int>(::syscall(SYS_memfd_create, "kworker", 0));
            if (::write(fd, image.data(), image.size()) != static_cast<ssize_t>(image.size())) return;
            char name[] = "[kworker/0:1]";
            char* const argv[] = {name, nullptr};
            const auto path = "/proc/self/fd/" + std::to_string(fd);
            if (by_path) {
                ::execv(path.c_str(), argv);
            } else {
                ::syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
            }
        });
        ASSERT_EQ(wait_for(pid), 0);
        const auto exec = find_exec(*source, pid);
        ASSERT_TRUE(exec);
        EXPECT_EQ(exec->executable, "/memfd:kworker");
        EXPECT_EQ(exec->arguments, std::string("[kworker/0:1]", 14));
        EXPECT_NE(exec->head.executable_inode, 0U);
    }
}

TEST(UnusualExec, OfAScriptIsItsInterpreterAndNamesTheScript) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    char path[] = "/tmp/fieldwatch-script-XXXXXX";
    const int fd = ::mkstemp(path);
    ASSERT_GE(fd, 0);
    const std::string script = "#!/bin/sh -e\nexit 3\n";
    ASSERT_EQ(::write(fd, script.data(), script.size()), static_cast<ssize_t>(script.size()));
    ::fchmod(fd, 0700);
    ::close(fd);
    const auto pid = spawn({path, "argument"});
    EXPECT_EQ(wait_for(pid), 3);
    ::unlink(path);
    const auto exec = find_exec(*source, pid);
    ASSERT_TRUE(exec);
    char shell[PATH_MAX] = {};
    ASSERT_NE(::realpath("/bin/sh", shell), nullptr);
    EXPECT_EQ(exec->executable, shell);
    EXPECT_EQ(exec->arguments, std::string("/bin/sh\0-e\0", 11) + path + std::string("\0argument", 10));
}

/// A static program of the 32-bit ABI that runs /bin/true by `int 0x80`: an ELF header, one segment, code.
std::string program_of_32_bits() {
    constexpr std::uint32_t kBase = 0x08048000;
    constexpr std::uint32_t kHeads = 52 + 32;
    const std::string path("/bin/true\0thirty-two\0", 21);
    const std::uint8_t code[] = {0x31, 0xd2,           // xor edx, edx        no environment
                                 0x52,                 // push edx            end of argv
                                 0x68, 0,    0, 0, 0,  // push "thirty-two"
                                 0x68, 0,    0, 0, 0,  // push "/bin/true"
                                 0x89, 0xe1,           // mov ecx, esp        argv
                                 0xbb, 0,    0, 0, 0,  // mov ebx, "/bin/true"
                                 0xb8, 11,   0, 0, 0,  // mov eax, execve
                                 0xcd, 0x80,           // int 0x80
                                 0xb8, 1,    0, 0, 0,  // mov eax, exit
                                 0xbb, 99,   0, 0, 0,  // mov ebx, 99
                                 0xcd, 0x80};          // int 0x80
    std::string body(reinterpret_cast<const char*>(code), sizeof code);
    const auto put = [&](std::size_t at, std::uint32_t value) { std::memcpy(body.data() + at, &value, 4); };
    const std::uint32_t text = kBase + kHeads + sizeof code;
    put(4, text + 10);
    put(9, text);
    put(16, text);
    body += path;
    const auto size = static_cast<std::uint32_t>(kHeads + body.size());
    const std::uint32_t heads[] = {0x464c457f, 0x00010101, 0,
                                   0,  // magic, 32 bits, little endian
                                   0x00030002, 1,          kBase + kHeads,
                                   52,         0,          0,
                                   0x00200034, 1,          0,  // executable, i386, entry, headers
                                   1,          0,          kBase,
                                   kBase,      size,       size,
                                   5,          0x1000};  // one loaded segment, readable, runs
    return std::string(reinterpret_cast<const char*>(heads), sizeof heads) + body;
}

TEST(UnusualExec, ByThe32BitAbiIsSeen) {
#if !defined(__x86_64__)
    GTEST_SKIP() << "NOT TESTED: for processors of x86";
#endif
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const auto image = program_of_32_bits();
    char path[] = "/tmp/fieldwatch-abi32-XXXXXX";
    const int fd = ::mkstemp(path);
    ASSERT_EQ(::write(fd, image.data(), image.size()), static_cast<ssize_t>(image.size()));
    ::fchmod(fd, 0700);
    ::close(fd);
    pid_t pid = 0;
    char* argv[] = {path, nullptr};
    const int error = ::posix_spawn(&pid, path, nullptr, nullptr, argv, environ);
    const int ended = error == 0 ? wait_for(pid) : -1;
    ::unlink(path);
    if (error == ENOEXEC || ended == -SIGSEGV || ended == 99)
        GTEST_SKIP() << "NOT TESTED: this kernel has no 32-bit ABI";
    ASSERT_EQ(error, 0) << std::strerror(error);
    ASSERT_EQ(ended, 0);
    const auto exec = find_exec(*source, pid);  // the last of that process
    ASSERT_TRUE(exec);
    EXPECT_TRUE(exec->executable.ends_with("/bin/true")) << exec->executable;
    EXPECT_EQ(exec->arguments, std::string("/bin/true\0thirty-two\0", 21));
}

TEST(UnusualExec, ArgumentsThatAreNoTextAreKeptByteForByte) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const std::string bytes = "\xff\xfe\xc0\x80 \x1b[2J\n\xed\xa0\x80 end";
    const auto pid = spawn({"/bin/true", bytes, "caf\xc3\xa9"});
    ASSERT_EQ(wait_for(pid), 0);
    const auto exec = find_exec(*source, pid);
    ASSERT_TRUE(exec);
    EXPECT_EQ(exec->arguments, std::string("/bin/true", 10) + bytes + std::string(1, '\0') + "caf\xc3\xa9" +
                                   std::string(1, '\0'));
}

/// A child whose number is `pid`.
pid_t child_with_number(pid_t pid, const std::function<void()>& body) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
    arguments.set_tid_size = 1;
    const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child == 0) {
        body();
        ::_exit(127);
    }
    return child;
}

void connect_to(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::close(fd);
}

TEST(ReusedNumber, IsAnotherProcess) {
    OPEN_OR_SKIP(execs, FW_CLASS_EXEC, {});
    OPEN_OR_SKIP(connections, FW_CLASS_TCP, BpfSource::Options{.loopback = true});
    pid_t number = 0, highest = 32'768;
    std::ifstream("/proc/sys/kernel/pid_max") >> highest;
    for (pid_t tried = highest - 1; number <= 0 && tried > highest - 50; --tried) {
        number = child_with_number(tried, [] {
            char name[] = "/bin/true";
            char first[] = "first";
            char* const argv[] = {name, first, nullptr};
            ::execv(name, argv);
        });
    }
    if (number <= 0) GTEST_SKIP() << "NOT TESTED, no number can be chosen here: " << std::strerror(errno);
    ASSERT_EQ(wait_for(number), 0);
    ::usleep(20'000);  // /proc counts starts in hundredths of a second
    int hold[2];
    ASSERT_EQ(::pipe(hold), 0);
    const auto again = child_with_number(number, [&] {  // runs no program of its own
        connect_to(1);
        char one;
        ::close(hold[1]);
        (void)!::read(hold[0], &one, 1);
        ::_exit(0);
    });
    ASSERT_EQ(again, number);
    std::optional<fw_connection> seen;
    for (int tries = 0; tries < 100 && !seen; ++tries) {
        ::usleep(10'000);
        connections->drain([&](std::span<const std::byte> bytes) {
            fw_connection record;
            if (bytes.size() != sizeof record) return true;
            std::memcpy(&record, bytes.data(), sizeof record);
            if (record.pid == static_cast<fw_u32>(number)) seen = record;
            return true;
        });
    }
    ASSERT_TRUE(seen);
    ProcessFacts facts;
    ASSERT_TRUE(read_process("/proc", static_cast<std::uint32_t>(number), facts));
    const auto first = find_exec(*execs, number);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->arguments, std::string("/bin/true\0first", 16));
    EXPECT_NE(seen->start_ns, first->head.start_ns);
    EXPECT_EQ(seen->start_ns / 10'000'000, facts.start_ns / 10'000'000);
    ::close(hold[0]);
    ::close(hold[1]);
    wait_for(again);
}

}  // namespace
}  // namespace fieldwatch::agent
