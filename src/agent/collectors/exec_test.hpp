// For the tests of the kernel program of execs: a process to be seen, and what was seen of it.
#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/collectors/open_or_skip.hpp"

namespace fieldwatch::agent {

inline pid_t spawn(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (auto& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    EXPECT_EQ(::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ), 0);
    return pid;
}

inline std::string reversed_path(std::string_view names) {
    std::string out;
    while (!names.empty()) {
        const auto end = names.find('\0');
        out = "/" + std::string(names.substr(0, end)) + out;
        names.remove_prefix(end + 1);
    }
    return out;
}

struct Exec {
    fw_exec_head head{};
    std::string executable, parent, directory, arguments;
};

inline std::optional<Exec> find_exec(BpfSource& source, pid_t pid) {
    std::optional<Exec> found;
    source.drain([&](std::span<const std::byte> record) {
        Exec exec;
        std::memcpy(&exec.head, record.data(), sizeof exec.head);
        std::string_view text(reinterpret_cast<const char*>(record.data()) + sizeof exec.head,
                              record.size() - sizeof exec.head);
        exec.executable = reversed_path(text.substr(0, exec.head.executable_size));
        text.remove_prefix(exec.head.executable_size);
        exec.parent = reversed_path(text.substr(0, exec.head.parent_size));
        text.remove_prefix(exec.head.parent_size);
        exec.directory = reversed_path(text.substr(0, exec.head.directory_size));
        text.remove_prefix(exec.head.directory_size + exec.head.cgroup_size);
        exec.arguments = text;
        EXPECT_EQ(exec.arguments.size(), exec.head.arguments_size);
        if (exec.head.pid == static_cast<fw_u32>(pid)) found = exec;
        return true;
    });
    return found;
}

}  // namespace fieldwatch::agent
