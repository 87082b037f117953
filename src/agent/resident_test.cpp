#include "agent/resident.hpp"

#include <gtest/gtest.h>

#include <string>

#include "agent/accounts.hpp"

namespace fieldwatch::agent {
namespace {

std::string entry(const std::string& line, const std::string& anonymous) {
    return line + "\nSize:  8 kB\nRss:  8 kB\nAnonymous: " + anonymous + " kB\nSwap:  0 kB\nLocked:  0 kB\n";
}

TEST(GiveBack, UnmapsOnlyFilesPagesThatNobodyWrote) {
    std::size_t begin = 0;
    std::size_t end = 0;
    const std::string code = "7f00-9f00 r-xp 00001000 fe:00 77 /lib/libcrypto.so.3";
    const std::string maps = "5000-6000 r--p 00000000 fe:00 77 /lib/libcrypto.so.3\n" + code + "\n";
    EXPECT_TRUE(is_clean_file_mapping(entry(code, "0"), maps, begin, end));
    EXPECT_EQ(begin, 0x7f00U);
    EXPECT_EQ(end, 0x9f00U);
    EXPECT_FALSE(
        is_clean_file_mapping(entry(code, "16"), maps, begin, end));  // relocated: dropping it loses data
    EXPECT_FALSE(is_clean_file_mapping(entry("7f00-9f00 rw-p 0 fe:00 77 /lib/x.so", "0"), maps, begin, end));
    EXPECT_FALSE(
        is_clean_file_mapping(entry("7f00-9f00 r--s 0 fe:00 77 /dev/shm/ring", "0"), maps, begin, end));
    EXPECT_FALSE(is_clean_file_mapping(entry("7f00-9f00 r-xp 0 00:00 0 [vdso]", "0"), maps, begin, end));
    // An emulator tells the properties of its own addresses, not of ours.
    EXPECT_FALSE(is_clean_file_mapping(entry(code, "0"), "17f00-9f00 r-xp\n8f00-af00 r-xp\n", begin, end));
    EXPECT_FALSE(is_clean_file_mapping(code, maps, begin, end));  // the kernel tells no properties: leave it
    EXPECT_FALSE(is_clean_file_mapping("", maps, begin, end));
}

TEST(GiveBack, LeavesTheProcessWorking) {
    EXPECT_GT(give_back_memory(), 0U);
    EXPECT_EQ(std::to_string(1'234'567), "1234567");
}

TEST(Accounts, FindsWhomTheSenderBecomesWithoutANameService) {
    const std::string_view passwd =
        "root:x:0:0:root:/root:/bin/sh\nbroken\nfieldwatch-agent:x:998:997::/:/bin/false\n";
    const auto found = find_account(passwd, "fieldwatch-agent");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 998U);
    EXPECT_EQ(found->gid, 997U);
    EXPECT_FALSE(find_account(passwd, "fieldwatch"));
    EXPECT_FALSE(find_account("odd:x:99999999999:1::/:/\n", "odd"));
}

}  // namespace
}  // namespace fieldwatch::agent
