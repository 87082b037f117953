#include "agent/collectors/firewall.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace fieldwatch::agent {
namespace {

constexpr const char* kRules = R"(table inet filter {
  chain input { type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname "lo" accept
    tcp dport 22 ip saddr 192.0.2.0/24 accept
    tcp dport 8000-8100 reject
    udp dport { 53, 123 } accept
    ip6 saddr 2001:db8::/32 drop
    ip daddr != 198.51.100.7 meta l4proto icmp jump other
  }
  chain other { log prefix "odd " counter drop; }
  chain output { type filter hook output priority 0; policy accept; }
}
table ip nat {
  chain post { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
}
)";

bool load_rules(const char* rules) {
    auto* nft = ::popen("/usr/sbin/nft -f - 2>/dev/null", "w");
    if (!nft) return false;
    std::fputs(rules, nft);
    return ::pclose(nft) == 0;
}

/// In a network namespace of its own, so that no rule of this machine is touched. 0 passed, 77 not possible
/// here.
int status_in_own_network(int (*work)()) {
    const auto child = ::fork();
    if (child == 0) ::_exit(::unshare(CLONE_NEWNET) == 0 ? work() : 77);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(FirewallDump, HoldsTheChainsAndRulesOfThisNetworkNamespace) {
    const int result = status_in_own_network([] {
        const auto empty = dump_nftables();
        if (!empty) return empty.error().code == Errc::Unsupported ? 77 : 2;
        if (!empty->empty()) return 3;
        if (!load_rules(kRules)) return 77;
        const auto dump = dump_nftables();
        if (!dump || dump->empty()) return 4;
        if (as_text(*dump).find("input") == std::string_view::npos) return 5;
        if (const char* file = std::getenv("FIELDWATCH_SAVE_NFTABLES"))
            std::ofstream(file, std::ios::binary) << as_text(*dump);
        Bytes joined;
        std::size_t pieces = 0;
        bool last = false;
        const bool whole = split_firewall(*dump, 7, [&](const fw_firewall& record) {
            const auto data = std::as_bytes(std::span(record.data)).first(record.size);
            joined.insert(joined.end(), data.begin(), data.end());
            ++pieces;
            last = record.is_last != 0;
            return record.snapshot == 7;
        });
        return whole && last && pieces > 1 && joined == *dump ? 0 : 6;
    });
    if (result == 77) GTEST_SKIP() << "needs root, nft and a kernel with nftables";
    EXPECT_EQ(result, 0);
}

TEST(FirewallDump, OfNothingIsOneLastPiece) {
    int pieces = 0;
    EXPECT_TRUE(split_firewall({}, 1, [&](const fw_firewall& record) {
        ++pieces;
        return record.is_last == 1 && record.size == 0;
    }));
    EXPECT_EQ(pieces, 1);
}

}  // namespace
}  // namespace fieldwatch::agent
