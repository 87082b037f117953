// Lines are records, each with its type first: whatever they are, what comes out is bounded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/audit_text.hpp"
#include "agent/login_line.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    static constexpr std::uint16_t kTypes[] = {1300, 1307, 1309, 1320};
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    AuditExecs execs;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        (void)parse_audit_login(line);
        (void)parse_login_line(line);
        if (line.empty()) continue;
        const auto facts = execs.take(kTypes[static_cast<unsigned char>(line[0]) % 4], line.substr(1));
        if (facts && (facts->arguments.size() > FW_ARGS_MAX || facts->executable.size() > FW_PATH_MAX ||
                      facts->directory.size() > FW_PATH_MAX || facts->pid == 0))
            std::abort();
    }
    return 0;
}
